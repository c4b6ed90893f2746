"""The load: requests at a steady, seeded rhythm, whether or not earlier ones were answered."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

import httpx


@dataclass(slots=True)
class LoadResult:
    """What the users of the shop saw; times in seconds."""

    times_s: list[float] = field(default_factory=list)
    failed: int = 0


def run(url: str, *, seconds: float, rate: float, seed: int) -> LoadResult:
    """Sends about `rate` requests a second for that long and waits for every answer."""
    return asyncio.run(_run(url, seconds, rate, seed))


async def _run(url: str, seconds: float, rate: float, seed: int) -> LoadResult:
    drawn = random.Random(seed)  # noqa: S311 - a reproducible load
    result = LoadResult()
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=50)
    async with httpx.AsyncClient(base_url=url, timeout=20.0, limits=limits) as client, asyncio.TaskGroup() as tasks:
        while loop.time() < until:
            tasks.create_task(_request(client, drawn.randrange(1, 5000), result))
            await asyncio.sleep(drawn.expovariate(rate))
    return result


async def _request(client: httpx.AsyncClient, number: int, result: LoadResult) -> None:
    began = asyncio.get_running_loop().time()
    try:
        answer = await client.get(f"/orders/{number}")
        result.failed += answer.is_error
    except httpx.HTTPError:
        result.failed += 1
    result.times_s.append(asyncio.get_running_loop().time() - began)
