"""Log text → record; one module a format, each with its own sample lines."""

from __future__ import annotations

from logship.parse.normalise import Parser, parse_line

__all__ = ["Parser", "parse_line"]
