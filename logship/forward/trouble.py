"""What goes wrong for a while is told once, until it is over or something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Trouble:
    """One thing that is done again and again, and may fail for hours.

    Args:
        say: told what people should know.
        meanwhile: what is so while it fails, behind the reason.

    >>> trouble = Trouble(print, "groups are listed later")
    >>> trouble.met(OSError("no answer"))
    no answer; groups are listed later
    >>> trouble.met(OSError("no answer"))
    >>> trouble.over()
    >>> trouble.met(OSError("no answer"))
    no answer; groups are listed later
    """

    def __init__(self, say: Callable[[str], None], meanwhile: str) -> None:
        self._say, self._meanwhile = say, meanwhile
        self.reason = ""
        """Why it failed the last time; "" where it did not."""

    def met(self, error: Exception) -> None:
        """It has failed."""
        if self.reason != str(error):
            self.reason = str(error)
            self._say(f"{error}; {self._meanwhile}")

    def over(self) -> None:
        """It has succeeded."""
        self.reason = ""
