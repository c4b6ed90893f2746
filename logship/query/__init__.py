"""The query language: text → tree (`parse`), and what a tree means (`matches`, or `compiled` for many records)."""

from __future__ import annotations

from logship.query.compiled import compiled
from logship.query.hints import Hint
from logship.query.match import matches
from logship.query.parser import parse, parse_with_hints

__all__ = ["Hint", "compiled", "matches", "parse", "parse_with_hints"]
