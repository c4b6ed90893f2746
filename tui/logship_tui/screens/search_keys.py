"""What the keys of the search screen do: the time range, and a record under the cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from textual import on
from textual.screen import Screen
from textual.widgets import Input

from logship.errors import LogshipError
from logship.query import parse
from logship.query.tree import Or
from logship.timerange import EARLIEST_US, LATEST_US, TimeRange, resolve
from logship_tui.actions import SEARCH, bindings
from logship_tui.widgets.histogram import Histogram
from logship_tui.widgets.result_list import ResultList

if TYPE_CHECKING:
    from textual.binding import BindingType

    from logship_tui.app import LogshipApp

_SMALLEST_US: Final = 1_000_000
_WHILE_TYPING: Final = frozenset({"to_results"})


class SearchKeys(Screen[None]):
    """The actions; the screen itself says how to search."""

    app: LogshipApp
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(SEARCH)]

    def __init__(self, query: str, within: TimeRange | None) -> None:
        super().__init__()
        self._text, self._within = query, within
        self._shown: TimeRange | None = None
        """The range of the last answer."""
        self._live = False

    def search(self) -> None:
        """Asks the store."""
        raise NotImplementedError

    def complain(self, problem: str) -> None:
        """Says what went wrong, in one line."""
        raise NotImplementedError

    def ask(self, query: str, within: TimeRange | None) -> None:
        """Replaces query and time range."""
        self._text, self._within = query, within
        self.query_one("#query", Input).value = query
        self.search()
        self.query_one(ResultList).focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Letters belong to the text that is being typed."""
        del parameters
        if action in _WHILE_TYPING:
            return not isinstance(self.focused, ResultList)
        names = {item.id for item in SEARCH} - _WHILE_TYPING
        return not (isinstance(self.focused, Input) and action in names)

    def action_edit_query(self) -> None:
        """To the query."""
        self.query_one("#query", Input).focus()

    def action_to_results(self) -> None:
        """To the list."""
        self.query_one("#range").remove_class("open")
        self.query_one(ResultList).focus()

    def action_brush(self) -> None:
        """To the bars."""
        self.query_one(Histogram).focus()

    def action_explain(self) -> None:
        """The incident screen on the time range that is shown."""
        self.app.explain(self._within and self._moved())

    # The time range

    def action_edit_range(self) -> None:
        """To the field of the time range."""
        field = self.query_one("#range", Input)
        field.value = ""
        field.add_class("open")
        field.focus()

    @on(Input.Submitted, "#range")
    def _range_typed(self, event: Input.Submitted) -> None:
        try:
            self._within = read_range(event.value, now_us=self.app.now_us())
        except LogshipError as error:
            self.complain(str(error))
            return
        self.action_to_results()
        self.search()

    @on(Histogram.Brushed)
    def _brushed(self, event: Histogram.Brushed) -> None:
        self._within = event.within
        self.action_to_results()
        self.search()

    def action_earlier(self) -> None:
        """Half a range back."""
        self._shift(-0.5)

    def action_later(self) -> None:
        """Half a range on."""
        self._shift(0.5)

    def action_narrower(self) -> None:
        """Half as long."""
        self._scale(0.5)

    def action_wider(self) -> None:
        """Twice as long."""
        self._scale(2.0)

    def action_whole(self) -> None:
        """The whole store."""
        self._within = None
        self.search()

    def _moved(self) -> TimeRange | None:
        """The range that keys go by: the one asked for, or what was shown of it where it has no start or no end."""
        asked = self._within
        is_open = asked is None or asked.start_us <= EARLIEST_US or asked.end_us >= LATEST_US
        return self._shown if is_open else asked

    def _shift(self, by: float) -> None:
        if shown := self._moved():
            step = int(shown.span_us * by)
            self._within = TimeRange(shown.start_us + step, shown.end_us + step)
            self.search()

    def _scale(self, by: float) -> None:
        if shown := self._moved():
            middle, half = (shown.start_us + shown.end_us) // 2, max(_SMALLEST_US, int(shown.span_us * by)) // 2
            self._within = TimeRange(middle - half, middle + half)
            self.search()

    # The record under the cursor

    def action_follow_trace(self) -> None:
        """All records of the trace."""
        record = self.query_one(ResultList).record
        if record and record.trace_id:
            self.ask(f"trace:{quoted(record.trace_id)}", None)
        else:
            self.notify("this record has no trace id")

    def action_filter_service(self) -> None:
        """Only this service."""
        self._add_condition("")

    def action_exclude_service(self) -> None:
        """Not this service."""
        self._add_condition("-")

    def _add_condition(self, sign: str) -> None:
        record = self.query_one(ResultList).record
        if record and record.service:
            before = self._text.strip()
            held = f"({before}) " if _is_either(before) else f"{before} "
            self.ask(f"{held}{sign}service:{quoted(record.service)}".strip(), self._within)

    def action_copy_line(self) -> None:
        """The original line to the clipboard."""
        record = self.query_one(ResultList).record
        if record:
            self.app.copy_to_clipboard(record.original)
            self.notify("copied the original line")


def _is_either(query: str) -> bool:
    """Whether a condition behind the query would belong to its last alternative alone."""
    try:
        return isinstance(parse(query), Or)
    except LogshipError:
        return False


def quoted(value: str) -> str:
    """A value as the query language takes it, whatever it contains; OR, AND, NOT and TO are words of its own."""
    if value.replace("-", "").replace("_", "").isalnum() and value.isascii() and not value.isupper():
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def read_range(text: str, *, now_us: int) -> TimeRange | None:
    """The range of ``15m``, ``yesterday``, ``START..END`` or ``START..``; None for nothing at all.

    Raises:
        TimeRangeError: a time cannot be read, or the end is not after the start.
    """
    start, dots, end = (part.strip() for part in text.partition(".."))
    if dots:
        return resolve(None, start or None, end or None, now_us=now_us)
    return resolve(start or None, None, None, now_us=now_us)
