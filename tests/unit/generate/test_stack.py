"""What runs a forwarder is written from its settings, byte by byte the same, and permits what they need and no more."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from logship.errors import SettingsError
from logship.generate.container import FILE as CONTAINER
from logship.generate.policy import FILE as POLICY
from logship.generate.stack import Place, stack
from logship.generate.unit import FILE as UNIT
from logship.settings import Forward, Settings, Source, Store, load

GOLDEN = Path(__file__).parent / "golden"
PLACE = Place(version="1.2.3", account="210987654321")
ROLE = "arn:aws:iam::123456789012:role/team/reader"
QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/exports"


@pytest.fixture
def everything() -> dict[str, str]:
    return stack(load(str(GOLDEN / "logship.toml"), environ={}), PLACE)


def files(*sources: Source, store: str = "./data", **forward: Any) -> dict[str, str]:
    return stack(Settings(store=store, forward=Forward(source=list(sources), **forward)), PLACE)


def statements(text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(text)["Statement"]
    return found


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def permits(text: str, action: str, resource: str, **tags: str) -> bool:
    """Whether a policy permits a call, as IAM has it: all but `*` and `?` stands for itself, tags have to match."""
    for statement in statements(text):
        asked = statement.get("Condition", {}).get("StringLike", {})
        fits = all(fnmatchcase(tags.get(key.partition("/")[2], ""), value) for key, value in asked.items())
        if fits and action in listed(statement["Action"]):
            patterns = [pattern.replace("[", "[[]") for pattern in listed(statement["Resource"])]
            if any(fnmatchcase(resource, pattern) for pattern in patterns):
                return True
    return False


@pytest.mark.parametrize("name", [UNIT, CONTAINER, POLICY, "policy-123456789012-team-reader.json"])
def test_every_file_is_the_one_of_before(everything: dict[str, str], name: str) -> None:
    """Golden bytes: a change of what is deployed is seen in a review."""
    golden = (GOLDEN / name).read_bytes().decode()

    assert golden == everything[name]


def test_nothing_else_is_written(everything: dict[str, str]) -> None:
    """A policy for the forwarder, one for each role that it assumes, a unit and a container."""
    assert sorted(everything) == sorted(
        [UNIT, CONTAINER, POLICY, "policy-123456789012-team-reader.json"],
    )


def test_policies_name_what_they_permit(everything: dict[str, str]) -> None:
    """No resource is `*`, no action has a wildcard, no two statements have one name, and IAM's size limit is kept."""
    for name in [name for name in everything if name.endswith(".json")]:
        found = statements(everything[name])
        resources = [resource for one in found for resource in listed(one["Resource"])]
        actions = [action for one in found for action in listed(one["Action"])]

        assert all(re.fullmatch(r"arn:aws:[a-z0-9]+:.*[^:]", resource) for resource in resources)
        assert not [action for action in actions if "*" in action]
        assert len({one["Sid"] for one in found}) == len(found)
        assert len("".join(everything[name].split())) < 6144


def test_every_action_is_one_of_aws(everything: dict[str, str]) -> None:
    """Names of calls are those of the SDK's own models; methods of OpenSearch and listing of S3 IAM alone names so."""
    session, known = botocore.session.get_session(), set[str]()
    for service in ("logs", "kinesis", "sqs", "s3", "sts", "dynamodb"):
        known |= {f"{service}:{name}" for name in session.get_service_model(service).operation_names}
    actions = {
        action
        for name, text in everything.items()
        if name.endswith(".json")
        for one in statements(text)
        for action in listed(one["Action"])
    }

    assert {action for action in actions - known if not action.startswith("es:ESHttp")} == {"s3:ListBucket"}
    assert len(actions & known) >= 18


def test_events_of_wanted_groups_alone_may_be_read() -> None:
    """Names and patterns are those of the settings; the call that lists groups is for the whole region."""
    text = files(Source(region="eu-west-1", groups=["/shop/*", "/edge", "/v[12]/x"]))[POLICY]
    head = "arn:aws:logs:eu-west-1:210987654321:log-group:"
    asked = ["/shop/orders", "/edge", "/v1/x", "/edges", "/other", "/shop"]

    assert [permits(text, "logs:FilterLogEvents", f"{head}{group}:*") for group in asked] == [True] * 3 + [False] * 3
    assert permits(text, "logs:DescribeLogGroups", f"{head}:log-stream:")
    assert not permits(text, "logs:FilterLogEvents", f"{head}/edge:*".replace("eu-west-1", "eu-west-2"))
    assert not permits(text, "logs:StartLiveTail", f"{head}/edge")


