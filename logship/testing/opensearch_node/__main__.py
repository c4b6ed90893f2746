"""`python -m logship.testing.opensearch_node`: a node in the foreground, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import argparse
import signal
import sys

from logship.testing.opensearch_node import VERSION, Node, NodeUnavailableError, fetch


def main() -> int:
    """Runs a node; the exit status."""
    parser = argparse.ArgumentParser(prog="logship.testing.opensearch_node", description=main.__doc__)
    parser.add_argument("--data", default="./opensearch-data", help="folder of the data; ./opensearch-data if not set")
    parser.add_argument("--port", type=int, default=9200, help="HTTP port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--heap", default="1g", help="memory of the server; 1g if not set")
    parser.add_argument("--fetch-only", action="store_true", help="fetch the server and end")
    options = parser.parse_args()
    try:
        if options.fetch_only:
            print(fetch())  # noqa: T201
            return 0
        node = Node(options.data, port=options.port, heap=options.heap)
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like Ctrl-C, also while starting
        print(f"OpenSearch {VERSION} starts, data in {options.data}", file=sys.stderr)  # noqa: T201
        print(node.start(), flush=True)  # noqa: T201
        node.wait()
    except NodeUnavailableError as error:
        print(f"logship: {error}", file=sys.stderr)  # noqa: T201
        return error.exit_code
    except KeyboardInterrupt:
        node.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
