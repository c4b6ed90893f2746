"""What is slow, and which service causes it."""

from __future__ import annotations

from logship.incident.analysis import analyse, default_baseline, default_window
from logship.incident.finding import Finding, words

__all__ = ["Finding", "analyse", "default_baseline", "default_window", "words"]
