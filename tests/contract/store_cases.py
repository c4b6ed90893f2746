# ruff: noqa: E501 - tables read better in long lines
"""Records and queries on which every store has to agree with the plain-Python matcher."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from logship.record import Record, record_id
from logship.store.port import Measure

BASE_US = 1_700_000_000_000_000
WORDS = [
    "timeout",
    "waiting",
    "for",
    "lock",
    "Connection-Reset",
    "user_id",
    "10.0.0.3",
    "ΑΣ",
    "straße",
    "日本語",
    "x" * 300,
    "y" * 256,
]
VALUES: list[Any] = [
    1, 5, 5.0, 4.5, -3, "5", "5.0", "true", True, False, "2026-01-01T00:00:00Z", "a b", "", "x\ny", "/orders/97",
    [1, 100], ["a", "b"], [5, "a", None], None, "A", "é" * 600, -(2**63), 1e300, "=", "=x", [],
    "10.0.0.3", "10.1.2.3", "10.200.0.1", "::ffff:10.0.0.9", "2001:db8::1", ["192.168.0.1", "10.0.0.3"], 502, "502", True,
    [True, "b"], {"a": 1}, "x" * 1100,
]  # fmt: skip
NAMES = [
    "tenant",
    "user.id",
    'a Z:b"c',
    "http.response.status_code",
    "duration_ms",
    "url.path",
    "http.route",
    "exception.type",
    "logship.kind",
]

QUERIES = [
    "", "timeout", '"waiting for"', "connection-reset", "wait*", "*out", "t?meout", "waiting-f*", "level:error",
    "level>=warn", "-level:info", "level:*", "level:E*", "service:orders", "service:5", "service:[a TO p]", "-service:*",
    "service:o*", "tenant:5", "tenant:5.0", "tenant:true", "tenant:*", "tenant>4", "tenant:[4.5 TO 8]", "tenant:[2 TO 50]",
    "tenant:<=5", "tenant:a*", 'tenant:"a b"', 'tenant:""', "tenant:{4.5 TO 5}", 'user.id:[a TO "b"]',
    "tenant:2026-01-01T00:00:00Z", 'tenant=~"^5"', "status:5", "status:5*", "status>4.5", "duration>1s", "duration:5",
    "duration:>=4", "path:/orders/*", 'path=~"97$"', "trace:t1", "-trace:*", "parent:p*", "span:s1 OR trace:t2",
    "message:*", "-message:*", 'message=~"wait.*lock"', '=~"LOCK|timeout"', '=~"xxx"', '=~"x.*lock"', '-=~"lock"', "ΑΣ", "ασ", "日本語", "y" * 256,
    "x" * 300, "10.0.0.3", "kind:request", "group:/shop/a", "id:*", "ingested:*", "error:A", "exception.stacktrace:Trace*",
    "time>=2023-11-14T22:13:20.010Z", "(timeout OR lock) AND -level:error tenant:*", "nobody:5", 'tenant:"x\ny"', "tenant:1?0",
    "tmeout~1", "lokc~1", "lock~2", "a~2", "waitin~", "straße~1", "日語本~1", "tenant:10.0.0.0/8", "tenant:10.0.0.3/32",
    "tenant:10.0.0.0/9 OR user.id:2001:db8::/33", "-tenant:0.0.0.0/0", "tenant:::/0", "host:10.0.0.0/13",
    "error:10.0.0.0/8", "id:10.0.0.0/8", "tenant:[a TO z]", "tenant:>A", 'tenant:["" TO "5.0"]', "tenant:[true TO true]",
    'tenant:{"a" TO "{"}', "error:>=A", "path:<b", "trace:>=t1", 'tenant=~"^t|[0-9]$"', 'error=~"."', 'path=~"or.*s"',
    'status=~"^5"', 'tenant=~"x$"', "status:5??", "status:*0?", "duration:*5", "-status:5*", "tenant:5kb", "bytes:1kb",
    'tenant=~"^[a-c]$"', 'tenant=~"(?:10\\.){2}"', 'tenant=~"^10\\.\\d+\\.[^a]"', 'tenant=~"a|5"', 'tenant=~"^a|5$"', 'tenant=~"x+$"',
    'tenant=~"é$"', 'tenant=~"x.y"', 'tenant=~"x\\sy"', 'tenant=~"^$"', 'tenant=~""', 'tenant=~"(?i)TRUE"', 'tenant=~"t.*?e"',
    'tenant=~"=(x|$)"', 'tenant=~"^.$"', 'path=~"/\\w+/9?[0-9]$"', 'trace=~"^t"', 'parent=~"p|q"', 'id=~"^0.*[a-f]"', 'time=~"^17"',
    "_exists_:tenant", "NOT _exists_:tenant", "!level:error && (timeout || lock)", "+timeout -lock", "tenant: (5 OR true)",
    "time:>now-15m", "exception.stacktrace:[A TO Z]", 'exception.stacktrace=~"at x"', "service:(orders OR 5 OR edge)",
]  # fmt: skip


_FIELDS = [
    "tenant", "user.id", "status", "duration", "path", "route", "error", "kind", "service", "group", "trace", "parent",
    "level", "host", "nobody", "message", "http.response.status_code",
]  # fmt: skip
_TOKENS = [
    "timeout",
    "waiting",
    "for",
    "lock",
    "reset",
    "connection",
    "user_id",
    "10",
    "straße",
    "ασ",
    "日本語",
    "event",
]
_LITERALS = [
    "5", "5.0", "4.5", "-3", "true", "false", "A", "orders", "Orders", "edge", "a", "t1", "p1", "1e300", "request",
    "/orders/97", "/shop/a", '"a b"', '""', '"=x"', "10.0.0.3", "2026-01-01", "GET",
]  # fmt: skip
_LEVELS = ["info", "WARN", "error", "debug"]


def _pieces(field: str) -> st.SearchStrategy[str]:
    """Everything that the grammar lets follow a field's name."""
    values = st.sampled_from(_TOKENS if field == "message" else _LEVELS if field == "level" else _LITERALS)
    plain = values.map(lambda value: f"{field}:{value}")
    exists = st.just(f"{field}:*")
    if field == "message":
        wild = st.sampled_from(
            ["message:lo*", "message:*ck", 'message:"waiting for"', 'message=~"t.m"', "message:l?ck"]
        )
        return st.one_of(plain, exists, wild)
    several = st.lists(values, min_size=2, max_size=3).map(lambda found: f"{field}:({' OR '.join(found)})")
    negated = values.map(lambda value: f"{field}:(NOT {value})")
    if field == "level":
        compared = st.tuples(st.sampled_from(["<", "<=", ">", ">="]), values).map(
            lambda pair: f"level{pair[0]}{pair[1]}"
        )
        return st.one_of(plain, exists, several, negated, compared)
    numbers = st.sampled_from(["-3", "1", "4.5", "5", "100", "1e300"])
    compared = st.tuples(st.sampled_from(["<", "<=", ">", ">="]), numbers).map(
        lambda pair: f"{field}{pair[0]}{pair[1]}"
    )
    between = st.tuples(st.sampled_from("[{"), st.sampled_from(["*", "-5", "1", "4.5"]), st.sampled_from(["5", "7", "*"]),
                        st.sampled_from("]}")).map(lambda p: f"{field}:{p[0]}{p[1]} TO {p[2]}{p[3]}")  # fmt: skip
    texts = st.sampled_from([f'{field}:["a" TO "p"]', f'{field}>="A"', f"{field}:o*", f"{field}:?", f"{field}:*5*"])
    patterns = st.sampled_from([f'{field}=~"^o"', f'{field}=~"[0-9]+$"', f"{field}:10.0.0.0/8"])
    return st.one_of(plain, exists, several, negated, compared, between, texts, patterns)


