"""The stores that the contract runs on, each as a place that is empty at first."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

import pytest

from logship.settings import Store
from logship.testing import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from logship.record import Record
    from logship.store.port import StoreReader, StoreWriter

REMOTE = pytest.param("opensearch", marks=[pytest.mark.opensearch, pytest.mark.xdist_group("opensearch")])
EVERY_STORE = ["memory", "embedded", REMOTE]
ENGINES = ["embedded", REMOTE]


class Place(Protocol):
    """Somewhere to keep records."""

    def writer(self) -> StoreWriter: ...

    def reader(self) -> StoreReader: ...


class Memory:
    def __init__(self) -> None:
        self._store = MemoryStore()

    def writer(self) -> StoreWriter:
        return self._store

    def reader(self) -> StoreReader:
        self._store.refresh()
        return self._store


class Embedded:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def writer(self) -> StoreWriter:
        from logship.store.tantivy.writer import open_writer

        return open_writer(self._folder, "test", long_running=False)

    def reader(self) -> StoreReader:
        from logship.store.tantivy.reader import Reader

        return Reader(self._folder)


class Remote:
    def __init__(self, url: str, **changes: Any) -> None:
        self.store = Store(location=url, index=f"t{uuid4().hex[:12]}", replicas=0, **changes)
        self._readers: list[StoreReader] = []

    def writer(self) -> StoreWriter:
        from logship.store.opensearch.writing.opening import open_writer

        return open_writer(self.store)

    def reader(self) -> StoreReader:
        from logship.store.opensearch.reading.reader import open_reader

        self._readers.append(open_reader(self.store))
        return self._readers[-1]

    def forget(self) -> None:
        """Deletes everything that the test made on the cluster."""
        from logship.store.opensearch.connection import Cluster

        for reader in self._readers:
            reader.close()
        cluster = Cluster(self.store)
        index = self.store.index
        for path in (f"/{index}-*", f"/_index_template/{index}", f"/logship-meta/_doc/{index}"):
            try:
                found = cluster.request("GET", f"/{index}-*") if path.endswith("*") else {path[1:]: {}}
                for name in found:
                    cluster.request("DELETE", f"/{name}")
            except Exception:
                continue
        cluster.close()


@contextmanager
def remote(url: str) -> Iterator[Remote]:
    """A place on a cluster that is gone afterwards: what tests of many examples need."""
    place = Remote(url)
    try:
        yield place
    finally:
        place.forget()


def fill(place: Place, records: list[Record]) -> StoreReader:
    """A reader of a place that holds these records."""
    writer = place.writer()
    result = writer.add(records)
    writer.commit()
    if not isinstance(writer, MemoryStore):
        writer.close()

    assert (result.accepted, result.rejected) == (len(records), ())
    return place.reader()


def empty_place(kind: str, request: pytest.FixtureRequest, folder: Path) -> Place:
    """A new place of a kind; what it leaves on a server is deleted when the test ends."""
    if kind == "memory":
        return Memory()
    if kind == "embedded":
        return Embedded(folder / "store")
    place = Remote(request.getfixturevalue("opensearch_url"))
    request.addfinalizer(place.forget)
    return place
