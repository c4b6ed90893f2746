"""AWS calls through boto3: one ``call`` record each, retries within it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from logship.handler.completion import CALL_LOGGER, Completion, logger_of
from logship.handler.propagation import XRAY, outgoing
from logship.record import PEER

if TYPE_CHECKING:
    import logging

_KEY: Final = "logship_call"


def instrument(client: Any, *, logger: logging.Logger | str = CALL_LOGGER) -> Any:
    """Make a client, or all that a session makes from now on, write a record for each call; returns it.

    Args:
        client: a boto3 client, ``resource.meta.client``, or a ``boto3.Session``.
        logger: where records go; without a level of its own it is set to INFO.
    """
    where = logger_of(logger)
    events = client.events if hasattr(client, "events") else client.meta.events

    def begins(model: Any, params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        span, headers = outgoing(params["headers"].get)
        if XRAY in headers:
            params["headers"][XRAY] = headers[XRAY]
        service = model.service_model.service_id
        completion = Completion(where, "call", span, "AWS", "", operation=f"{service}.{model.name}")
        completion.more |= {
            "rpc.system": "aws-api",
            "rpc.service": str(service),
            "rpc.method": model.name,
            "server.address": urlsplit(params["url"]).hostname or "",
            PEER: f"aws.{model.service_model.endpoint_prefix}",
        }
        context[_KEY] = completion

    def ends(parsed: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        completion = context.pop(_KEY, None)
        if completion is None:
            return
        about = parsed.get("ResponseMetadata", {})
        completion.status = about.get("HTTPStatusCode")
        completion.more |= {"aws.request_id": about.get("RequestId", ""), "aws.retries": about.get("RetryAttempts", 0)}
        if code := parsed.get("Error", {}).get("Code"):
            completion.outcome = completion.more["error.type"] = code
        completion.write()

    def failed(exception: BaseException, context: dict[str, Any], **_: Any) -> None:
        completion = context.pop(_KEY, None)
        if completion is not None:
            completion.write(exception)

    for event, handler in (("before-call", begins), ("after-call", ends), ("after-call-error", failed)):
        events.register(event, handler, unique_id=f"logship-{event}")
    return client