def queries() -> st.SearchStrategy[str]:
    """Queries as the grammar makes them: words, phrases, fields with all their operators, joined by logic."""
    words = st.sampled_from(
        [*_TOKENS, '"waiting for lock"', "wait*", "*out", "conn?ction", "lokc~1", "tmeout~", '=~"o.*t"']
    )
    leaves = st.one_of(words, st.sampled_from(_FIELDS).flatmap(_pieces))
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.tuples(inner, st.sampled_from([" ", " AND ", " OR "]), inner).map("".join),
            inner.map(lambda text: f"-({text})"),
            inner.map(lambda text: f"NOT ({text})"),
            inner.map(lambda text: f"({text})"),
        ),
        max_leaves=5,
    )


def record(number: int, **changes: Any) -> Record:
    """A plain record; equal numbers give equal ids."""
    made = Record(
        record_id(BASE_US // 1000 + number, "/g", "s", str(number)), BASE_US + number * 1000, f"event {number}", "INFO"
    )
    for name, value in changes.items():
        setattr(made, name, value)
    return made


@st.composite
def records(draw: st.DrawFn) -> Record:
    """A record of few times, few words and wild values, so that much is equal and much collides."""
    event_ms = BASE_US // 1000 + draw(st.integers(0, 12))
    group = draw(st.sampled_from(["/shop/a", "/shop/b"]))
    attributes = draw(st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES), max_size=5))
    service = draw(st.sampled_from([None, "orders", "Orders", "edge", 5]))
    return Record(
        record_id(event_ms, group, "s", str(draw(st.integers(0, 10**9)))),
        event_ms * 1000 + draw(st.sampled_from([0, 0, 0, 1, 999])),
        " ".join(draw(st.lists(st.sampled_from(WORDS), max_size=5))),
        draw(st.sampled_from(["", "INFO", "ERROR", "DEBUG", "WARN"])),
        draw(st.sampled_from([0, event_ms])),
        draw(st.sampled_from(["", "t1", "t2"])),
        draw(st.sampled_from(["", "s1"])),
        draw(st.sampled_from(["", "p1"])),
        {} if service is None else {"service.name": service},
        attributes
        | {"aws.log.group.name": group}
        | draw(st.sampled_from([{}, {"exception.stacktrace": "Trace\n at x"}])),
    )


