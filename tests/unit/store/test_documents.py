"""Documents of records with usual names are made by templates: faster, and never otherwise than name by name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import example, given
from hypothesis import strategies as st

from logship.parse import Parser
from logship.query.names import TOP_LEVEL
from logship.record import ORIGINAL, ORIGINAL_BASE64, SEVERITY_NUMBERS, LogEvent, Record
from logship.store.opensearch.layout import CORE, LAYOUTS, LONG_TEXT
from logship.store.opensearch.writing import document
from logship.store.opensearch.writing.document import Builder, Templates, dumps

if TYPE_CHECKING:
    from logship.table import Table

NAMES = st.one_of(
    st.sampled_from(
        [
            *sorted({*CORE, *LONG_TEXT, *TOP_LEVEL, ORIGINAL, ORIGINAL_BASE64}),
            *("order_id", "user.id", "http", "a..b", "{x}", ""),
        ]
    ),
    st.text(max_size=4),
)
TEXTS = st.one_of(
    st.sampled_from(["", "orders", "x" * 300, "x" * 1024, "y" * 1025, "ü" * 200, "10.0.0.3", "::1", "\ud800", '"\\\n']),
    st.text(max_size=6),
)
NUMBERS = st.one_of(
    st.sampled_from([0, 200, 2**53 - 1, 2**53, -(2**53), 2**63, 2**70, -0.0, 1e308, float("nan"), float("inf"), True]),
    st.integers(),
    st.floats(),
)
KINDS: dict[str, st.SearchStrategy[Any]] = {
    "text": TEXTS,
    "number": NUMBERS,
    "list": st.lists(st.one_of(TEXTS, NUMBERS, st.none()), max_size=3),
    "null": st.none(),
    "object": st.dictionaries(st.text(max_size=2), st.integers(0, 9), max_size=2),
}
ACTION = b'{"create":{"_index":"logs-2026.11.23","_id":"'
TIMES_US = st.sampled_from([1_795_443_665_871_234, 0, -1, 9_223_372_036_854_774, 9_223_372_036_854_775, 2**60])


@st.composite
def alike(draw: st.DrawFn) -> list[Record]:
    """Records with the same names and, mostly, values of the same kinds."""
    kind = st.sampled_from(["text", "text", "text", "number", "number", "list", "null", "object"])
    shapes = [draw(st.dictionaries(NAMES, kind, max_size=size)) for size in (3, 8)]
    made = []
    for number in range(2):
        resource, attributes = ({name: draw(KINDS[kind]) for name, kind in shape.items()} for shape in shapes)
        trace, span, parent = (draw(st.one_of(st.just(""), TEXTS)) for _ in range(3))
        severity = draw(st.sampled_from(["", *SEVERITY_NUMBERS]))
        observed_ms = draw(st.sampled_from([0, 1_795_443_666_771, -5, 2**62]))
        ids = (trace, span, parent)
        time_us, body = draw(TIMES_US), draw(TEXTS)
        made.append(Record(f"{number:032x}", time_us, body, severity, observed_ms, *ids, resource, attributes))
    return made


def documents(builder: Builder, records: list[Record]) -> list[bytes]:
    """The documents of records, as a bulk request carries them."""
    found = []
    for record, lines in zip(records, builder.lines(records, ACTION), strict=True):
        action, document, rest = lines.split(b"\n")
        assert (action, rest) == (ACTION + record.id.encode() + b'"}}', b"")
        found.append(document)
    return found


def usual(attributes: dict[str, Any], number: int = 0) -> Record:
    """A record as our handler's lines become."""
    return Record(
        f"{number:032x}", 1_795_443_665_871_234, "done", "INFO", 1_795_443_666_771, "5b", "d1", "",
        {"service.name": "a"},
        {"logship.kind": "request", "duration_ms": 2.5, "http.response.status_code": 200}
        | attributes,
    )  # fmt: skip


@given(records=alike(), output=st.sampled_from(sorted(LAYOUTS)), known=st.booleans())
@example(records=[usual({"user_id": 7, "name": "10.0.0.3"})], output="otel", known=True)
@example(records=[usual({ORIGINAL: None})], output="otel", known=True)
@example(records=[usual({"exception.message": "boom", "exception.stacktrace": 5})], output="otel", known=True)
def test_templates_make_what_is_made_name_by_name(records: list[Record], output: str, *, known: bool) -> None:
    """A document is the same from a template as without one, byte by byte, and so are the columns that it misses."""
    layout = LAYOUTS[output]
    columns = {"text.order_id": True, "number.order_id": True, "text.name": True} if known else {}
    without, templated = (Builder(layout, columns, Templates(layout, usual=1)) for _ in range(2))

    expected = [dumps(without.build_general(record)) for record in records]
    found = documents(templated, records)

    assert expected == found
    assert without.missing == templated.missing


LINE = (
    '{{"timestamp":"2026-11-23T14:21:05.871234Z","level":"INFO","body":{body},"trace_id":{trace},"logger":{text},'
    '"http.response.status_code":{number},"duration_ms":{number},"order_id":{number},"user.id":{text}}}'
)
JSON_TEXTS = st.one_of(st.just('"x"'), TEXTS.map(json.dumps), st.text(max_size=6).map(json.dumps))


