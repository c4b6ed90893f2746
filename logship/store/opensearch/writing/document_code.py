"""The code of a template: a function that makes the document of records with these names, where all their values fit.

It is written as text and compiled, since a function without any table or loop is what Python runs fastest. Nothing of
a record stands in that text but its names, each as `repr` writes it. What the function does is what `document` and
`shapes` do step by step; a record with a value that may not fit is left to them, by returning None.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from logship.query.names import TOP_LEVEL
from logship.query.text import MAX_VALUE_BYTES, has_long_run
from logship.record import Record, format_time
from logship.store.opensearch import keys
from logship.store.opensearch.layout import LONG_TEXT, UNINDEXED, Leaf
from logship.store.opensearch.shapes import NANOS_LIMIT_US, SEVERITIES, observed_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EXACT_DOUBLE: Final = 2**53
Make = Callable[[Record, Callable[[str, Any, Any], None], Callable[[], Any]], dict[str, Any] | None]
"""Of a record, what makes a value findable that has no field of its own, and an empty set of terms to add it to."""
_HEAD: Final = """\
    resource, attributes = record.resource, record.attributes
    time_us, body, severity = record.time_us, record.body, record.severity
    trace_id, span_id, parent_span_id = record.trace_id, record.span_id, record.parent_span_id
    observed_us = record.observed_ms * 1000
    if not (0 <= time_us < {limit_us} and 0 <= observed_us < {limit_us}): return None
    if len(body) > {longest_run} and has_long_run(body): return None
    if len(resource) != {resource} or len(attributes) != {attributes}: return None
"""
_FITS: Final = """\
    try: joined = "".join((trace_id, span_id, parent_span_id, {texts}))
    except TypeError: return None
    if len(joined) > {longest} or not joined.isascii(): return None
    if not ({values_fit}): return None
"""
_DOCUMENT: Final = """\
    document = {{"@timestamp": format_time(time_us)}}
    ours = {{"time_us": time_us, "id": record.id}}
    if observed_us:
        document["observedTime"] = observed_text(record.observed_ms)
        ours["observed_us"] = observed_us
    if body: document["body"] = body
    if severity: document["severity"] = severities[severity]
    if trace_id: document["traceId"] = trace_id
    if span_id: document["spanId"] = span_id
    if parent_span_id: document["parentSpanId"] = parent_span_id
    document["resource"] = {{"attributes": resource}}
    document["attributes"] = attributes
    {terms}
    document["logship"] = ours
    return document
"""
_SPACE: Final = {
    "format_time": format_time,
    "has_long_run": has_long_run,
    "inf": float("inf"),
    "observed_text": observed_text,
    "severities": SEVERITIES,
}


def maker(resource: Sequence[str], attributes: Sequence[str], leaves: Mapping[str, Leaf]) -> Make:
    """The function for records with these names; those without a field of their own may stand under their names."""
    variables = [(f"r{place}", name) for place, name in enumerate(resource)]
    variables += ((f"a{place}", name) for place, name in enumerate(attributes))
    others = [(value, name) for value, name in variables if name not in leaves]
    source = "def make(record, find, new_terms):\n" + _HEAD.format(
        limit_us=NANOS_LIMIT_US,
        longest_run=keys.SHORTEST_LONG_RUN,
        resource=len(resource),
        attributes=len(attributes),
    )
    source += _unpacked("r", "resource", len(resource)) + _unpacked("a", "attributes", len(attributes))
    source += _FITS.format(
        longest=MAX_VALUE_BYTES,
        texts=" ".join(f"{value}," for value, name in variables if name in leaves and leaves[name].kind == "text"),
        values_fit=" and ".join(_checks(variables, leaves)) or "True",
    )
    source += _DOCUMENT.format(terms=_terms(others))
    space: dict[str, Any] = dict(_SPACE)
    exec(compile(source, "<template>", "exec"), space)  # noqa: S102 - see above
    make: Make = space["make"]
    return make


def _unpacked(letter: str, part: str, size: int) -> str:
    return f"    {''.join(f'{letter}{place}, ' for place in range(size))}= {part}.values()\n" if size else ""


def _checks(variables: Sequence[tuple[str, str]], leaves: Mapping[str, Leaf]) -> list[str]:
    checks = []
    for value, name in variables:
        if name in LONG_TEXT:
            checks.append(f"type({value}) is str")
        elif name in UNINDEXED:
            checks.append(f"{value} is not None")
        elif name in leaves and leaves[name].kind != "text":
            whole = f"type({value}) is int and -{EXACT_DOUBLE} < {value} < {EXACT_DOUBLE}"
            either = f"({whole} or type({value}) is float and -inf < {value} < inf)"
            checks.append(whole if leaves[name].kind == "whole" else either)
    return checks


def _terms(others: Sequence[tuple[str, str]]) -> str:
    """Makes values without a field of their own findable; of originals only that they are there."""
    shown = [(value, name) for value, name in others if name not in TOP_LEVEL]
    if all(name in UNINDEXED for _, name in shown):
        names = [keys.name_key(name) for _, name in shown]
        return f'ours["names"] = {names!r}' if names else ""
    found = "".join(f"    if {value} is not None: find({name!r}, {value}, terms)\n" for value, name in shown)
    return f"terms = new_terms()\n{found}    terms.fill(ours)"
