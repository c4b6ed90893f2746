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
        parser: makes a record of one event.
    """

    def __init__(self, parser: Parser) -> None:
        self._parser = parser

    def __call__(self, events: Sequence[LogEvent]) -> list[Record]:
        """The records, in the order of their events."""
        record = self._parser.record
        return [record(event) for event in events]

    def mark(self) -> object:
        """Where it stands, for `rewind`."""
        return self._parser.mark()

    def rewind(self, mark: object) -> None:
        """Goes back to where it stood, so that the same events may be prepared again."""
        self._parser.rewind(mark)
