"""Log lines → templates: the text with everything masked that differs from line to line."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_MASKS: Final = (
    (re.compile(r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"), "<uuid>"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"), "<ip>"),
    (re.compile(r"\b(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{8,}\b"), "<hex>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"), "<time>"),
    (re.compile(r'"(?:[^"\\]|\\.)*"'), "<text>"),
    (re.compile(r"[\w.+\-]+@[\w\-]+\.[\w.]+"), "<mail>"),
    (re.compile(r"(?<![A-Za-z_])[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?"), "<num>"),
)
_LONGEST: Final = 240
_SPACES: Final = re.compile(r"\s+")


@lru_cache(maxsize=65_536)
def template(body: str) -> str:
    """The template of a line: its first line, cut to 240 characters, with values masked."""
    text = body.split("\n", 1)[0][:_LONGEST]
    for pattern, mask in _MASKS:
        text = pattern.sub(mask, text)
    return _SPACES.sub(" ", text).strip()
