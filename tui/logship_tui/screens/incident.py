"""The incident screen: who is suspect, why, which lines changed, and what else did."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import work
from textual.containers import Horizontal, VerticalScroll
from textual.screen import Screen
from textual.widgets import Footer, Static

from logship.errors import LogshipError
from logship.incident import analyse, default_baseline, default_window, words
from logship.record import format_time
from logship.timerange import TimeRange
from logship_tui.actions import INCIDENT, bindings
from logship_tui.look import one_line
from logship_tui.widgets.header import Header

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from logship.incident import Finding
    from logship_tui.app import LogshipApp

_SHOWN = 8
_NAME = 20
_BAR = 12


class IncidentScreen(Screen[None]):
    """Compares a window with quiet times and ranks the services."""

    app: LogshipApp
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(INCIDENT)]

    def __init__(self, window: TimeRange | None = None, baseline: Sequence[TimeRange] = ()) -> None:
        super().__init__()
        self._window, self._baseline = window, tuple(baseline)
        self._finding: Finding | None = None
        self._selected = 0

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
            ("changes", "changed in the 30 minutes before"),
        ):
            self.query_one(f"#{name}").border_title = title
        self.action_analyse_again()

    def action_analyse_again(self) -> None:
        """Moves to the newest records, unless the window was given, and analyses."""
        self.app.reader.refresh()
        self.call_after_refresh(self._tell_header)
        window = self._window or default_window(self.app.reader)
        if window is None:
            self.query_one("#headline", Static).update("the store is empty; forward or import something first")
            return
        baseline = self._baseline or tuple(default_baseline(self.app.reader, window))
        self.query_one("#headline", Static).update(Text(f"{window}: reading …", "dim"))
        self._run(window, baseline)

    def _tell_header(self) -> None:
        self.query_one(Header).tell(self.app.location, self.app.reader, self.app.now_us())

    @work(thread=True, exclusive=True, group="incident", exit_on_error=False)
    def _run(self, window: TimeRange, baseline: Sequence[TimeRange]) -> None:
        def tell(step: str) -> None:
            self.app.call_from_thread(self.query_one("#headline", Static).update, Text(f"{window}: {step} …", "dim"))

        try:
            finding = analyse(self.app.reader, window, baseline, progress=tell)
        except LogshipError as error:
            self.app.call_from_thread(self.query_one("#headline", Static).update, Text(f"✗ {error}", "red"))
            return
        self.app.call_from_thread(self._show, finding)

    def _show(self, finding: Finding) -> None:
        self._finding, self._selected = finding, 0
        text = Text(end="")
        against = f"{finding.baseline[-1]}" if finding.baseline else "nothing"
        text.append(f"{finding.window}", "bold")
        text.append(f" against {against} · {finding.records:,} records against {finding.baseline_records:,}\n", "dim")
        for note in finding.notes:
            text.append(f"{note}\n", "yellow")
        for slow in finding.slowdowns[:2]:
            text.append(f"{one_line(slow.words)}\n", "red" if finding.alarm else "")
        verdict = (
            f"most suspect: {finding.suspects[0].service}" if finding.alarm else "nothing exceeds its quiet spread"
        )
        text.append(verdict, "bold red" if finding.alarm else "green")
        self.query_one("#headline", Static).update(text)
        self._show_lines(finding)
        self._show_suspects()

    def _show_lines(self, finding: Finding) -> None:
        lines = Text()
        for pattern in finding.patterns:
            lines.append(f"{pattern.change:<5} {pattern.share_before:4.0%} → {pattern.share:4.0%} ", "yellow")
            lines.append(f"{one_line(pattern.service, _NAME)}: ", "cyan")
            lines.append(f"{one_line(pattern.template)}\n")
        self.query_one("#lines", Static).update(lines if lines.plain else Text("none", "dim"))
        changed = Text()
        for change in finding.changes:
            changed.append(f"{format_time(change.time_us)[11:19]} ", "dim")
            changed.append(f"{one_line(change.service, _NAME)} {one_line(change.body)}\n")
        self.query_one("#changed", Static).update(changed if changed.plain else Text("none known", "dim"))

    def _show_suspects(self) -> None:
        finding = self._finding
        if finding is None or not finding.suspects:
            self.query_one("#suspects", Static).update(Text("no services", "dim"))
            return
        text, top = Text(end=""), max(finding.suspects[0].score, 1e-9)
        for number, suspect in enumerate(finding.suspects[:_SHOWN]):
            bar = "█" * max(1, round(_BAR * suspect.score / top)) if suspect.score >= 1 else ""
            style = "reverse" if number == self._selected else ""
            text.append(f"{number + 1:>2} {one_line(suspect.service, _NAME):<{_NAME}} ", style)
            text.append(f"{bar:<{_BAR}}", "red" if suspect.score >= 1 else "dim")
            text.append(f" {suspect.score:8.1f}\n", "" if suspect.score >= 1 else "dim")
        if hidden := len(finding.suspects) - _SHOWN:
            text.append(f"   {hidden} others" if hidden > 0 else "", "dim")
        self.query_one("#suspects", Static).update(text)
        chosen = finding.suspects[self._selected]
        self.query_one("#why").border_title = f"why {one_line(chosen.service, 40)}"
        reasons = Text()
        for evidence in chosen.evidence:
            reasons.append(f"{one_line(words(evidence, chosen.service))}\n")
            reasons.append(f"  examples: {'  '.join(example[-8:] for example in evidence.examples)}\n", "dim")
        self.query_one("#reasons", Static).update(reasons if reasons.plain else Text("within its quiet spread", "dim"))

    # Keys

    def action_previous(self) -> None:
        """The suspect above."""
        self._select(-1)

    def action_next(self) -> None:
        """The suspect below."""
        self._select(1)

    def _select(self, by: int) -> None:
        if self._finding and self._finding.suspects:
            last = min(_SHOWN, len(self._finding.suspects)) - 1
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
