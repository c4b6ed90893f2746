"""The four services of the demo as plain ASGI applications.

edge → orders → inventory (SQLite) and payment. Inventory reserves stock under SQLite's one write lock; a
recount job that holds the same lock makes it slow, and shows at the edge only as long load times.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sqlite3
import threading
import time
from contextlib import closing
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import httpx

from logship.handler.integrations.httpx import instrument

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    Answer = tuple[int, dict[str, Any]]
    Endpoint = Callable[[str], Awaitable[Answer]]

_STOCK: Final = 100
_LOCK_TIMEOUT_S: Final = 5.0
_PATIENCE_S: Final = 0.05
"""A lock that takes longer is worth a line in the log."""
_RECOUNT_HOLDS_S: Final = 0.12
_RECOUNT_PAUSES_S: Final = 0.01


@dataclass(frozen=True)
class Setting:
    """Where a service runs: its name, the addresses of those it calls, and its folder."""

    name: str
    peers: Mapping[str, str]
    folder: Path


class App:
    """Routes to endpoints; tells the middleware the route through ``scope["route"]``, as frameworks do."""

    def __init__(self, routes: Mapping[str, Endpoint]) -> None:
        self._routes = [
            (re.compile(re.sub(r"\{\w+\}", r"([^/]+)", path) + r"\Z"), path, endpoint)
            for path, endpoint in routes.items()
        ]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serves one HTTP request."""
        if scope["type"] != "http":
            return
        del receive
        status, answer = 404, {"error": "not found"}
        for pattern, path, endpoint in self._routes:
            if found := pattern.match(scope["path"]):
                scope["route"] = SimpleNamespace(path=path)
                status, answer = await endpoint(found[1] if found.groups() else "")
                break
        body = json.dumps(answer).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def build(setting: Setting) -> App:
    """The application of one of the four services."""
    made: dict[str, Callable[[Setting], App]] = {
        "edge": _edge,
        "orders": _orders,
        "inventory": _inventory,
        "payment": _payment,
    }
    return made[setting.name](setting)


def _client(setting: Setting, peer: str) -> httpx.AsyncClient:
    return instrument(httpx.AsyncClient(base_url=setting.peers[peer], timeout=10.0), peer=peer)


async def _get(client: httpx.AsyncClient, path: str) -> Answer:
    try:
        answer = await client.get(path)
    except httpx.HTTPError as error:
        return 502, {"error": type(error).__name__}
    return answer.status_code, answer.json()


def _edge(setting: Setting) -> App:
    orders = _client(setting, "orders")

    async def order(number: str) -> Answer:
        return await _get(orders, f"/orders/{number}")

    return App({"/orders/{id}": order})


def _orders(setting: Setting) -> App:
    inventory, payment = _client(setting, "inventory"), _client(setting, "payment")
    log = logging.getLogger("orders.api")

    async def order(number: str) -> Answer:
        sku = int(number) % _STOCK
        (stock_status, stock), (price_status, price) = await asyncio.gather(
            _get(inventory, f"/stock/{sku}"), _get(payment, f"/quotes/{number}")
        )
        status = max(stock_status, price_status)
        if status >= 500:  # noqa: PLR2004 - HTTP's servers' errors
            log.error("order %s cannot be shown", number, extra={"upstream_status": status})
            return 502, {"error": "upstream failed"}
        log.info("order %s has %d items left", number, stock["left"], extra={"order_id": int(number)})
        return 200, stock | price

    return App({"/orders/{id}": order})


def _payment(setting: Setting) -> App:
    del setting
    log = logging.getLogger("payment.quotes")

    async def quote(number: str) -> Answer:
        await asyncio.sleep(0.002)
        if int(number) % 50 == 0:
            log.warning("exchange rate for order %s is older than an hour", number)
        return 200, {"cents": int(number) * 7 % 9000}

    return App({"/quotes/{id}": quote})


def _inventory(setting: Setting) -> App:
    database = str(setting.folder / "stock.sqlite")
    with closing(_connect(database)) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS stock (sku INTEGER PRIMARY KEY, left_over INTEGER)")
        connection.executemany("INSERT OR IGNORE INTO stock VALUES (?, 1000)", [(sku,) for sku in range(_STOCK)])
    log = logging.getLogger("inventory.stock")

    async def stock(sku: str) -> Answer:
        left, waited_s = await asyncio.to_thread(_reserve, database, int(sku))
        if waited_s > _PATIENCE_S:
            log.warning("waiting for lock on stock row %s took %.0f ms", sku, waited_s * 1000)
        return 200, {"left": left}

    async def recount(seconds: str) -> Answer:
        threading.Thread(target=_recount, args=(database, float(seconds)), daemon=True).start()
        log.info("stock recount started")
        return 202, {"started": True}

    return App({"/stock/{sku}": stock, "/jobs/recount/{seconds}": recount})


def _connect(database: str) -> sqlite3.Connection:
    """Stock that outlives no power cut: a disk busy with something else must not make the quiet time slow."""
    connection = sqlite3.connect(database, timeout=_LOCK_TIMEOUT_S, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA journal_mode = MEMORY")
    return connection


def _reserve(database: str, sku: int) -> tuple[int, float]:
    """Takes one item; what is left, and how long the write lock took in seconds."""
    with closing(_connect(database)) as connection:
        began = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        waited_s = time.perf_counter() - began
        connection.execute("UPDATE stock SET left_over = max(left_over - 1, 0) WHERE sku = ?", (sku,))
        (left,) = connection.execute("SELECT left_over FROM stock WHERE sku = ?", (sku,)).fetchone()
        connection.execute("COMMIT")
    return left, waited_s


def _recount(database: str, seconds: float) -> None:
    """Counts the whole stock again and again, holding the write lock for most of the time."""
    until = time.monotonic() + seconds
    with closing(_connect(database)) as connection:
        while time.monotonic() < until:
            connection.execute("BEGIN IMMEDIATE")
            held_until = time.monotonic() + _RECOUNT_HOLDS_S
            while time.monotonic() < held_until:
                connection.execute("SELECT sum(a.left_over * b.left_over) FROM stock a, stock b").fetchone()
            connection.execute("COMMIT")
            time.sleep(_RECOUNT_PAUSES_S)
