"""`?`: every key, from the registry of actions."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.table import Table
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
_LIST = (
    ("↑ ↓ pgup pgdn", "Move in the list."),
    ("g G", "To the newest record, to the oldest."),
)


class HelpScreen(ModalScreen[None]):
    """The list of keys."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape,q,question_mark,enter", "dismiss", "close")]

    def compose(self) -> ComposeResult:
        """One scrolling text."""
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True, style="cyan")
        table.add_column()
        for title, actions in (("Everywhere", EVERYWHERE), ("Search", SEARCH), ("Incident", INCIDENT)):
            table.add_row(Text(title, "bold default"), "")
            for action in actions:
                table.add_row(
                    Text("  " + " ".join(_NAMES.get(key, key) for key in action.keys.split(","))), action.help
                )
            for keys, sentence in _LIST if actions is SEARCH else ():
                table.add_row(f"  {keys}", sentence)
        table.add_row(Text("Queries", "bold default"), 'timeout "waiting for lock" · -level:debug')
        table.add_row("", "service:orders status:>=500 duration>1s")
        with VerticalScroll(id="help"):
            yield Static(table)
