"""Redaction: what a clean line costs alone and among five thousand, one with a secret, and hostile text.

Run: python -m tests.benchmarks.bench_redaction
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Final

from logship.secrets import Redactor

if TYPE_CHECKING:
    from collections.abc import Callable

LINES: Final = 5_000
BUDGET_US: Final = 3.0
HOSTILE: Final = (
    "password=password=", "password=a,", '"password":"\\', "eyJ", "eyJhbGciOi.", "://:@", "://a:x", "-----BEGIN PRIVATE KEY-----",
    "MIIEpAIBAAKCAQEA7bq8", "bearer+", "Authorization: ", "curl -u a:", 'token: "', "next_token=", "x-token:a1b2c3d4,",
    "<SessionToken>", "secret access key A", "password='a''", "secret:", "token:", "secret=token:a", '\\\\\\"password\\\\\\":',
)  # fmt: skip
"""What is repeated to a mebibyte."""

WORDS: Final = (
    "akia", "asia", "eyj", "-----begin", "ghp_", "xox", "sk_live", "aiza", "npm_", "glpat", "sg.", "authorization",
    "bearer", "passw", "pwd", "secret=", "token=", "api_key", "apikey", "@",
)  # fmt: skip


def clean_lines() -> list[str]:
    """JSON of 250 to 280 bytes as services write it, with URLs, ports, ids and fields that are named like secrets."""
    drawn = random.Random(1)
    texts = ("request finished", "upstream http://inventory:8080/stock timed out", "cache miss", "token_count=12 read")
    return [
        f'{{"timestamp":"2026-11-23T14:21:05.{number:06}Z","severity_text":"INFO","service.name":"orders",'
        f'"body":"{drawn.choice(texts)}","trace_id":"{drawn.getrandbits(128):032x}","span_id":"{drawn.getrandbits(64):016x}",'
        f'"duration_ms":{drawn.random() * 2000:.1f},"http.route":"/orders/{{id}}","logship.id":"7f3c9a1e5b204d68-{number}"}}'
        for number in range(LINES)
    ]


def best_us(work: Callable[[], object], count: int, rounds: int = 9) -> float:
    """Microseconds of the processor for one of `count` things in the fastest round."""
    seconds = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        seconds.append(time.process_time() - began)
    return min(seconds) / count * 1e6


def hostile_rate(redactor: Redactor, piece: str) -> float:
    """Megabytes a second over a mebibyte of one piece."""
    text = piece * (2**20 // len(piece))
    return len(text) / best_us(lambda: redactor.redact(text), 1, rounds=1)


def main() -> None:
    """Prints the costs against their budget."""
    redactor = Redactor()
    lines = clean_lines()
    dirty = [line.replace('"duration_ms"', '"password":"hunter2","duration_ms"') for line in lines]
    mixed = [dirty[number] if number % 100 == 0 else line for number, line in enumerate(lines)]
    assert redactor.redact_many(lines) is lines
    one = best_us(lambda: [redactor.redact(line) for line in lines], LINES)
    many = best_us(lambda: redactor.redact_many(lines), LINES)
    print(
        f"clean line of {sum(map(len, lines)) // LINES} B: {one:.2f} us alone (budget {BUDGET_US}), {many:.2f} us in a batch of {LINES:,} (goal 1)"
    )
    chain = best_us(lambda: [any(map(line.lower().__contains__, WORDS)) for line in lines], LINES)
    print(f"for comparison, a chain of {len(WORDS)} substrings in each line, which knows nothing yet: {chain:.2f} us")
    print(
        f"one line in a hundred with a secret: {best_us(lambda: redactor.redact_many(mixed), LINES):.2f} us a line in a batch"
    )
    print(
        f"every line with a secret: {best_us(lambda: redactor.redact_many(dirty), LINES, rounds=3):.2f} us a line in a batch"
    )
    for piece in HOSTILE:
        print(f"hostile {piece!r} to 1 MiB: {hostile_rate(redactor, piece):.1f} MB/s")


if __name__ == "__main__":
    main()
