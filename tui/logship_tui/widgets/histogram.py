"""Records over time: stacked bars of eighth blocks, a scale, and a brush that picks a time range."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from rich.style import Style
from rich.text import Text
from textual.binding import Binding
from textual.message import Message
from textual.widget import Widget

from logship.record import format_time
from logship.timerange import TimeRange, human_span
from logship_tui import look

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textual import events
    from textual.binding import BindingType

    from logship.store.port import Bar

_EIGHTHS: Final = " ▁▂▃▄▅▆▇█"
_NICE_S: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400, 604800, 2592000)
_COLOURS: Final = (look.BAD, look.WARN, look.GOOD)
"""Of errors, warnings and the rest, from the foot of a bar upwards."""
_MARGIN: Final = 1
_DAY_US: Final = 86_400_000_000


def interval_us(within: TimeRange, columns: int) -> int:
    """A round interval that gives at most one bar a column."""
    least = max(1, within.span_us // max(1, columns - 2 * _MARGIN - 1))
    return next((nice * 1_000_000 for nice in _NICE_S if nice * 1_000_000 >= least), least)


class Histogram(Widget, can_focus=True):
    """Bars above a scale. With the keyboard on it, the arrows move a brush and Enter zooms to it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "brush(-1, False)", "move", show=False),
        Binding("right", "brush(1, False)", "move", show=False),
        Binding("shift+left", "brush(-1, True)", "extend", show=False),
        Binding("shift+right", "brush(1, True)", "extend", show=False),
        Binding("enter", "zoom", "zoom to the brush"),
    ]

    class Brushed(Message):
        """A time range was picked."""

        def __init__(self, within: TimeRange) -> None:
            super().__init__()
            self.within = within

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - textual's name
        super().__init__(id=id)
        self._bars: dict[int, Bar] = {}
        self._within: TimeRange | None = None
        self._interval_us = 1
        self._brush: tuple[int, int] | None = None
        """First and last column, in the order they were touched."""

    def show(self, bars: list[Bar], within: TimeRange | None, interval: int) -> None:
        """Replaces the bars."""
        self._bars, self._within, self._interval_us = {bar.start_us: bar for bar in bars}, within, interval
        self._brush = (self._columns - 1, self._columns - 1) if self.has_focus else None
        self.refresh()

    @property
    def _columns(self) -> int:
        return len(self._starts())

    def _starts(self) -> range:
        if self._within is None:
            return range(0)
        first = self._within.start_us // self._interval_us * self._interval_us
        return range(first, self._within.end_us, self._interval_us)

    @property
    def brushed(self) -> TimeRange | None:
        """The time under the brush, within the range that is shown."""
        if self._brush is None or self._within is None or not self._columns:
            return None
        first, last = sorted(self._brush)
        starts = self._starts()
        start = max(starts[first], self._within.start_us)
        return TimeRange(start, max(start + 1, min(starts[last] + self._interval_us, self._within.end_us)))

    def render(self) -> Text:
        """Bars and scale; the oldest is left."""
        if self._within is None or not self._bars:
            return Text(" no records in this time", "dim", no_wrap=True)
        height = max(1, self.size.height - 1)
        highest = max(bar.count for bar in self._bars.values())
        stacks = [_stack(self._bars.get(start), highest, height * 8) for start in self._starts()]
        text = Text(no_wrap=True, end="")
        for row in reversed(range(height)):
            text.append(" " * _MARGIN)
            for column, stack in enumerate(stacks):
                text.append(*_cell(stack, row * 8, brushed=self._is_brushed(column)))
            text.append("\n")
        return text.append_text(self._scale(highest))

    def _is_brushed(self, column: int) -> bool:
        return self._brush is not None and min(self._brush) <= column <= max(self._brush)

    def _scale(self, highest: int) -> Text:
        within = self.brushed or self._within
        assert within is not None
        long = within.span_us > _DAY_US
        left, right = (_clock(at, long=long) for at in (within.start_us, within.end_us))
        if self.brushed:
            count = sum(self._counts())
            return Text(f" brush {left} – {right} · {count:,} records · Enter zooms, Esc leaves", "bold", no_wrap=True)
        middle = f"each bar {human_span(self._interval_us)}, highest {highest:,}"
        gap = max(1, (max(self._columns, 60) - len(left) - len(right) - len(middle)) // 2) * " "
        return Text(f"{' ' * _MARGIN}{left}{gap}{middle}{gap}{right}", "dim", no_wrap=True)

    def _counts(self) -> Iterator[int]:
        ends = self._starts()
        first, last = sorted(self._brush or (0, len(ends) - 1))
        return (self._bars[start].count for start in ends[first : last + 1] if start in self._bars)

    # The brush

    def on_focus(self) -> None:
        """Starts at the newest bar."""
        if self._brush is None and self._columns:
            self._brush = (self._columns - 1, self._columns - 1)

    def on_blur(self) -> None:
        """Forgets the brush."""
        self._brush = None

    def action_brush(self, by: int, extend: bool) -> None:
        """Moves the brush, or its last end."""
        if self._brush is not None:
            last = max(0, min(self._brush[1] + by, self._columns - 1))
            self._brush = (self._brush[0] if extend else last, last)
            self.refresh()

    def action_zoom(self) -> None:
        """To the time under the brush."""
        if within := self.brushed:
            self.post_message(self.Brushed(within))

    def _column_at(self, x: int) -> int:
        return max(0, min(x - _MARGIN, self._columns - 1))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Begins a brush."""
        if self._columns:
            self.capture_mouse()
            self._brush = (self._column_at(event.x),) * 2
            self.refresh()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Extends it."""
        if self._brush is not None and self.app.mouse_captured is self:
            self._brush = (self._brush[0], self._column_at(event.x))
            self.refresh()

    def on_mouse_up(self) -> None:
        """Zooms to it, unless it was a mere click."""
        self.release_mouse()
        if self._brush is not None and self._brush[0] != self._brush[1]:
            self.action_zoom()


def _stack(bar: Bar | None, highest: int, eighths: int) -> tuple[int, int, int]:
    """Tops of errors, warnings and the rest, in eighths of a line; what is there at all is seen."""
    if bar is None or not bar.count:
        return 0, 0, 0
    bad = bar.by.get("ERROR", 0) + bar.by.get("FATAL", 0)
    tops: list[int] = []
    counted = 0
    for count in (bad, bar.by.get("WARN", 0), bar.count):
        counted = min(bar.count, counted + count)
        least = (tops[-1] if tops else 0) + (1 if count and (not tops or counted > tops[-1]) else 0)
        tops.append(max(least if counted else 0, round(eighths * counted / highest)))
    return min(tops[0], eighths), min(tops[1], eighths), min(max(1, *tops), eighths)


def _cell(stack: tuple[int, int, int], base: int, *, brushed: bool) -> tuple[str, Style]:
    """One character of a bar whose lower edge is at `base` eighths: at most two colours fit."""
    ground = "grey35" if brushed else None
    edges = [max(0, min(8, top - base)) for top in (0, *stack)]
    parts = [(high - low, colour) for low, high, colour in zip(edges, edges[1:], _COLOURS, strict=False) if high > low]
    if not parts:
        mark = "·" if base == 0 and not stack[2] else " "
        return mark, Style(color="grey50", bgcolor=ground)
    if edges[-1] < 8:  # noqa: PLR2004 - the top of the bar: one colour, so that its height is right
        colour = next(colour for height, colour in parts if height * 4 >= edges[-1])
        return _EIGHTHS[edges[-1]], Style(color=colour, bgcolor=ground)
    height, colour = parts[0]
    above = max(parts[1:], default=(0, None), key=lambda part: part[0])[1]
    return _EIGHTHS[height], Style(color=colour, bgcolor=above)


def _clock(time_us: int, *, long: bool) -> str:
    stamp = format_time(time_us)
    return f"{stamp[5:10]} {stamp[11:16]}" if long else stamp[11:19]