STATISTIC_FIELDS = [
    "duration_ms", "http.response.status_code", "tenant", "user.id", 'a Z:b"c', "nobody", "@timestamp", "severity",
    "http.route", "url.path", "traceId", "service.name",
]  # fmt: skip


@st.composite
def measures(draw: st.DrawFn) -> Measure:
    """A figure over any field, one that nobody has among them."""
    function: Any = draw(st.sampled_from(["count", "count", "distinct", "min", "max", "sum", "avg", "percentile"]))
    field = draw(st.sampled_from([*([""] if function == "count" else []), *STATISTIC_FIELDS]))
    percent = draw(st.sampled_from([0.0, 25.0, 50.0, 95.0, 99.9, 100.0])) if function == "percentile" else 0.0
    return Measure(function, field, percent)


@st.composite
def statistics(draw: st.DrawFn) -> dict[str, Any]:
    """The arguments of an `aggregate`."""
    groups = ["service.name", "severity", "http.route", "tenant", "duration_ms", "http.response.status_code", "traceId"]
    return {
        "measures": draw(st.lists(measures(), min_size=1, max_size=4)),
        "by": draw(st.lists(st.sampled_from(groups), max_size=2, unique=True)),
        "bin_us": draw(st.sampled_from([0, 0, 1000, 5000, 3_000_001])),
    }


@st.composite
def orders(draw: st.DrawFn) -> dict[str, Any]:
    """The arguments of an `ordered`."""
    return {
        "field_name": draw(st.sampled_from(STATISTIC_FIELDS)),
        "limit": draw(st.sampled_from([1, 3, 10, 100])),
        "descending": draw(st.booleans()),
    }
