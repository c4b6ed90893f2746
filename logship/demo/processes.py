"""Processes of the demo: started in a session of their own, so that Ctrl-C reaches the demo alone, which ends them."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Self

from logship.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_STOP_S = 12.0


class Processes:
    """Starts Python modules; every one of them has ended when the context does."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self.environment = os.environ | environment
        """Of the processes started from now on."""
        self._folder = folder
        self._running: dict[str, subprocess.Popen[str]] = {}

    def start(self, name: str, module: str, *arguments: str) -> str:
        """Starts `python -m module` and returns the first line it prints.

        Raises:
            DataError: it ended without a line; its standard error is quoted.
        """
        process = self._spawn(name, module, *arguments)
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        if not line:
            said = self._said(name)
            raise DataError(f"{name} of the demo did not start: {said.splitlines()[-1] if said else 'no output'}")
        return line

    def start_silent(self, name: str, module: str, *arguments: str) -> None:
        """Starts `python -m module`, which prints nothing."""
        self._spawn(name, module, *arguments)

    def stop(self, name: str) -> int:
        """Asks a process to end and waits; its exit status. One that does not answer is killed."""
        process = self._running.pop(name)
        process.terminate()
        try:
            return process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()
        finally:
            for stream in (process.stdin, process.stdout):
                if stream:
                    stream.close()

    def _spawn(self, name: str, module: str, *arguments: str) -> subprocess.Popen[str]:
        with self._error_file(name).open("ab") as errors:
            process = subprocess.Popen(  # noqa: S603 - our own modules
                [sys.executable, "-m", module, *arguments],
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
        self._running[name] = process
        return process

    def _error_file(self, name: str) -> Path:
        return self._folder / f"{name}.stderr"

    def _said(self, name: str) -> str:
        return self._error_file(name).read_text(errors="replace").strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._running.values():
            process.terminate()
        for name in list(self._running):
            self.stop(name)
