from __future__ import annotations

import json
from itertools import zip_longest
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from logship.cloudwatch.limits import EVENT_OVERHEAD_BYTES, MAX_BATCH_BYTES, MAX_BATCH_EVENTS, MAX_BATCH_SPAN_MS
from logship.handler.batch import Batch, Event, pieces
from logship.record import PART


def cut(events: list[Event], max_bytes: int = MAX_BATCH_BYTES, max_events: int = MAX_BATCH_EVENTS) -> list[Batch]:
    batches = [Batch(max_bytes, max_events)]
    for event in events:
        if not batches[-1].add(event):
            batches.append(Batch(max_bytes, max_events))
            assert batches[-1].add(event)
    return batches


def breaks_a_limit(events: list[Event], max_bytes: int, max_events: int) -> bool:
    times = [at for at, _ in events]
    size_bytes = sum(len(line) + EVENT_OVERHEAD_BYTES for _, line in events)
    return size_bytes > max_bytes or len(events) > max_events or max(times) - min(times) > MAX_BATCH_SPAN_MS


@given(
    events=st.lists(st.tuples(st.integers(0, 3 * MAX_BATCH_SPAN_MS), st.binary(max_size=60)), max_size=80),
    max_bytes=st.integers(86, 600),
    max_events=st.integers(1, 12),
)
def test_batches_are_full_lawful_and_complete(events: list[Event], max_bytes: int, max_events: int) -> None:
    """Every batch is within the limits, could not have held one more event, and nothing is lost or turned round."""
    batches = [batch.events for batch in cut(events, max_bytes=max_bytes, max_events=max_events) if batch.events]

    assert [event for batch in batches for event in batch] == events
    for batch, following in zip_longest(batches, batches[1:]):
        assert not breaks_a_limit(batch, max_bytes, max_events)
        assert following is None or breaks_a_limit([*batch, following[0]], max_bytes, max_events)


@given(st.lists(st.tuples(st.integers(0, 5), st.binary(max_size=3)), max_size=30))
def test_a_call_is_chronological_and_stable(events: list[Event]) -> None:
    """Events go out in order of time; equal times keep their order."""
    (batch,) = cut(events)

    assert batch.chronological() == [event for at in range(6) for event in events if event[0] == at]


def test_the_limits_are_exact() -> None:
    """A batch takes 1,048,576 bytes, 10,000 events and 24 hours, and not one more."""
    whole = Batch()
    assert whole.add((0, b"x" * (MAX_BATCH_BYTES - 2 * EVENT_OVERHEAD_BYTES - 1)))
    assert not whole.add((0, b"yy"))
    assert whole.add((MAX_BATCH_SPAN_MS, b"y"))
    assert whole.size_bytes == MAX_BATCH_BYTES
    span = Batch()
    assert span.add((0, b""))
    assert not span.add((MAX_BATCH_SPAN_MS + 1, b""))
    many = Batch()
    assert all(many.add((0, b"")) for _ in range(MAX_BATCH_EVENTS))
    assert not many.add((0, b""))


fields = st.dictionaries(
    # The line's builder keeps the application's fields out of the names that the line itself fills.
    (st.text(max_size=20) | st.text(min_size=600, max_size=700)).filter(lambda name: name != PART),
    st.integers() | st.text(max_size=9000) | st.lists(st.text(max_size=3000), max_size=3),
    max_size=12,
)


@given(fields=fields, body=st.text(max_size=200).map(lambda text: text * 200), room=st.integers(8192, 20_000))
def test_pieces_lose_nothing(fields: dict[str, Any], body: str, room: int) -> None:
    """Each piece fits and is a record of its own; the texts of a field joined in order are the field."""
    head = {"timestamp": "2026-11-23T14:21:05.871234Z", "severity_text": "INFO", "service.name": "orders"}
    document = {**fields, **head, "body": body, "logger": "a.b", "logship.id": "7f3c9a1e5b204d68-42"}
    line = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    parts = [json.loads(part) for part in pieces(line, room)]

    assert all(len(part) <= room for part in pieces(line, room))
    if len(line) <= room:
        assert parts == [document]
        return
    assert [part.pop(PART) for part in parts] == [f"{n}/{len(parts)}" for n in range(1, len(parts) + 1)]
    assert [part.pop("logship.id") for part in parts] == [f"7f3c9a1e5b204d68-42.{n}" for n in range(1, len(parts) + 1)]
    assert all({name: part[name] for name in head} == head and part["logger"] == "a.b" for part in parts)
    for name, value in document.items():
        if len(name) >= 300 or name in head or name in ("logger", "logship.id"):
            continue
        found = [part[name] for part in parts if name in part]
        whole = found[0] if not isinstance(found[0], str) else "".join(found)
        assert whole == value or json.loads(whole) == value
