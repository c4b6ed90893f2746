"""The dry run says what the forwarder then does, and leaves no trace."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from logship.cli import dry_run as shown
from logship.cli.main import logship
from logship.cloudwatch.discovery import FoundGroup
from logship.cloudwatch.paging import Retry
from logship.errors import AccessError, SettingsError
from logship.forward.between.dry_run import foresee, newest
from logship.forward.between.prepare import Preparer
from logship.forward.between.rules import Rules
from logship.forward.run import ForwardOptions, forward_groups
from logship.parse import Parser
from logship.query.tree import All
from logship.settings import Rule, Store
from logship.testing import Faults, LocalCloudWatch, MemoryStore
from logship.wiring import place_of
from tests import fake_aws

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

RULES = [
    Rule(query="level:debug", action="drop"),
    Rule(query="level:info", action="sample", rate=0.5),
]


def now_ms() -> int:
    return int(time.time() * 1000)


def redact_many(texts: Sequence[str]) -> list[str]:
    return [text.replace("hunter2", "[redacted:password]") if "hunter2" in text else text for text in texts]


def put(client: Any, group: str, times_ms: Sequence[int], message: str = "INFO event {}") -> None:
    for start in range(0, len(times_ms), 10_000):
        events = [
            {"timestamp": at, "message": message.format(number)}
            for number, at in enumerate(times_ms[start : start + 10_000], start)
        ]
        client.put_log_events(logGroupName=group, logStreamName="x", logEvents=events)


def set_up(cw: LocalCloudWatch, *groups: str) -> Any:
    client = cw.client()
    for group in groups:
        client.create_log_group(logGroupName=group)
        client.create_log_stream(logGroupName=group, logStreamName="x")
    return client


def named(*groups: str) -> list[FoundGroup]:
    return [FoundGroup(name, name, f"arn:aws:logs:us-east-1:123456789012:log-group:{name}", "") for name in groups]


def prepared() -> Preparer:
    return Preparer(Parser(), rules=Rules(RULES), redact_many=redact_many)


def test_what_is_foreseen_is_what_is_done(tmp_path: Path) -> None:
    """Ids, decisions, redactions, formats and places, event by event; nothing was written by looking."""
    with LocalCloudWatch() as cw:
        client = set_up(cw, "/shop/a")
        lines = [
            "2026-11-23T14:00:00Z DEBUG noise", "ERROR password=hunter2 hunter2", "\tat x.Y",
            '{"level": "warn", "message": "json", "service": "edge"}', *(f"INFO number {n}" for n in range(36)),
        ]  # fmt: skip
        events = [{"timestamp": now_ms() - 1000 + number, "message": line} for number, line in enumerate(lines)]
        client.put_log_events(logGroupName="/shop/a", logStreamName="x", logEvents=events)
        before = sorted(tmp_path.rglob("*"))
        [sample] = foresee(
            client, named("/shop/a"), prepared(), place_of(Store(location="./data")),
            first=40, start_ms=0, now_ms=now_ms(), retry=Retry(tries=4),
        )  # fmt: skip
        assert sorted(tmp_path.rglob("*")) == before
        store = MemoryStore()
        forward_groups(client, store, prepared(), ForwardOptions(start_ms=0, state=str(tmp_path), once=True))
    store.refresh()
    stored = {record.id: record.body for record in store.scan(All())}
    foreseen = {one.explained.record.id: one.explained.record.body for one in sample.events if one.place}

    assert (foreseen, 4 <= len(stored) <= 38) == (stored, True)
    assert [one.format for one in sample.events[:5]] == ["plain", "plain", "continuation", "json", "plain"]
    assert [dict(one.explained.redacted) for one in sample.events[:3]] == [{}, {"password": 2}, {}]
    assert [one.explained.decision.rule for one in sample.events[:5]] == [0, None, None, None, 1]


@pytest.mark.parametrize("faults", [Faults(), Faults(empty_page_rate=0.5, partial_page_rate=0.5, throttle_rate=0.1)])
def test_the_newest_events_are_found_wherever_they_lie(faults: Faults) -> None:
    """A quiet group's from days ago, a busy group's among very many, one that has fewer than are wanted, and none."""
    with LocalCloudWatch(faults=faults, seed=5) as cw:
        client = set_up(cw, "/quiet", "/few", "/none", "/busy")
        at_ms = now_ms()
        put(client, "/quiet", [at_ms - 9 * 86_400_000 + number for number in range(50)])
        put(client, "/few", [at_ms - 5000, at_ms - 4000])
        put(client, "/busy", [at_ms - 60_000 + number // 3 for number in range(120_000)])
        put(client, "/busy", [at_ms - 2_000, at_ms - 1_500, at_ms - 1_400])
        found = {
            group.name: [event.timestamp_ms - at_ms for event in newest(client, group, 5, now_ms=at_ms, retry=Retry())]
            for group in named("/quiet", "/few", "/none", "/busy")
        }

    assert found["/quiet"] == [-9 * 86_400_000 + number for number in range(45, 50)]
    assert (found["/few"], found["/none"]) == ([-5000, -4000], [])
    assert found["/busy"] == [-20_001, -20_001, -2_000, -1_500, -1_400]


def test_a_group_that_is_gone_keeps_nobody_out(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """Its line says so; the others follow, in the documented shape, and on a terminal as safe text."""
    with LocalCloudWatch() as cw:
        client = set_up(cw, "/shop/a", "/shop/empty")
        put(client, "/shop/a", [now_ms()], "2026-11-23T14:00:00Z DEBUG hunter2 \x1b[31m{}")

        def samples() -> Any:
            return foresee(
                client, named("/shop/gone", "/shop/a", "/shop/empty"), prepared(), place_of(Store(location="./data")),
                first=5, start_ms=None, now_ms=now_ms(), retry=Retry(tries=4),
            )  # fmt: skip

        counts = [shown.write(samples(), RULES, wanted, ["about 2 calls a second"]) for wanted in ("json", "table")]
    as_json, _, as_text = capsysbinary.readouterr().out.decode().partition("\n}\n")
    found = json.loads(as_json + "\n}")
    [event] = found["groups"][1]["events"]

    assert (counts, found["cost"]) == ([1, 1], ["about 2 calls a second"])
    assert [(group["group"], len(group["events"])) for group in found["groups"]] == [
        ("/shop/gone", 0), ("/shop/a", 1), ("/shop/empty", 0)
    ]  # fmt: skip
    assert "/shop/gone" in found["groups"][0]["problem"]
    assert list(event) == [
        "id", "stream", "time", "level", "service", "message", "format", "redacted", "kept", "rule", "sample_rate",
        "place",
    ]  # fmt: skip
    assert (event["kept"], event["rule"], event["place"]) == (False, "forward.rule[0]", None)
    assert ("drop: level:debug" in as_text, "/shop/empty: no events" in as_text) == (True, True)
    assert ("\x1b" in as_text, "hunter2" in as_text, as_text.endswith("about 2 calls a second\n")) == (
        False, False, True
    )  # fmt: skip


def test_the_place_is_the_one_that_the_store_takes() -> None:
    """A folder, or the index of the event's month or day, as the writer names it."""
    from logship.record import LogEvent

    [record] = Preparer(Parser())([LogEvent("/g", "s", 1_795_443_665_871, "x", "1")])
    month = Store(location="http://127.0.0.1:9200")
    day = Store(location="http://127.0.0.1:9200", index="mine", partition="day")

    assert [place_of(store)(record) for store in (Store(location="./data"), month, day)] == [
        "./data",
        "logship-logs-2026.11",
        "mine-2026.11.23",
    ]


