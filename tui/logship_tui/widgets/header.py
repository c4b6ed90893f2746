"""The line on top: where we are, how much is shown of how much, over which time, from which store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text
from textual.widgets import Static

from logship.record import format_time
from logship.timerange import human_span

if TYPE_CHECKING:
    from logship_tui.facts import Facts

_NARROW = 90
_DAY_US = 86_400_000_000


class Header(Static):
    """One line; drops what is least needed when there is little room."""

    def __init__(self, screen_name: str) -> None:
        super().__init__()
        self._screen_name = screen_name
        self._location, self._now_us = "", 0
        self._facts: Facts | None = None

    def tell(self, location: str, facts: Facts, now_us: int) -> None:
        """Shows the state of the store."""
        self._location, self._facts, self._now_us = location, facts, now_us
        self.on_resize()

    def on_resize(self) -> None:
        """How much fits is seen when the width is known, and again when it changes."""
        if self._facts is None:
            return
        newest_us = self._facts.newest_us
        behind = "empty" if newest_us is None else _behind(self._now_us - newest_us, newest_us)
        left = Text(no_wrap=True, end="")
        left.append(" logship ", "bold reverse")
        for key, name in (("1", "Search"), ("4", "Incident")):
            left.append(f"  {key} {name}", "bold" if name == self._screen_name else "dim")
        width = self.size.width or 80
        right = f"{self._facts.records:,} records · {behind} "
        whole = f"store {self._location[-30:]} · {right}"
        if width >= _NARROW and left.cell_len + cell_len(whole) < width:
            right = whole
        room = max(1, width - left.cell_len - cell_len(right))
        left.append(" " * room)
        left.append(right, "dim")
        self.update(left)


def _behind(behind_us: int, newest_us: int) -> str:
    """How old the newest record is; of a store that no longer grows, its date."""
    if behind_us > _DAY_US:
        return f"newest {format_time(newest_us)[:10]}"
    return f"{human_span(max(0, behind_us))} behind"
