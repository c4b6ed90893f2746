"""Reading objects of S3 that a queue tells of: exports of CloudWatch Logs, and whatever `logship import` reads."""
