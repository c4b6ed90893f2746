"""Which settings a forwarder goes on with that is told to read them again."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

from logship import settings as config
from logship import wiring
from logship.cli import forwarding
from logship.errors import UnknownGroupError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from logship.settings import Settings


def test_settings_that_never_worked_are_not_gone_back_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Told twice in a row, with settings that are wrong both times, it goes on with those that it ran with."""
    good, wrong, other = (
        config.Settings(forward=config.Forward(state=name, listen="")) for name in ("good", "wrong", "other")
    )
    told, ran, ending = [wrong, other], list[str](), threading.Event()

    class Signals:
        """Told while the good ones run, and again while the first listing of the next runs."""

        notifier = SimpleNamespace(stopping=lambda: None)
        has_told = False

        def __init__(self, *_: object) -> None:
            self.ending = ending

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            """Nothing."""

        def renewed(self) -> object:
            return plan_of(None, told.pop(0)) if told else None

    def plan_of(wanted: object, found: Settings, *, waits: bool = False) -> Any:
        del wanted, waits
        return forwarding._Plan(found=found, settings=found, prepare=None, sources=lambda _: [])  # type: ignore[arg-type]

    def run_one(wanted: object, plan: Any, *_: object) -> UnknownGroupError | None:
        del wanted
        ran.append(plan.settings.forward.state)
        if len(ran) == 4:
            ending.set()
        plan.has_begun = ran[-1] == "good"
        return UnknownGroupError("no such group") if ran[-1] == "other" else None

    @contextmanager
    def telling(**_: object) -> Iterator[Any]:
        yield SimpleNamespace(say=lambda _: None, leave=None)

    monkeypatch.setattr(forwarding, "_Signals", Signals)
    monkeypatch.setattr(forwarding, "_plan", plan_of)
    monkeypatch.setattr(forwarding, "_forward", run_one)
    monkeypatch.setattr(wiring, "open_writer", lambda *_, **__: SimpleNamespace(close=lambda: None))
    monkeypatch.setattr("logship.cli.forward_progress.telling", telling)
    monkeypatch.setattr("logship.cli.options.settings", lambda: good)
    wanted = SimpleNamespace(once=False)
    forwarding.run(wanted, config.Store(location="./data"))  # type: ignore[arg-type]

    assert ran == ["good", "wrong", "other", "good"]
