"""What the commands print, over a real embedded store."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logship.cli import diagnostics
from logship.cli.main import logship
from logship.query.tree import All
from logship.record import ORIGINAL, ORIGINAL_BASE64, Record, format_time, record_id, to_document
from logship.store.tantivy import inbox
from logship.store.tantivy.reader import Reader
from logship.store.tantivy.writer import open_writer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

NOW_US = 1_795_443_665_000_000
TRACE = "5b27baf9c1d24a0e8f3b6d7e9a012345"


class Ended(NamedTuple):
    status: int
    out: bytes
    said: str


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Callable[..., Ended]:
    """Runs a command as the program does, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Ended:
        status = diagnostics.guarded(lambda: logship.main(list(arguments), "logship", standalone_mode=False))
        out, said = capfdbinary.readouterr()
        return Ended(int(status), out, said.decode())

    return run


def request(number: int, service: str, duration_ms: float, *, status: int = 200, more: Any = None) -> Record:
    time_us = NOW_US + number * 1_000_000
    identity = record_id(time_us // 1000, "/shop/" + service, "web", str(number))
    attributes = {"logship.kind": "request", "duration_ms": duration_ms, "http.response.status_code": status} | (
        more or {}
    )
    level = "ERROR" if status >= 500 else "INFO"
    return Record(
        identity, time_us, f"request {number}", level, 0, resource={"service.name": service}, attributes=attributes
    )


def fill(place: Path, records: Sequence[Record]) -> None:
    writer = open_writer(place, "test", long_running=True)
    writer.add(records)
    writer.close()


@pytest.fixture
def shop(tmp_path: Path) -> list[Record]:
    """Four requests of two services in ./data."""
    records = [
        request(0, "orders", 20.0),
        request(1, "orders", 2100.5, status=502),
        request(2, "edge", 30.0),
        request(3, "edge", 40.0, more={"user|id": "a|b"}),
    ]
    fill(tmp_path / "data", records)
    return records


STATS = "* | stats count(), max(duration) by service | sort service"


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("wanted", "printed"),
    [
        ("table", b"service  count  max_duration\nedge         2         40 ms\norders       2         2.1 s\n"),
        ("md", b"| service | count | max_duration |\n|---|---:|---:|\n| edge | 2 | 40 ms |\n| orders | 2 | 2.1 s |\n"),
        ("csv", b"service,count,max_duration\r\nedge,2,40.0\r\norders,2,2100.5\r\n"),
    ],
)
def test_figures_in_every_format_for_people(run: Callable[..., Ended], wanted: str, printed: bytes) -> None:
    """Numbers stand at the right with units; csv has the plain numbers."""
    done = run("search", STATS, "--format", wanted)

    assert (done.status, done.out) == (0, printed)


@pytest.mark.usefixtures("shop")
def test_figures_as_json_are_the_same_objects_in_both_formats(run: Callable[..., Ended]) -> None:
    """`json` is one list, `ndjson` a line an object."""
    rows = [
        {"service": "edge", "count": 2, "max_duration": 40.0},
        {"service": "orders", "count": 2, "max_duration": 2100.5},
    ]

    assert json.loads(run("search", STATS, "--format", "json").out) == rows
    assert [json.loads(line) for line in run("search", STATS, "--format", "ndjson").out.splitlines()] == rows


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    "arguments", [[STATS, "--format", "raw"], [STATS, "--count"], ["* | fields time", "--format", "raw"]]
)
def test_what_figures_cannot_be_is_refused(run: Callable[..., Ended], arguments: list[str]) -> None:
    """Original lines and counts of records make no sense of figures: exit 2, nothing on stdout."""
    done = run("search", *arguments)

    assert (done.status, done.out) == (2, b"")


def test_chosen_columns(shop: list[Record], run: Callable[..., Ended]) -> None:
    """`fields` prints those columns, for people with units, for programs with times as text."""
    query = "status:502 | fields time, service, duration"

    assert run("search", query).out.decode().splitlines()[1].split() == [
        format_time(shop[1].time_us),
        "orders",
        "2.1",
        "s",
    ]
    assert json.loads(run("search", query, "--format", "ndjson").out) == {
        "time": format_time(shop[1].time_us),
        "service": "orders",
        "duration": 2100.5,
    }


@pytest.mark.usefixtures("shop")
def test_counts_come_from_every_shape_of_records(run: Callable[..., Ended]) -> None:
    """--count counts what would be printed."""
    queries = ["service:edge", "* | where duration>35", "* | limit 3", "* | dedup service"]

    assert [run("search", query, "--count").out for query in queries] == [b"2\n", b"2\n", b"3\n", b"2\n"]


