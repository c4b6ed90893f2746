"""Sessions for other accounts: roles are assumed when needed, renewed in time, and refused in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import botocore.credentials
import pytest

from logship.cloudwatch.client import explained, logs_client
from logship.cloudwatch.session import account_of, open_client, open_session
from logship.errors import AccessError, UsageError
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
def test_what_is_no_role_is_said() -> None:
    """An ARN of something else is a usage error with the shape of the right one."""
    assert account_of(ROLE) == "210987654321"
    with pytest.raises(UsageError, match="arn:aws:iam::123456789012:role/NAME"):
        open_session(role="arn:aws:iam::210987654321:user/x")


def test_no_credentials_are_said() -> None:
    """Without any credentials the remedy is named before the first call."""
    with pytest.raises(AccessError, match="attach a role"):
        open_session(region="eu-west-1")
