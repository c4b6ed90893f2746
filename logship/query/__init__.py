"""The query language: text → tree (`parse`), and what a tree means (`matches`)."""

from __future__ import annotations

from logship.query.hints import Hint
from logship.query.match import matches
from logship.query.parser import parse, parse_with_hints

__all__ = ["Hint", "matches", "parse", "parse_with_hints"]