@pytest.mark.usefixtures("shop")
def test_cut_output_says_of_how_many(run: Callable[..., Ended]) -> None:
    """What is left out is counted, and nothing is said where nothing is."""
    assert "2 of 4 records" in run("search", "--limit", "2").said
    assert "2 of 4 records" in run("search", "* | where kind:request", "--limit", "2").said
    assert run("search", "service:edge", "--limit", "2").said.splitlines()[-1] == "2 records"


@pytest.mark.usefixtures("shop")
def test_unknown_fields_are_named_and_known_ones_are_not(run: Callable[..., Ended]) -> None:
    """A field that no record has gets a hint with near names; one that only few records have gets none."""
    assert "'servce'" in run("search", "servce:edge").said
    assert "did you mean service" in run("search", "NOT servce:edge", "--count").said
    assert "no record has" not in run("search", "user|id:zzz service:edge").said
    assert "no record has" not in run("search", "user\\|id:* OR duration>1s", "--limit", "1").said


@pytest.mark.usefixtures("shop")
def test_saved_queries(run: Callable[..., Ended], tmp_path: Path) -> None:
    """@NAME stands for its query, more terms narrow it in front of its stages, and --saved lists them."""
    (tmp_path / "logship.toml").write_text(
        '[queries.slow]\nquery = "duration>25ms OR status:502 | sort duration"\nformat = "csv"\n'
        '[queries.all]\nquery = "*"\nsince = "1h"\n'
    )
    rows = list(csv.reader(io.StringIO(run("search", "@slow", "service:edge", "| fields duration").out.decode())))

    assert rows == [["duration"], ["30.0"], ["40.0"]]
    assert run("search", "--saved").out.decode() == (
        "@all  *  --since 1h\n@slow  duration>25ms OR status:502 | sort duration  --format csv\n"
    )
    assert run("search", "@all").status == 1  # nothing in the last hour
    assert "did you mean @slow?" in run("search", "@slwo").said


@pytest.mark.usefixtures("shop")
def test_a_saved_query_that_is_wrong_names_its_key(run: Callable[..., Ended], tmp_path: Path) -> None:
    """The settings' place stands in the message, since nobody typed the value."""
    (tmp_path / "logship.toml").write_text('[queries.slow]\nquery = "*"\nsince = "1parsec"\n')
    done = run("search", "@slow")

    assert (done.status, done.out, "queries.slow.since" in done.said, "'1parsec'" in done.said) == (2, b"", True, True)


@pytest.mark.usefixtures("shop")
def test_explain_names_the_part_of_the_time_and_the_matches(run: Callable[..., Ended]) -> None:
    """The tree, the stages, what the range touches and how much matches, on stdout."""
    done = run("search", "service:edge | limit 1", "--explain", "--from", format_time(NOW_US + 2_000_000))
    text = done.out.decode()

    assert (done.status, "2 of 4 records" in text, "of the 3 s held" in text, "| limit 1" in text) == (
        0,
        True,
        True,
        True,
    )
    assert ("TermQuery" in text, "exact" in text) == (True, True)


@pytest.mark.usefixtures("shop")
def test_fields_are_listed_with_counts_and_types(run: Callable[..., Ended]) -> None:
    """Every field with how many have it, by short name; the values of one with their counts."""
    facts = json.loads(run("fields", "--format", "json").out)
    found = {fact["short"]: (fact["count"], fact["types"]) for fact in facts["fields"]}

    assert facts["records"] == 4
    assert [found[name] for name in ("service", "duration", "user|id", "time")] == [
        (4, ["text"]), (4, ["number"]), (1, ["text"]), (4, ["time"]),
    ]  # fmt: skip
    assert json.loads(run("fields", "service", "--format", "json").out)["values"] == [
        {"value": "edge", "count": 2}, {"value": "orders", "count": 2},
    ]  # fmt: skip
    assert run("fields", "status:502", "--field", "service").out == b"service  count\norders       1\n"
    assert (run("fields", "--field", "nope").status, run("fields", "nothing").status) == (1, 1)


@pytest.fixture
def trace(tmp_path: Path) -> None:
    """One trace of two services with a log line, and another that begins alike."""

    def part(number: int, service: str, ids: str, duration_ms: float | None, trace_id: str = TRACE) -> Record:
        made = request(number, service, duration_ms or 0.0, more={"http.route": f"/{service}"})
        if duration_ms is None:
            made.attributes, made.severity, made.body = {}, "WARN", "waiting for lock"
        made.trace_id, (made.span_id, made.parent_span_id) = trace_id, ids.split("<")
        return made

    fill(
        tmp_path / "data",
        [
            part(3, "edge", "a<", 3000.0),
            part(3, "orders", "b<a", 2500.0),
            part(2, "orders", "b<a", None),
            part(0, "edge", "z<", 5.0, "5b27ffffffffffffffffffffffffffff"),
        ],
    )


