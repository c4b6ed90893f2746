"""Groups and streams as the service describes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from logship.testing.local_cloudwatch.groups import Group, Stream


def group_facts(group: Group) -> dict[str, Any]:
    """As DescribeLogGroups has it."""
    facts: dict[str, Any] = {
        "logGroupName": group.name,
        "creationTime": group.created_ms,
        "metricFilterCount": 0,
        "arn": group.arn + ":*",
        "logGroupArn": group.arn,
        "storedBytes": group.stored_bytes,
        "logGroupClass": group.log_class,
    }
    if group.retention_days:
        facts["retentionInDays"] = group.retention_days
    if group.kms_key_id:
        facts["kmsKeyId"] = group.kms_key_id
    return facts


def stream_facts(group: Group, stream: Stream) -> dict[str, Any]:
    """As DescribeLogStreams has it."""
    facts: dict[str, Any] = {
        "logStreamName": stream.name,
        "creationTime": stream.created_ms,
        "arn": f"{group.arn}:log-stream:{stream.name}",
        "storedBytes": 0,
        "uploadSequenceToken": "0",
    }
    times = (
        ("firstEventTimestamp", stream.first_ms),
        ("lastEventTimestamp", stream.last_ms),
        ("lastIngestionTime", stream.ingested_ms),
    )
    return facts | {key: value for key, value in times if value is not None}
