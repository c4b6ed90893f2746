"""`logship fields`: what can be asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from logship.cli import diagnostics, options
from logship.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from logship.query.tree import Node
    from logship.record import Record
    from logship.store.port import StoreReader
    from logship.timerange import TimeRange

_SAMPLE: Final = 1_000
"""So many of the newest records say which types a field has, and give examples."""
_EXAMPLES: Final = 3
_EXAMPLE_CHARS: Final = 24
_VALUES: Final = 20


@click.command()
@click.argument("query", nargs=-1, shell_complete=options.complete_query)
@options.store_option
@options.time_options
@click.option("--field", metavar="NAME", help="The most frequent values of this field.")
@click.option("--limit", type=click.IntRange(1), default=_VALUES, show_default=True, help="So many values.")
@click.option("--format", "wanted", type=click.Choice(["table", "json"]), default="table", show_default=True)
def command(
    query: tuple[str, ...],
    *,
    store: str | None,
    since: str | None,
    from_time: str | None,
    to_time: str | None,
    field: str | None,
    limit: int,
    wanted: str,
) -> int:
    """Which fields the records have that match: how many have each, types, and examples.

    QUERY that is the name of a field alone, such as `logship fields service`, gives that field's values, as
    --field does. Examples and types are those of the newest 1,000 records; counts are of all, except that
    messages are not counted.

    Exit status 1: no record matches, or none has the field.
    """
    from logship.query.tree import All

    now = options.now_us()
    within = options.time_range(since, from_time, to_time, now=now)
    reader = options.open_store(store)
    tree: Node = All()
    if field is None and len(query) == 1 and _is_field(reader, query[0]):
        field = query[0]
    else:
        tree = options.read_query(query, now=now)
    if field is not None:
        return _values(reader, tree, within, field, limit, wanted)
    return _names(reader, tree, within, wanted)


def _is_field(reader: StoreReader, word: str) -> bool:
    from logship.query import names
    from logship.query.tree import Exists

    return word in names.SHORT_NAMES or bool(reader.count(Exists(names.canonical(word))))


def _values(reader: StoreReader, tree: Node, within: TimeRange | None, field: str, limit: int, wanted: str) -> int:
    from logship.cli import output, tables
    from logship.query import names
    from logship.query.stages import Column
    from logship.query.tree import Exists, both, fields

    name = names.canonical(field)
    asked = both(tree, Exists(name))  # a store that has to read records reads these alone
    found = reader.terms(asked, name, within, size=limit)
    if not found:
        known = reader.field_names()
        hints = [] if name in known else output.unknown_fields([name], known)
        options.say_unknown_fields(reader, fields(tree))
        diagnostics.say(hints[0] if hints else f"no record that matches has {field!r}")
        return ExitCode.FINDINGS
    having = reader.count(asked, within)
    if wanted == "json":
        values = [{"value": value, "count": count} for value, count in found]
        output.write_line(output.dumps({"name": name, "short": names.short(name), "count": having, "values": values}))
    else:
        tables.write_rows((Column(names.short(name)), Column("count", "count")), found, "table")
        diagnostics.say(
            f"{diagnostics.counted(len(found), 'value')} in {diagnostics.counted(having, 'record')}"
            + (", --limit shows more" * (len(found) == limit))
        )
    return ExitCode.DONE


def _names(reader: StoreReader, tree: Node, within: TimeRange | None, wanted: str) -> int:
    from logship.cli import output, tables
    from logship.query.stages import Column
    from logship.query.tree import fields

    sample = reader.search(tree, within, limit=_SAMPLE)
    if not sample:
        options.say_unknown_fields(reader, fields(tree))
        diagnostics.say("0 records")
        return ExitCode.FINDINGS
    facts = [_facts(reader, tree, within, name, sample) for name in reader.field_names()]
    total = reader.count(tree, within)
    facts = [fact for fact in facts if fact["count"] != 0]
    facts.sort(key=lambda fact: (-(total if fact["count"] is None else fact["count"]), fact["name"]))
    if wanted == "json":
        output.write_line(output.dumps({"records": total, "fields": facts}))
        return ExitCode.DONE
    columns = Column("field"), Column("records", "count"), Column("types"), Column("examples"), Column("name")
    rows = [
        (
            fact["short"],
            fact["count"],
            ", ".join(fact["types"]),
            ", ".join(_clip(text) for text in fact["examples"]),
            fact["name"] if fact["name"] != fact["short"] else "",
        )
        for fact in facts
    ]
    tables.write_rows(columns, rows, "table")
    diagnostics.say(f"{diagnostics.counted(len(facts), 'field')} in {diagnostics.counted(total, 'record')}")
    return ExitCode.DONE


def _facts(
    reader: StoreReader, tree: Node, within: TimeRange | None, name: str, sample: Sequence[Record]
) -> dict[str, Any]:
    """What is known of a field; the count of messages is None, since no engine counts empty ones by itself."""
    from collections import Counter

    from logship.query import names
    from logship.query.match import values
    from logship.query.tree import Exists, both

    seen = [value for record in sample for value in values(record, name)]
    examples = Counter(_text(name, value) for value in seen)
    return {
        "name": name,
        "short": names.short(name),
        "count": None if name == names.BODY else reader.count(both(tree, Exists(name)), within),
        "types": sorted({_type(name, value) for value in seen}),
        "examples": [text for text, _ in examples.most_common(_EXAMPLES)],
    }


def _type(name: str, value: Any) -> str:
    from logship.query import names

    if name in names.TIMES:
        return "time"
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, (int, float)) else "text"


def _text(name: str, value: Any) -> str:
    from logship.query import names
    from logship.query.match import value_text
    from logship.record import format_time

    return format_time(value) if name in names.TIMES else value_text(value)


def _clip(text: str) -> str:
    return text if len(text) <= _EXAMPLE_CHARS else text[: _EXAMPLE_CHARS - 1] + "…"
