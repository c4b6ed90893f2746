"""`logship generate agent` and `agent push`: what is written passes the linter, permits little, and works."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moto.server import ThreadedMotoServer

from logship.agent.lint import lint_document
from logship.agent.merge import merge
from logship.cli.agent_push import ADVANCED_BYTES, split
from logship.errors import SettingsError
from logship.generate.agent.config import make
from logship.generate.agent.layers import layers
from logship.generate.agent.snippets import policy
from logship.settings import Agent, Naming, Service, ServiceFile, Settings
from logship_agent_configs import names

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SETTINGS = """
[naming]
app = "shop"
[agent]
region = "eu-west-1"
environment = "prod"
metrics = ["cpu", "procstat:nginx"]
[[service]]
name = "edge"
recipe = "nginx"
host = "web"
[[service]]
name = "db"
recipe = "postgresql"
host = "db"
retention_days = 90
[[service]]
name = "orders"
host = "web"
log_class = "INFREQUENT_ACCESS"
[[service.file]]
path = "/srv/orders/log/*.log"
timestamp = "%Y-%m-%d %H:%M:%S"
timezone = "UTC"
multi_line = "{timestamp_format}"
"""


def logship(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "logship", *arguments]
    return subprocess.run(
        command, cwd=folder, check=False, timeout=60, capture_output=True, text=True, env=os.environ | env
    )


def test_the_written_config_is_the_documented_one(tmp_path: Path) -> None:
    """Byte for byte, with keys in a stable order; a file a role; --check and --diff see what changed."""
    (tmp_path / "logship.toml").write_text(SETTINGS)
    assert logship(tmp_path, "generate", "agent").returncode == 0
    text = (tmp_path / "agent/amazon-cloudwatch-agent-web.json").read_text()
    assert sorted(path.name for path in (tmp_path / "agent").glob("*.json")) == [
        "amazon-cloudwatch-agent-db.json", "amazon-cloudwatch-agent-web.json",
    ]  # fmt: skip
    assert json.loads(text) == {
        "agent": {"region": "eu-west-1", "deployment.environment": "prod"},
        "logs": {
            "logs_collected": {"files": {"collect_list": [
                {"file_path": "/var/log/nginx/access.log", "log_group_name": "/shop/edge",
                 "log_stream_name": "{instance_id}/access", "timestamp_format": "%d/%b/%Y:%H:%M:%S %z",
                 "retention_in_days": 30, "service.name": "edge"},
                {"file_path": "/var/log/nginx/error.log", "log_group_name": "/shop/edge",
                 "log_stream_name": "{instance_id}/error", "timestamp_format": "%Y/%m/%d %H:%M:%S", "timezone": "Local",
                 "multi_line_start_pattern": "{timestamp_format}", "retention_in_days": 30, "service.name": "edge"},
                {"file_path": "/srv/orders/log/*.log", "log_group_name": "/shop/orders",
                 "log_stream_name": "{instance_id}", "timestamp_format": "%Y-%m-%d %H:%M:%S", "timezone": "UTC",
                 "multi_line_start_pattern": "{timestamp_format}", "publish_multi_logs": True,
                 "log_group_class": "INFREQUENT_ACCESS", "service.name": "orders"},
            ]}},
            "force_flush_interval": 5,
        },
        "metrics": {
            "append_dimensions": {"InstanceId": "${aws:InstanceId}"},
            "metrics_collected": {
                "cpu": {"measurement": ["cpu_usage_idle", "cpu_usage_iowait", "cpu_usage_user", "cpu_usage_system"],
                        "totalcpu": True},
                "procstat": [{"exe": "nginx", "measurement": ["cpu_usage", "memory_rss", "pid_count"]}],
            },
        },
    }  # fmt: skip
    assert logship(tmp_path, "generate", "agent", "--check").returncode == 0
    (tmp_path / "logship.toml").write_text(SETTINGS.replace("90", "30"))
    changed = logship(tmp_path, "generate", "agent", "--diff")
    assert (changed.returncode, '+            "retention_in_days": 30,' in changed.stdout) == (1, True)


@pytest.mark.parametrize("system", ["linux", "windows", "darwin"])
def test_all_recipes_together_pass_the_linter(system: Any) -> None:
    """On each system, all that it has in one config: no finding, no stream shared by two files."""
    everything = Settings(
        service=[Service(name=name, recipe=name) for name in names()], agent=Agent(emf=True, traces=True)
    )
    [made] = make(everything, system)
    assert lint_document(json.dumps(made.config).encode(), system=system) == []


LETTERS = st.text(alphabet="abcdefgh-_./0123", min_size=1, max_size=12)
SERVICES = st.builds(
    Service,
    name=LETTERS,
    recipe=st.one_of(st.none(), st.sampled_from(names())),
    host=st.sampled_from(["", "web", "db"]),
    retention_days=st.sampled_from([None, -1, 1, 30, 3653]),
    log_class=st.sampled_from(["", "STANDARD", "INFREQUENT_ACCESS"]),
    file=st.lists(
        st.builds(
            ServiceFile,
            path=st.sampled_from(["/var/log/a.log", "/var/log/b/*.log", "/srv/**/x.log", "/var/log/a.log"]),
            timestamp=st.sampled_from(["", "%Y-%m-%d %H:%M:%S", "%d/%b/%Y:%H:%M:%S %z"]),
            timezone=st.just("UTC"),
            multi_line=st.sampled_from(["", "^\\["]),
            encoding=st.sampled_from(["", "utf-8", "gbk"]),
        ),
        max_size=3,
    ),
)


@given(
    st.lists(SERVICES, min_size=1, max_size=6, unique_by=lambda one: one.name),
    st.sampled_from(["{host}/{pid}", "{host}", "{app}-{host}-{pid}", "{pid}"]),
    st.lists(st.sampled_from(["cpu", "mem", "disk", "net", "swap", "statsd", "procstat:x"]), unique=True),
)
@settings(max_examples=150, deadline=None)
def test_whatever_the_settings_say_the_output_is_good(services: list[Service], stream: str, metrics: list[str]) -> None:
    """No error and no warning of the linter, layers merge to the whole, and no credential is in it."""
    wanted = Settings(naming=Naming(app="shop", stream=stream), service=services, agent=Agent(metrics=metrics))
    try:
        found = make(wanted, "linux")
    except SettingsError:
        return
    for made in found:
        text = json.dumps(made.config)
        assert [one for one in lint_document(text.encode(), system="linux") if one.severity != "hint"] == []
        merged = merge(sorted((name, config) for name, config in layers(made)))
        assert (merged.conflicts, sorted(map(str, entries(merged.config)))) == (
            [],
            sorted(map(str, entries(made.config))),
        )
        assert [word for word in ("aws_secret", "AKIA", "password", "access_key") if word in text] == []


def entries(config: dict[str, Any]) -> Iterator[Any]:
    for section in config["logs"]["logs_collected"].values():
        yield from section["collect_list"]


def test_the_policy_is_for_these_groups_alone() -> None:
    """Every group is named, nothing else, and no action beyond writing logs; metrics only where they are collected."""
    settings_ = Settings(naming=Naming(app="shop"), service=[Service(name="edge", recipe="nginx")])
    made = make(settings_, "linux")
    statements = policy(made, account="123456789012", region="eu-west-1")["Statement"]

    assert {arn for one in statements for arn in one["Resource"]} == {
        "arn:aws:logs:eu-west-1:123456789012:log-group:/shop/edge:*"
    }
    assert {action for one in statements for action in one["Action"]} == {
        "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents", "logs:CreateLogGroup",
        "logs:DescribeLogGroups", "logs:PutRetentionPolicy",
    }  # fmt: skip


def test_extras_are_well_formed(tmp_path: Path) -> None:
    """Each is written, and is what its tool reads; an unknown one is refused with the list."""
    import yaml

    (tmp_path / "logship.toml").write_text(SETTINGS)
    kinds = ("policy", "commands", "systemd", "cloudformation", "terraform", "ansible", "cloud-init")
    flags = [flag for kind in kinds for flag in ("--with", kind)]
    assert logship(tmp_path, "generate", "agent", *flags).returncode == 0
    folder = tmp_path / "agent"
    config = json.loads((folder / "amazon-cloudwatch-agent-web.json").read_text())
    template = json.loads((folder / "agent-parameter-web.template.json").read_text())
    data = yaml.safe_load((folder / "agent-user-data-web.yml").read_text())

    assert json.loads(template["Resources"]["AgentConfig"]["Properties"]["Value"]) == config
    assert json.loads(data["write_files"][0]["content"]) == config
    assert yaml.safe_load((folder / "agent-tasks-web.yml").read_text())[0]["ansible.builtin.copy"]["owner"] == "root"
    assert "-a append-config" in (folder / "agent-commands-web.sh").read_text()
    assert "known are policy" in logship(tmp_path, "generate", "agent", "--with", "chef").stderr


def test_what_logs_in_an_image_is_detected(tmp_path: Path) -> None:
    """Files that are there, a preview of their lines, what may not be read; saved, the user's text stays."""
    root = tmp_path / "image"
    logs = root / "var/log/nginx"
    logs.mkdir(parents=True)
    (logs / "access.log").write_text('203.0.113.7 - - [23/Nov/2026:14:21:05 +0000] "GET / HTTP/1.1" 200 1 "-" "-"\n')
    (logs / "access.log").chmod(0o640)
    (tmp_path / "logship.toml").write_text('# mine\n[naming]\napp = "shop"\n')
    seen = logship(tmp_path, "generate", "agent", "--detect", "--root", str(root))
    assert (seen.returncode, seen.stdout.splitlines()[0]) == (0, "nginx: 1 log files")
    assert "203.0.113.7" in seen.stdout
    assert "cwagent may not read /var/log/nginx/access.log" in seen.stderr

    logship(tmp_path, "generate", "agent", "--detect", "--root", str(root), "--save")
    text = (tmp_path / "logship.toml").read_text()
    assert text.startswith("# mine\n")
    assert 'recipe = "nginx"' in text
    assert logship(tmp_path, "generate", "agent").returncode == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no [[service]] has a recipe"),
        ('[[service]]\nname = "a"\nrecipe = "ngnix"', "did you mean 'nginx'?"),
        ('[[service]]\nname = "a b"\nrecipe = "nginx"', "is not legal"),
        ('[agent]\nmetrics = ["cpus"]\n[[service]]\nname = "a"\nrecipe = "nginx"', "known are cpu"),
        ('[agent]\nregions = "x"', "did you mean 'region'?"),
    ],
)
def test_settings_that_cannot_be_used_are_one_line(tmp_path: Path, text: str, said: str) -> None:
    """Exit status 2, the value and what to do."""
    (tmp_path / "logship.toml").write_text(text)
    done = logship(tmp_path, "generate", "agent")

    assert (done.returncode, said in done.stderr, done.stderr.count("\n")) == (2, True, 1)


