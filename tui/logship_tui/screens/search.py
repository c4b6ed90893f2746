"""The search screen: a query with its verdict, records over time, the list, and the whole record."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text
from textual import on, work
from textual.containers import VerticalScroll
from textual.widgets import Footer, Input, Static
from textual.worker import Worker, WorkerState, get_current_worker

from logship.errors import LogshipError, QuerySyntaxError
from logship.query.stages import parse_conditions
from logship.query.tree import All, And, Node
from logship.store.port import Cancelled
from logship.timerange import EARLIEST_US, LATEST_US, TimeRange, human_span
from logship_tui import look
from logship_tui.facts import Facts, facts_of
from logship_tui.rows import BLOCK, Rows
from logship_tui.screens.search_keys import SearchKeys
from logship_tui.suggest import QuerySuggester
from logship_tui.widgets.header import Header
from logship_tui.widgets.histogram import Histogram, interval_us
from logship_tui.widgets.result_list import ResultList

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.timer import Timer

    from logship.store.port import Bar

_TYPING_PAUSE_S = 0.12
_LIVE_S = 1.0


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
    facts: Facts = field(default_factory=Facts)


def _charted(within: TimeRange | None, held: TimeRange | None) -> TimeRange | None:
    """What bars and keys go by: a range without a start or an end begins or ends where the records do."""
    if within is None or held is None:
        return within or held
    start_us = held.start_us if within.start_us <= EARLIEST_US else within.start_us
    end_us = held.end_us if within.end_us >= LATEST_US else within.end_us
    return TimeRange(start_us, end_us) if start_us < end_us else within


class SearchScreen(SearchKeys):
    """Searches while you type."""

    def __init__(self, query: str = "", within: TimeRange | None = None) -> None:
        super().__init__(query, within)
        self._generation = self._snapshot = 0
        self._rows: Rows | None = None
        self._total = 0
        self._typing: Timer | None = None

    def compose(self) -> ComposeResult:
        """Top to bottom."""
        yield Header("Search")
        yield Input(
            self._text,
            placeholder='service:orders status:>=500 duration>1s "waiting for lock"',
            id="query",
            select_on_focus=False,
            suggester=QuerySuggester(self.app.reader),
        )
        yield Input(placeholder="time: 15m · yesterday · 2026-11-23T14:00..2026-11-23T14:30 · empty = all", id="range")
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
        if self._typing:
            self._typing.stop()
        try:
            tree = parse_conditions(self._text, now_us=self.app.now_us())
        except QuerySyntaxError as error:
            self._point_at(error)
            return
        self._generation += 1
        self._snapshot = self.app.snapshot
        self._run(tree, self._within, self._generation, self.query_one(Histogram).size.width or 80)

    def _point_at(self, error: QuerySyntaxError) -> None:
        """Carets under the wrong characters, wherever the field has scrolled to; the results stay."""
        field, verdict = self.query_one("#query", Input), self.query_one("#verdict", Static)
        column = cell_len(error.query[: error.position]) - field.scroll_offset.x
        column = max(0, min(column, verdict.content_size.width - 1))
        hint = f"; {error.suggestion}" if error.suggestion else ""
        verdict.add_class("bad")
        problem = look.one_line(f"{error.problem}{hint} · results of the last query that could be read")
        verdict.update(Text(f"{' ' * column}{'^' * error.length}\n{problem}", no_wrap=True, overflow="ellipsis"))
        self.query_one(ResultList).add_class("stale")

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
            span = _charted(within, reader.extent())
            interval = interval_us(span, columns - 14) if span else 1
            bars = reader.histogram(tree, span, interval, by_severity=True, stop=stop) if span else []
            answer = Answer(generation, rows, len(first), total, tuple(bars), span, interval, facts_of(reader))
            self.app.call_from_thread(self._arrived, answer, tree)
        except Cancelled:
            return
        except LogshipError as error:
            self.app.call_from_thread(self._failed, generation, str(error))

    def _arrived(self, answer: Answer, tree: Node) -> None:
        if answer.generation != self._generation:
            return
        self.query_one("#verdict").remove_class("bad")
        results = self.query_one(ResultList)
        results.remove_class("stale")
        if answer.total is None:
            self._rows, self._total = answer.rows, answer.first
            results.show(answer.rows, answer.first)
        else:
            self._total = answer.total
            results.set_total(answer.total)
            self.query_one(Histogram).show(list(answer.bars), answer.within, answer.interval_us)
            self._shown = answer.within
            self.query_one(Header).tell(self.app.location, answer.facts, self.app.now_us())
        self._judge(tree, answer)

    def _judge(self, tree: Node, answer: Answer) -> None:
        """The lines under the query: what it consists of, how much it found of how much, over which time."""
        conditions = len(tree.parts) if isinstance(tree, And) else int(not isinstance(tree, All))
        what = f"{conditions} condition{'s' * (conditions != 1)}" if conditions else "every record"
        found = "…" if answer.total is None else f"{answer.total:,} of {answer.facts.records:,} records"
        text = Text(no_wrap=True, overflow="ellipsis", end="")
        text.append("✓ ", look.GOOD).append(f"{what} · {found}\n")
        within = answer.within or self._within
        text.append(f"  {within} ({human_span(within.span_us)})" if within else "  all time", "dim")
        if self._live:
            reading = self.query_one(ResultList).cursor > 0
            text.append("  ⌁ live, waits while you read" if reading else "  ⌁ live", f"bold {look.GOOD}")
        self.query_one("#verdict", Static).update(text)

    def _failed(self, generation: int, problem: str) -> None:
        if generation == self._generation:
            self.complain(problem)
            self.query_one(ResultList).add_class("stale")

    def complain(self, problem: str) -> None:
        """In the line under the query."""
        text = Text(f"✗ {look.one_line(problem)}", look.BAD, no_wrap=True, overflow="ellipsis")
        self.query_one("#verdict", Static).update(text)

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
        """Live, unless someone is reading further down."""
        if self._live and self.query_one(ResultList).cursor == 0:
            self._refresh()

    @work(thread=True, exclusive=True, group="refresh", exit_on_error=False)
    def _refresh(self) -> None:
        """Moves to what the store has committed since, and searches again when that is something."""
        if self.app.refresh_store():
            self.app.call_from_thread(self.search)

    def on_screen_resume(self) -> None:
        """Row numbers of an older snapshot mean nothing."""
        if self._generation and self._snapshot != self.app.snapshot:
            self.search()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Even what nobody foresaw is one line."""
        if event.state is WorkerState.ERROR:
            self._failed(self._generation, f"{type(event.worker.error).__name__}: {event.worker.error}")

    # Keys that change what is shown

    def action_toggle_detail(self) -> None:
        """Shows or hides the whole record."""
        self.query_one("#detail").toggle_class("open")
        self._show_record()

    @on(ResultList.Moved)
    def _show_record(self) -> None:
        record = self.query_one(ResultList).record
        if record is not None and self.query_one("#detail").has_class("open"):
            self.query_one("#record", Static).update(look.detail(record))

    def action_toggle_live(self) -> None:
        """Follows, or stops."""
        self._live = not self._live
        self._refresh()
        self.search()
