"""What AWS asks for what a forwarder uses: US dollars, us-east-1, list prices without taxes.

Other regions ask up to a quarter more. Each price names the page of AWS that it stands on, and when. The figures were
read in November 2026 in public copies and summaries of those pages.

Requests of CloudWatch Logs other than Live Tail and Insights (FilterLogEvents, DescribeLogGroups, ListTagsForResource)
have no price: aws.amazon.com/cloudwatch/pricing lists API requests under metrics alone, and the usage types of a bill
for logs are bytes taken in and bytes kept, beside Live Tail and Insights (AWS re:Post, "How can I determine why I was
charged for CloudWatch usage").
"""

from __future__ import annotations

from typing import Final

AS_OF: Final = "November 2026"
REGION: Final = "us-east-1"

LIVE_TAIL_MINUTE: Final = 0.01
"""aws.amazon.com/cloudwatch/pricing, "Logs", as of May 2026: for each minute of each session."""
LIVE_TAIL_FREE_MINUTES: Final = 1_800
"""The same page, "Free tier": a month, of an account."""

KINESIS_STREAM_HOUR: Final = 0.04
"""aws.amazon.com/kinesis/data-streams/pricing, on-demand mode, as of 2026: for each stream."""
KINESIS_IN_GB: Final = 0.08
"""The same: written; each record is rounded up to the next KB."""
KINESIS_OUT_GB: Final = 0.04
"""The same: read without enhanced fan-out."""
KINESIS_SHARD_HOUR: Final = 0.015
"""The same page, provisioned mode: a shard takes 1 MB a second."""
KINESIS_SHARD_BYTES_S: Final = 1_000_000

FIREHOSE_GB: Final = 0.029
"""aws.amazon.com/firehose/pricing, direct PUT, first 500 TB of a month; each record is rounded up to the next 5 KB."""

S3_GET: Final = 0.0004 / 1000
"""aws.amazon.com/s3/pricing, S3 Standard, as of 2026: GET, for each request."""
SQS_REQUEST: Final = 0.40 / 1e6
"""aws.amazon.com/sqs/pricing, standard queues, as of March 2026; an empty answer counts, too."""
SQS_FREE_REQUESTS: Final = 1_000_000
"""The same: a month, of an account."""

DYNAMODB_WRITE: Final = 0.625 / 1e6
"""aws.amazon.com/dynamodb/pricing/on-demand, since November 2024: for each KB written."""
DYNAMODB_READ: Final = 0.125 / 1e6
"""The same: for each 4 KB read consistently."""
