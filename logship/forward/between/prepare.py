"""Events → records: redacted, parsed, and as the rules want them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from logship.events import messages_of
from logship.forward.between.rules import Decision, RuleCount, Rules
from logship.forward.between.services import service_of
from logship.parse import Parser
from logship.record import CONTINUES, HANDLER_ID
from logship.secrets import from_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from logship.record import LogEvent, Record
    from logship.settings import Settings
    from logship.table import Table

_TAKEN_OUT: Final = re.compile(r"\[redacted:([^\]\s]+)\]")
"""What stands in a text where a secret stood; see `settings.RedactRule`."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What was done to the events so far."""

    rules: list[RuleCount]
    """What each rule left out, in the order of the rules."""
    redacted: Mapping[str, int]
    """How many secrets were taken out, by the name of the redaction rule."""


@dataclass(frozen=True, slots=True)
class Explained:
    """What would be done to one event."""

    record: Record
    """As it would be stored, if it would."""
    redacted: Mapping[str, int]
    decision: Decision


@dataclass(frozen=True, slots=True)
class _Mark:
    parser: object
    rules: list[tuple[int, int]]
    redacted: Counter[str] = field(default_factory=Counter)


class Preparer:
    """Makes records of events, in the order of each stream. One thread calls.

    Args:
        parser: makes the records; it redacts nothing by itself.
        rules: which records are stored; None means all.
        redact_many: takes secrets out of the lines of a batch; None leaves lines as they are. It gives back the batch
            itself if it is clean, and else the same object for each line that is.
    """

    def __init__(
        self,
        parser: Parser,
        *,
        rules: Rules | None = None,
        redact_many: Callable[[Sequence[str]], Sequence[str]] | None = None,
    ) -> None:
        self._parser, self._rules, self._redact_many = parser, rules, redact_many
        self._redacted: Counter[str] = Counter()

    def __call__(self, events: Sequence[LogEvent]) -> list[Record]:
        """The records, in the order of their events; those that rules leave out are absent."""
        records = self._parser.records(events, self._cleaned(messages_of(events)))
        return self._rules.apply(records) if self._rules else records

    def tables(self, events: Sequence[LogEvent]) -> tuple[list[Table], list[Record]]:
        """The same in half the time, where no rules look at records: tables of those that are alike, and the others."""
        if self._rules:
            return [], self(events)
        return self._parser.tables(events, self._cleaned)

    def clean(self, event: LogEvent) -> LogEvent:
        """The event as it may be kept: redacted. Nothing is counted."""
        return event._replace(message=self.redact(event.message))

    def redact(self, text: str) -> str:
        """A text without its secrets. Nothing is counted."""
        return self._redact_many([text])[0] if self._redact_many else text

    def alone(self, event: LogEvent, *, identity: str = "", continues: str = "") -> Record | None:
        """The record of an event that comes out of its order, such as a dead letter; None where a rule leaves it out.

        Args:
            event: it is neither linked to events before it, nor are later ones to it.
            identity: the id of its record, if it is known. An id of our handler in the line, unless it was redacted,
                is newer knowledge.
            continues: the id of the event that it continues, where that is known.
        """
        mark = self._parser.mark()
        rules, self._rules = self._rules, None
        try:
            [record] = self([event])
        finally:
            self._rules = rules
            self._parser.rewind(mark)
        own = record.attributes.get(HANDLER_ID)
        if identity and (not own or not isinstance(own, str) or _TAKEN_OUT.search(own)):
            record.id = identity
        record.attributes.pop(CONTINUES, None)
        if continues:
            record.attributes[CONTINUES] = continues
        return record if rules is None or rules.apply([record]) else None

    def explain(self, event: LogEvent) -> Explained:
        """What would be done to the next event; rules count nothing."""
        before = self._redacted.copy()
        rules, self._rules = self._rules, None
        try:
            [record] = self([event])
        finally:
            self._rules = rules
        return Explained(record, self._redacted - before, rules.decide(record) if rules else Decision(True))

    def counts(self) -> Prepared:
        """What was done so far."""
        return Prepared(self._rules.counts() if self._rules else [], dict(self._redacted))

    def mark(self) -> object:
        """Where it stands, for `rewind`."""
        return _Mark(self._parser.mark(), self._rules.mark() if self._rules else [], self._redacted.copy())

    def rewind(self, mark: object) -> None:
        """Goes back to where it stood, so that the same events may be prepared again."""
        assert isinstance(mark, _Mark)
        self._parser.rewind(mark.parser)
        if self._rules:
            self._rules.rewind(mark.rules)
        self._redacted = mark.redacted.copy()

    def _cleaned(self, messages: Sequence[str]) -> Sequence[str]:
        """Redacted messages, what was redacted counted; `messages` itself if all are clean."""
        if self._redact_many is None:
            return messages
        after = self._redact_many(messages)
        if after is not messages:
            for old, new in zip(messages, after, strict=True):
                if new is not old:
                    self._redacted += Counter(_TAKEN_OUT.findall(new)) - Counter(_TAKEN_OUT.findall(old))
        return after


def prepare_of(settings: Settings) -> Preparer:
    """What the settings want done to events on their way into the store: `[redact]`, `[forward]` and `[[service]]`.

    Raises:
        SettingsError: a rule or a pattern that cannot be used; the message names its key.
    """
    redactor = from_settings(settings.redact)
    redact_many = redactor.redact_many if redactor else None
    return Preparer(parser_of(settings), rules=rules_of(settings), redact_many=redact_many)


def parser_of(settings: Settings, *, service: str = "") -> Parser:
    """The parser that the settings want.

    Args:
        settings: their `[[service]]`, and `keep_original` of `[forward]`.
        service: the service of every line that names none; "" asks the settings.

    Raises:
        SettingsError: a pattern that cannot be used; the message names its key.
    """
    named = (lambda _: service) if service else service_of(settings)
    return Parser(named, keep_original=settings.forward.keep_original)


def rules_of(settings: Settings) -> Rules | None:
    """The rules of the settings; None where there are none.

    Raises:
        SettingsError: a rule that cannot be used; the message names its key.
    """
    return Rules(settings.forward.rule) if settings.forward.rule else None
