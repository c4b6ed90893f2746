"""Records over time: one line of bars, coloured by the worst level that is frequent in each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.text import Text
from textual.widget import Widget

if TYPE_CHECKING:
    from logship.store.port import Bar
    from logship.timerange import TimeRange

_EIGHTHS: Final = " ▁▂▃▄▅▆▇█"
_NICE_S: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400, 604800, 2592000)
_NOTABLE: Final = 0.05


def interval_us(within: TimeRange, columns: int) -> int:
    """A round interval that gives at most one bar a column."""
    least = max(1, within.span_us // max(1, columns - 2))
    return next((nice * 1_000_000 for nice in _NICE_S if nice * 1_000_000 >= least), least)


class Histogram(Widget):
    """Two lines: bars and their scale."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - textual's name
        super().__init__(id=id)
        self._bars: dict[int, Bar] = {}
        self._within: TimeRange | None = None
        self._interval_us = 1

    def show(self, bars: list[Bar], within: TimeRange | None, interval: int) -> None:
        """Replaces the bars."""
        self._bars, self._within, self._interval_us = {bar.start_us: bar for bar in bars}, within, interval
        self.refresh()

    def render(self) -> Text:
        """The bars, oldest left."""
        text = Text(no_wrap=True, end="")
        if self._within is None or not self._bars:
            return text.append(" no records in this time", "dim")
        first = self._within.start_us // self._interval_us * self._interval_us
        highest = max(bar.count for bar in self._bars.values())
        text.append(" ")
        for start in range(first, self._within.end_us, self._interval_us):
            bar = self._bars.get(start)
            if bar is None:
                text.append("·", "dim")
            else:
                text.append(_EIGHTHS[max(1, round(8 * bar.count / highest))], _style(bar))
        text.append(f"  max {highest:,}", "dim")
        return text


def _style(bar: Bar) -> str:
    bad = bar.by.get("ERROR", 0) + bar.by.get("FATAL", 0)
    if bad >= _NOTABLE * bar.count:
        return "red"
    return "yellow" if bar.by.get("WARN", 0) >= _NOTABLE * bar.count else "green"
