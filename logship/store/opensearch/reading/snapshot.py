"""Searches of one point in time, cancelled on the server when the caller gives up."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from logship.errors import StoreError
from logship.store.opensearch.connection import RefusedError
from logship.store.port import Cancelled, never

if TYPE_CHECKING:
    from collections.abc import Callable

    from logship.store.opensearch.connection import Cluster

_KEEP_ALIVE: Final = "5m"
_POLL_S: Final = 0.02
_NOT_FOUND: Final = 404
_NO_POINT_IN_TIME: Final = frozenset({400, 403, 404, 405})


class Snapshot:
    """A point in time of an index; renewed when the server has forgotten it.

    Where the server offers no point in time (before OpenSearch 2.4, and in other products), each search sees
    what is there at its time.
    """

    def __init__(self, cluster: Cluster, index: str) -> None:
        self._cluster, self._index = cluster, index
        self._pit = ""
        self._plain = False
        self._threads: ThreadPoolExecutor | None = None
        self.renew()

    @property
    def holds(self) -> bool:
        """Whether searches see one point in time; false where the server offers none."""
        return not self._plain

    def renew(self) -> None:
        """Moves to now."""
        self._forget()
        try:
            answer = self._cluster.request(
                "POST", f"/{self._index}/_search/point_in_time", params={"keep_alive": _KEEP_ALIVE}
            )
            self._pit = answer["pit_id"]
        except RefusedError as error:
            if error.kind == "index_not_found_exception" or error.status not in _NO_POINT_IN_TIME:
                raise
            self._plain = True

    def search(self, body: dict[str, Any], stop: Callable[[], bool] = never) -> dict[str, Any]:
        """The answer to a search.

        Raises:
            Cancelled: `stop` answered true; the server has been told.
            StoreError: the server gave up a part of the answer.
        """
        answer = self._asked(body, "") if stop is never else self._watched(body, stop)
        failed = answer["_shards"].get("failures")
        if answer.get("timed_out") or failed:
            reason = failed[0]["reason"].get("reason", "") if failed else "it took too long"
            raise StoreError(f"{self._cluster.url} answered in part only: {reason}; try again, or narrow the search")
        return answer

    def close(self) -> None:
        """Lets the server forget the point in time."""
        self._forget()
        if self._threads:
            self._threads.shutdown(wait=False, cancel_futures=True)

    def _forget(self) -> None:
        if not self._pit:
            return
        pit, self._pit = self._pit, ""
        with suppress(Exception):  # it ends by itself after `_KEEP_ALIVE`
            self._cluster.request("DELETE", "/_search/point_in_time", {"pit_id": [pit]}, patient=False)

    def _asked(self, body: dict[str, Any], opaque_id: str) -> dict[str, Any]:
        try:
            return self._request(body, opaque_id)
        except RefusedError as error:
            if error.status != _NOT_FOUND or not self._pit:
                raise
            self._pit = ""
            self.renew()
            return self._request(body, opaque_id)

    def _request(self, body: dict[str, Any], opaque_id: str) -> dict[str, Any]:
        headers = {"x-opaque-id": opaque_id} if opaque_id else {}
        if self._plain:
            found = self._cluster.request("POST", f"/{self._index}/_search", body, headers=headers)
        else:
            held = {**body, "pit": {"id": self._pit, "keep_alive": _KEEP_ALIVE}}
            found = self._cluster.request("POST", "/_search", held, headers=headers)
        answer: dict[str, Any] = found
        return answer

    def _watched(self, body: dict[str, Any], stop: Callable[[], bool]) -> dict[str, Any]:
        """Asks in a thread, so that the caller may give up meanwhile."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(2, thread_name_prefix="logship-search")
        if stop():
            raise Cancelled
        opaque_id = f"logship-{uuid4().hex}"
        future = self._threads.submit(self._asked, body, opaque_id)
        while True:
            done, _ = wait_for([future], _POLL_S)
            if done:
                return future.result()
            if stop():
                self._cancel(opaque_id)
                raise Cancelled

    def _cancel(self, opaque_id: str) -> None:
        """Ends the search on the server; that it cannot be found any more is no failure."""
        with suppress(Exception):  # the caller has given up; the server's own limits end the search
            listed = self._cluster.request("GET", "/_tasks", params={"actions": "*search*", "detailed": "true"})
            for node in listed.get("nodes", {}).values():
                for task, facts in node["tasks"].items():
                    if facts.get("headers", {}).get("X-Opaque-Id") == opaque_id and "parent_task_id" not in facts:
                        self._cluster.request("POST", f"/_tasks/{task}/_cancel")
