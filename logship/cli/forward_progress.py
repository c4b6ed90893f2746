"""How a running `logship forward` tells people how it stands: a screen, structured lines, or nothing but notices."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from logship.cli import diagnostics
from logship.cli.output import printable
from logship.forward.outside.progress import PROGRESS_S, notice, progress
from logship.forward.outside.rates import Rates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import Console
    from rich.live import Live

    from logship.forward.outside.rates import Rate
    from logship.forward.outside.status import ForwardStatus

_REFRESH_S: Final = 0.5
_KEPT_NOTICES: Final = 200


class Telling:
    """Tells of one forwarder after the other: there is another one after each reload of the settings.

    Args:
        say: writes a line.
        cost: what rates of now cost, in words; "" says nothing.
        leave: writes the last line of a process that ends without going back where it came from.
    """

    def __init__(
        self,
        say: Callable[[str], None],
        cost: Callable[[ForwardStatus, Rate], str] = lambda *_: "",
        leave: Callable[[str], None] | None = None,
    ) -> None:
        self.say = say
        """Tells people something, in a line."""
        self.leave = leave or say
        self.began_s = time.monotonic()
        self._cost = cost
        self._followed: tuple[Callable[[], ForwardStatus], Rates] | None = None

    def follow(self, status: Callable[[], ForwardStatus]) -> None:
        """From now on that forwarder is meant, which has counted nothing yet.

        Args:
            status: takes its snapshot; called by another thread.
        """
        self._followed = status, Rates()

    def look(self) -> tuple[ForwardStatus, Rate, str] | None:
        """A snapshot, its rate and its cost; None before there is a forwarder."""
        if self._followed is None:
            return None
        take, rates = self._followed
        status = take()
        rate = rates.see(status)
        return status, rate, self._cost(status, rate)


@contextmanager
def telling(
    *,
    once: bool,
    console: Console | None = None,
    cost: Callable[[ForwardStatus, Rate], str] = lambda *_: "",
    progress_s: float = PROGRESS_S,
) -> Iterator[Telling]:
    """Tells people on stderr, as long as it lasts.

    A terminal gets a screen with the last notices in it. Elsewhere each line is structured, and every half minute one
    tells of the progress. A run that ends by itself says its notices as they are.

    Args:
        once: whether the run ends by itself.
        console: where a screen is drawn; None decides by what stderr is.
        cost: what rates of now cost, in words; "" says nothing.
        progress_s: time between two lines of progress.
    """
    if once:
        yield Telling(diagnostics.say)
    elif console is not None or _is_screen():
        with _on_screen(console, cost) as found:
            yield found
    else:
        found = Telling(lambda text: diagnostics.say(notice(time.time(), text)))
        with _beside("logship-progress", progress_s, lambda: _say_progress(found), found.say):
            yield found


def _is_screen() -> bool:
    return diagnostics.interactive() and os.environ.get("TERM", "dumb") not in {"dumb", "unknown"}


def _say_progress(found: Telling) -> None:
    looked = found.look()
    if looked is not None:
        diagnostics.say(progress(time.time(), looked[0], looked[1]))


@contextmanager
def _on_screen(console: Console | None, cost: Callable[[ForwardStatus, Rate], str]) -> Iterator[Telling]:
    """Draws in the terminal's other screen; when that is left, what people were told stands in the usual one."""
    from rich.console import Console
    from rich.live import Live

    notices: deque[str] = deque(maxlen=_KEPT_NOTICES)

    def say(text: str) -> None:
        notices.append(f"{time.strftime('%H:%M:%S')} {text}")

    screen = console or Console(stderr=True)
    look = diagnostics.has_lost_terminal if console is None else bool

    def tell() -> None:
        for text in notices:
            screen.print(printable(text), markup=False, highlight=False, soft_wrap=True)

    def leave(text: str) -> None:
        say(text)
        look()
        live.stop()
        tell()

    found = Telling(say, cost, leave)
    try:
        with (
            Live(console=screen, auto_refresh=False, screen=True, vertical_overflow="crop") as live,
            _beside("logship-screen", _REFRESH_S, lambda: _redraw(found, live, list(notices)), say),
        ):
            try:
                yield found
            finally:
                look()  # a terminal that was closed takes no last words
    finally:
        tell()


def _redraw(found: Telling, live: Live, notices: Sequence[str]) -> None:
    from logship.cli.forward_screen import Shown, draw

    looked = found.look()
    if looked is None:
        return
    status, rate, cost = looked
    size = live.console.size
    shown = Shown(status=status, rate=rate, running_s=time.monotonic() - found.began_s, cost=cost, notices=notices)
    live.update(draw(shown, width=size.width, height=size.height), refresh=True)


@contextmanager
def _beside(name: str, every_s: float, work: Callable[[], None], say: Callable[[str], None]) -> Iterator[None]:
    """Does something now and then in a thread of its own, until left."""
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(every_s):
            try:
                work()
            except Exception as error:  # what tells people must not end what it tells of
                say(f"progress is no longer shown: {type(error).__name__}: {error}; forwarding goes on")
                return

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
