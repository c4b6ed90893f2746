"""Statements of IAM policies, which error messages show and `logship generate stack` writes."""

from __future__ import annotations

from typing import Any, Final

TABLE_ACTIONS: Final = ("DescribeTable", "GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan")
"""What sharing checkpoints needs; making the table needs CreateTable, too."""


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