def test_tags_narrow_what_may_be_read_and_may_be_asked_for() -> None:
    """Events and Live Tail of groups that have the tags; tags of all of them."""
    text = files(Source(region="us-east-1", tags={"team": "shop*"}, live_tail=True))[POLICY]
    group = "arn:aws:logs:us-east-1:210987654321:log-group:/a"

    assert permits(text, "logs:FilterLogEvents", f"{group}:*", team="shop-2")
    assert permits(text, "logs:StartLiveTail", group, team="shop-2")
    assert not permits(text, "logs:FilterLogEvents", f"{group}:*", team="edge")
    assert permits(text, "logs:ListTagsForResource", group)


def test_what_a_role_reads_stands_in_the_policy_of_the_role() -> None:
    """The forwarder itself may only assume it; linked accounts are any."""
    found = files(Source(region="eu-west-1", role=ROLE), Source(region="eu-west-1", linked_accounts=True))
    other = found["policy-123456789012-team-reader.json"]

    assert permits(found[POLICY], "sts:AssumeRole", ROLE)
    assert permits(other, "logs:FilterLogEvents", "arn:aws:logs:eu-west-1:123456789012:log-group:/a:*")
    assert permits(found[POLICY], "logs:FilterLogEvents", "arn:aws:logs:eu-west-1:555555555555:log-group:/a:*")
    assert not permits(other, "logs:FilterLogEvents", "arn:aws:logs:eu-west-1:555555555555:log-group:/a:*")


@pytest.mark.parametrize(("region", "partition"), [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")])
def test_regions_apart_have_arns_of_their_own(region: str, partition: str) -> None:
    """China and GovCloud are partitions."""
    text = files(Source(region=region, groups=["/a"]), checkpoints="dynamodb:marks")[POLICY]

    assert f"arn:{partition}:logs:{region}:210987654321:log-group:/a:*" in text
    assert f"arn:{partition}:dynamodb:{region}:210987654321:table/marks" in text


def test_without_a_source_every_group_is_read() -> None:
    """As `logship forward` does with such settings."""
    assert permits(files()[POLICY], "logs:FilterLogEvents", "arn:aws:logs:eu-west-1:210987654321:log-group:/a:*")


def test_deliveries_of_firehose_need_no_permission() -> None:
    """A policy with nothing in it is not written: IAM takes none."""
    found = files(Source(type="firehose"))

    assert sorted(found) == [CONTAINER, UNIT]
    assert "logship[firehose,local,metrics]==1.2.3" in found[CONTAINER]
    assert "EXPOSE 8088 9404" in found[CONTAINER]


def test_an_object_that_is_gone_is_told_from_one_that_is_forbidden() -> None:
    """S3 does so for whoever may list the bucket."""
    text = files(Source(type="s3", queue=QUEUE, buckets=["exports"]))[POLICY]

    assert permits(text, "s3:GetObject", "arn:aws:s3:::exports/2026/x.gz")
    assert permits(text, "s3:ListBucket", "arn:aws:s3:::exports")
    assert not permits(text, "s3:ListBucket", "arn:aws:s3:::exports-2")


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        (Source(type="s3", queue=QUEUE), "forward.source[0].buckets is missing"),
        (Source(type="s3", queue="http://127.0.0.1/1/q", buckets=["b"]), "forward.source[0].queue = 'http://127"),
        (Source(type="kinesis"), "forward.source[0].stream is missing"),
    ],
)
def test_what_cannot_be_permitted_exactly_is_refused(source: Source, complaint: str) -> None:
    """Better no policy than one for everything: the key is named, with what to write."""
    with pytest.raises(SettingsError, match=re.escape(complaint)):
        files(source)


def test_an_account_has_twelve_digits() -> None:
    """What goes into ARNs is checked."""
    with pytest.raises(SettingsError, match="--account '12' is no number"):
        stack(Settings(), Place(version="1", account="12"))


