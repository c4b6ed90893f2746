"""What forwarding costs at AWS, from the settings and from what is read: arithmetic, nothing is asked or opened.

The store and the machine are not in it, nor what CloudWatch Logs asks for taking the logs in, which is paid anyway.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from logship.cloudwatch import limits
from logship.cloudwatch.quotas import filter_tps
from logship.forward import prices

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from logship.settings import Forward, Source

DAYS: Final = 365 / 12
"""Of a month, as AWS counts them: 730 hours."""
GB: Final = 1e9
SUPPOSED_BYTES: Final = GB
"""What a source is taken to bring each day where nobody knows."""
SQUEEZED: Final = 5.0
"""Subscription filters compress what they send: gzip makes lines of logs a fifth or less."""
OBJECT_BYTES: Final = 1e6
"""Objects of an export are taken to have so many bytes of lines: most have more, and cost less."""
_CENT: Final = 0.005
_DAY_S: Final = 86_400
_MESSAGES_A_CALL: Final = 4
_CALLS_A_MESSAGE: Final = 1 / _MESSAGES_A_CALL + 1
"""It is received with others, and deleted by itself at worst."""
_QUEUE_WAIT_S: Final = 5
_HOUR_WRITES, _HOUR_READS = 720, 1_200
"""Of each process that shares checkpoints: its pulse every 5 s, and looking at the others'."""
_GROUP_WRITES: Final = 360
"""An hour, of each group in which something happens: its checkpoint, every 10 s."""


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What one source brings."""

    bytes_per_day: float | None = None
    """Of lines, uncompressed; None where nobody knows, which is taken for 1 GB."""
    groups: int = 1
    """Log groups that it reads, or shards."""


@dataclass(frozen=True)
class CostLine:
    """Something that is counted, and what it costs."""

    what: str
    """What is counted, and of which source: ``"minutes of Live Tail of cloudwatch eu-west-1"``."""
    units_per_day: float
    usd_per_month: float
    """Of 730 hours; free allowances are taken off, as if nobody else used them."""
    assumption: str
    """What that rests on, for people."""


def estimate(forward: Forward, observed: Sequence[Observed] = (), *, processes: int = 1) -> list[CostLine]:
    """What the sources and the shared checkpoints cost.

    Args:
        forward: the settings.
        observed: what each source brings, in their order; nothing is known of those that are missing.
        processes: how many forwarders share the work.
    """
    pairs = [(source, observed[at] if at < len(observed) else Observed()) for at, source in enumerate(forward.source)]
    lines = [line for source, seen in pairs for line in _MAKERS[source.type](source, seen, forward)]
    lines += _checkpoints(forward, sum(seen.groups for _, seen in pairs), processes)
    return _with_allowances(lines)


def total(lines: Sequence[CostLine]) -> float:
    """US dollars a month."""
    return sum(line.usd_per_month for line in lines)


def lines_of(lines: Sequence[CostLine]) -> list[str]:
    """An estimate for people: the sum, and a line for each part of it."""
    head = (
        f"cost: about {total(lines):,.2f} $ a month at AWS beside store, machine and taxes "
        f"(list prices of {prices.REGION}, {prices.AS_OF})"
    )
    return [head, *(f"  {_money(line)}" for line in sorted(lines, key=lambda line: -line.usd_per_month))]


def summary(lines: Sequence[CostLine]) -> str:
    """One line about an estimate; "" where nothing costs a cent."""
    usd = total(lines)
    if usd < _CENT:
        return ""
    dearest = max(lines, key=lambda line: line.usd_per_month)
    return (
        f"about {usd:,.2f} $ a month, most of it for {dearest.what} "
        f"(list prices of {prices.REGION}, {prices.AS_OF}); logship forward --dry-run has the details"
    )


def _money(line: CostLine) -> str:
    units = f"{line.units_per_day:,.0f}" if line.units_per_day >= 100 else f"{line.units_per_day:.3g}"  # noqa: PLR2004
    return f"{line.usd_per_month:,.2f} $ a month for {units} {line.what} a day: {line.assumption}"


def _cloudwatch(source: Source, seen: Observed, forward: Forward) -> Iterator[CostLine]:
    name = f"cloudwatch {source.region}" if source.region else "cloudwatch"
    tps = source.tps or filter_tps(source.region or "")
    calls = min(tps, seen.groups / max(forward.interval_s, 1e-3)) * _DAY_S
    yield CostLine(
        f"calls of FilterLogEvents of {name}", calls, 0.0, "calls of CloudWatch Logs have no price; at most so many"
    )
    if source.live_tail:
        sessions = min(max(1, math.ceil(seen.groups / limits.LIVE_TAIL_GROUPS)), limits.LIVE_TAIL_SESSIONS)
        minutes = sessions * _DAY_S / 60
        noun = "1 session" if sessions == 1 else f"{sessions} sessions"
        free = f"{prices.LIVE_TAIL_FREE_MINUTES:,} minutes a month are free"
        usd = minutes * DAYS * prices.LIVE_TAIL_MINUTE
        yield CostLine(f"{_LIVE_TAIL} of {name}", minutes, usd, f"{noun} at all times; {free}")


def _kinesis(source: Source, seen: Observed, forward: Forward) -> Iterator[CostLine]:
    del forward
    name, squeezed = f"kinesis {source.stream}", _bytes(seen) / SQUEEZED
    shards = max(1, math.ceil(squeezed / _DAY_S / prices.KINESIS_SHARD_BYTES_S))
    provisioned = f"{shards * 24 * DAYS * prices.KINESIS_SHARD_HOUR:,.2f} $"
    yield CostLine(
        f"hours of {name}",
        24,
        24 * DAYS * prices.KINESIS_STREAM_HOUR,
        f"an on-demand stream; a provisioned one costs about {provisioned} in place of all this",
    )
    for way, price in (("into", prices.KINESIS_IN_GB), ("out of", prices.KINESIS_OUT_GB)):
        yield CostLine(f"GB {way} {name}", squeezed / GB, squeezed / GB * DAYS * price, _volume(seen))


def _firehose(source: Source, seen: Observed, forward: Forward) -> Iterator[CostLine]:
    del forward
    squeezed = _bytes(seen) / SQUEEZED
    usd = squeezed / GB * DAYS * prices.FIREHOSE_GB
    small = "records below 5 KB count as 5 KB"
    yield CostLine(f"GB through Firehose to {source.listen}", squeezed / GB, usd, f"{_volume(seen)}; {small}")


def _s3(source: Source, seen: Observed, forward: Forward) -> Iterator[CostLine]:
    del forward
    name = source.queue.rstrip("/").rpartition("/")[2]
    objects = _bytes(seen) / OBJECT_BYTES
    known = _known(seen)
    yield CostLine(
        f"GET requests of S3 for {name}",
        objects,
        objects * DAYS * prices.S3_GET,
        f"{known} in objects of 1 MB of lines",
    )
    requests = _DAY_S / _QUEUE_WAIT_S + objects * _CALLS_A_MESSAGE
    free = f"{prices.SQS_FREE_REQUESTS:,} a month are free"
    yield CostLine(
        f"{_SQS} to {name}",
        requests,
        requests * DAYS * prices.SQS_REQUEST,
        f"asked every {_QUEUE_WAIT_S} s while nothing comes; {free}",
    )


_LIVE_TAIL: Final = "minutes of Live Tail"
_SQS: Final = "requests of SQS"
_MAKERS: Final = {"cloudwatch": _cloudwatch, "kinesis": _kinesis, "firehose": _firehose, "s3": _s3}


def _checkpoints(forward: Forward, groups: int, processes: int) -> Iterator[CostLine]:
    if not forward.checkpoints:
        return
    table = forward.checkpoints.rpartition(":")[2]
    writes = 24 * (processes * _HOUR_WRITES + groups * _GROUP_WRITES)
    reads = 24 * processes * _HOUR_READS
    fleet = "1 process" if processes == 1 else f"{processes} processes"
    known = f"{fleet} and {groups:,} busy log groups; quiet ones need a quarter"
    yield CostLine(f"writes of DynamoDB {table}", writes, writes * DAYS * prices.DYNAMODB_WRITE, known)
    yield CostLine(f"reads of DynamoDB {table}", reads, reads * DAYS * prices.DYNAMODB_READ, fleet)


def _with_allowances(lines: Sequence[CostLine]) -> list[CostLine]:
    """Takes off what an account has free, once for all lines that count the same."""
    left = {
        _LIVE_TAIL: prices.LIVE_TAIL_FREE_MINUTES * prices.LIVE_TAIL_MINUTE,
        _SQS: prices.SQS_FREE_REQUESTS * prices.SQS_REQUEST,
    }
    found = []
    for line in lines:
        kind = next((kind for kind in left if line.what.startswith(kind)), None)
        off = min(left[kind], line.usd_per_month) if kind else 0.0
        if kind:
            left[kind] -= off
        found.append(CostLine(line.what, line.units_per_day, line.usd_per_month - off, line.assumption))
    return found


def _bytes(seen: Observed) -> float:
    return SUPPOSED_BYTES if seen.bytes_per_day is None else seen.bytes_per_day


def _known(seen: Observed) -> str:
    if seen.bytes_per_day is None:
        return "if there were 1 GB of lines a day"
    return f"{seen.bytes_per_day / GB:,.3g} GB of lines a day"


def _volume(seen: Observed) -> str:
    return f"{_known(seen)}, compressed to a fifth"