@pytest.mark.usefixtures("trace")
def test_a_trace_is_a_waterfall(run: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch) -> None:
    """Parents before children, bars where they were at work, own times, and lines under their span."""
    monkeypatch.setenv("COLUMNS", "80")
    lines = run("trace", "5B27BAF9").out.decode().splitlines()

    assert lines[0] == f"{TRACE}  3 s  2 spans of 2 services: edge orders"
    assert lines[1].split() == ["edge", "/edge", lines[1].split()[2], "3", "s", "(own", "500", "ms)"]
    assert set(lines[1].split()[2]) == {"█"}
    assert lines[2].endswith("2.5 s (own 2.5 s) ◀ longest")
    assert lines[2].split()[2].startswith("░")
    assert lines[3] == "    14:21:07.000 WARN waiting for lock"
    assert max(map(len, lines)) <= 80
    spans = json.loads(run("trace", TRACE, "--format", "json").out)["spans"]
    assert [(span["service"], span["depth"], span["own_ms"], len(span["lines"])) for span in spans] == [
        ("edge", 0, 500.0, 0), ("orders", 1, 2500.0, 1),
    ]  # fmt: skip


@pytest.mark.usefixtures("trace")
def test_a_trace_that_is_not_one(run: Callable[..., Ended]) -> None:
    """No such id is 1; a beginning of several, or one too short, is 2 and names what to do."""
    assert run("trace", "ffffffff")[:2] == (1, b"")
    assert run("trace", "5b27")[:2] == (2, b"")
    assert TRACE in run("trace", "5b27").said
    assert run("trace", "5b")[:2] == (2, b"")


@pytest.mark.usefixtures("shop")
def test_status_counts_by_day_and_service(run: Callable[..., Ended]) -> None:
    """The documented keys of the JSON, and a table for people."""
    facts = json.loads(run("store", "status", "--format", "json").out)

    assert {key: facts[key] for key in ("records", "health", "writer", "services", "days", "oldest")} == {
        "records": 4,
        "health": "ok",
        "writer": None,
        "services": {"edge": 2, "orders": 2},
        "days": {"2026-11-23": {"edge": 2, "orders": 2}},
        "oldest": format_time(NOW_US),
    }
    assert run("store", "status").out.decode().splitlines()[-1].split() == ["all", "4", "2", "2"]


@pytest.mark.usefixtures("shop")
def test_prune_says_first_and_deletes_while_somebody_writes(tmp_path: Path) -> None:
    """--dry-run counts; a forwarder that holds the store does the deleting for whoever asks."""
    command = [sys.executable, "-m", "logship", "store", "prune", "--older-than", "8000d", "--store", "./data"]
    older = [request(number, "old", 1.0) for number in range(-1_000_000_000, -999_999_990)]
    forwarder = open_writer(tmp_path / "data", "forward", long_running=True)
    forwarder.add(older)
    forwarder.commit()
    dry = subprocess.run([*command, "--dry-run"], cwd=tmp_path, capture_output=True, text=True, check=True)
    held = Reader(tmp_path / "data").count(All())
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    left = Reader(tmp_path / "data").count(All())
    waiting = inbox.facts(tmp_path / "data/inbox")
    forwarder.close()

    assert ("10 of 14 records" in dry.stderr, "deleted 10 records" in done.stderr) == (True, True)
    assert (held, left, waiting) == (14, 4, {"waiting": 0, "unreadable": 0})


def test_pruning_what_is_no_store_makes_none(run: Callable[..., Ended], tmp_path: Path) -> None:
    """A misspelled folder is an error, not a new store."""
    assert run("store", "prune", "--older-than", "1d", "--store", "./absent").status == 5
    assert not (tmp_path / "absent").exists()


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
VALUES = TEXT | st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.floats(allow_nan=False, allow_infinity=False)
RECORDS = st.lists(
    st.tuples(
        st.integers(0, 4_000_000_000_000_000),
        TEXT,
        st.sampled_from(["", "INFO", "FATAL"]),
        st.integers(0, 4_000_000_000_000),
        st.sampled_from(["", TRACE]),
        st.dictionaries(TEXT, VALUES | st.lists(VALUES, max_size=3), max_size=4),
        st.binary(max_size=20),
    ),
    max_size=12,
)


