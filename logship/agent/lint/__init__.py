"""Looks for what is wrong with agent configs."""

from __future__ import annotations

from logship.agent.lint.engine import Linter, lint_document

__all__ = ["Linter", "lint_document"]
