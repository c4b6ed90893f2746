"""A real single OpenSearch node on loopback, fetched from Maven Central.

For tests, and for people who outgrow the embedded store on one host:
``python -m logship.testing.opensearch_node --data DIR --port 9200``.
"""

from logship.testing.opensearch_node.distribution import VERSION, NodeUnavailableError, fetch, find_java
from logship.testing.opensearch_node.node import Node

__all__ = ["VERSION", "Node", "NodeUnavailableError", "fetch", "find_java"]
