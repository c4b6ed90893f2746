"""Runs `QUERY | stage | stage` over any store: work the engine can do goes to it, the rest is bounded."""

from __future__ import annotations

from logship.store.pipeline.results import Records, Rows
from logship.store.pipeline.run import run

__all__ = ["Records", "Rows", "run"]
