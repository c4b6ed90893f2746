"""The incident screen: who is suspect, why, which lines changed, and what else did."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import work
from textual.containers import Horizontal, VerticalScroll
from textual.screen import Screen
from textual.widgets import Footer, Static
from textual.worker import Worker, WorkerState, get_current_worker

from logship.errors import LogshipError
from logship.incident import analyse, default_baseline, default_window
from logship.query import parse
from logship.store.port import Cancelled
from logship.timerange import TimeRange
from logship_tui.actions import INCIDENT, bindings
from logship_tui.facts import Facts, facts_of
from logship_tui.look import BAD, WARN, one_line
from logship_tui.screens.finding_text import changed_lines, changes, headline, ranking, reasons
from logship_tui.stoppable import StoppableReader
from logship_tui.widgets.header import Header

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from logship.incident import Finding
    from logship.record import Record
    from logship_tui.app import LogshipApp

_WITH_EXAMPLES = 10


class IncidentScreen(Screen[None]):
    """Compares a window with quiet times and ranks the services."""

    app: LogshipApp
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(INCIDENT)]

    def __init__(self, window: TimeRange | None = None, baseline: Sequence[TimeRange] = ()) -> None:
        super().__init__()
        self._window, self._baseline = window, tuple(baseline)
        self._finding: Finding | None = None
        self._examples: dict[str, Record] = {}
        self._selected = self._generation = 0

    def look_at(self, window: TimeRange) -> None:
        """Analyses another window; at once, if the screen is there already."""
        if window != self._window:
            self._window, self._baseline = window, ()
            if self.is_mounted:
                self.action_analyse_again()

    def compose(self) -> ComposeResult:
        """Headline, suspects beside the reasons, lines beside changes."""
        yield Header("Incident")
        yield Static(id="headline")
        with Horizontal(id="middle"):
            yield Static(id="suspects")
            with VerticalScroll(id="why"):
                yield Static(id="reasons")
        with Horizontal(id="below"):
            with VerticalScroll(id="patterns"):
                yield Static(id="lines")
            with VerticalScroll(id="changes"):
                yield Static(id="changed")
        yield Footer()

    def on_mount(self) -> None:
        """Looks at once."""
        for name, title in (
            ("suspects", "suspects"),
            ("why", "why"),
            ("patterns", "lines that changed"),
            ("changes", "changed before it"),
        ):
            self.query_one(f"#{name}").border_title = title
        self.action_analyse_again()

    def action_analyse_again(self) -> None:
        """Moves to the newest records, unless the window was given, and analyses."""
        self._generation += 1
        self._say("reading the store …", "dim")
        self._run(self._generation, self._window, self._baseline)

    def action_stop(self) -> None:
        """Gives up."""
        self.workers.cancel_group(self, "incident")

    def _say(self, words_: str, style: str) -> None:
        self.query_one("#headline", Static).update(Text(one_line(words_), style))

    @work(thread=True, exclusive=True, group="incident", exit_on_error=False)
    def _run(self, generation: int, window: TimeRange | None, baseline: Sequence[TimeRange]) -> None:
        worker = get_current_worker()
        reader = StoppableReader(self.app.reader, lambda: worker.is_cancelled)

        def tell(step: str) -> None:
            if generation == self._generation:
                self.app.call_from_thread(self._say, f"{window}: {step} … Esc stops", "dim")

        try:
            self.app.refresh_store()
            window = window or default_window(reader)
            if window is None:
                self.app.call_from_thread(self._say, "the store is empty; forward or import something first", WARN)
                return
            finding = analyse(reader, window, baseline or default_baseline(reader, window), progress=tell)
            examples, facts = _examples(reader, finding), facts_of(self.app.reader)
        except Cancelled:
            if generation == self._generation and self.is_running:
                self.app.call_from_thread(self._say, "stopped; r analyses again", WARN)
        except LogshipError as error:
            self.app.call_from_thread(self._say, f"✗ {error}", BAD)
        else:
            self.app.call_from_thread(self._show, generation, finding, examples, facts)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Even what nobody foresaw is one line."""
        if event.state is WorkerState.ERROR:
            self._say(f"✗ {type(event.worker.error).__name__}: {event.worker.error}", BAD)

    def _show(self, generation: int, finding: Finding, examples: dict[str, Record], facts: Facts) -> None:
        if generation != self._generation:
            return
        self._finding, self._examples, self._selected = finding, examples, 0
        self.query_one(Header).tell(self.app.location, facts, self.app.now_us())
        self.query_one("#headline", Static).update(headline(finding))
        self._show_lines(finding)
        self._show_suspects()

    def _show_lines(self, finding: Finding) -> None:
        self.query_one("#lines", Static).update(changed_lines(finding))
        self.query_one("#changed", Static).update(changes(finding))

    def _show_suspects(self) -> None:
        finding = self._finding
        if finding is None or not finding.suspects:
            self.query_one("#suspects", Static).update(Text("no services", "dim"))
            return
        panel = self.query_one("#suspects", Static)
        panel.update(ranking(finding, self._selected, *panel.content_size))
        chosen = finding.suspects[self._selected]
        self.query_one("#why").border_title = f"why {one_line(chosen.service, 40)}"
        width = self.query_one("#reasons").content_size.width
        self.query_one("#reasons", Static).update(reasons(chosen, self._examples, width))

    def on_resize(self) -> None:
        """Bars are as long as there is room."""
        self.call_after_refresh(self._show_suspects)

    # Keys

    def action_previous(self) -> None:
        """The suspect above."""
        self._select(-1)

    def action_next(self) -> None:
        """The suspect below."""
        self._select(1)

    def _select(self, by: int) -> None:
        if self._finding and self._finding.suspects:
            shown = max(1, self.query_one("#suspects").content_size.height - 1)
            last = min(shown, len(self._finding.suspects)) - 1
            self._selected = max(0, min(self._selected + by, last))
            self._show_suspects()

    def action_open_examples(self) -> None:
        """The example records as a search."""
        if self._finding and self._finding.suspects:
            suspect = self._finding.suspects[self._selected]
            ids = [example for evidence in suspect.evidence for example in evidence.examples]
            if ids:
                self.app.search_for(f"id:({' OR '.join(ids)})", None)

    def action_earlier(self) -> None:
        """Half a window back."""
        self._shift(-0.5)

    def action_later(self) -> None:
        """Half a window on."""
        self._shift(0.5)

    def _shift(self, by: float) -> None:
        if self._finding:
            window = self._finding.window
            step = int(window.span_us * by)
            self._window, self._baseline = TimeRange(window.start_us + step, window.end_us + step), ()
            self.action_analyse_again()


def _examples(reader: StoppableReader, finding: Finding) -> dict[str, Record]:
    """The records that speak against the first suspects, by their ids."""
    loud = finding.suspects[:_WITH_EXAMPLES]
    ids = [example for suspect in loud for evidence in suspect.evidence for example in evidence.examples]
    if not ids:
        return {}
    found = reader.search(parse(f"id:({' OR '.join(ids)})"), limit=len(ids))
    return {record.id: record for record in found}
