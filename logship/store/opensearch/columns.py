"""Which names have columns: one document of a small index, which several writers agree through.

A writer sends a value to a column only after that column stands in the document. Writing it needs the
sequence number that was read, so of two writers one wins, and the other reads again.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from logship.errors import ConnectError, NewerFormatError, StoreError
from logship.store.opensearch import template
from logship.store.opensearch.connection import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from logship.settings import Store
    from logship.store.opensearch.connection import Cluster

_CONFLICT: Final = 409
_NOT_FOUND: Final = 404
_ATTEMPTS: Final = 50


def _name_first(column: str) -> tuple[str, str]:
    """Keeps the two columns of a name together."""
    kind, _, name = column.partition(".")
    return name, kind


class Meta:
    """What writers and readers of one store share: its format, its partition, its columns."""

    def __init__(self, cluster: Cluster, store: Store) -> None:
        self._cluster = cluster
        self._path = f"/{template.META_INDEX}/_doc/{store.index}"
        self._seen: dict[str, Any] = {}
        self._admitting = threading.Lock()
        self.found = False
        self.is_alone = False
        """Whether nobody keeps the document, so that this writer does not ask."""
        self.partition: str = store.partition
        self.output: str = store.output
        self.columns: dict[str, bool] = {}
        """Admitted columns; a dictionary because membership is asked once per value."""

    @property
    def has_room(self) -> bool:
        """Whether more columns may be admitted."""
        return len(self.columns) < template.MOST_COLUMNS

    def read(self) -> bool:
        """Reads the document; false when the store is not set up.

        Raises:
            NewerFormatError: it was set up by a newer logship.
            StoreError: what answers is no OpenSearch.
            ConnectError: the same, of a cluster that is known.
        """
        try:
            seen = self._cluster.request("GET", self._path)
        except RefusedError as error:
            if error.status != _NOT_FOUND:
                raise
            return False
        try:
            self._take(seen["_source"])
        except (AttributeError, KeyError, TypeError):
            raise self._cluster.strange(f"GET {self._path}") from None
        self._seen = seen
        return True

    def create(self) -> None:
        """Writes the document of a new store; one that is there already is read."""
        try:
            self._cluster.request(
                "PUT",
                self._path,
                {"format": template.FORMAT, "partition": self.partition, "output": self.output, "columns": []},
                params={"op_type": "create", "refresh": "true"},
            )
        except RefusedError as error:
            if error.status != _CONFLICT:
                raise
        self.read()

    def admit(self, wanted: Iterable[str]) -> bool:
        """Makes the wanted columns known to all writers, as far as there is room; whether one of them is admitted.

        Raises:
            ConnectError: other writers kept winning.
        """
        with self._admitting:
            return self._admit(wanted)

    def _admit(self, wanted: Iterable[str]) -> bool:
        for _ in range(_ATTEMPTS):
            room = max(template.MOST_COLUMNS - len(self.columns), 0)
            missing = sorted(set(wanted) - self.columns.keys(), key=_name_first)[:room]
            if not missing:
                return not self.columns.keys().isdisjoint(wanted)
            if self._written([*self.columns, *missing]):
                self.columns |= dict.fromkeys(missing, True)
                return True
            if not self.read():
                raise StoreError(f"{self._cluster.url}: {self._path} is gone; run: logship store setup")
        raise ConnectError(f"{self._cluster.url}: {self._path} is changed by others all the time; try again later")

    def _written(self, columns: list[str]) -> bool:
        """Whether this writer won."""
        if self.is_alone:
            return True
        try:
            answer = self._cluster.request(
                "PUT",
                self._path,
                {**self._seen["_source"], "columns": columns},
                params={"if_seq_no": self._seen["_seq_no"], "if_primary_term": self._seen["_primary_term"]},
            )
        except RefusedError as error:
            if error.status == _CONFLICT:
                return False
            raise
        try:
            self._seen = {
                "_source": {**self._seen["_source"], "columns": columns},
                "_seq_no": answer["_seq_no"],
                "_primary_term": answer["_primary_term"],
            }
        except KeyError:
            raise self._cluster.strange(f"PUT {self._path}") from None
        return True

    def _take(self, source: dict[str, Any]) -> None:
        if source.get("format", 0) > template.FORMAT:
            raise NewerFormatError(
                f"{self._cluster.url}: the store has format {source['format']}, this logship reads up to "
                f"{template.FORMAT}; upgrade logship"
            )
        self.found = True
        self.partition, self.output = source["partition"], source["output"]
        self.columns = dict.fromkeys(source["columns"], True)
