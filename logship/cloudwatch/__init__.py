"""The one place that talks to CloudWatch Logs: client, limits, paging."""
