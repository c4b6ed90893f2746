"""What the sender does about credentials that are no longer good."""

from __future__ import annotations

from typing import Any
from unittest.mock import MagicMock

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from logship.handler import sender as module
from logship.handler.sender import Destination, Sender


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": 400}}, "PutLogEvents")


def sender(client: Any = None) -> Sender:
    destination = Destination(group="/g", stream="s", tags={}, client=client)
    return Sender(destination, pause=lambda _: None, hurried=lambda: False, on_failure=lambda _: None)


@pytest.mark.parametrize(
    "error", [refused("ExpiredTokenException"), refused("UnrecognizedClientException"), NoCredentialsError()]
)
def test_credentials_are_looked_for_once_more(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """A client keeps the keys that it was made with; where they have expired a new one finds those of today."""
    old, new = MagicMock(), MagicMock()
    old.put_log_events.side_effect, new.put_log_events.side_effect = [error], [{}]
    made = iter([old, new])
    monkeypatch.setattr(module, "_client", lambda _: next(made))

    assert sender().deliver([(1, b"{}")]) == 0
    assert (old.put_log_events.call_count, old.close.call_count, new.put_log_events.call_count) == (1, 1, 1)


def test_a_client_of_the_applications_own_is_kept() -> None:
    """Whoever gives a client renews its credentials."""
    client = MagicMock()
    client.put_log_events.side_effect = [refused("ExpiredTokenException"), {}]

    assert sender(client).deliver([(1, b"{}")]) == 0
    assert (client.put_log_events.call_count, client.close.call_count) == (2, 0)


def test_a_new_client_that_cannot_be_made_leaves_the_old_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines wait, and the next try has the client that there is."""
    old = MagicMock()
    old.put_log_events.side_effect = [refused("ExpiredToken"), {}]
    made = iter([old])
    monkeypatch.setattr(module, "_client", lambda _: next(made))

    assert sender().deliver([(1, b"{}")]) == 0
    assert old.put_log_events.call_count == 2
