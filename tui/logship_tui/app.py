"""The application: two screens over one store."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

from textual.app import App

from logship.errors import LogshipError
from logship_tui.actions import EVERYWHERE, bindings
from logship_tui.screens.help import HelpScreen
from logship_tui.screens.incident import IncidentScreen
from logship_tui.screens.search import SearchScreen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.binding import BindingType

    from logship.store.port import StoreReader
    from logship.timerange import TimeRange


class LogshipApp(App[None]):
    """Search and incident screens.

    Args:
        reader: the store.
        location: its name, for the header.
        query: what to search for first.
        within: in which time; None is the whole store.
        screen: ``"search"`` or ``"incident"``, whichever is shown first.
        window, baseline: what the incident screen compares; the newest records if not given.
        now_us: the clock, for tests.
    """

    TITLE = "logship"
    CSS_PATH = "logship.tcss"
    ENABLE_COMMAND_PALETTE = False
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]  # noqa: RUF012 - textual declares it so
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(EVERYWHERE)]

    def __init__(
        self,
        reader: StoreReader,
        *,
        location: str = "",
        query: str = "",
        within: TimeRange | None = None,
        screen: str = "search",
        window: TimeRange | None = None,
        baseline: Sequence[TimeRange] = (),
        now_us: int | None = None,
    ) -> None:
        super().__init__()
        self.reader, self.location = reader, location
        self.snapshot = 0
        """Counts the moves of the store's snapshot: row numbers hold for one of them only."""
        self._first, self._fixed_now_us = screen, now_us
        self._search = SearchScreen(query, within)
        self._incident = IncidentScreen(window, baseline)

    def now_us(self) -> int:
        """Microseconds since 1970."""
        return self._fixed_now_us if self._fixed_now_us is not None else time.time_ns() // 1000

    def refresh_store(self) -> bool:
        """Moves to what the store has committed since; true when that changed anything. For worker threads."""
        try:
            moved = self.reader.refresh()
        except LogshipError as error:
            self.call_from_thread(self.notify, str(error), severity="error", markup=False)
            return False
        self.snapshot += moved
        return moved

    def on_mount(self) -> None:
        """The screen that was asked for."""
        self.install_screen(self._search, "search")
        self.install_screen(self._incident, "incident")
        self.push_screen(self._first)

    def action_show_search(self) -> None:
        """The search screen."""
        if self.screen is not self._search:
            self.switch_screen("search")

    def action_show_incident(self) -> None:
        """The incident screen."""
        if self.screen is not self._incident:
            self.switch_screen("incident")

    def action_show_help(self) -> None:
        """The keys."""
        self.push_screen(HelpScreen())

    def explain(self, within: TimeRange | None) -> None:
        """Shows who is to blame for the slowness of a time range."""
        if within is not None:
            self._incident.look_at(within)
        self.action_show_incident()

    def search_for(self, query: str, within: TimeRange | None) -> None:
        """Shows a search."""
        self.action_show_search()
        self.call_after_refresh(self._search.ask, query, within)


def run(
    location: str,
    reader: StoreReader,
    *,
    query: str = "",
    within: TimeRange | None = None,
    screen: str = "search",
    window: TimeRange | None = None,
    baseline: Sequence[TimeRange] = (),
) -> None:
    """Runs the terminal until the user quits; the entry point that `logship tui` looks for."""
    LogshipApp(
        reader, location=location, query=query, within=within, screen=screen, window=window, baseline=baseline
    ).run()
