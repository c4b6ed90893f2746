"""Clients of CloudWatch Logs, and what the SDK complains about in the words of logship."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from logship.cloudwatch.permissions import allow
from logship.errors import AccessError, ConnectError, LogshipError, UnknownGroupError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ACCESS_CODES: Final = frozenset(
    {
        "AccessDeniedException",
        "AccessDenied",
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "ExpiredTokenException",
        "ExpiredToken",
        "MissingAuthenticationTokenException",
        "IncompleteSignature",
    }
)
_KEYS: Final = {
    "KMSAccessDeniedException": "stream",  # Kinesis
    "KmsAccessDenied": "queue",  # SQS
    "KMS.AccessDeniedException": "queue",  # the same, by the header that names codes as they were before
}
"""Whose key it is that may not be used, by the code that says so."""
_DENIED_CODES: Final = frozenset({"AccessDeniedException", "AccessDenied"})
_ROLE_CALLS: Final = frozenset({"AssumeRole", "AssumeRoleWithWebIdentity", "AssumeRoleWithSAML"})
"""What the SDK asks of STS before the call that it was told to make."""
_ROLE: Final = re.compile(r"sts:AssumeRole on resource: (arn:\S+)")
_EXPIRED_CODES: Final = frozenset({"ExpiredTokenException", "ExpiredToken"})
_OF_CLOCKS: Final = ("Signature expired", "not yet current", "earlier than", "still expired")
"""What AWS says of a request that was signed too long ago, or ahead of its time, by its own clock, and what the SDK
says of credentials that are new and have expired by ours."""
_THROTTLED_CODES: Final = frozenset(
    {"ThrottlingException", "Throttling", "TooManyRequestsException", "LimitExceededException"}
)
_PASSING_CODES: Final = _THROTTLED_CODES | frozenset(
    {
        "ThrottledException",
        "RequestLimitExceeded",
        "RequestThrottledException",
        "ProvisionedThroughputExceededException",  # Kinesis: a shard's share is used up
        "KMSThrottlingException",
        "ResourceInUseException",  # ListShards: the stream is being made or changed
        "KmsThrottled",  # SQS
        "KMS.ThrottlingException",  # the same, by the header that names codes as they were before
        "RequestThrottled",
        "OverLimit",
        "SlowDown",  # S3
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailableException",
        "InternalServerException",
        "OperationAbortedException",  # somebody else changes the same group
        "IDPCommunicationError",  # STS: it could not ask who gave out the web identity
    }
)
NO_AWS: Final = "what answers is no service of AWS"
"""Said of whom credentials were asked, and of whoever answers with no code of AWS."""
_SET_CLOCK: Final = "set this machine's clock (NTP)"
_SERVER_ERROR: Final = 500
_PASSING_STATUS: Final = frozenset({408, 429})
"""What a proxy says of a request that it did not wait for, or of too many, in words of its own."""


def logs_client(
    *, region: str | None = None, endpoint_url: str | None = None, role: str = "", external_id: str = ""
) -> Any:
    """A client that tries each request once; whoever calls it decides about trying again.

    ``AWS_ENDPOINT_URL`` and the SDK's own ways to find region and credentials are honoured; see `open_session`.

    Raises:
        UsageError: no region is known, or the role is none.
        AccessError: no credentials are known.
    """
    from logship.cloudwatch.answers import read_fast
    from logship.cloudwatch.session import open_client, open_session

    session = open_session(region=region, role=role, external_id=external_id)
    client = open_client("logs", session, endpoint_url=endpoint_url)
    read_fast(client)
    return client


@contextmanager
def explained(what: str = "CloudWatch Logs") -> Iterator[None]:
    """Turns the SDK's exceptions into logship's."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise translate(error, what) from error


