"""The terminal: search and incident screens over a store. It enters logship by its ports alone."""
