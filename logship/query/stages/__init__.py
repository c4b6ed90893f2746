"""What stands behind the query: `QUERY | stage | stage`, read into values that the store floor runs."""

from __future__ import annotations

from logship.query.stages.parser import parse_conditions, parse_pipeline
from logship.query.stages.tree import Column, Pipeline, Stage

__all__ = ["Column", "Pipeline", "Stage", "parse_conditions", "parse_pipeline"]