def translate(error: Exception, what: str, *, needs: Mapping[str, Any] | None = None) -> LogshipError:
    """The error of logship that an exception of the SDK means.

    Args:
        error: what the SDK raised.
        what: was asked for, or whose it is, for the message.
        needs: the statement of a policy that permits the call, which is none of STS for a role.
    """
    from botocore import exceptions as sdk

    if isinstance(error, sdk.ClientError):
        facts = error.response.get("Error", {})
        code, message = facts.get("Code", ""), facts.get("Message", str(error))
        if code in _ACCESS_CODES or code in _KEYS:
            remedy = _access_remedy(code, message, needs, error.operation_name)
            return AccessError(f"{what}: {code}: {message}; {remedy}")
        if code == "ResourceNotFoundException":
            return UnknownGroupError(
                f"{what}: {message.rstrip('.')}; list the groups with: aws logs describe-log-groups"
            )
        if code.isdecimal():  # the SDK takes the HTTP status where an answer is none of AWS
            later = " or try again later" if is_retriable(error) else ""
            return ConnectError(f"{what}: {NO_AWS} (HTTP {code}); check AWS_ENDPOINT_URL{later}")
        if is_retriable(error):
            return ConnectError(f"{what}: {code}: {message}; try again later")
        return UsageError(f"{what}: {code}: {message}")
    if isinstance(error, sdk.NoRegionError):
        return UsageError("no AWS region is known; set AWS_REGION, or region under [[forward.source]]")
    if isinstance(error, sdk.InvalidRegionError):
        return UsageError(
            f"no AWS region is called {error.kwargs['region_name']!r}; "
            "set AWS_REGION, or region under [[forward.source]], to one such as eu-central-1"
        )
    if isinstance(error, (sdk.NoCredentialsError, sdk.PartialCredentialsError, sdk.CredentialRetrievalError)):
        return _without_credentials(f"{what}: {str(error).rstrip('.')}")
    if isinstance(
        error, (sdk.ProfileNotFound, sdk.InvalidEndpointDiscoveryConfigurationError, sdk.ParamValidationError)
    ):
        return UsageError(f"{what}: {' '.join(str(error).split())}")
    return ConnectError(f"{what}: {error}; check AWS_ENDPOINT_URL, the region and the network")


def _without_credentials(failure: str) -> LogshipError:
    if NO_AWS in failure:
        return ConnectError(f"{failure}; check AWS_ENDPOINT_URL and the network")
    is_late = any(words in failure for words in _OF_CLOCKS)
    return AccessError(
        f"{failure}; {_SET_CLOCK if is_late else 'attach a role to the machine, or run: aws configure sso'}"
    )


def _access_remedy(code: str, message: str, needs: Mapping[str, Any] | None, operation: str) -> str:
    if code in _KEYS:
        return f"allow kms:Decrypt on the {_KEYS[code]}'s key"
    if code in _DENIED_CODES and operation in _ROLE_CALLS:
        return _role_remedy(message)
    if needs and code in _DENIED_CODES:
        return f"its policy lacks {json.dumps(needs)}"
    if code in _EXPIRED_CODES:
        return "log in again or renew the credentials"
    if any(words in message for words in _OF_CLOCKS):
        return _SET_CLOCK
    return "check the role's policy and the region"


def _role_remedy(message: str) -> str:
    """Who may take on a role is said by its trust policy, and within an account by the policy of either."""
    role = _ROLE.search(message)
    own = f"its policy lacks {json.dumps(allow('sts:AssumeRole', role[1]))}, or " if role else ""
    return f"{own}the role's trust policy does not name it"


def no_cloudwatch(what: str) -> ConnectError:
    """The error for an answer that CloudWatch Logs would not give: something else listens at the endpoint."""
    return ConnectError(f"{what}: what answers is not CloudWatch Logs; check AWS_ENDPOINT_URL")


def is_denied(error: Exception) -> bool:
    """Whether a policy does not permit the call, and nothing is wrong with who makes it."""
    code = code_of(error)
    return code in _DENIED_CODES or code in _KEYS


def is_throttled(error: Exception) -> bool:
    """Whether the service answers, and others or we ask too much of it just now."""
    return code_of(error) in _THROTTLED_CODES


def code_of(error: Exception) -> str:
    """The code of an answer of AWS that the SDK raises; "" for whatever else it raises."""
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def is_retriable(error: Exception) -> bool:
    """Whether the same request may succeed later.

    Throttling, a server's error, a broken connection, credentials that cannot be renewed now: what gives them out may
    be away for a moment. Those are an AccessError all the same, for whoever gives up.
    """
    from botocore import exceptions as sdk

    if isinstance(error, sdk.ClientError):
        code = error.response.get("Error", {}).get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return code in _PASSING_CODES or status in _PASSING_STATUS or status >= _SERVER_ERROR
    return isinstance(
        error,
        (sdk.HTTPClientError, sdk.ConnectionError, sdk.ResponseStreamingError, sdk.CredentialRetrievalError),
    )
