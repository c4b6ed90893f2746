"""The query language: text → tree (`parse`), and what a tree means (`matches`)."""

from __future__ import annotations

from logship.query.match import matches
from logship.query.parser import parse

__all__ = ["matches", "parse"]
