"""What the embedded store promises beyond the port: processes, locks, handing over, folders."""

from __future__ import annotations

import errno
import json
import multiprocessing
import subprocess
import sys
import time
from contextlib import closing, suppress
from ipaddress import IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from logship.errors import DiskFullError, NewerFormatError, StoreError, StoreLockedError
from logship.query import matches, parse
from logship.query.text import compile_re2
from logship.query.tree import All, Regex
from logship.store.tantivy import inbox
from logship.store.tantivy.folder import write_atomically
from logship.store.tantivy.reader import Reader
from logship.store.tantivy.writer import open_writer
from tests.contract.store_cases import record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from logship.record import Record


@pytest.fixture
def store(tmp_path: Path) -> str:
    return str(tmp_path / "store")


def fill(store: str, made: list[Record]) -> None:
    writer = open_writer(store, "test", long_running=False)
    writer.add(made)
    writer.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "logship-test", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"mounts no file system of its own, as root may: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_told_and_loses_nothing(small_disk: Path) -> None:
    """The error names the folder and what makes room; once there is some, the same records can be added again."""
    store, filler = small_disk / "store", small_disk / "filler"
    made = [record(number, body=f"{number} {'x' * 500}") for number in range(3_000)]
    with closing(open_writer(store, "test", long_running=True)) as writer:

        def write() -> None:
            writer.add(made)
            writer.commit()

        with suppress(OSError):
            filler.write_bytes(bytes(16 * 2**20))
        for _ in range(2):
            with pytest.raises(DiskFullError, match=f"no space left for the store '{store}'; free some"):
                write()
        filler.unlink()
        write()

    assert Reader(str(store)).count(All()) == 3_000


def test_another_process_sees_records_while_they_are_written(store: str) -> None:
    """A reader in another process finds a record within 1.2 s of its commit."""
    writer = open_writer(store, "test", long_running=True)
    code = (
        "import sys,time\nfrom logship.store.tantivy.reader import Reader\nfrom logship.query.tree import All\n"
        "reader = Reader(sys.argv[1])\nprint('ready', flush=True)\n"
        "while not (reader.refresh() and reader.count(All())): time.sleep(0.01)\nprint(time.time(), flush=True)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, store], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    written = time.time()
    writer.add([record(1)])
    writer.commit()
    seen = float(process.stdout.readline())
    process.wait()
    process.stdout.close()
    writer.close()

    assert seen - written <= 1.2


def test_a_second_long_running_writer_is_refused(store: str) -> None:
    """It is told who holds the store."""
    writer = open_writer(store, "forward", long_running=True)
    with pytest.raises(StoreLockedError, match="forward"):
        open_writer(store, "forward", long_running=True)
    writer.close()


def test_a_short_writer_hands_over_to_a_long_running_one(store: str) -> None:
    """Its batch is durable when `add` returns, although another writer holds the store."""
    holder = open_writer(store, "forward", long_running=True)
    short = open_writer(store, "import", long_running=False)
    result = short.add([record(1), record(2)])
    seen = Reader(store).count(All())
    short.close()
    holder.close()

    assert (result.accepted, seen) == (2, 2)


@pytest.mark.parametrize("wrong", ["an entry cannot be read", "there is no room for answers"])
def test_an_inbox_that_fails_stops_neither_the_holder_nor_later_writers(
    store: str, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one hands over is taken in once that works, whatever happened before; the holder goes on, and closes."""
    holder = open_writer(store, "forward", long_running=True)
    short = open_writer(store, "import", long_running=False, patience_s=1.0)
    entry = Path(store, "inbox", "0-odd.batch")

    def write_no_answer(path: Path, content: bytes) -> None:
        if path.suffix == ".done":
            raise OSError(errno.ENOSPC, "No space left on device")
        write_atomically(path, content)

    if wrong == "an entry cannot be read":
        entry.mkdir(parents=True)
    else:
        monkeypatch.setattr(inbox, "write_atomically", write_no_answer)
        with pytest.raises(StoreLockedError, match="took nothing in"):
            short.add([record(1)])
        monkeypatch.undo()
    result = short.add([record(2)])
    entry.mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr(inbox, "write_atomically", write_no_answer)
    holder.add([record(3)])
    holder.close()

    assert result.accepted == 1
    assert Reader(store).count(All()) == (2 if wrong == "an entry cannot be read" else 3)


def test_what_the_holder_may_not_read_is_told_to_its_sender(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, and the next one is taken in."""
    holder = open_writer(store, "forward", long_running=True)
    short = open_writer(store, "import", long_running=False, patience_s=5.0)

    def may_not(path: Path, content: bytes) -> list[Record] | int:
        del content
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    with monkeypatch.context() as patched:
        patched.setattr(inbox, "_read", may_not)
        with pytest.raises(StoreError, match=r"cannot read '.*\.unreadable'; run this as the same user"):
            short.add([record(1)])
    result = short.add([record(2)])
    holder.close()

    assert (result.accepted, inbox.facts(Path(store, "inbox"))) == (1, {"waiting": 0, "unreadable": 1})


def hold(store: str, ready: Any) -> None:
    open_writer(store, "forward", long_running=True)
    ready.send(True)
    time.sleep(60)


def test_a_store_outlives_its_killed_writer(store: str) -> None:
    """After kill -9 of the holder a waiting short writer takes over, and nothing acknowledged is gone."""
    fill(store, [record(1)])
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=hold, args=(store, there))
    process.start()
    here.recv()
    short = open_writer(store, "import", long_running=False)
    process.kill()
    result = short.add([record(2)])
    short.close()
    process.join()

    assert (result.accepted, Reader(store).count(All())) == (1, 2)


@pytest.fixture
def strange_folders(tmp_path: Path) -> Path:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("x")
    (tmp_path / "newer").mkdir()
    (tmp_path / "newer" / "format.json").write_text(json.dumps({"engine": "tantivy", "format": 99}))
    (tmp_path / "older").mkdir()
    (tmp_path / "older" / "format.json").write_text(json.dumps({"engine": "tantivy", "format": 1}))
    return tmp_path


def test_folders_that_are_no_stores_are_left_alone(strange_folders: Path) -> None:
    """What is no store is neither read nor written, and a newer or older format is named."""
    for path, kind in (
        ("absent", StoreError),
        ("other", StoreError),
        ("older", StoreError),
        ("newer", NewerFormatError),
    ):
        with pytest.raises(kind):
            Reader(strange_folders / path)
    for path, kind in (("other", StoreError), ("newer", NewerFormatError)):
        with pytest.raises(kind):
            open_writer(strange_folders / path, "test", long_running=False)

    assert sorted(item.name for item in (strange_folders / "other").iterdir()) == ["notes.txt"]


def test_a_query_is_explained_by_the_engine_s_own(tmp_path: Path) -> None:
    """Whether it is exact, what the index narrows to, and its fields by name."""
    writer = open_writer(tmp_path / "store", "test", long_running=False)
    writer.add(
        [record(n, attributes={"tenant": f"a{n}", "http.route": f"/r{n}"}, body="x" if n else "y z") for n in range(4)]
    )
    writer.close()
    reader = Reader(tmp_path / "store")
    exact, narrowed = reader.explain(parse("tenant:a* route:/r1")), reader.explain(parse('=~"^y.*z$"'))

    assert (exact[:2], narrowed[:2]) == (
        ["exact", "the index narrows to 1 of 4 records"],
        ["narrowed by the index, then checked record by record", "the index narrows to 4 of 4 records"],
    )
    assert exact[3] == (
        'BooleanQuery { [(Must, BooleanQuery { [(Should, RegexQuery { regex: Regex("tenant[\\u{1f}\\u{1e}]a(?s:.)*"), '
        'field: kv })] }), (Must, BooleanQuery { [(Should, TermQuery(Term(route, "/r1"))), '
        '(Should, TermQuery(Term(kv, "http.route\\u{1f}/r1")))] })] }'
    )


VALUES = [
    "",
    "a",
    "b",
    "ab",
    "ba",
    "aab",
    "a.b",
    "a b",
    "1",
    "12a",
    "a\nb",
    "é",
    "aé",
    "a-b",
    "[a]",
    "^a",
    "a$",
    "日",
]


@pytest.fixture(scope="module")
def valued(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Record], Reader]:
    folder = tmp_path_factory.mktemp("valued") / "store"
    made = [record(n, attributes={"tenant": value}) for n, value in enumerate(VALUES)]
    writer = open_writer(folder, "test", long_running=False)
    writer.add(made)
    writer.close()
    return made, Reader(folder)


