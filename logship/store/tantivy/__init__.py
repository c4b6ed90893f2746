"""The embedded store: one tantivy index in a folder."""
