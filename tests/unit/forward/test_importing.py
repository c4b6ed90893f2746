"""Files become the records that the forwarder would have made of their lines, and what a store refuses is told."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from logship.forward.between.prepare import parser_of, prepare_of, rules_of
from logship.forward.files import FileOptions
from logship.forward.importing import import_paths
from logship.forward.letters.letter_lines import print_letters
from logship.forward.sources import subscription
from logship.forward.sources.unpacking import BadPayload
from logship.query.tree import All
from logship.record import LogEvent, Record, to_document
from logship.settings import Forward, Rule, Service, Settings
from logship.store.port import AddResult, Rejected
from logship.testing import MemoryStore
from logship.timerange import TimeRange

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

TIME_MS = 1_795_443_665_871
EVENTS = [
    LogEvent("/prod/edge", "s", TIME_MS + number, json.dumps({"level": level, "msg": f"m{number}"}), f"{number:056d}")
    for number, level in enumerate(["INFO", "DEBUG", "ERROR"] * 20)
]
SETTINGS = Settings(
    forward=Forward(
        rule=[Rule(query="level:debug", action="drop"), Rule(query="level:info", action="sample", rate=0.5)],
        keep_original=False,
    ),
    service=[Service(name="front", groups=["/prod/*"])],
)


def written(path: Path) -> Path:
    """The events as `aws logs filter-log-events` gives them, one a line."""
    lines = [
        {"logGroup": event.group, "logStreamName": event.stream, "timestamp": event.timestamp_ms}
        | {"message": event.message, "eventId": event.event_id}
        for event in EVENTS
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def shown(records: Sequence[Record]) -> list[str]:
    return sorted(json.dumps(to_document(record)) for record in records)


def test_files_become_what_the_forwarder_makes_of_the_same_events(tmp_path: Path) -> None:
    """Rules, the services of log groups and `keep_original` count for both."""
    store = MemoryStore()

    result = import_paths(
        [str(written(tmp_path / "a.ndjson"))], store, parser_of(SETTINGS), FileOptions(), rules=rules_of(SETTINGS)
    )
    store.refresh()
    expected = prepare_of(SETTINGS)(EVENTS)

    assert shown([*store.scan(All(), TimeRange(0, 2**60))]) == shown(expected)
    assert (result.accepted, result.left_out) == (len(expected), len(EVENTS) - len(expected))
    assert len(EVENTS) / 3 < len(expected) < 2 * len(EVENTS) / 3
    assert {record.service for record in expected} == {"front"}


def test_records_that_a_store_gave_out_have_passed_the_rules(tmp_path: Path) -> None:
    """An export comes back whole, whatever the rules say today."""
    record = Record("0" * 32, TIME_MS * 1000, "debugging", "DEBUG", attributes={"a": 1})
    exported = tmp_path / "export.ndjson"
    exported.write_text(json.dumps(to_document(record)) + "\n")

    result = import_paths([str(exported)], MemoryStore(), parser_of(SETTINGS), FileOptions(), rules=rules_of(SETTINGS))

    assert (result.accepted, result.left_out) == (1, 0)


def test_what_a_store_refuses_is_counted_with_the_first_reasons(tmp_path: Path) -> None:
    """Nothing disappears without a word."""

    class Picky(MemoryStore):
        def add(self, records: Sequence[Record]) -> AddResult:
            return AddResult(0, 0, tuple(Rejected(record, f"400 {record.body}") for record in records))

    result = import_paths([str(written(tmp_path / "a.ndjson"))], Picky(), parser_of(Settings()), FileOptions())

    assert (result.accepted, result.rejected, result.reasons) == (0, len(EVENTS), ["400 m0", "400 m1", "400 m2"])


def test_the_command_follows_the_settings_and_says_what_rules_left_out(tmp_path: Path) -> None:
    """`logship import` reads the logship.toml that `logship forward` reads."""
    written(tmp_path / "a.ndjson")
    (tmp_path / "logship.toml").write_text(
        '[[service]]\nname = "front"\ngroups = ["/prod/*"]\n\n'
        '[[forward.rule]]\nquery = "level:debug"\naction = "drop"\n'
    )

    run = [sys.executable, "-m", "logship"]
    done = subprocess.run([*run, "import", "a.ndjson"], cwd=tmp_path, capture_output=True, text=True, check=True)
    found = subprocess.run(
        [*run, "search", "service:front", "--since", "2000-01-01", "--count"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert "40 records from 1 file into" in done.stderr
    assert "20 left out by rules" in done.stderr
    assert found.stdout.strip() == "40"


def test_a_payload_that_still_cannot_be_read_is_said(tmp_path: Path) -> None:
    """It is no log line, and what it holds is in its file alone: the exit status is 5."""
    bad = BadPayload("it is cut off", b"no payload")
    letter = subscription.letter(bad, group="kinesis:logs", stream="shard-0", timestamp_ms=TIME_MS, event_id="1-0")
    with (tmp_path / "letters.ndjson").open("w") as file:
        print_letters([letter], file.write)

    command = [sys.executable, "-m", "logship", "import", "letters.ndjson"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr.startswith("0 records from 1 file into")) == (5, True)
    assert done.stderr.endswith(
        "1 dead letter still cannot be read, or not whole, so keep the files: it is no JSON (Expecting value)\n"
    )


def test_a_last_line_that_waits_is_said(tmp_path: Path) -> None:
    """By the file's name, or how many they are; with `--final`, and where it has its newline, nothing waits."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    event = json.dumps({"logGroup": "/g", "logStreamName": "s", "timestamp": TIME_MS, "eventId": "1", "message": "x"})
    (tmp_path / "a/whole.log").write_text("2026-11-23T14:00:00Z whole\n")
    (tmp_path / "a/plain.log").write_text("2026-11-23T14:00:00Z one\n2026-11-23T14:00:01Z tw")
    (tmp_path / "b/events.ndjson").write_text(event)

    def run(*arguments: str) -> tuple[list[str], str]:
        """(what waits, how many are stored)."""
        command = [sys.executable, "-m", "logship", "import", *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        *lines, last = done.stderr.splitlines()
        return lines, last.partition(" from ")[0]

    assert run("a") == (
        ["'a/plain.log': its last line has no newline yet and waits; import with --final to take it"],
        "2 records",
    )
    assert run("a", "b") == (
        ["2 files: their last lines have no newline yet and wait; import with --final to take them"],
        "0 records",
    )
    assert run("a", "b", "--final") == ([], "2 records")
