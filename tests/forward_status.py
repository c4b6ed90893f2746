"""Snapshots of a forwarder, for tests of what is made of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from logship.forward.between.rules import RuleCount
from logship.forward.outside.status import ForwardStatus, GroupStatus, SourceStatus

GROUP = GroupStatus(
    name="/shop/orders",
    lag_s=2.5,
    backlog_s=60.0,
    read_age_s=0.5,
    ingestion_delay_s=1.25,
    newest_stored_ms=1_795_443_665_500,
    pages=7,
    empty_pages=2,
    events=100,
    fresh=90,
    stored=80,
    bytes=4096,
)
SOURCE = SourceStatus(
    name="cloudwatch eu-west-1",
    ready=True,
    calls=9,
    throttled=1,
    retried=2,
    rate=9.8,
    quota=10.0,
    groups=(GROUP,),
)
STATUS = ForwardStatus(
    stored=80,
    existing=5,
    rejected=1,
    dead_letters=1,
    read=86,
    queued_bytes=12_000,
    queue_limit_bytes=24_000_000,
    store_waits=3,
    store_reason="",
    requests=2,
    requests_limit=4,
    progress_age_s=0.25,
    sources=(SOURCE,),
    rules=(RuleCount("forward.rule[0]", "level:debug", dropped=11, sampled_out=4),),
    redacted={"jwt": 6},
)


def status(**changes: Any) -> ForwardStatus:
    """A forwarder that does well, but for the changes."""
    return replace(STATUS, **changes)


def with_source(**changes: Any) -> ForwardStatus:
    """The same, but for changes of its source."""
    return replace(STATUS, sources=(replace(SOURCE, **changes),))
