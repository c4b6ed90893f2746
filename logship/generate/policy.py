"""The IAM policies that a forwarder needs: exactly the calls of its sources, on exactly what they read.

Resources are ARNs down to the log group, stream, queue, bucket or table. A region or account that the settings do not
tell stands in them as ``*``.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from logship.cloudwatch.permissions import allow, checkpoint_table, partition, queue_arn, stream_arn
from logship.cloudwatch.session import account_of
from logship.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from logship.settings import Forward, Source, Store

FILE: Final = "policy.json"
_BRACKETS: Final = re.compile(r"\[[^]]+]")
_DOMAIN: Final = re.compile(r"(?:search|vpc)-(.+)-[a-z0-9]+\.([a-z0-9-]+)\.es\.amazonaws\.com(?:\.cn)?")
_COLLECTION: Final = re.compile(r"([a-z0-9]+)\.([a-z0-9-]+)\.aoss\.amazonaws\.com")
_DOMAIN_CALLS: Final = ["es:ESHttpGet", "es:ESHttpHead", "es:ESHttpPost", "es:ESHttpPut"]
Statement = dict[str, Any]


def policies(forward: Forward, store: Store | None, account: str) -> dict[str, str]:
    """The policies by file name: the forwarder's own, and one for each role that it assumes.

    Args:
        forward: the settings.
        store: where records go; None where the settings do not tell.
        account: number of the forwarder's own account, or ``*``.

    Raises:
        SettingsError, UsageError: a key does not tell what is to be permitted.
    """
    own: list[Statement] = []
    roles: dict[str, list[Statement]] = {}
    for at, source in enumerate(forward.source):
        owner = account_of(source.role) or account
        found = [
            {"Sid": f"Source{at}{name}", **statement}
            for name, statement in _of_source(source, f"forward.source[{at}]", owner)
        ]
        (roles.setdefault(source.role, []) if source.role else own).extend(found)
    if roles:
        own.append({"Sid": "Roles", **allow("sts:AssumeRole", list(roles))})
    own += _own(forward, store, account)
    files = {FILE: own} | {_file_of(role): statements for role, statements in roles.items()}
    return {name: _document(statements) for name, statements in files.items() if statements}


def _document(statements: list[Statement]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2) + "\n"


def _file_of(role: str) -> str:
    return f"policy-{account_of(role)}-{role.partition('/')[2].replace('/', '-')}.json"


def _of_source(source: Source, place: str, account: str) -> Iterator[tuple[str, Statement]]:
    makers = {"cloudwatch": _logs, "kinesis": _stream, "firehose": _nothing, "s3": _objects}
    return makers[source.type](source, place, account)


def _logs(source: Source, place: str, account: str) -> Iterator[tuple[str, Statement]]:
    """Reading events needs the ARN with ``:*`` at its end, reading tags the one without it.

    Source: "LogGroup", arn and logGroupArn, in the API reference of CloudWatch Logs.
    """
    del place
    region = source.region or "*"
    owner = "*" if source.linked_accounts else account
    head = f"arn:{partition(region)}:logs:{region}:{owner}:log-group:"
    names = [head + _BRACKETS.sub("?", group) for group in source.groups or ["*"]]
    tagged = {f"aws:ResourceTag/{key}": _BRACKETS.sub("?", value) for key, value in source.tags.items()}
    condition = {"Condition": {"StringLike": tagged}} if tagged else {}
    yield "Events", allow("logs:FilterLogEvents", [f"{name}:*" for name in names]) | condition
    if source.live_tail:
        both = [form for name in names for form in (name, f"{name}:*")]
        yield "LiveTail", allow("logs:StartLiveTail", both) | condition
    if source.tags:
        yield "Tags", allow("logs:ListTagsForResource", names)
    yield "Groups", allow("logs:DescribeLogGroups", f"{head}*")


def _stream(source: Source, place: str, account: str) -> Iterator[tuple[str, Statement]]:
    if not source.stream:
        raise SettingsError(f"{place}.stream is missing; name the data stream that the subscription filter writes to")
    calls = ["kinesis:ListShards", "kinesis:GetShardIterator", "kinesis:GetRecords"]
    yield "Stream", allow(calls, stream_arn(source.stream, source.region or "*", account))


def _nothing(source: Source, place: str, account: str) -> Iterator[tuple[str, Statement]]:
    """Firehose calls us."""
    del source, place, account
    yield from ()


def _objects(source: Source, place: str, account: str) -> Iterator[tuple[str, Statement]]:
    """Who may not list a bucket is told 403 of an object that is gone, as of one that may not be read.

    Source: "GetObject", permissions, in the API reference of S3.
    """
    del account
    queue = queue_arn(source.queue)
    if not queue:
        wanted = "https://sqs.eu-west-1.amazonaws.com/123456789012/NAME"
        raise SettingsError(f"{place}.queue = {source.queue!r} tells neither region nor account; write {wanted}")
    if not source.buckets:
        raise SettingsError(f'{place}.buckets is missing; name the buckets that the queue tells of: buckets = ["NAME"]')
    head = ":".join(queue.split(":")[:2])
    calls = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"]
    yield "Queue", allow(calls, queue)
    yield "Objects", allow("s3:GetObject", [f"{head}:s3:::{bucket}/*" for bucket in source.buckets])
    yield "Buckets", allow("s3:ListBucket", [f"{head}:s3:::{bucket}" for bucket in source.buckets])


def _own(forward: Forward, store: Store | None, account: str) -> Iterator[Statement]:
    """What is done in the forwarder's own name: sharing checkpoints, and writing to a store of AWS."""
    if forward.checkpoints:
        region = next((source.region for source in forward.source if source.region), None) or "*"
        table = forward.checkpoints.rpartition(":")[2]
        yield {"Sid": "Checkpoints", **checkpoint_table(region, table, create=True, account=account)}
    is_signed = store is not None and store.auth in {"auto", "sigv4"} and not store.username
    host = urlsplit(store.location).hostname or "" if store is not None and is_signed else ""
    if found := _DOMAIN.fullmatch(host):
        arn = f"arn:{partition(found[2])}:es:{found[2]}:{account}:domain/{found[1]}"
        yield {"Sid": "Store", **allow(_DOMAIN_CALLS, f"{arn}/*")}
    elif found := _COLLECTION.fullmatch(host):
        arn = f"arn:{partition(found[2])}:aoss:{found[2]}:{account}:collection/{found[1]}"
        yield {"Sid": "Store", **allow("aoss:APIAccessAll", arn)}
