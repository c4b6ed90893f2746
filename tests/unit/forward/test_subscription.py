"""Payloads of subscription filters: every packing, and nothing that raises or is lost."""

from __future__ import annotations

import base64
import gzip
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logship.forward.sources import subscription
from logship.forward.sources.subscription import read
from logship.record import Cloud, LogEvent

ID = "3" + "1" * 54 + "7"
OWNER = Cloud("123456789012")
EVENTS = [
    LogEvent("/shop/a", "x", 1_795_443_665_871, message, event_id, cloud=OWNER)
    for message, event_id in (("one", ID), ("é", "2"))
]


def payload(*events: LogEvent, **other: Any) -> bytes:
    """As CloudWatch Logs writes it."""
    listed = [{"id": event.event_id, "timestamp": event.timestamp_ms, "message": event.message} for event in events]
    head = {"messageType": "DATA_MESSAGE", "owner": "123456789012", "logGroup": "/shop/a", "logStream": "x"}
    return json.dumps({**head, "subscriptionFilters": ["f"], "logEvents": listed, **other}).encode()


PLAIN = payload(*EVENTS)
CONTROL = payload(messageType="CONTROL_MESSAGE", logGroup="", logStream="")


@pytest.mark.parametrize(
    "data",
    [
        PLAIN,
        gzip.compress(PLAIN),
        base64.b64encode(PLAIN),
        base64.b64encode(gzip.compress(PLAIN)),
        base64.encodebytes(gzip.compress(PLAIN)),
        gzip.compress(gzip.compress(PLAIN)),
        b"\n" + PLAIN + b"\n",
    ],
)
def test_every_packing_is_read(data: bytes) -> None:
    """gzip or not, base64 or not: the same events, with the ids that FilterLogEvents gives."""
    found = read(data)

    assert (found.events, found.bad) == (EVENTS, [])
    assert found.owner == "123456789012"


@pytest.mark.parametrize("between", [b"", b"\n", b" \r\n\x00"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_several_in_one_record_are_read(pack: Any, between: bytes) -> None:
    """Firehose joins gzip members, or documents, with or without a delimiter."""
    found = read(between.join([pack(payload(EVENTS[0])), pack(CONTROL), pack(payload(EVENTS[1]))]) + between)

    assert (found.events, found.bad) == (EVENTS, [])


def test_a_control_message_is_nothing() -> None:
    """CloudWatch Logs asks with one whether a destination is there."""
    found = read(gzip.compress(CONTROL))

    assert (found.events, found.bad) == ([], [])


def test_numbers_as_ids_stay_exact() -> None:
    """An id of 56 digits that is a JSON number loses none of them."""
    data = PLAIN.replace(f'"{ID}"'.encode(), ID.encode()).replace(b'"2"', b"2")

    assert read(data).events == EVENTS


def test_a_transformed_message_is_its_json() -> None:
    """A message that is an object is kept as the text of it."""
    found = read(PLAIN.replace(b'"one"', b'{"level":"INFO","n":1}'))

    assert found.events[0].message == '{"level":"INFO","n":1}'


@pytest.mark.parametrize("message", [b"[" * 300 + b"]" * 300, b'{"a":"\\ud800"}'])
def test_an_object_that_is_hard_to_write_is_its_json(message: bytes) -> None:
    """However deep it is, and whatever its texts hold."""
    found = read(PLAIN.replace(b'"one"', message))

    assert [json.loads(event.message) for event in found.events[:1]] == [json.loads(message)]


def test_half_a_surrogate_pair_is_replaced() -> None:
    """Text that no store can write is made text that every store can write."""
    found = read(PLAIN.replace(b'"one"', b'"a\\ud800b\\ud83d\\ude00"'))

    assert found.events[0].message == "a�b😀"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is empty"),
        (b"hello", "it is no JSON"),
        (b"\xff\xfe", "neither gzip nor text"),
        (b"\x1f\x8b broken gzip", "its gzip is broken"),
        (gzip.compress(PLAIN)[:-9], "its gzip is cut off"),
        (gzip.compress(b"x" + PLAIN), "it is no JSON"),
        (b'{"a":1}', "no payload of a subscription filter"),
        (b"[1,2]", "no payload of a subscription filter"),
        (b"17", "no payload of a subscription filter"),
        (b"[" * 100_000, "it is no JSON"),
        (b'{"x":' + b"[" * 100_000, "it is no JSON"),
        (payload(logGroup=None), "lacks logGroup"),
        (payload(logEvents="x"), "lacks logGroup"),
        (payload(logEvents=[{"timestamp": 1, "message": "x"}]), "has no id"),
        (payload(logEvents=[{"id": "1", "timestamp": "x", "message": "x"}]), "has no timestamp"),
        (payload(logEvents=[{"id": "1", "timestamp": 10**40, "message": "x"}]), "has no timestamp"),
        (payload(logEvents=[{"id": "1", "timestamp": 1}]), "has no message"),
        (payload(logEvents=[7]), "is no object"),
        (base64.b64encode(base64.b64encode(base64.b64encode(PLAIN))), "it is no JSON"),
        (gzip.compress(gzip.compress(gzip.compress(gzip.compress(gzip.compress(PLAIN))))), "packed too often"),
    ],
)
def test_what_is_no_payload_is_kept_with_the_reason(data: bytes, reason: str) -> None:
    """Nothing of json or zlib is raised, and the bytes can be looked at later."""
    found = read(data)

    assert (found.events, len(found.bad)) == ([], 1)
    assert reason in found.bad[0].reason


