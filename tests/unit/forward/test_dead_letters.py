"""Dead letters: kept for good, found again, replayed once."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from logship.errors import BusyError, ConnectError, DataError, DiskFullError
from logship.forward import database
from logship.forward.between.prepare import Preparer
from logship.forward.between.rules import Rules
from logship.forward.checkpoints.sqlite import SqliteCheckpoints
from logship.forward.letters import dead_letters
from logship.forward.letters.dead_letters import FILE, Chosen, DeadLetter, DeadLetters, pages
from logship.forward.letters.replay import Replayed, replay
from logship.parse import Parser
from logship.query.tree import All
from logship.record import CONTINUES, Cloud, LogEvent, record_id
from logship.settings import Rule
from logship.store.port import AddResult, Rejected
from logship.testing import MemoryStore
from tests.forwarding import full_disk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from logship.record import Record

START_MS = 1_795_443_665_000


def letter(number: int, message: str = "", *, group: str = "/shop/orders", continues: str = "") -> DeadLetter:
    event = LogEvent(group, "x", START_MS + number, message or f"2026-11-23T14:00:00Z INFO event {number}", str(number))
    identity = record_id(event.timestamp_ms, group, "x", str(number))
    return DeadLetter(identity, event, "poison", START_MS + number, continues=continues)


def payload(number: int, message: str) -> DeadLetter:
    event = LogEvent("kinesis:shop-logs", "shard-0", START_MS + number, message, str(number))
    return DeadLetter(f"{number:032x}", event, "its gzip is broken", START_MS, "payload")


@pytest.fixture
def letters(tmp_path: Path) -> Iterator[DeadLetters]:
    opened = DeadLetters(tmp_path)
    yield opened
    opened.close()


class Picky(MemoryStore):
    """A store that takes no record whose body has one of these words."""

    def __init__(self, *poison: str) -> None:
        super().__init__()
        self.poison, self.fails_after = poison, 10**9

    def add(self, records: Sequence[Record]) -> AddResult:
        self.fails_after -= 1
        if self.fails_after < 0:
            raise ConnectError("no answer")
        bad = [record for record in records if any(word in record.body for word in self.poison)]
        result = super().add([record for record in records if record not in bad])
        return AddResult(
            result.accepted, result.existing, tuple(Rejected(record, f"no: {record.body}") for record in bad)
        )


def stored(store: MemoryStore) -> list[Record]:
    store.refresh()
    return sorted(store.scan(All()), key=lambda record: record.order)


def test_letters_are_kept_once_and_found_by_what_they_are(letters: DeadLetters) -> None:
    """The first reason stays, order is that of time, pages and groups leave nothing out."""
    made = [letter(number, group="/shop/a" if number % 3 else "/shop/b", continues="f" * 32) for number in range(25)]

    assert (letters.keep(made), letters.keep(made)) == (25, 0)
    assert [one.id for page in pages(letters, [Chosen()], size=4) for one in page] == [one.id for one in made]
    assert letters.letters(Chosen(group="/shop/b")) == made[::3]
    assert letters.letters(Chosen(ids=(made[3].id, made[7].id))) == [made[3], made[7]]
    assert [row[:3] for row in letters.reasons()] == [("/shop/a", "poison", 16), ("/shop/b", "poison", 9)]
    assert (letters.count(), letters.count(Chosen(group="/shop/b"))) == (25, 9)
    assert (letters.drop_chosen(Chosen(group="/shop/b")), letters.count()) == (9, 16)


def test_several_may_open_and_fill_a_file(tmp_path: Path) -> None:
    """Whoever opens it sees what the others kept, with all that was known of it."""
    cloud = Cloud("123456789012", "eu-west-1")
    kept = DeadLetter("0a", LogEvent("/g", "s", 2, "text", "e", 3, cloud), "why", 1, "payload", "f" * 32)
    opened = [DeadLetters(tmp_path), DeadLetters(tmp_path)]
    new = [one.keep([kept]) for one in opened]
    found = [one.letters() for one in opened]
    for one in opened:
        one.close()

    assert (new, found) == ([1, 0], [[kept]] * 2)


@pytest.mark.parametrize(
    "content", [b"no database at all, but long enough to be one" * 100, b"SQLite format 3\0" * 64, b""]
)
def test_a_damaged_file_is_said_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    """Whatever may be saved of it is still there."""
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(DataError, match="left as it is"):
        DeadLetters(tmp_path)

    assert (tmp_path / FILE).read_bytes() == content


def test_a_large_file_is_opened_without_being_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that is damaged deep inside is found by whoever reads it; in a small file, by opening."""
    made = DeadLetters(tmp_path)
    made.keep([letter(number, "x" * 10_000) for number in range(100)])
    made.close()
    content = bytearray((tmp_path / FILE).read_bytes())
    content[len(content) // 2 :] = b"\xff" * (len(content) - len(content) // 2)
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(DataError, match="left as it is"):
        DeadLetters(tmp_path)
    monkeypatch.setattr(database, "_CHECKED_WHOLE_BYTES", len(content) - 1)
    opened = DeadLetters(tmp_path)
    with pytest.raises(DataError, match="left as it is"):
        opened.letters()
    opened.close()


def test_what_waits_is_known_whoever_kept_or_dropped_it(tmp_path: Path) -> None:
    """Those of an earlier process, those that another one has dropped meanwhile; the last figure stays when closed."""
    earlier = DeadLetters(tmp_path)
    earlier.keep([letter(number) for number in range(3)])
    letters = DeadLetters(tmp_path)
    seen = [letters.waiting]
    letters.keep([letter(3), letter(3)])
    seen.append(letters.waiting)
    earlier.drop([letter(0).id, letter(1).id])
    seen.append(letters.waiting)
    for one in (earlier, letters):
        one.close()

    assert [*seen, letters.waiting] == [3, 4, 2, 2]


def test_a_database_for_something_else_is_left_as_it_is(tmp_path: Path) -> None:
    """No table of ours comes into a file that was copied to the wrong name."""
    SqliteCheckpoints(tmp_path).close()
    (tmp_path / "checkpoints.db").rename(tmp_path / FILE)
    content = (tmp_path / FILE).read_bytes()

    with pytest.raises(DataError, match="another purpose"):
        DeadLetters(tmp_path)
    assert (tmp_path / FILE).read_bytes() == content


def test_a_full_disk_may_be_waited_for(letters: DeadLetters) -> None:
    """None of the letters is kept, and the file is as good as before: they are kept once there is room."""
    made = [letter(number, "x" * 10_000) for number in range(20)]
    with full_disk(letters), pytest.raises(DiskFullError, match=r"dead-letters\.db': .* is full; free some space$"):
        letters.keep(made)

    assert (letters.count(), letters.keep(made)) == (0, 20)


def test_another_writer_may_be_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever keeps letters hears that it may try again; a command ends with 5, and says so in a line."""
    monkeypatch.setattr(dead_letters, "_BUSY_S", 0.05)
    with closing(DeadLetters(tmp_path)) as letters, closing(sqlite3.connect(letters.path)) as other:
        letters.keep([letter(1)])
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ConnectError, match=r"is locked; another process is writing there$"):
            letters.keep([letter(2)])
        with pytest.raises(DataError, match=r"is locked; another process is writing there; try again$") as refused:
            letters.drop_chosen(Chosen())
        other.rollback()

        assert (refused.value.exit_code, letters.drop_chosen(Chosen())) == (5, 1)


def test_a_forwarder_begins_while_nothing_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that goes on with the same store has nothing to write down."""
    monkeypatch.setattr(dead_letters, "_BUSY_S", 0.05)
    DeadLetters(tmp_path, store="/one").close()
    with closing(sqlite3.connect(tmp_path / FILE)) as other:
        other.execute("BEGIN IMMEDIATE")
        with closing(DeadLetters(tmp_path, store="/one")) as letters:
            assert letters.store == "/one"


def test_a_missing_file_is_made_only_for_the_forwarder(tmp_path: Path) -> None:
    """Whoever looks for letters in the wrong folder hears of it."""
    with pytest.raises(DataError, match="--state"):
        DeadLetters(tmp_path / "absent", create=False)

    assert not (tmp_path / "absent").exists()


def test_a_letter_is_replayed_once(letters: DeadLetters) -> None:
    """What the store has is no letter any more; what it still refuses stays with the newest reason."""
    letters.keep([letter(number) for number in range(2500)])
    store, seen = Picky("event 7"), list[int]()
    first = replay(letters, store, Preparer(Parser()), [Chosen()], progress=lambda now: seen.append(now.letters))
    left = letters.letters(limit=2000)
    store.poison = ()
    second = replay(letters, store, Preparer(Parser()), [Chosen()])

    assert (first.letters, first.stored, first.kept, seen) == (2500, 2389, 111, [1000, 2000, 2500])
    assert {one.reason for one in left} == {f"no: {one.event.message}" for one in left}
    assert (second, letters.count()) == (Replayed(111, 111), 0)
    assert [record.id for record in stored(store)] == [letter(number).id for number in range(2500)]


def test_a_replay_that_was_ended_goes_on(letters: DeadLetters) -> None:
    """Letters are dropped only after the commit: what a failure left is replayed, what was stored is found there."""
    letters.keep([letter(number) for number in range(3000)])
    store = Picky()
    store.fails_after = 2
    with pytest.raises(ConnectError):
        replay(letters, store, Preparer(Parser()), [Chosen()])
    left = letters.count()
    letters.keep([letter(number) for number in range(500)])  # as if it was killed between commit and drop
    store.fails_after = 10**9
    done = replay(letters, store, Preparer(Parser()), [Chosen()])

    assert (left, done.stored, done.existing, done.kept) == (1000, 1000, 500, 0)
    assert (letters.count(), len(stored(store))) == (0, 3000)


def test_no_letter_is_dropped_before_the_commit(letters: DeadLetters) -> None:
    """A store that takes records and cannot commit them leaves every letter."""
    letters.keep([letter(number) for number in range(10)])

    class Full(MemoryStore):
        def commit(self) -> None:
            raise DiskFullError("no space left")

    with pytest.raises(DiskFullError):
        replay(letters, Full(), Preparer(Parser()), [Chosen()])

    assert letters.count() == 10


def test_only_what_is_chosen_is_replayed(letters: DeadLetters) -> None:
    """By id and by group."""
    made = [letter(1), letter(2), letter(3, group="/other")]
    letters.keep(made)
    store = Picky()
    replay(letters, store, Preparer(Parser()), [Chosen(ids=(made[1].id,))])
    replay(letters, store, Preparer(Parser()), [Chosen(group="/other")])

    assert [one.id for one in letters.letters()] == [made[0].id]
    assert [record.id for record in stored(store)] == [made[1].id, made[2].id]


def test_a_letter_goes_through_what_stands_in_the_settings_now(letters: DeadLetters) -> None:
    """Redacted and chosen as today, linked as it was when it arrived and to nothing else."""
    letters.keep(
        [
            letter(1, "2026-11-23T14:00:00Z INFO token=a"), letter(2, "\tat x.Y", continues="f" * 32),
            letter(3, "\tat x.Z"), letter(4, "2026-11-23T14:00:00Z DEBUG noise"),
        ]
    )  # fmt: skip
    rules = Rules([Rule(query="level:debug", action="drop")])
    prepare = Preparer(
        Parser(), rules=rules, redact_many=lambda texts: [text.replace("token=a", "[redacted:token]") for text in texts]
    )
    store = Picky()
    done = replay(letters, store, prepare, [Chosen()])
    found = stored(store)

    assert (done, letters.count()) == (Replayed(4, stored=3, left_out=1), 0)
    assert [record.attributes.get(CONTINUES) for record in found] == [None, "f" * 32, None]
    assert found[0].body == "2026-11-23T14:00:00Z INFO [redacted:token]"


@dataclass
class Read:
    events: list[LogEvent] = field(default_factory=list)
    bad: list[DeadLetter] = field(default_factory=list)


def test_payloads_wait_for_their_decoder(letters: DeadLetters) -> None:
    """Without one they stay; with one their events are stored, and what is bad or refused in them keeps them."""
    letters.keep([payload(1, "good"), payload(2, "half"), payload(3, "poison")])

    def read(data: bytes, /, *, region: str = "") -> Read:
        del region
        text = data.decode()
        bad = [payload(9, "x")] if text == "half" else []
        return Read([LogEvent("/shop/orders", "x", START_MS, f"{text} {n}", f"{text}{n}") for n in range(3)], bad)

    store = Picky("poison 1")
    none = replay(letters, store, Preparer(Parser()), [Chosen()])
    some = replay(letters, store, Preparer(Parser()), [Chosen()], read_payload=read)
    left = {one.event.message: one.reason for one in letters.letters()}
    store.poison = ()
    again = replay(letters, store, Preparer(Parser()), [Chosen()], read_payload=read)

    assert (none, some) == (Replayed(3, kept=3), Replayed(3, stored=8, kept=2))
    assert left == {"half": "its gzip is broken", "poison": "no: poison 1"}
    assert (again, letters.count()) == (Replayed(2, stored=1, existing=5, kept=1), 1)
    assert len(stored(store)) == 9


def test_a_store_that_takes_the_rest_later_is_waited_for(letters: DeadLetters) -> None:
    """What it took counts once; what it put off is given again; what it refused for good stays."""
    letters.keep([letter(number) for number in range(10)])
    waits: list[float] = []

    class Busy(Picky):
        def add(self, records: Sequence[Record]) -> AddResult:
            if len(waits) < 2:
                half = len(records) // 2
                raise BusyError("slow down", super().add(records[:half]), records[half:])
            return super().add(records)

    store = Busy("event 3")
    done = replay(letters, store, Preparer(Parser()), [Chosen()], sleep=waits.append)

    assert (done, waits, letters.count()) == (Replayed(10, stored=9, kept=1), [1.0, 2.0], 1)