@settings(max_examples=25, deadline=None)
@given(drawn=RECORDS)
def test_what_is_exported_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[Any, ...]]
) -> None:
    """Store to store, and through a file: ids, values and the bytes of originals are the same, and twice is once."""
    place = tmp_path_factory.mktemp("copies")
    records = [
        Record(
            record_id(time_us // 1000, "g", "s", str(number)), time_us, body, level, observed, trace_id, "", "",
            {"service.name": "orders"}, {**more, ORIGINAL: body + "!", ORIGINAL_BASE64: raw.hex()},
        )
        for number, (time_us, body, level, observed, trace_id, more, raw) in enumerate(drawn)
    ]  # fmt: skip
    fill(place / "a", records)
    held = list(Reader(place / "a").scan(All()))
    for _ in range(2):
        assert in_place(place, "store", "export", "--store", "./a", "--to", "./b") == 0
        assert in_place(place, "store", "export", "--store", "./a", "--output", "c.ndjson.gz") == 0
        assert in_place(place, "import", "c.ndjson.gz", "--store", "./c") == 0

    lines = gzip.decompress((place / "c.ndjson.gz").read_bytes()).splitlines()
    assert held == sorted(records, key=lambda record: record.order)
    assert list(Reader(place / "b").scan(All())) == held
    assert list(Reader(place / "c").scan(All())) == held
    assert [json.loads(line) for line in lines] == [json.loads(json.dumps(to_document(record))) for record in held]


def in_place(place: Path, *arguments: str) -> int:
    before = os.getcwd()  # noqa: PTH109 - goes back there
    os.chdir(place)
    try:
        return diagnostics.guarded(lambda: logship.main(list(arguments), "logship", standalone_mode=False))
    finally:
        os.chdir(before)


@pytest.mark.usefixtures("shop")
def test_an_export_that_fails_leaves_no_file(run: Callable[..., Ended], tmp_path: Path) -> None:
    """A file that cannot be written is said, and one that was there before stays."""
    (tmp_path / "kept.ndjson").write_text("before")

    assert run("store", "export", "--output", "absent/x.ndjson").status == 5
    assert run("store", "export", "a AND", "--output", "kept.ndjson").status == 2
    assert (tmp_path / "kept.ndjson").read_text() == "before"
    assert list(tmp_path.glob("*.part")) == []


@pytest.mark.usefixtures("shop")
def test_export_needs_to_know_where_to(run: Callable[..., Ended]) -> None:
    """Neither or both of a store and a file, and the store itself, are usage errors."""
    assert [
        run("store", "export").status,
        run("store", "export", "--to", "./b", "--format", "ndjson").status,
        run("store", "export", "--to", "./data").status,
    ] == [2, 2, 2]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_printed(run: Callable[..., Ended], shell: str) -> None:
    """Each shell gets a script that asks this program."""
    done = run("completion", shell)

    assert (done.status, b"_LOGSHIP_COMPLETE" in done.out) == (0, True)


def completed(place: Path, *words: str) -> list[str]:
    environment = os.environ | {
        "_LOGSHIP_COMPLETE": "bash_complete",
        "COMP_WORDS": shlex.join(["logship", *words]),
        "COMP_CWORD": str(len(words)),
    }
    done = subprocess.run(
        [sys.executable, "-c", "from logship.cli.main import logship; logship(prog_name='logship')"],
        cwd=place, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


@pytest.mark.usefixtures("shop")
def test_shells_are_offered_commands_profiles_and_saved_queries(tmp_path: Path) -> None:
    """Commands, flags, `[stores.NAME]`, `@NAME`; and nothing, without a word, where settings are broken."""
    (tmp_path / "logship.toml").write_text('[stores.prod]\nlocation = "./p"\n[queries.slow]\nquery = "x"\n')

    assert "search" in completed(tmp_path, "sea")
    assert "--follow" in completed(tmp_path, "search", "--fo")
    assert completed(tmp_path, "search", "--store", "pr") == ["prod"]
    assert completed(tmp_path, "search", "@") == ["@slow"]
    (tmp_path / "logship.toml").write_text("[stores")
    assert completed(tmp_path, "search", "--store", "pr") == []


@pytest.mark.usefixtures("shop")
def test_shells_are_offered_fields_and_values(tmp_path: Path) -> None:
    """Fields of the store, values that the words before leave, and names alone where there is no store."""
    assert completed(tmp_path, "search", "--store", "./data", "serv") == ["service:"]
    assert completed(tmp_path, "search", "--store", "./data", "status:502", "service:") == [
        "service:orders",
        "service:*",
    ]
    assert completed(tmp_path, "search", "--store", "./data", "status:502 service:o") == ["status:502 service:orders"]
    assert "service:" in completed(tmp_path, "search", "--store", "./absent", "ser")
    assert completed(tmp_path, "search", "--store", "./data", '"open') == []
