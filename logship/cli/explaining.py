"""What `logship search --explain` prints: how a query is read, and what of the store it touches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from logship.timerange import TimeRange, human_span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from logship.query.tree import Node
    from logship.store.port import StoreReader


def lines(reader: StoreReader, text: str, tree: Node, within: TimeRange | None) -> Iterator[str]:
    """The query's tree, its stages, the time range and what lies in it, and the request to the store."""
    from logship.query.explain import tree_lines, write
    from logship.query.stages.lexer import split

    yield "query"
    yield f"  {write(tree)}"
    yield "read as"
    yield from (f"  {line}" for line in tree_lines(tree))
    stages = [text[piece.start : piece.end].strip() for piece in split(text)[1:]]
    if stages:
        yield "then"
        yield from (f"  | {stage}" for stage in stages)
    yield "time"
    yield f"  {_touched(reader.extent(), within)}"
    yield "matches"
    facts = reader.status()
    yield f"  {reader.count(tree, within):,} of {facts['records']:,} records"
    yield "store"
    yield f"  {facts['location']} ({facts.get('engine', '')})"
    yield from (f"  {line}" for line in reader.explain(tree, within))


def _touched(held: TimeRange | None, within: TimeRange | None) -> str:
    if held is None:
        return "the store is empty"
    if within is None:
        return f"all of the store: {held} ({human_span(held.span_us)})"
    start, end = max(held.start_us, within.start_us), min(held.end_us, within.end_us)
    if start >= end:
        return f"{within}, of which the store holds nothing: it has {held}"
    part = 100 * (end - start) / held.span_us
    return f"{TimeRange(start, end)} ({human_span(end - start)}, {part:.3g} % of the {human_span(held.span_us)} held)"
