"""Sessions for other accounts: roles are assumed when needed, renewed in time, and refused in words."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import botocore.credentials
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from logship.cloudwatch.client import explained, is_retriable, logs_client, translate
from logship.cloudwatch.paging import Retry
from logship.cloudwatch.session import account_of, open_client, open_session
from logship.errors import AccessError, ConnectError, UsageError
from logship.forward.checkpoints.dynamodb import dynamodb_client
from tests import fake_aws

if TYPE_CHECKING:
    from collections.abc import Iterator

ROLE = "arn:aws:iam::210987654321:role/logship-reader"


@pytest.fixture
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_aws.use_credentials(monkeypatch)


@pytest.fixture
def _moto(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with fake_aws.moto(monkeypatch):
        yield


@pytest.mark.usefixtures("_moto")
def test_a_role_is_assumed_in_its_account() -> None:
    """Calls are made as the role, in the region that was asked for, by clients that try once."""
    session = open_session(region="eu-central-1", role=ROLE, external_id="example")
    client = open_client("sts", session)
    identity = client.get_caller_identity()

    assert (identity["Account"], identity["Arn"].split(":", 5)[5]) == (
        "210987654321",
        "assumed-role/logship-reader/logship",
    )
    assert client.meta.region_name == "eu-central-1"
    assert open_client("sts", open_session()).get_caller_identity()["Account"] == "123456789012"


@pytest.mark.usefixtures("_moto")
def test_a_role_reads_the_logs_of_its_account() -> None:
    """A log group of the other account is found with the role alone."""
    logs_client(role=ROLE).create_log_group(logGroupName="/theirs")
    found = [logs_client(role=role).describe_log_groups()["logGroups"] for role in (ROLE, "")]

    assert [len(groups) for groups in found] == [1, 0]


@pytest.mark.usefixtures("_moto")
def test_credentials_are_renewed_before_they_expire(monkeypatch: pytest.MonkeyPatch) -> None:
    """A role is assumed once for all calls, and again when its credentials have little time left."""
    credentials = open_session(role=ROLE).get_credentials()
    keys = [credentials.get_frozen_credentials().access_key for _ in range(2)]

    def later() -> datetime:
        return datetime.now(UTC) + timedelta(minutes=50)

    monkeypatch.setattr(botocore.credentials, "_local_now", later)
    monkeypatch.setattr(credentials, "_time_fetcher", later)
    keys.append(credentials.get_frozen_credentials().access_key)

    assert (keys[0] == keys[1], keys[0] == keys[2]) == (True, False)


@pytest.mark.usefixtures("_credentials")
def test_a_refused_role_is_an_access_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """What STS says of a role that may not be assumed arrives with the call that needed it, as exit code 4."""
    refusal = (
        b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>not authorized to perform sts:AssumeRole</Message>"
        b"</Error></ErrorResponse>"
    )
    with fake_aws.endpoint(lambda _: (403, refusal)) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        client = logs_client(role=ROLE)
        with pytest.raises(AccessError, match="sts:AssumeRole"), explained():
            client.describe_log_groups()


@pytest.mark.usefixtures("_credentials")
def test_a_refused_role_asks_for_no_other_permission(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is leave to take on the role, whichever call and policy the role would have been for."""
    refusal = (
        b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>User: x is not authorized to perform: "
        b"sts:AssumeRole on resource: " + ROLE.encode() + b"</Message></Error></ErrorResponse>"
    )
    with fake_aws.endpoint(lambda _: (403, refusal)) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        client = logs_client(role=ROLE)
        with pytest.raises(AccessError) as caught:
            Retry(tries=1).call("listing log groups", client.describe_log_groups, needs={"Action": "logs:Describe"})

    assert f'{{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "{ROLE}"}}' in str(caught.value)
    assert "trust policy" in str(caught.value)
    assert "logs:" not in str(caught.value)


