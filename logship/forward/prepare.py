"""Events → records: redacted, parsed, and as the rules want them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from logship.parse import Parser
    from logship.record import LogEvent, Record


class Preparer:
    """Makes records of events, in the order of each stream.

    Args:
        parser: makes the records.
    """

    def __init__(self, parser: Parser) -> None:
        self._parser = parser

    def __call__(self, events: Sequence[LogEvent]) -> list[Record]:
        """The records, in the order of their events."""
        return self._parser.records(events)

    def mark(self) -> object:
        """Where it stands, for `rewind`."""
        return self._parser.mark()

    def rewind(self, mark: object) -> None:
        """Goes back to where it stood, so that the same events may be prepared again."""
        self._parser.rewind(mark)
