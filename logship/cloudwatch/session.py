"""Sessions of the SDK for a region and, where logs lie in another account, for a role that is assumed there."""

from __future__ import annotations

import os
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

from logship.cloudwatch.client import NO_AWS, explained
from logship.errors import AccessError, UsageError
from logship.validation import ROLE

_TIMEOUT_S: Final = 5
_BAD_STATUS: Final = 300


def open_session(*, region: str | None = None, role: str = "", external_id: str = "") -> Any:
    """A session; credentials of an assumed role are fetched on first use and renewed before they expire.

    Args:
        region: None takes ``AWS_REGION``, then the SDK's own choice.
        role: ARN of the role to assume; empty takes the credentials as they are found.
        external_id: what the role's trust policy asks for, if it does.

    Raises:
        UsageError: the ARN is none of a role.
        AccessError: no credentials are known.
    """
    from logship.cloudwatch.sdk import new_session

    with explained("AWS"):
        session = new_session(region=region)
        if session.get_credentials() is None:
            raise AccessError(
                "no AWS credentials were found; on AWS attach a role to the machine, elsewhere run: aws configure sso"
            )
        _name_failures(session.get_credentials())
    return _assume(session, role, external_id) if role else session


def account_of(role: str) -> str:
    """The account that a role belongs to; "" for no role.

    Raises:
        UsageError: the ARN is none of a role.
    """
    if not role:
        return ""
    found = ROLE.match(role)
    if not found:
        raise UsageError(f"role {role!r} is no ARN of a role; write arn:aws:iam::123456789012:role/NAME")
    return found[1]


def open_client(service: str, session: Any, *, read_timeout_s: float = 30, endpoint_url: str | None = None) -> Any:
    """A client that tries each request once; whoever calls it decides about trying again.

    Raises:
        UsageError: no region is known, or the region or the endpoint cannot be one.
    """
    from botocore.config import Config

    config = Config(
        retries={"total_max_attempts": 1, "mode": "standard"}, connect_timeout=_TIMEOUT_S, read_timeout=read_timeout_s
    )
    try:
        with explained(service):
            client = session.client(service, endpoint_url=endpoint_url, config=config)
        _ = urlsplit(client.meta.endpoint_url).port  # which the SDK looks at when it sends
    except ValueError as error:
        url = endpoint_url or os.environ.get("AWS_ENDPOINT_URL")
        place = f"AWS_ENDPOINT_URL = {url!r}: " if url else ""
        raise UsageError(f"{place}{error}; write a whole URL, such as http://localhost:4566") from None
    if service != "logs":  # whose answers are looked at where they are read
        refuse_pages(client)
    return client


def refuse_pages(client: Any) -> None:
    """Has a client raise a `BotoCoreError` for a good answer that is not of its service, if that speaks JSON."""
    if client.meta.service_model.resolved_protocol == "json":
        client.meta.events.register("before-parse", _check_answer)


def _check_answer(response_dict: dict[str, Any], **_: Any) -> None:
    """The SDK reads a proxy's page as an answer that has nothing in it: an empty queue, a field that is missing."""
    from botocore.exceptions import BotoCoreError

    body = response_dict["body"].lstrip()
    if response_dict["status_code"] < _BAD_STATUS and body and not body.startswith(b"{"):
        error = BotoCoreError()
        error.args = (NO_AWS,)
        raise error


def _name_failures(credentials: Any) -> None:
    """Has credentials that cannot be renewed raise the same, whatever is wrong.

    New ones that have expired, which is what a clock that runs ahead does, are a RuntimeError of the SDK, and an answer
    that is none of STS, such as a proxy's, is an exception of its parsers: nobody can tell them from a defect.
    """
    from botocore.credentials import RefreshableCredentials
    from botocore.exceptions import CredentialRetrievalError
    from botocore.parsers import ResponseParserError

    if not isinstance(credentials, RefreshableCredentials):
        return
    refresh = credentials._refresh  # noqa: SLF001 - where all ways to the keys meet

    def named() -> None:
        try:
            refresh()
        except RuntimeError as error:
            raise CredentialRetrievalError(provider=credentials.method, error_msg=error) from error
        except ResponseParserError as error:
            raise CredentialRetrievalError(provider=credentials.method, error_msg=NO_AWS) from error

    credentials._refresh = named  # noqa: SLF001


def _assume(session: Any, role: str, external_id: str) -> Any:
    """A session with the credentials of a role, which another session may assume."""
    import boto3
    from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials

    from logship.cloudwatch.sdk import core_session

    account_of(role)
    with explained(f"role {role!r}"):
        source = core_session()
        fetcher = AssumeRoleCredentialFetcher(
            client_creator=partial(source.create_client, region_name=session.region_name),
            source_credentials=session.get_credentials(),
            role_arn=role,
            extra_args={"RoleSessionName": "logship"} | ({"ExternalId": external_id} if external_id else {}),
        )
        assumed = core_session()
        # The public way to give a session credentials takes keys, which would not be renewed.
        assumed._credentials = DeferredRefreshableCredentials(  # noqa: SLF001
            refresh_using=fetcher.fetch_credentials, method="assume-role"
        )
        _name_failures(assumed.get_credentials())
        return boto3.session.Session(botocore_session=assumed, region_name=session.region_name)