@given(body=JSON_TEXTS, trace=JSON_TEXTS, text=JSON_TEXTS, number=st.one_of(st.just("200"), NUMBERS.map(json.dumps)))
@example(body='"x"', trace='"5b"', text='"10.0.0.3"', number="200")
@example(body=json.dumps("x" * 300), trace='"5b"', text='"a"', number="2.5")
@example(body=json.dumps("a word " * 300), trace='"5b"', text='"a"', number="200")
@example(body=json.dumps("x" * 2000), trace='"5b"', text=json.dumps("y" * 2000), number="200")
def test_what_a_parser_promises_is_kept_by_documents(body: str, trace: str, text: str, number: str) -> None:
    """A record whose values the parser vouches for becomes the document that it would become without its word."""
    usual_line = LINE.format(body='"x"', trace='"5b"', text='"a"', number="200")
    lines = [*[usual_line] * 8, LINE.format(body=body, trace=trace, text=text, number=number)]
    events = [LogEvent("/shop/orders", "web-1", 1_795_443_665_871, line, "e", 5) for line in lines]
    parser = Parser()
    records = parser.records(events)
    tables, others = parser.tables(events[8:] * 2 + events[:1])
    columns = {"text.order_id": True}
    general, tabular = (Builder(LAYOUTS["otel"], columns) for _ in range(2))

    expected = [json.loads(dumps(general.build_general(record))) for record in (records[8], records[8], records[0])]
    found = [json.loads(document) for table in tables for document in documents_of(tabular, table)]
    found += [json.loads(dumps(tabular.build_general(record))) for record in others]

    assert sorted(map(repr, expected)) == sorted(map(repr, found))
    assert general.missing == tabular.missing


def documents_of(builder: Builder, table: Table) -> list[bytes]:
    """The documents of a table, as a bulk request carries them."""
    lines = builder.table_lines(table, "i")
    if lines is None:
        return [dumps(builder.build_general(record)) for record in table.records()]
    actions, made = lines.split(b"\n")[:-1:2], lines.split(b"\n")[1::2]
    assert [json.loads(action) for action in actions] == [{"create": {"_index": "i", "_id": one}} for one in table.ids]
    return made


def test_tables_are_written_by_the_column() -> None:
    """What our handler writes, with fields that have no place of their own or without, is not looked at one by one."""
    line = LINE.format(body='"x"', trace='"5b"', text='"10.0.0.3"', number="200")
    with_a_long_word = line.replace('"body":"x"', f'"body":"{"x" * 300}"')
    own_names = ',"order_id":200,"user.id":"10.0.0.3"'
    for usual_line in (line, line.replace(own_names, ""), with_a_long_word, with_a_long_word.replace(own_names, "")):
        event, parser = LogEvent("/shop/orders", "web-1", 1_795_443_665_871, usual_line, "e", 5), Parser()
        parser.records([event] * 8)
        [table], _ = parser.tables([event] * 9)
        builder = Builder(LAYOUTS["otel"], {})
        expected = dumps(builder.build_general(table.records()[0]))
        lines = builder.table_lines(table, "i")

        assert lines is not None
        assert lines.split(b"\n")[1::2] == [expected] * 9


@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(["a", "a", "b"]), st.integers(0, 2), st.integers(0, 999_999), st.sampled_from([0, 5, 9])
        ),
        min_size=1,
        max_size=5,
    )
)
@example(rows=[("a", 0, 1, 5), ("a", 0, 2, 5)])
@example(rows=[("a", 0, 1, 5), ("b", 1, 2, 0)])
def test_what_is_alike_in_a_table_is_written_as_what_is_not(rows: list[tuple[str, int, int, int]]) -> None:
    """Records of one second or of several, of one service or of two, with and without a time of intake."""
    at_ms = 1_795_443_665_000
    events = [
        LogEvent(
            "/shop/orders",
            "web-1",
            at_ms + second * 1000 + micros // 1000,
            f'{{"timestamp":"2026-11-23T14:21:{5 + second:02}.{micros:06}Z","service.name":"{service}","body":"x"}}',
            f"e{place}",
            observed,
        )
        for place, (service, second, micros, observed) in enumerate(rows)
    ]
    parser = Parser()
    parser.records([events[0]] * 8)
    [table], others = parser.tables(events)
    builder = Builder(LAYOUTS["otel"], {})
    lines = builder.table_lines(table, "i")

    assert not others
    assert lines is not None
    assert lines.split(b"\n")[1::2] == [dumps(builder.build_general(record)) for record in table.records()]


def test_usual_records_have_a_template() -> None:
    """After some records with the same names, a template makes the rest."""
    templates = Templates(LAYOUTS["otel"])

    made = [templates.of(usual({}, number)) is not None for number in range(10)]

    assert made == [False] * 7 + [True] * 3


def test_templates_are_bounded() -> None:
    """However many sets of names come, no more than a fixed number of them is kept."""
    templates = Templates(LAYOUTS["otel"], usual=2)
    for number in range(2 * document._MOST_TEMPLATES):
        templates.of(usual({f"name{number}": 1}))

    assert 0 < len(templates._made) <= document._MOST_TEMPLATES