@pytest.mark.parametrize("depth", [900, 1_010, 50_000])
def test_what_is_nested_deeply_is_read_or_kept(depth: int) -> None:
    """How deep is too deep depends on the version of Python; nothing is raised, and nothing vanishes."""
    message = b"[" * depth + b"]" * depth
    found = read(payload(logEvents=[{"id": 1, "timestamp": 1, "message": "@"}]).replace(b'"@"', message))

    if found.events:
        assert ([event.message for event in found.events], found.bad) == ([message.decode()], [])
    else:
        assert len(found.bad) == 1
        assert any(word in found.bad[0].reason for word in ("deep", "it is no JSON"))


def test_what_is_good_beside_something_bad_is_read() -> None:
    """A broken member, document or event costs itself alone, and comes back as it was."""
    broken = gzip.compress(PLAIN)[:-9]
    found = read(gzip.compress(payload(EVENTS[0])) + broken)
    event = read(payload(logEvents=[{"id": ID, "timestamp": 0, "message": "a"}, {"timestamp": 0, "message": "b"}]))

    assert ([EVENTS[0]], [broken]) == (found.events, [base64.b64decode(bad.text) for bad in found.bad])
    assert [event.message for event in event.events] == ["a"]
    assert json.loads(event.bad[0].text)["logEvents"] == [{"timestamp": 0, "message": "b"}]


def test_a_bomb_is_bounded() -> None:
    """A payload that unpacks to more than the limit is refused as soon as it does, members counted together."""
    bomb = gzip.compress(b" " * 3_000_000)

    assert [bad.reason for bad in read(bomb * 4, limit_bytes=10_000_000).bad] == ["it holds too much unpacked"]
    assert read(gzip.compress(gzip.compress(PLAIN + b" " * 9_000_000)), limit_bytes=9_000_000).events == []


def test_thousands_of_members_take_linear_time() -> None:
    """Ten times as many empty members take about ten times as long, not a hundred times."""

    def seconds(count: int) -> float:
        data = gzip.compress(b"") * count + gzip.compress(PLAIN)
        began_s = time.perf_counter()
        assert read(data).events == EVENTS
        return time.perf_counter() - began_s

    assert seconds(20_000) < 40 * max(seconds(2_000), 0.001)


@given(st.binary() | st.text().map(str.encode) | st.binary().map(gzip.compress) | st.binary().map(base64.b64encode))
def test_no_bytes_raise(data: bytes) -> None:
    """Whatever arrives is events or bad payloads; bytes that are not blank are never nothing."""
    found = read(data)

    assert found.events or found.bad or not gzip_of(data).strip(b" \t\r\n\x00")


def gzip_of(data: bytes) -> bytes:
    """What the bytes hold, if they are gzip."""
    inner = base64.b64decode(data) if data.startswith(b"H4sI") else data
    return gzip.decompress(inner) if inner.startswith(b"\x1f\x8b") else inner


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_no_event_raises(value: Any) -> None:
    """Whatever stands in the place of a list, an event, an id, a time or a message."""
    event = {"id": "1", "timestamp": 1, "message": "x"}
    for listed in (value, [value], *([{**event, name: value}] for name in event)):
        found = read(payload(logEvents=listed))

        assert found.bad or found.events or listed == []


def test_a_letter_is_the_same_each_time() -> None:
    """A payload that is delivered again is one letter; its id and place come from where it lay."""
    bad = read(b"\xff\xfe").bad[0]
    one, two = (
        subscription.letter(bad, group="firehose:logs", stream="", timestamp_ms=at, event_id="r-1-0") for at in (5, 6)
    )

    assert (one.id, "firehose:logs") == (two.id, one.event.group)
    assert base64.b64decode(one.event.message) == b"\xff\xfe"
