"""What may follow in the query, shown behind the cursor while you type: fields, operators, values of the store."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from textual.suggester import Suggester

from logship.errors import LogshipError
from logship.query import completion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from logship.store.port import StoreReader


class QuerySuggester(Suggester):
    """Completes the end of the text; the right arrow takes what is shown."""

    def __init__(self, reader: StoreReader) -> None:
        # Values change while records come, so nothing is kept.
        super().__init__(use_cache=False, case_sensitive=True)
        self._reader = reader
        self._fields: Sequence[str] | None = None

    async def get_suggestion(self, value: str) -> str | None:
        """The whole text with its best completion; None when there is none."""
        return await asyncio.to_thread(self._best, value)

    def _best(self, value: str) -> str | None:
        if not value or value[-1].isspace():
            return None
        try:
            if self._fields is None:
                self._fields = self._reader.field_names()
            values = completion.from_reader(self._reader)
            found = completion.complete(value, len(value), fields=self._fields, values=values)
        except LogshipError:
            return None  # a store that does not answer is told by the search itself
        whole = (value[: candidate.start] + candidate.text for candidate in found)
        return next((text for text in whole if text.startswith(value) and text != value), None)
