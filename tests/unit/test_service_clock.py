"""The service's time goes on evenly, whatever becomes of our clock."""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from logship.cloudwatch.service_clock import ServiceClock

if TYPE_CHECKING:
    import pytest


def answer(at_s: float) -> dict[str, Any]:
    return {"ResponseMetadata": {"HTTPHeaders": {"date": formatdate(at_s, usegmt=True)}}}


def test_a_clock_of_ours_that_is_set_right_moves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was an hour behind, which the service's answers have told; the first reading after the step knows the time."""
    theirs_s = time.time() + 3600
    clock = ServiceClock()
    clock.observe(answer(theirs_s))
    before_ms = clock.now_ms()
    ours = time.time
    monkeypatch.setattr(time, "time", lambda: ours() + 3600)

    assert abs(before_ms - theirs_s * 1000) < 3_000
    assert 0 <= clock.now_ms() - before_ms < 3_000


def test_small_differences_are_none() -> None:
    """The header has whole seconds: our clock is as good."""
    clock = ServiceClock()
    clock.observe(answer(time.time() + 1))

    assert clock.offset_ms == 0


def test_one_answer_that_is_off_moves_nothing() -> None:
    """A slow one, or a proxy's own: no mark runs ahead of the service for it. Three in a row that agree are right."""
    theirs_s = time.time() + 3600
    clock, offsets = ServiceClock(), list[int]()
    for ahead_s in (0, 600, 0, 600, -50, 600, 600, 600):
        clock.observe(answer(theirs_s + ahead_s))
        offsets.append(round(clock.offset_ms / 60_000))

    assert offsets == [60, 60, 60, 60, 60, 60, 60, 70]
