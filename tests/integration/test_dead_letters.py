"""`logship dead-letters` as it is run: from the forwarder that kept them to the store that takes them."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from logship.forward.between.prepare import Preparer
from logship.forward.letters.dead_letters import FILE, DeadLetter, DeadLetters
from logship.forward.run import ForwardOptions, forward_groups
from logship.forward.sources.subscription import letter as letter_of
from logship.forward.sources.unpacking import BadPayload
from logship.parse import Parser
from logship.query.tree import All
from logship.record import LogEvent, record_id
from logship.store.port import AddResult, Rejected
from logship.store.tantivy.reader import Reader
from logship.testing import LocalCloudWatch, MemoryStore

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from logship.record import Record

START_MS = 1_795_443_665_000


def logship(
    *arguments: str, cwd: Path, feed: int | None = subprocess.DEVNULL, code: int | None = None
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "logship", "dead-letters", *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, stdin=feed)
    assert code is None or done.returncode == code, done.stderr
    return done


def letter(number: int, *, group: str = "/shop/orders", reason: str = "no room for more fields") -> DeadLetter:
    event = LogEvent(group, "x", START_MS + number, f"2026-11-23T14:00:00Z INFO event {number}", str(number), START_MS)
    return DeadLetter(record_id(event.timestamp_ms, group, "x", str(number)), event, reason, START_MS + number)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder whose state holds three letters of two groups."""
    keep(tmp_path, letter(1), letter(2), letter(3, group="/shop/edge", reason="too long\x1b[31m"))
    return tmp_path


def keep(place: Path, *letters: DeadLetter) -> None:
    opened = DeadLetters(place / "state")
    opened.keep(letters)
    opened.close()


def left(place: Path) -> int:
    opened = DeadLetters(place / "state")
    found = opened.count()
    opened.close()
    return found


def bodies(store: Path) -> list[str]:
    return sorted(record.body for record in Reader(store).scan(All()))


class Refusing(MemoryStore):
    """An index whose mapping is not what records need."""

    def add(self, records: Sequence[Record]) -> AddResult:
        bad = [record for record in records if "user" in record.attributes]
        result = super().add([record for record in records if record not in bad])
        return AddResult(result.accepted, result.existing, tuple(Rejected(one, "mapper: user") for one in bad))


def forward(cw: LocalCloudWatch, place: Path) -> None:
    options = ForwardOptions(start_ms=int(time.time() * 1000) - 3_600_000, state=str(place / "state"), once=True)
    secret = Preparer(
        Parser(keep_original=False),
        redact_many=lambda texts: [text.replace("hunter2", "[redacted:x]") for text in texts],
    )
    forward_groups(cw.client(), Refusing(), secret, options)


def test_what_the_forwarder_could_not_store_is_replayed_whole(tmp_path: Path) -> None:
    """The same record as if it had been stored at once: its id, its fields, its secrets taken out."""
    with LocalCloudWatch() as cw:
        client = cw.client()
        client.create_log_group(logGroupName="/shop/a")
        client.create_log_stream(logGroupName="/shop/a", logStreamName="x")
        line = json.dumps({"body": "hello hunter2", "user": 7, "severity_text": "WARN"})
        events = [{"timestamp": int(time.time() * 1000), "message": text} for text in (line, "\tat x.Y", "plain")]
        client.put_log_events(logGroupName="/shop/a", logStreamName="x", logEvents=events)
        forward(cw, tmp_path)
        event_id = cw.client().filter_log_events(logGroupName="/shop/a")["events"][0]["eventId"]
    raw = logship("show", "--format", "raw", cwd=tmp_path, code=0).stdout
    replayed = logship("replay", "--all", "--store", "./data", cwd=tmp_path, code=0)
    [record] = Reader(tmp_path / "data").scan(All())

    assert json.loads(raw) == json.loads(line.replace("hunter2", "[redacted:x]"))
    assert (record.body, record.severity, record.attributes["user"]) == ("hello [redacted:x]", "WARN", 7)
    assert record.id == record_id(events[0]["timestamp"], "/shop/a", "x", event_id)  # type: ignore[arg-type]
    assert replayed.stderr == "1 dead letter replayed: 1 record stored in ./data\n"
    assert (replayed.stdout, left(tmp_path)) == ("", 0)


