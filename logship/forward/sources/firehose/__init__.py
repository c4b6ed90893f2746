"""The HTTP endpoint that Amazon Data Firehose delivers to: a request is answered once the store has what it holds."""