@pytest.mark.parametrize(
    ("store", "resource"),
    [
        ("https://vpc-my-logs-abc123.eu-west-1.es.amazonaws.com", "arn:aws:es:eu-west-1:210987654321:domain/my-logs/*"),
        ("https://abc123.us-east-1.aoss.amazonaws.com", "arn:aws:aoss:us-east-1:210987654321:collection/abc123"),
    ],
)
def test_a_store_of_aws_may_be_written(store: str, resource: str) -> None:
    """The domain or collection that its address tells; one with a password needs no permission."""
    found = files(store=store)
    plain = Settings(store="x", stores={"x": Store(location=store, username="u", password="env:P")})

    assert [one["Resource"] for one in statements(found[POLICY]) if one["Sid"] == "Store"] == [resource]
    assert '"Store"' not in stack(plain, PLACE)[POLICY]
    assert "logship[metrics,opensearch]==" in found[CONTAINER]


def test_the_unit_passes_systemd(tmp_path: Path) -> None:
    """`systemd-analyze verify` has nothing to say, where there is systemd; the same directives are there anyway."""
    program = tmp_path / "bin dir/logship"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    sources = [Source(type="firehose", listen="0.0.0.0:443")]
    settings = Settings(store="/srv/lo gs", forward=Forward(state="/srv/100%/state", source=sources))
    text = stack(settings, Place(version="1", program=str(program)))[UNIT]
    (tmp_path / UNIT).write_text(text, encoding="utf-8")

    assert {"Type=notify", "WatchdogSec=60", "DynamicUser=yes", "User=logship"} & set(text.splitlines()) == {
        "Type=notify", "WatchdogSec=60", "User=logship"
    }  # fmt: skip
    assert 'ReadWritePaths=/srv/100%%/state "/srv/lo gs"' in text.splitlines()
    assert "AmbientCapabilities=CAP_NET_BIND_SERVICE" in text
    if shutil.which("systemd-analyze"):
        verified = ["systemd-analyze", "verify", "--man=no", str(tmp_path / UNIT)]
        done = subprocess.run(verified, capture_output=True, text=True, timeout=60, check=False, env=dict(os.environ))
        assert (done.stderr, done.returncode) == ("", 0)


@pytest.mark.parametrize(
    ("state", "dynamic"),
    [("./state", True), ("/var/lib/logship", True), ("/var/lib/logship/x", True), ("../x", False), ("/srv/x", False)],
)
def test_folders_elsewhere_belong_to_a_user_that_stays(state: str, dynamic: bool) -> None:
    """Below /var/lib/logship systemd makes a user for the service; other folders are opened for writing."""
    lines = files(state=state)[UNIT].splitlines()

    assert ("DynamicUser=yes" in lines, any(line.startswith("ReadWritePaths=") for line in lines)) == (
        dynamic,
        not dynamic,
    )


@pytest.mark.parametrize(
    ("listen", "health"),
    [
        ("127.0.0.1:9404", ("127.0.0.1", 9404)),
        ("0.0.0.0:80", ("127.0.0.1", 80)),
        ("[::]:9404", ("::1", 9404)),
        ("", None),
        ("127.0.0.1:0", None),
    ],
)
def test_the_container_is_asked_where_it_listens(listen: str, health: tuple[str, int] | None) -> None:
    """From inside; a forwarder that serves no health, or on a port that nobody knows, is not asked."""
    text = files(listen=listen)[CONTAINER]
    found = re.search(r'HTTPConnection\(\\"(.+?)\\", (\d+),', text)

    assert (health is None, (found[1], int(found[2])) if found else None) == ("HEALTHCHECK NONE" in text, health)


def test_variables_of_references_are_named(everything: dict[str, str]) -> None:
    """The environment file is to hold what the settings refer to; values stand nowhere."""
    assert "# The settings refer to these variables, a NAME=value each: FIREHOSE_KEY\n" in everything[UNIT]


def test_a_store_that_the_machine_names_may_be_either() -> None:
    """`store = "env:NAME"` is not resolved here: both engines are installed."""
    found = files(store="env:WHERE")

    assert "logship[local,metrics,opensearch]==" in found[CONTAINER]
    assert "NAME=value each: WHERE\n" in found[UNIT]