def test_list_counts_by_group_and_reason(place: Path) -> None:
    """In every format, with the documented keys, and nothing that a terminal would obey."""
    table = logship("list", cwd=place, code=0).stdout.splitlines()
    found = json.loads(logship("list", "--format", "json", cwd=place, code=0).stdout)
    rows = list(csv.DictReader(io.StringIO(logship("list", "--format", "csv", cwd=place, code=0).stdout)))

    assert found[0] == {
        "group": "/shop/orders",
        "reason": "no room for more fields",
        "count": 2,
        "newest": "2026-11-23T14:21:05.002000Z",
    }
    assert (len(table), table[0].split(), "\x1b" in "".join(table)) == (
        3,
        ["group", "reason", "count", "newest"],
        False,
    )
    assert [row["count"] for row in rows] == ["2", "1"]


def test_show_prints_letters_with_their_text(place: Path) -> None:
    """All, a group's, one by the beginning of its id, and so many as are wanted."""
    text = logship("show", "--group", "/shop/edge", cwd=place, code=0).stdout
    lines = [json.loads(line) for line in logship("show", "--format", "ndjson", cwd=place, code=0).stdout.splitlines()]
    one = logship("show", letter(2).id[:20].upper(), "--format", "raw", cwd=place, code=0).stdout
    limited = logship("show", "--limit", "2", "--format", "json", cwd=place, code=0)

    assert [line["id"] for line in lines] == [letter(1).id, letter(2).id, letter(3, group="/shop/edge").id]
    assert list(lines[0]) == [
        "id", "kind", "group", "stream", "timestamp", "ingested", "event_id", "kept", "reason", "continues", "message"
    ]  # fmt: skip
    assert one == letter(2).event.message + "\n"
    assert ("    2026-11-23T14:00:00Z INFO event 3\n" in text, "\x1b" in text) == (True, False)
    assert (len(json.loads(limited.stdout)), "2 of 3 dead letters" in limited.stderr) == (2, True)


def test_a_forwarder_that_holds_the_store_takes_them(place: Path) -> None:
    """Replay hands over through the inbox, is answered once they are safe, and a second one finds nothing to do."""
    with LocalCloudWatch() as cw:
        cw.client().create_log_group(logGroupName="/shop/a")
        env = os.environ | {
            "AWS_ENDPOINT_URL": cw.url, "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "t", "AWS_SECRET_ACCESS_KEY": "t",
        }  # fmt: skip
        running = subprocess.Popen(
            [sys.executable, "-m", "logship", "forward", "--store", "./data"],
            cwd=place,
            env=env,
            stderr=subprocess.PIPE,
        )
        try:
            while not (place / "data/writer.json").exists():
                assert running.poll() is None
                time.sleep(0.05)
            first = logship("replay", "--all", "--store", "./data", cwd=place)
            while_running = bodies(place / "data")
            second = logship("replay", "--all", "--store", "./data", cwd=place)
        finally:
            running.send_signal(signal.SIGTERM)
            running.communicate(timeout=30)

    assert (first.returncode, len(while_running), running.returncode) == (0, 3, 0)
    assert (second.returncode, second.stderr) == (1, "no dead letters in 'state'\n")


def test_a_replay_that_is_killed_is_done_again(tmp_path: Path) -> None:
    """kill -9 whenever it likes: every letter ends up in the store once, and none is left."""
    total = 8_000
    keep(tmp_path, *(letter(number) for number in range(total)))
    command = [sys.executable, "-m", "logship", "dead-letters", "replay", "--all", "--store", "./data"]
    kills = 0
    for share in (0.8, 0.6, 0.4):
        running = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE)
        while running.poll() is None and left(tmp_path) > total * share:
            time.sleep(0.01)
        kills += running.poll() is None
        running.kill()
        running.communicate()
    part = left(tmp_path)
    done = logship("replay", "--all", "--store", "./data", cwd=tmp_path, code=0)

    assert (kills > 0, 0 < part < total, left(tmp_path)) == (True, True, 0)
    assert bodies(tmp_path / "data") == sorted(letter(number).event.message for number in range(total))
    assert "dead letters replayed" in done.stderr


def test_drop_asks_first(place: Path) -> None:
    """On a terminal; elsewhere `--yes` has to say so. What is dropped is gone."""
    refused = logship("drop", "--group", "/shop/edge", cwd=place)
    answers = []
    for answer in (b"n\n", b"y\n"):
        ours, theirs = pty.openpty()
        os.write(ours, answer)
        answers.append(logship("drop", "--group", "/shop/edge", cwd=place, feed=theirs).returncode)
        os.close(ours)
        os.close(theirs)
        answers.append(left(place))
    rest = logship("drop", "--all", "--yes", cwd=place, code=0)

    assert (refused.returncode, "add --yes" in refused.stderr) == (2, True)
    assert (answers, left(place), rest.stderr) == ([130, 3, 0, 2], 0, "dropped 2 dead letters\n")