def test_groups_of_linked_accounts_are_looked_at_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A group of another account is shown as ``ACCOUNT:NAME``, with its own events, also where names are equal."""
    (tmp_path / "logship.toml").write_text("[[forward.source]]\nlinked_accounts = true\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with LocalCloudWatch() as cw, LocalCloudWatch() as other:
        cw.link(other, "210987654321")
        put(set_up(cw, "/shop/a"), "/shop/a", [now_ms()], "of ours")
        theirs = set_up(other, "/shop/a", "/shop/z")
        put(theirs, "/shop/a", [now_ms()], "of theirs")
        put(theirs, "/shop/z", [now_ms()], "of theirs alone")
        given = {"AWS_ENDPOINT_URL": cw.url, "AWS_REGION": "us-east-1"}
        keys = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "none"}
        done = CliRunner().invoke(logship, ["forward", "--dry-run", "--format", "json"], env=given | keys)
    found = {
        group["group"]: [event["message"] for event in group["events"]] for group in json.loads(done.stdout)["groups"]
    }

    assert found == {
        "/shop/a": ["of ours"],
        "210987654321:/shop/a": ["of theirs"],
        "210987654321:/shop/z": ["of theirs alone"],
    }


def test_all_sources_stand_in_one_answer_with_their_cost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One JSON object, whatever the number of sources; the groups of Live Tail are the ones that were found."""
    (tmp_path / "logship.toml").write_text(
        '[[forward.source]]\ngroups = ["/a/*"]\nlive_tail = true\n[[forward.source]]\ngroups = ["/b"]\n'
        '[[forward.source]]\ntype = "firehose"\n',
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    with LocalCloudWatch() as cw:
        client = set_up(cw, "/b", *(f"/a/{number:02}" for number in range(11)))
        put(client, "/b", [now_ms()])
        given = {"AWS_ENDPOINT_URL": cw.url, "AWS_REGION": "us-east-1"}
        keys = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "none"}
        done = CliRunner().invoke(logship, ["forward", "--dry-run", "--format", "json"], env=given | keys)
    found = json.loads(done.stdout)

    assert ([group["group"] for group in found["groups"]][-2:], len(found["groups"])) == (["/a/10", "/b"], 12)
    assert found["cost"][0].startswith("cost: about 858.18 $ a month")
    assert "2 sessions at all times" in found["cost"][1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["logship.toml"]


def test_a_source_that_may_not_be_read_keeps_no_other_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is when forwarding: the others are shown, and the exit status is that of the refusal."""
    (tmp_path / "logship.toml").write_text(
        '[[forward.source]]\nrole = "arn:aws:iam::210987654321:role/gone"\n[[forward.source]]\ngroups = ["/b"]\n',
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    refusal = b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you</Message></Error></ErrorResponse>"
    with LocalCloudWatch() as cw, fake_aws.endpoint(lambda _: (403, refusal)) as sts:
        put(set_up(cw, "/b"), "/b", [now_ms()])
        given = {"AWS_ENDPOINT_URL": cw.url, "AWS_ENDPOINT_URL_STS": sts, "AWS_REGION": "us-east-1"}
        keys = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "none"}
        done = CliRunner().invoke(logship, ["forward", "--dry-run", "--format", "json"], env=given | keys)
    found = json.loads(done.stdout)

    assert [(group["group"], len(group["events"])) for group in found["groups"]] == [("/b", 1)]
    assert found["cost"]
    assert isinstance(done.exception, AccessError)


@pytest.mark.parametrize("command", [["forward", "--dry-run"], ["generate", "stack"]])
def test_what_a_forwarder_would_not_begin_with_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    """Before anybody is asked, and before a policy is written for a table that there cannot be."""
    (tmp_path / "logship.toml").write_text('[forward]\ncheckpoints = "dynamo:shop"\n', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(logship, command)

    assert isinstance(done.exception, SettingsError)
    assert "it is dynamodb:TABLE" in str(done.exception)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["logship.toml"]