def big(entries_: int) -> dict[str, Any]:
    found = [
        {"file_path": f"/var/log/{number}.log", "log_group_name": f"/shop/{number}", "log_stream_name": "{instance_id}",
         "timestamp_format": "%Y-%m-%d %H:%M:%S", "timezone": "UTC"}
        for number in range(entries_)
    ]  # fmt: skip
    return {
        "agent": {"region": "eu-west-1"},
        "logs": {"force_flush_interval": 5, "logs_collected": {"files": {"collect_list": found}}},
    }


@pytest.mark.parametrize("entries_", [1, 40, 60, 200])
def test_parameters_stay_within_their_limits(entries_: int) -> None:
    """Each part fits, is a config of its own, and together they merge to the whole."""
    parts = split(big(entries_), "AmazonCloudWatch-web")

    assert max(len(text.encode()) for _, text in parts) <= ADVANCED_BYTES
    assert [one for _, text in parts for one in lint_document(text.encode()) if one.severity == "error"] == []
    assert merge([(name, json.loads(text)) for name, text in parts]).config == big(entries_)


def test_push_shows_the_difference_and_writes(tmp_path: Path) -> None:
    """Against a parameter store: a dry look, the writing, nothing to do, a change; a config with errors is refused."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    env = {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_DEFAULT_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "t",
           "AWS_SECRET_ACCESS_KEY": "t"}  # fmt: skip
    try:
        file = tmp_path / "a.json"
        file.write_text(json.dumps(big(1)))
        push = ("agent", "push", "a.json", "--parameter", "AmazonCloudWatch-web")
        looked = logship(tmp_path, *push, "--check", **env)
        wrote = logship(tmp_path, *push, "--yes", **env)
        again = logship(tmp_path, *push, "--yes", **env)
        linted = logship(tmp_path, "agent", "lint", "ssm:AmazonCloudWatch-web", **env)
        file.write_text(json.dumps(big(200)))
        grown = logship(tmp_path, *push, "--yes", **env)
        file.write_text('{"logs": {}}')
        refused = logship(tmp_path, *push, "--yes", **env)
        client = boto3.client("ssm", endpoint_url=env["AWS_ENDPOINT_URL"], region_name="eu-west-1",
                              aws_access_key_id="t", aws_secret_access_key="t")  # fmt: skip
        kept = sorted(one["Name"] for one in client.describe_parameters()["Parameters"])
    finally:
        server.stop()

    assert (looked.returncode, "+ /agent/region" in looked.stdout) == (1, True)
    assert [one.returncode for one in (wrote, again, linted, grown, refused)] == [0, 0, 0, 0, 2]
    assert ("up to date" in again.stderr, "append-config" in grown.stderr) == (True, True)
    assert kept[:2] == ["AmazonCloudWatch-web", "AmazonCloudWatch-web-2"]


def test_answers_are_kept(tmp_path: Path) -> None:
    """Questions with defaults; what was answered makes a config, and is not asked again."""
    logs = tmp_path / "image/var/log/nginx"
    logs.mkdir(parents=True)
    (logs / "access.log").write_text("x\n")
    answers = "shop\neu-west-1\ny\ny\n/srv/orders/log/app.log\norders\n\nUTC\n\n"
    command = [sys.executable, "-m", "logship", "generate", "agent", "--interactive", "--root", str(tmp_path / "image")]
    asked = subprocess.run(
        command, cwd=tmp_path, check=False, timeout=60, capture_output=True, text=True, input=answers
    )
    assert (asked.returncode, logship(tmp_path, "generate", "agent").returncode) == (0, 0)
    config = json.loads((tmp_path / "agent/amazon-cloudwatch-agent.json").read_text())
    again = subprocess.run(command, cwd=tmp_path, check=False, timeout=60, capture_output=True, text=True, input="\n")

    assert config["agent"]["region"] == "eu-west-1"
    assert sorted(config["metrics"]["metrics_collected"]) == ["cpu", "disk", "mem"]
    assert [(entry["file_path"], entry["log_group_name"]) for entry in entries(config)] == [
        ("/var/log/nginx/access.log", "/shop/nginx"), ("/var/log/nginx/error.log", "/shop/nginx"),
        ("/srv/orders/log/app.log", "/shop/orders"),
    ]  # fmt: skip
    assert (again.returncode, "nothing to add" in again.stderr) == (0, True)
