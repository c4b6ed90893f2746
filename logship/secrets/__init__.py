"""Secrets in log text: what they look like, and how they are taken out before a line leaves the process."""

from __future__ import annotations

from logship.secrets.configured import from_settings
from logship.secrets.redactor import Redactor
from logship.secrets.rules import BUILT_IN, Rule

__all__ = ["BUILT_IN", "Redactor", "Rule", "from_settings"]
