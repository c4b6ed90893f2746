"""A running forwarder seen from outside: over HTTP, and by the service manager."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from logship.forward.outside.http import DEFAULT_LISTEN, serving
from logship.forward.outside.notify import Notifier, notifying
from logship.forward.outside.status import status_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from logship.forward.between.prepare import Prepared
    from logship.forward.run import Forwarder


@contextmanager
def observed(
    forwarder: Forwarder,
    *,
    listen: str = DEFAULT_LISTEN,
    prepared: Callable[[], Prepared] | None = None,
    notifier: Notifier | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Iterator[str]:
    """Shows a forwarder as long as it runs in here; gives the URL of its metrics and health, "" for none.

    Args:
        forwarder: to be run by the caller, inside.
        listen: host and port of ``/metrics``, ``/healthz`` and ``/readyz``; "" serves none.
        prepared: tells what rules left out and redaction took out.
        notifier: whom to tell; None takes the service manager that the environment names.
        say: told what people should know, a line each.

    Raises:
        UsageError: `listen` cannot be listened on.
    """
    status = partial(status_of, forwarder, prepared=prepared)
    with serving(status, listen, say=say) as url, notifying(notifier or Notifier(), status, forwarder.stop):
        yield url
