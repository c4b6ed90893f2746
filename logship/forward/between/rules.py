"""`[[forward.rule]]`: which records are stored. The first rule whose query matches decides; without one all are."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from logship.errors import QuerySyntaxError, SettingsError
from logship.query import compiled, parse
from logship.record import CONTINUES, SAMPLE_RATE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from logship.query.tree import Node
    from logship.record import Record
    from logship.settings import Rule

_HASHES: Final = 2**64
_DAY_US: Final = 86_400_000_000


@dataclass(slots=True)
class RuleCount:
    """What one rule left out."""

    place: str
    """Its key in logship.toml, such as ``forward.rule[0]``."""
    query: str
    dropped: int = 0
    sampled_out: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a record, and why."""

    kept: bool
    rule: int | None = None
    """The index of the rule that decided, 0-based; None where none matched, which keeps a record."""
    rate: float | None = None
    """The part of such records that is kept, where it is a part."""


class Rules:
    """The rules of a run. Each decides on a record by itself, whatever became of the records around it.

    Args:
        rules: as logship.toml has them.

    Raises:
        SettingsError: a query that cannot be read, or that a rule cannot have; a rate that is no part, or missing.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = [_Compiled(index, rule) for index, rule in enumerate(rules)]

    def apply(self, records: list[Record]) -> list[Record]:
        """The records that are stored, in their order; what is left out is counted."""
        rules = self._rules
        if not rules:
            return records
        kept = []
        for record in records:
            for rule in rules:
                if rule.test(record):
                    if rule.keeps(record):
                        kept.append(record)
                    break
            else:
                kept.append(record)
        return kept

    def decide(self, record: Record) -> Decision:
        """What `apply` would do with a record; nothing is counted or written into it."""
        for rule in self._rules:
            if rule.test(record):
                return Decision(rule.would_keep(record), rule.index, rule.rate)
        return Decision(True)

    def counts(self) -> list[RuleCount]:
        """What each rule left out so far, in the order of the rules."""
        return [RuleCount(rule.place, rule.query, *rule.left_out) for rule in self._rules]

    def mark(self) -> list[tuple[int, int]]:
        """The counts as they are, for `rewind`."""
        return [rule.left_out for rule in self._rules]

    def rewind(self, mark: Sequence[tuple[int, int]]) -> None:
        """Goes back to the counts of a mark."""
        for rule, left_out in zip(self._rules, mark, strict=True):
            rule.left_out = left_out


class _Compiled:
    """One rule, ready to be asked."""

    def __init__(self, index: int, rule: Rule) -> None:
        self.index, self.place, self.query = index, f"forward.rule[{index}]", rule.query
        self.test: Callable[[Record], bool] = compiled(_tree(rule.query, f"{self.place}.query"))
        self.rate = rule.rate if rule.action == "sample" else None
        self.left_out = (0, 0)
        self._drops = rule.action == "drop"
        if rule.rate is None:
            if rule.action == "sample":
                raise SettingsError(f"key '{self.place}.rate' is missing; write the part that is kept: rate = 0.1")
        elif not 0 <= rule.rate <= 1:
            raise SettingsError(f"key '{self.place}.rate' = {rule.rate!r} is no part of the records; write 0 to 1")
        elif self.rate is None:
            raise SettingsError(
                f"key '{self.place}.rate' = {rule.rate!r} goes with action = \"sample\" alone, and this rule's "
                f"action is {rule.action!r}; remove it, or sample"
            )

    def keeps(self, record: Record) -> bool:
        """Whether a record that matches is kept; counts, and notes the rate in a sampled one."""
        if self.would_keep(record):
            if self.rate is not None:
                record.attributes[SAMPLE_RATE] = self.rate
            return True
        dropped, sampled_out = self.left_out
        self.left_out = (dropped + 1, sampled_out) if self._drops else (dropped, sampled_out + 1)
        return False

    def would_keep(self, record: Record) -> bool:
        """Whether a record that matches is kept."""
        return not self._drops if self.rate is None else part_of(record) < self.rate


def part_of(record: Record) -> float:
    """Where in [0, 1) a record lies, evenly spread: sampling keeps those below the rate.

    The same in every process and run. Records of one trace lie at one place, so that a trace is kept whole or left
    out whole; so do the lines of one event that arrived as several, unless some of them name a trace and others not.
    """
    key = record.trace_id or str(record.attributes.get(CONTINUES) or record.id)
    digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / _HASHES


def _tree(query: str, place: str) -> Node:
    """The tree of a rule's query."""
    from logship.query.stages.lexer import split

    if not query.strip():
        raise SettingsError(f"key '{place}' = {query!r} says nothing; write '*' to mean every record")
    try:
        if len(split(query)) > 1:
            raise SettingsError(f"key '{place}' = {query!r}: a rule has no stages; remove the | and what follows it")
        tree, later = (parse(query, now_us=now_us) for now_us in (_DAY_US, 2 * _DAY_US))
    except QuerySyntaxError as error:
        raise SettingsError(f"key '{place}': {error}") from None
    if tree != later:
        raise SettingsError(
            f"key '{place}' = {query!r} counts back from now, which moves on while a rule stands; write an ISO time"
        )
    return tree
