"""orders and inventory: FastAPI services with logship embedded as a user would; inventory asks PostgreSQL."""

from __future__ import annotations

import logging
import os
import socket
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

import asyncpg
import httpx
import uvicorn
from fastapi import FastAPI, Header, HTTPException

from logship.handler import CloudWatchHandler, RequestLogMiddleware, bind, instrument

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

RequestId = Annotated[str, Header(alias="x-request-id")]


def orders(inventory_url: str) -> FastAPI:
    app, log = FastAPI(), logging.getLogger("orders.api")
    client = instrument(httpx.AsyncClient(base_url=inventory_url, timeout=10), peer="inventory")

    @app.get("/orders/{customer}")
    async def order(customer: int, x_request_id: RequestId = "-") -> Any:
        with bind(request_id=x_request_id):
            answer = await client.get(f"/stock/{customer}", headers={"x-request-id": x_request_id})
            if answer.is_error:
                log.error("upstream failed", extra={"upstream_status": answer.status_code})
                raise HTTPException(502)
            log.info("order of customer %d shown", customer)
            return answer.json()

    return app


def inventory(port: str) -> FastAPI:
    log = logging.getLogger("inventory.stock")
    pool: Any = None

    @asynccontextmanager
    async def connected(app: FastAPI) -> AsyncIterator[None]:
        nonlocal pool
        del app
        address = {"host": "127.0.0.1", "port": int(port), "user": "postgres", "database": "postgres"}
        async with asyncpg.create_pool(**address, min_size=1, max_size=4, statement_cache_size=0) as pool:
            yield

    app = FastAPI(lifespan=connected)

    @app.get("/stock/{customer}")
    async def stock(customer: int, x_request_id: RequestId = "-") -> Any:
        with bind(request_id=x_request_id):
            seconds = 0.25 if customer % 7 == 0 else 0.0
            try:
                left = await pool.fetchval(
                    f"/* rid={x_request_id} */ SELECT {customer} / {customer % 11} FROM pg_sleep({seconds})"
                )
            except asyncpg.PostgresError:
                log.exception("stock of customer %d cannot be read", customer)
                raise HTTPException(500) from None
            log.info("customer %d has %d items", customer, left)
            return {"left": left}

    return app


def main() -> None:
    name, peer = sys.argv[1:]
    handler = CloudWatchHandler(f"/stack/{name}", service=name, send_interval=0.2)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("httpx").setLevel(logging.WARNING)
    app = orders(peer) if name == "orders" else inventory(peer)
    app.add_middleware(RequestLogMiddleware)
    listening = socket.create_server(("127.0.0.1", 0))
    sys.stdout.write(f"{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    uvicorn.run(app, fd=os.dup(listening.fileno()), log_config=None, access_log=False)


if __name__ == "__main__":
    main()