def test_rules_and_services_of_the_settings_hold_for_replays(place: Path) -> None:
    """What a rule leaves out today is no letter any more, and the settings name the service."""
    (place / "logship.toml").write_text(
        '[[forward.rule]]\nquery = "group:/shop/edge"\naction = "drop"\n'
        '[[service]]\nname = "checkout"\ngroups = ["/shop/ord*"]\n'
    )
    done = logship("replay", "--all", cwd=place, code=0)

    assert ("rules left out 1" in done.stderr, left(place)) == (True, 0)
    assert {record.service for record in Reader(place / "data").scan(All())} == {"checkout"}


def test_payloads_are_read_again(tmp_path: Path) -> None:
    """Events of a payload that can be read now are stored; what is none stays, and exit status 1 says so."""
    document = {
        "messageType": "DATA_MESSAGE", "owner": "1", "logGroup": "/shop/a", "logStream": "x",
        "logEvents": [{"id": "7", "timestamp": START_MS, "message": "INFO from a payload"}],
    }  # fmt: skip
    bad = [BadPayload("its gzip was cut off", text) for text in (json.dumps(document).encode(), b"H4sI")]
    keep(
        tmp_path,
        *(
            letter_of(one, group="kinesis:shop", stream="shard-0", timestamp_ms=START_MS, event_id=str(number))
            for number, one in enumerate(bad)
        ),
    )
    shown = logship("show", cwd=tmp_path, code=0).stdout
    done = logship("replay", "--all", "--store", "./data", cwd=tmp_path, code=1)
    [record] = Reader(tmp_path / "data").scan(All())

    assert (shown.count("(payload)"), "1 still cannot be stored" in done.stderr, left(tmp_path)) == (2, True, 1)
    assert (record.body, record.id) == ("INFO from a payload", record_id(START_MS, "/shop/a", "x", "7"))


def test_letters_go_to_the_store_that_refused_them(place: Path) -> None:
    """Another one of the settings would get the only copy; whoever means it names it."""
    DeadLetters(place / "state", store=str((place / "theirs").resolve())).close()
    refused = logship("replay", "--all", cwd=place, code=5)
    kept, made = left(place), (place / "data").exists()
    logship("replay", "--all", "--store", "./theirs", cwd=place, code=0)

    assert (f"add --store {place / 'theirs'}" in refused.stderr, kept, made) == (True, 3, False)
    assert (left(place), sum(1 for _ in Reader(place / "theirs").scan(All()))) == (0, 3)


WRONG: list[tuple[list[str], int, str]] = [
    (["list", "--state", "./absent"], 5, "'./absent' holds no dead-letters.db"),
    (["list", "--state", "./damaged"], 5, "left as it is"),
    (["replay", "--all", "--state", "./damaged"], 5, "left as it is"),
    (["replay"], 2, "IDs, --group NAME, or --all"),
    (["drop", "--all", "--group", "/shop/edge"], 2, "IDs, --group NAME, or --all"),
    (["show", "ffff"], 2, "no dead letter's id begins with 'ffff'"),
    (["drop", "01"], 2, "several dead letters begin with '01'"),
    (["show", "--group", "/shop/nobody"], 1, "no dead letters of the log group '/shop/nobody'"),
    (["replay", "--group", "/shop/nobody"], 1, "no dead letters"),
    (["replay", "--all", "--store", "word"], 2, "[stores.word]"),
    (["replay", "--all", "--store", "http://127.0.0.1:9"], 3, "127.0.0.1:9"),
]


@pytest.mark.parametrize(("arguments", "code", "said"), WRONG, ids=[" ".join(case[0]) for case in WRONG])
def test_what_is_wrong_is_said_in_one_line(place: Path, arguments: list[str], code: int, said: str) -> None:
    """With the right exit status, no traceback, and every letter still there."""
    (place / "damaged").mkdir()
    (place / "damaged" / FILE).write_bytes(b"no database" * 1000)
    done = logship(*arguments, cwd=place)

    assert (done.returncode, done.stderr.count("\n"), done.stdout) == (code, 1, "")
    assert said in done.stderr
    assert (left(place), (place / "damaged" / FILE).read_bytes()) == (3, b"no database" * 1000)


def test_an_empty_state_is_no_error(tmp_path: Path) -> None:
    """Nothing there: exit status 1, an empty list as JSON."""
    DeadLetters(tmp_path / "state").close()
    done: list[Any] = [logship(*words, cwd=tmp_path) for words in (["list"], ["list", "--format", "json"], ["show"])]

    assert [run.returncode for run in done] == [1, 1, 1]
    assert [run.stdout for run in done] == ["", "[]\n", ""]
