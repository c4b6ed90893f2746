"""A faithful CloudWatch Logs on loopback.

It enforces every documented limit of the operations it knows, serves partial and empty pages, makes events
visible late, throttles and fails: seeded, and all of it off unless asked for.

    with LocalCloudWatch() as cw:
        client = cw.client()          # boto3, with credentials that mean nothing
        client.create_log_group(logGroupName="/shop/orders")
        ...
        cw.events("/shop/orders")     # everything taken in, visible or not
"""

from __future__ import annotations

from logship.testing.local_cloudwatch.faults import Faults
from logship.testing.local_cloudwatch.server import LocalCloudWatch

__all__ = ["Faults", "LocalCloudWatch"]
