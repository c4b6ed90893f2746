"""The terminal: search and incident screens over a store."""
