"""`?`: every key, from the registry of actions."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from logship_tui.actions import EVERYWHERE, INCIDENT, SEARCH

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

_NAMES = {
    "slash": "/",
    "question_mark": "?",
    "plus": "+",
    "equals_sign": "=",
    "minus": "-",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "left": "←",
    "right": "→",
}
_LIST = (("↑ ↓ pgup pgdn home end", "Move in the list; g is the newest, G the oldest."),)


class HelpScreen(ModalScreen[None]):
    """The list of keys."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape,q,question_mark,enter", "dismiss", "close")]

    def compose(self) -> ComposeResult:
        """One scrolling text."""
        text = Text()
        for title, actions in (("Everywhere", EVERYWHERE), ("Search", SEARCH), ("Incident", INCIDENT)):
            text.append(f"{title}\n", "bold")
            for action in actions:
                keys = " ".join(_NAMES.get(key, key) for key in action.keys.split(","))
                text.append(f"  {keys:<22} ", "cyan")
                text.append(f"{action.help}\n")
            if title == "Search":
                for keys, sentence in _LIST:
                    text.append(f"  {keys:<22} ", "cyan")
                    text.append(f"{sentence}\n")
        text.append("Queries\n", "bold")
        text.append('  timeout "waiting for lock"   service:orders status:>=500 duration>1s   -level:debug\n', "dim")
        with VerticalScroll(id="help"):
            yield Static(text)
