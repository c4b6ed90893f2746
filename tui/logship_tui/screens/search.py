"""The search screen: a query with its verdict, records over time, the list, and the whole record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on, work
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Footer, Input, Static
from textual.worker import get_current_worker

from logship.errors import LogshipError, QuerySyntaxError
from logship.query import parse
from logship.query.tree import And, Node
from logship.store.port import Cancelled
from logship.timerange import TimeRange, human_span
from logship_tui import look
from logship_tui.actions import SEARCH, bindings
from logship_tui.rows import BLOCK, Rows
from logship_tui.widgets.header import Header
from logship_tui.widgets.histogram import Histogram, interval_us
from logship_tui.widgets.result_list import ResultList

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.timer import Timer

    from logship.store.port import Bar
    from logship_tui.app import LogshipApp

_TYPING_PAUSE_S = 0.12
_LIVE_S = 1.0
_SMALLEST_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query found; `generation` tells late answers from the wanted one."""

    generation: int
    rows: Rows
    first: int
    total: int | None = None
    bars: tuple[Bar, ...] = ()
    within: TimeRange | None = None
    interval_us: int = 1


class SearchScreen(Screen[None]):
    """Searches while you type."""

    app: LogshipApp
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(SEARCH)]

    def __init__(self, query: str = "", within: TimeRange | None = None) -> None:
        super().__init__()
        self._text, self._within = query, within
        self._generation = 0
        self._rows: Rows | None = None
        self._total = 0
        self._live = False
        self._typing: Timer | None = None

    def compose(self) -> ComposeResult:
        """Top to bottom."""
        yield Header("Search")
        yield Input(
            self._text,
            placeholder='service:orders status:>=500 duration>1s "waiting for lock"',
            id="query",
            select_on_focus=False,
        )
        yield Static(id="verdict")
        yield Histogram(id="histogram")
        yield ResultList(id="results")
        with VerticalScroll(id="detail"):
            yield Static(id="record")
        yield Footer()

    def on_mount(self) -> None:
        """Searches at once."""
        self.call_after_refresh(self.search)
        self.set_interval(_LIVE_S, self._follow)
        self.query_one(ResultList).focus()

    def ask(self, query: str, within: TimeRange | None) -> None:
        """Replaces query and time range."""
        self._within = within
        field = self.query_one("#query", Input)
        field.value = query
        self.search()
        self.query_one(ResultList).focus()

    # Searching

    @on(Input.Changed, "#query")
    def _typed(self, event: Input.Changed) -> None:
        self._text = event.value
        if self._typing:
            self._typing.stop()
        self._typing = self.set_timer(_TYPING_PAUSE_S, self.search)

    @on(Input.Submitted, "#query")
    def _submitted(self) -> None:
        self.query_one(ResultList).focus()

    def search(self) -> None:
        """Asks the store, unless the query cannot be read."""
        verdict = self.query_one("#verdict", Static)
        try:
            tree = parse(self._text, now_us=self.app.now_us())
        except QuerySyntaxError as error:
            verdict.add_class("bad")
            pointer = " " * (error.position + 1) + "^" * error.length
            hint = f"  {error.suggestion}" if error.suggestion else ""
            verdict.update(Text(f"{pointer}\n {error.problem};{hint}".rstrip(";")))
            self.query_one(ResultList).add_class("stale")
            return
        verdict.remove_class("bad")
        self._generation += 1
        self._run(tree, self._within, self._generation, self.query_one(Histogram).size.width or 80)

    @work(thread=True, exclusive=True, group="search", exit_on_error=False)
    def _run(self, tree: Node, within: TimeRange | None, generation: int, columns: int) -> None:
        """Rows first, then how many there are, then when."""
        worker = get_current_worker()
        reader = self.app.reader

        def stop() -> bool:
            return worker.is_cancelled

        try:
            rows = Rows(reader, tree, within)
            first = rows.read(0, stop)
            self.app.call_from_thread(self._arrived, Answer(generation, rows, len(first)), tree)
            total = len(first) if len(first) < BLOCK else reader.count(tree, within, stop=stop)
            span = within or reader.extent()
            interval = interval_us(span, columns - 14) if span else 1
            bars = reader.histogram(tree, span, interval, by_severity=True, stop=stop) if span else []
            answer = Answer(generation, rows, len(first), total, tuple(bars), span, interval)
            self.app.call_from_thread(self._arrived, answer, tree)
        except Cancelled:
            return
        except LogshipError as error:
            self.app.call_from_thread(self._failed, generation, str(error))

    def _arrived(self, answer: Answer, tree: Node) -> None:
        if answer.generation != self._generation:
            return
        results = self.query_one(ResultList)
        results.remove_class("stale")
        if answer.total is None:
            self._rows, self._total = answer.rows, answer.first
            results.show(answer.rows, answer.first)
        else:
            self._total = answer.total
            results.set_total(answer.total)
            self.query_one(Histogram).show(list(answer.bars), answer.within, answer.interval_us)
        self._judge(tree, answer.within, counted=answer.total is not None)

    def _judge(self, tree: Node, within: TimeRange | None, *, counted: bool) -> None:
        """The line under the query: what it consists of, how much it found, over which time."""
        conditions = len(tree.parts) if isinstance(tree, And) else int(self._text.strip() not in ("", "*"))
        what = f"{conditions} condition{'s' * (conditions != 1)}" if conditions else "every record"
        found = f"{self._total:,} records" if counted else "…"
        text = Text(no_wrap=True, end="")
        text.append("✓ ", "green")
        text.append(f"{what} · {found}", "")
        if within:
            text.append(f" · {within} ({human_span(within.span_us)})", "dim")
        if self._live:
            text.append("  ⌁ live", "bold green")
        self.query_one("#verdict", Static).update(text)
        self.query_one(Header).tell(self.app.location, self.app.reader, self.app.now_us())

    def _failed(self, generation: int, problem: str) -> None:
        if generation == self._generation:
            self.query_one("#verdict", Static).update(Text(f"✗ {problem}", "red"))
            self.query_one(ResultList).add_class("stale")

    @on(ResultList.Wanted)
    def _wanted(self, event: ResultList.Wanted) -> None:
        if self._rows is not None:
            self._fetch(self._rows, event.row)

    @work(thread=True, exclusive=True, group="rows", exit_on_error=False)
    def _fetch(self, rows: Rows, row: int) -> None:
        worker = get_current_worker()
        try:
            rows.read(row, lambda: worker.is_cancelled)
        except Cancelled:
            return
        except LogshipError as error:
            self.app.call_from_thread(self._failed, self._generation, str(error))
            return
        self.app.call_from_thread(self.query_one(ResultList).arrived)

    def _follow(self) -> None:
        if self._live and self.app.reader.refresh():
            self.search()

    # Keys

    def action_edit_query(self) -> None:
        """To the query."""
        self.query_one("#query", Input).focus()

    def action_to_results(self) -> None:
        """To the list."""
        self.query_one(ResultList).focus()

    def action_toggle_detail(self) -> None:
        """Shows or hides the whole record."""
        self.query_one("#detail").toggle_class("open")
        self._show_record()

    @on(ResultList.Moved)
    def _show_record(self) -> None:
        record = self.query_one(ResultList).record
        if record is not None and self.query_one("#detail").has_class("open"):
            self.query_one("#record", Static).update(look.detail(record))

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

    def _shift(self, by: float) -> None:
        shown = self._within or self.app.reader.extent()
        if shown:
            step = int(shown.span_us * by)
            self._within = TimeRange(shown.start_us + step, shown.end_us + step)
            self.search()

    def _scale(self, by: float) -> None:
        shown = self._within or self.app.reader.extent()
        if shown:
            middle, half = (shown.start_us + shown.end_us) // 2, max(_SMALLEST_US, int(shown.span_us * by)) // 2
            self._within = TimeRange(middle - half, middle + half)
            self.search()

    def action_follow_trace(self) -> None:
        """All records of the trace."""
        record = self.query_one(ResultList).record
        if record and record.trace_id:
            self.ask(f'trace:"{record.trace_id}"', None)
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
            quoted = record.service.replace("\\", "\\\\").replace('"', '\\"')
            self.ask(f'{self._text.strip()} {sign}service:"{quoted}"'.strip(), self._within)

    def action_copy_line(self) -> None:
        """The original line to the clipboard."""
        record = self.query_one(ResultList).record
        if record:
            self.app.copy_to_clipboard(record.original)
            self.notify("copied the original line")

    def action_toggle_live(self) -> None:
        """Follows, or stops."""
        self._live = not self._live
        self.search()
