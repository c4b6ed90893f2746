"""The list of results: drawn line by line, so that a million rows cost what a screenful costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.cache import LRUCache
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from logship_tui import look

if TYPE_CHECKING:
    from textual import events
    from textual.binding import BindingType

    from logship.record import Record
    from logship_tui.rows import Rows


class ResultList(ScrollView, can_focus=True):
    """Rows of records with a cursor. Asks for blocks that are not read yet."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "up", show=False),
        Binding("down,j", "move(1)", "down", show=False),
        Binding("pageup,ctrl+b", "page(-1)", "page up", show=False),
        Binding("pagedown,space", "page(1)", "page down", show=False),
        Binding("home,g", "first", "newest", show=False),
        Binding("end,G", "last", "oldest", show=False),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {"result-list--cursor", "result-list--cursor-away"}
    cursor: reactive[int] = reactive(0)

    class Wanted(Message):
        """A row is on screen whose block has not been read."""

        def __init__(self, row: int) -> None:
            super().__init__()
            self.row = row

    class Moved(Message):
        """The cursor stands on another record."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - textual's name
        super().__init__(id=id)
        self._rows: Rows | None = None
        self._total = 0
        self._asked: set[int] = set()
        self._strips: LRUCache[tuple[str, int], Strip] = LRUCache(2_000)

    def show(self, rows: Rows, total: int) -> None:
        """Replaces what is listed; the cursor goes to the newest record."""
        self._rows = rows
        self._asked.clear()
        self._strips.clear()
        self.cursor = 0
        self.set_total(total)
        self.scroll_to(0, 0, animate=False)
        self.refresh()
        self.post_message(self.Moved())

    def set_total(self, total: int) -> None:
        """How many rows there are, as far as is known."""
        self._total = total
        self.virtual_size = Size(self.size.width, total)
        self.refresh()

    def arrived(self) -> None:
        """A block has been read."""
        self._asked.clear()
        self.refresh()
        self.post_message(self.Moved())

    @property
    def record(self) -> Record | None:
        """The record under the cursor, if it has been read."""
        return self._rows.held(self.cursor) if self._rows else None

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        row, width = y + self.scroll_offset.y, self.size.width
        if self._rows is None or row >= self._total:
            return Strip.blank(width, self.rich_style)
        record = self._rows.held(row)
        if record is None:
            self._ask(row)
            return Strip.blank(width, self.rich_style)
        ground = self.rich_style
        if row == self.cursor:
            away = "" if self.has_focus else "-away"
            ground = self.get_component_rich_style(f"result-list--cursor{away}")
        return self._strip(record, width).apply_style(ground)

    def _strip(self, record: Record, width: int) -> Strip:
        key = (record.id, width)
        strip = self._strips.get(key)
        if strip is None:
            text = look.row(record, width)
            strip = Strip(text.render(self.app.console)).adjust_cell_length(width)
            self._strips[key] = strip
        return strip

    def _ask(self, row: int) -> None:
        from logship_tui.rows import BLOCK

        if row // BLOCK not in self._asked:
            self._asked.add(row // BLOCK)
            self.post_message(self.Wanted(row))

    def on_resize(self) -> None:
        """Rows are as wide as the widget."""
        self.virtual_size = Size(self.size.width, self._total)

    def on_click(self, event: events.Click) -> None:
        """Puts the cursor on a row."""
        self._go(event.y + self.scroll_offset.y)

    def watch_cursor(self, before: int, after: int) -> None:
        """Keeps the cursor in sight."""
        del before
        self.scroll_to_region(Region(0, after, 1, 1), animate=False, force=True)
        self.refresh()
        self.post_message(self.Moved())

    def action_move(self, by: int) -> None:
        """By one row."""
        self._go(self.cursor + by)

    def action_page(self, by: int) -> None:
        """By one screenful."""
        self._go(self.cursor + by * max(1, self.size.height - 1))

    def action_first(self) -> None:
        """To the newest."""
        self._go(0)

    def action_last(self) -> None:
        """To the oldest."""
        self._go(self._total - 1)

    def _go(self, row: int) -> None:
        self.cursor = max(0, min(row, self._total - 1))
