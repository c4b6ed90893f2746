"""Records in an OpenSearch cluster: our own indices, and reading those that others write."""
