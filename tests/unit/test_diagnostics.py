"""What people are told reaches them as long as somebody listens."""

from __future__ import annotations

import errno
import io
import sys
from typing import TYPE_CHECKING

from logship.cli import diagnostics

if TYPE_CHECKING:
    import pytest


def test_a_full_disk_silences_nothing_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    """stderr is a file on a disk that is full, and later is not: a forwarder goes on telling."""

    class File(io.StringIO):
        full = True

        def flush(self) -> None:
            if self.full:
                raise OSError(errno.ENOSPC, "No space left on device")

        def fileno(self) -> int:
            raise AssertionError("stderr was given up")

    file = File()
    monkeypatch.setattr(sys, "stderr", file)
    diagnostics.say("one")
    file.full = False
    diagnostics.say("two")

    assert file.getvalue().endswith("two\n")