@pytest.mark.usefixtures("_credentials")
@pytest.mark.parametrize("status", [200, 403, 503])
def test_what_answers_in_place_of_sts_may_go_away(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """A proxy's page, or another service, is nothing to end with a defect for: the call is made again."""
    with fake_aws.endpoint(lambda _: (status, b"<!doctype html><p>try later")) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        client = logs_client(role=ROLE)
        with pytest.raises(BotoCoreError) as caught:
            client.describe_log_groups()

    assert is_retriable(caught.value)
    failure = translate(caught.value, "listing log groups")
    assert isinstance(failure, ConnectError)
    assert "no service of AWS; check AWS_ENDPOINT_URL" in str(failure)


@pytest.mark.usefixtures("_credentials")
@pytest.mark.parametrize("page", [b"<html>welcome", b"[]", b'"x"'])
@pytest.mark.parametrize(
    ("service", "call", "arguments"),
    [
        ("dynamodb", "describe_table", {"TableName": "shop"}),
        ("kinesis", "list_shards", {"StreamName": "shop"}),
        ("sqs", "receive_message", {"QueueUrl": "https://sqs.eu-west-1.amazonaws.com/123456789012/q"}),
    ],
)
def test_a_page_is_no_answer_that_has_nothing_in_it(
    monkeypatch: pytest.MonkeyPatch, service: str, call: str, arguments: dict[str, str], page: bytes
) -> None:
    """A queue is not taken for empty, nor does a missing field end in a defect, because a proxy has said 200."""
    with fake_aws.endpoint(lambda _: (200, page)) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        monkeypatch.setenv("AWS_REGION", "eu-west-1")
        shared = service == "dynamodb"
        client = dynamodb_client() if shared else open_client(service, open_session())
        with pytest.raises(ConnectError, match="no service of AWS; check AWS_ENDPOINT_URL"), explained("it"):
            getattr(client, call)(**arguments)


@pytest.mark.usefixtures("_credentials")
def test_what_is_no_role_is_said() -> None:
    """An ARN of something else is a usage error with the shape of the right one."""
    assert account_of(ROLE) == "210987654321"
    with pytest.raises(UsageError, match="arn:aws:iam::123456789012:role/NAME"):
        open_session(role="arn:aws:iam::210987654321:user/x")


def test_no_credentials_are_said() -> None:
    """Without any credentials the remedy is named before the first call."""
    with pytest.raises(AccessError, match="attach a role"):
        open_session(region="eu-west-1")


@pytest.mark.usefixtures("_credentials")
@pytest.mark.parametrize("url", ["localhost:4566", "http://", "http://127.0.0.1:x", "http://127.0.0.1:99999"])
def test_an_endpoint_that_is_no_url_is_said(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a usage error with the value, its variable and a right one."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    with pytest.raises(UsageError, match=r"http://localhost:4566") as told:
        logs_client()

    assert str(told.value).startswith(f"AWS_ENDPOINT_URL = {url!r}: ")


@pytest.mark.usefixtures("_credentials")
def test_a_region_that_cannot_be_one_is_said() -> None:
    """It is a usage error with the value and where a region is set."""
    with pytest.raises(UsageError, match=r"'not a region!'; set AWS_REGION, or region under"):
        logs_client(region="not a region!")


@pytest.mark.usefixtures("_credentials")
@pytest.mark.parametrize("status", [302, 403, 404, 501])
def test_a_web_server_is_no_service_of_aws(status: int) -> None:
    """What answers a page of HTML is told of as such, in one line, and where the endpoint is set."""
    with fake_aws.endpoint(lambda _: (status, b"<html>\n<body>nginx</body>\n</html>\n")) as url:
        client = logs_client(endpoint_url=url)
        with pytest.raises(ConnectError, match=rf"HTTP {status}\); check AWS_ENDPOINT_URL"), explained():
            client.describe_log_groups()


@pytest.mark.usefixtures("_credentials")
@pytest.mark.parametrize(
    ("code", "message", "remedy"),
    [
        (
            "InvalidSignatureException",
            "Signature expired: 20261130T07Z is now earlier than 20261130T8Z",
            "clock (NTP)",
        ),
        ("InvalidSignatureException", "Signature not yet current: 20261130T09Z is still later than", "clock (NTP)"),
        ("InvalidSignatureException", "The request signature we calculated does not match", "policy and the region"),
        ("ExpiredTokenException", "The security token included in the request is expired", "renew the credentials"),
        ("AccessDeniedException", "User is not authorized", "policy and the region"),
        ("KMSAccessDeniedException", "not authorized", "kms:Decrypt on the stream's key"),
        ("KmsAccessDenied", "not authorized", "kms:Decrypt on the queue's key"),
        ("KMS.AccessDeniedException", "not authorized", "kms:Decrypt on the queue's key"),
    ],
)
def test_what_mends_a_refusal_is_said(code: str, message: str, remedy: str) -> None:
    """A clock that is wrong, credentials that have expired, a policy and a key have a remedy of their own."""
    body = json.dumps({"__type": code, "message": message}).encode()
    with fake_aws.endpoint(lambda _: (400, body)) as url:
        client = logs_client(endpoint_url=url)
        with pytest.raises(AccessError) as told, explained():
            client.describe_log_groups()

    assert str(told.value).endswith(remedy)


@pytest.mark.usefixtures("_credentials")
@pytest.mark.parametrize(
    "code",
    [
        "KMS.ThrottlingException",
        "KmsThrottled",
        "KMSThrottlingException",
        "ResourceInUseException",
        "RequestThrottledException",
        "RequestTimeout",
        "IDPCommunicationError",
    ],
)
def test_what_passes_by_itself_is_no_usage_error(code: str) -> None:
    """A code of status 400 that AWS documents as passing is tried again, and named as an endpoint's for the moment."""
    body = json.dumps({"__type": code, "message": "later"}).encode()
    with fake_aws.endpoint(lambda _: (400, body)) as url:
        client = logs_client(endpoint_url=url)
        with pytest.raises(ClientError) as refused:
            client.describe_log_groups()
        with pytest.raises(ConnectError, match="try again later"), explained():
            client.describe_log_groups()

    assert is_retriable(refused.value)


_EXPIRED = "still expired"
_AWAY = "container-role: "


@pytest.mark.parametrize(
    ("lasts_s", "words", "remedy"),
    [(-5, _EXPIRED, "set this machine's clock (NTP)"), (300, _AWAY, "or run: aws configure sso")],
    ids=["expired", "away"],
)
def test_credentials_that_cannot_be_renewed_are_waited_for(
    monkeypatch: pytest.MonkeyPatch, lasts_s: int, words: str, remedy: str
) -> None:
    """What gives them out is away, or the clock runs ahead: said, and tried until it passes; else an access error."""
    groups = json.dumps({"logGroups": []}).encode()
    with fake_aws.container(monkeypatch) as container, fake_aws.endpoint(lambda _: (200, groups)) as url:
        client = logs_client(region="eu-west-1", endpoint_url=url)
        container.is_down, container.lasts_s = lasts_s > 0, lasts_s
        with pytest.raises(AccessError, match=words) as told:
            Retry(tries=2).call("groups", client.describe_log_groups)
        said: list[str] = []

        def say(line: str) -> None:
            said.append(line)
            container.is_down, container.lasts_s = False, 300

        found = Retry(say=say).call("groups", client.describe_log_groups)

    assert str(told.value).endswith(remedy)
    assert (found["logGroups"], said) == ([], [f"{told.value}; trying again"])