PIECES = [
    "a",
    "b",
    ".",
    "*",
    "+",
    "?",
    "|",
    "(",
    ")",
    "(?:",
    "[a-b]",
    "[^a]",
    "^",
    "$",
    "\\d",
    "\\w",
    "\\s",
    "\\.",
    "é",
    "1",
    "-",
    " ",
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=6).map("".join))
def test_expressions_mean_in_the_engine_what_re2_means(valued: tuple[list[Record], Reader], pattern: str) -> None:
    """Whatever is handed to the engine's own expressions finds what RE2 finds."""
    made, reader = valued
    try:
        compile_re2(pattern)
    except Exception:
        assume(False)
    tree = Regex("tenant", pattern)

    assert {found.id for found in reader.scan(tree)} == {one.id for one in made if matches(tree, one)}


ADDRESSES = [
    "0.0.0.0", "9.255.255.255", "10.0.0.0", "10.0.0.3", "10.127.255.255", "10.128.0.0", "10.200.0.1", "10.255.255.255",
    "11.0.0.0", "192.168.0.9", "255.255.255.255", "::", "::1", "::ffff:10.0.0.3", "2001:db8::", "2001:db8:7fff::1",
    "2001:db8:8000::", "2001:db9::", "2001:DB8::A", "fe80::1", "ffff::",
]  # fmt: skip


@pytest.fixture(scope="module")
def addressed(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    folder = tmp_path_factory.mktemp("addressed") / "store"
    writer = open_writer(folder, "test", long_running=False)
    texts = [*ADDRESSES, "10.0.0", "10.0.0.3:80", "a", "10.0.0.0/8"]
    writer.add([record(n, attributes={"client.address": value}) for n, value in enumerate(texts)])
    writer.close()
    return Reader(folder)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(ADDRESSES), st.integers(0, 128))
def test_a_network_holds_the_addresses_that_the_standard_library_says(
    addressed: Reader, address: str, bits: int
) -> None:
    """Of any length and either version; text that is no address is in none."""
    network = ip_network(f"{address}/{min(bits, ip_address(address).max_prefixlen)}", strict=False)
    found = addressed.scan(parse(f"client.address:{network}"))
    if network.version == 6:
        expected = {one for one in ADDRESSES if _as_ipv6(one) in network}
    else:
        expected = {one for one in ADDRESSES if (mapped := _as_ipv6(one).ipv4_mapped) and mapped in network}

    assert {one.attributes["client.address"] for one in found} == expected


def _as_ipv6(address: str) -> IPv6Address:
    return IPv6Address(address if ":" in address else f"::ffff:{address}")
