"""Which settings a forwarder goes on with that is told to read them again."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

import pytest

from logship import settings as config
from logship import wiring
from logship.cli import forwarding
from logship.cli.forward_plan import Plan
from logship.errors import ConnectError, LogshipError, UnknownGroupError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from logship.settings import Settings


class Story:
    """A forwarder that runs with the settings ``good``, is told others, and meets the failures that are written here.

    Args:
        told: the state of the settings that it is told after each run; None where it is told nothing.
        fails: what each run meets, by its number; None where it runs.
        monkeypatch: puts this in place of everything around the loop.
    """

    def __init__(
        self, told: list[str | None], fails: list[LogshipError | None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self._told, self._fails = told, fails
        self._ending = threading.Event()
        self.ran: list[str] = []
        self.said: list[str] = []
        monkeypatch.setattr(forwarding, "_Signals", self._signals)
        monkeypatch.setattr(forwarding, "plan_of", self._plan_of)
        monkeypatch.setattr(forwarding, "_forward", self._forward)
        monkeypatch.setattr(wiring, "open_writer", lambda *_, **__: SimpleNamespace(close=lambda: None))
        monkeypatch.setattr("logship.cli.forward_progress.telling", self._telling)
        monkeypatch.setattr("logship.cli.options.settings", lambda: _settings("good"))

    def run(self) -> int:
        return forwarding.run(SimpleNamespace(once=False), config.Store(location="./data"))  # type: ignore[arg-type]

    def _signals(self, *_: object) -> Any:
        story = self

        class Signals:
            notifier = SimpleNamespace(stopping=lambda: None)
            has_told = False
            ending = story._ending
            rest = staticmethod(lambda _: None)

            def __enter__(self) -> Self:
                return self

            def __exit__(self, *_: object) -> None:
                """Nothing."""

            def renewed(self) -> object:
                state = story._told.pop(0) if story._told else None
                return story._plan_of(None, _settings(state)) if state else None

        return Signals()

    def _plan_of(self, wanted: object, found: Settings, *, waits: bool = False, before: object = None) -> Any:
        del wanted, before
        return Plan(found=found, settings=found, prepare=None, sources=lambda _: [], waits=waits)  # type: ignore[arg-type]

    def _forward(self, wanted: object, plan: Any, *_: object) -> LogshipError | None:
        del wanted
        self.ran.append(plan.settings.forward.state)
        failure = self._fails.pop(0)
        if not self._fails:
            self._ending.set()
        plan.has_begun = failure is None
        return failure

    @contextmanager
    def _telling(self, **_: object) -> Iterator[Any]:
        yield SimpleNamespace(say=self.said.append, leave=None)


def _settings(state: str) -> Settings:
    return config.Settings(forward=config.Forward(state=state, listen=""))


def test_settings_that_never_worked_are_not_gone_back_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Told twice in a row, with settings that are wrong both times, it goes on with those that it ran with."""
    story = Story(["wrong", "other"], [None, None, UnknownGroupError("no such group"), None], monkeypatch)
    monkeypatch.setattr(forwarding, "_forward", _never_begun("wrong", story._forward))

    assert (story.run(), story.ran) == (0, ["good", "wrong", "other", "good"])


def _never_begun(state: str, forward: Any) -> Any:
    """A run with these settings is told others before its sources are ready."""

    def run(wanted: object, plan: Any, *rest: object) -> LogshipError | None:
        failure: LogshipError | None = forward(wanted, plan, *rest)
        plan.has_begun = plan.has_begun and plan.settings.forward.state != state
        return failure

    return run


def test_an_outage_while_settings_are_read_again_is_waited_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """What keeps the new ones from working keeps the old ones from it, too: it is said once, and tried again."""
    away = ConnectError("the table does not answer")
    story = Story(["new"], [None, away, away, away, None], monkeypatch)

    assert (story.run(), story.ran) == (0, ["good", "new", "good", "good", "good"])
    assert [line for line in story.said if line.endswith("trying again")] == [f"{away}; trying again"]


def test_told_again_amid_an_outage_it_still_has_settings_to_go_back_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that it waits with have run before: nothing is wrong with them, however often others fail."""
    away = ConnectError("the table does not answer")
    story = Story(["new", None, "newer"], [None, away, away, away, None], monkeypatch)

    assert (story.run(), story.ran) == (0, ["good", "new", "good", "newer", "good"])


def test_a_start_that_fails_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever starts it sees at once that something is away."""
    story = Story([], [ConnectError("the table does not answer")], monkeypatch)
    story._fails.append(None)

    with pytest.raises(ConnectError, match="does not answer"):
        story.run()
