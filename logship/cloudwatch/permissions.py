"""Statements of IAM policies, which error messages show and `logship generate stack` writes."""

from __future__ import annotations

import re
from typing import Any, Final

TABLE_ACTIONS: Final = ("DescribeTable", "GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan")
"""What sharing checkpoints needs; making the table needs CreateTable, too."""
_QUEUE: Final = re.compile(r"https://(?:sqs\.([a-z0-9-]+)|([a-z0-9-]+)\.queue)\.amazonaws\.com(?:\.cn)?/(\d{12})/(\S+)")
"""URLs of queues as Amazon SQS writes them, now and in older regions' endpoints."""


def allow(actions: str | list[str], resources: str | list[str]) -> dict[str, Any]:
    """A statement that permits some calls on some resources."""
    return {"Effect": "Allow", "Action": actions, "Resource": resources}


def checkpoint_table(region: str, table: str, *, create: bool, account: str = "*") -> dict[str, Any]:
    """What a forwarder needs that keeps its checkpoints in DynamoDB.

    Args:
        region: where the table lies.
        table: its name.
        create: whether the forwarder may make it.
        account: whose it is.
    """
    actions = [f"dynamodb:{action}" for action in (*TABLE_ACTIONS, *(("CreateTable",) if create else ()))]
    return allow(actions, f"arn:{partition(region)}:dynamodb:{region}:{account}:table/{table}")


def partition(region: str) -> str:
    """The partition of AWS that a region belongs to, as ARNs name it.

    >>> partition("cn-north-1"), partition("eu-west-1")
    ('aws-cn', 'aws')
    """
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def queue_arn(url: str) -> str:
    """Of the queue of a URL; "" where the URL tells neither region nor account."""
    found = _QUEUE.fullmatch(url)
    if found is None:
        return ""
    region = found[1] or found[2]
    return f"arn:{partition(region)}:sqs:{region}:{found[3]}:{found[4]}"


def stream_arn(stream: str, region: str, account: str = "*") -> str:
    """Of a data stream of Kinesis, by its name or ARN."""
    return (
        stream if stream.startswith("arn:") else f"arn:{partition(region)}:kinesis:{region}:{account}:stream/{stream}"
    )
