"""`logship agent` as people run it: what is said, what is written, and the exit status."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from logship.agent.compare import differences
from logship.agent.legacy import convert
from logship.agent.lint import lint_document

if TYPE_CHECKING:
    from pathlib import Path

ENTRY = {"file_path": "/var/log/app.log", "log_group_name": "/shop/app", "log_stream_name": "{hostname}"}


def config(**more: Any) -> dict[str, Any]:
    return {"logs": {"logs_collected": {"files": {"collect_list": [{**ENTRY, **more}]}}}}


def agent(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "logship", "agent", *map(str, arguments)]
    return subprocess.run(command, check=False, timeout=60, capture_output=True, text=True)


BROKEN = {
    "comment": (b'{\n  // mine\n  "logs": {}\n}', 2, "json-comment", "delete the comment"),
    "comma": (b'{"agent": {"region": "x",}}', 1, "json-trailing-comma", "delete the comma"),
    "bom": (b'\xef\xbb\xbf{"agent": {}}', 1, "file-encoding", "without a byte-order mark"),
    "utf-16": ('{"agent": {}}'.encode("utf-16"), 1, "file-encoding", "UTF-8"),
    "yaml": (b"logs:\n  logs_collected:\n", 1, "json-syntax", "YAML"),
    "empty": (b"", 1, "json-syntax", "empty"),
    "cut": (b'{"agent": {\n"region": "x"', 2, "json-syntax", "ends where"),
    "quotes": (b"{'agent': 1}", 1, "json-syntax", "double quotes"),
    "list": (b"[]", 1, "json-syntax", "a config is an object"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_text_that_is_no_config_is_told_in_words(tmp_path: Path, name: str) -> None:
    """With file, line and remedy; the exit status is that of an error."""
    data, line, rule, remedy = BROKEN[name]
    file = tmp_path / "a.json"
    file.write_bytes(data)
    done = agent("lint", file)

    assert done.returncode == 1
    assert done.stdout.startswith(f"{file}:{line}:")
    assert (f" {rule}: " in done.stdout, remedy in done.stdout, "Traceback" in done.stderr) == (True, True, False)


def test_what_cannot_be_read_is_no_finding(tmp_path: Path) -> None:
    """A missing file, a huge one and a folder without configs: exit status 5 and one line."""
    huge = tmp_path / "huge.json"
    huge.write_bytes(b" " * 5_000_000)
    (tmp_path / "none").mkdir()
    for name in (tmp_path / "missing.json", huge, tmp_path / "none"):
        done = agent("lint", name)
        assert (done.returncode, done.stdout, done.stderr.count("\n"), str(name) in done.stderr) == (5, "", 1, True)


def test_findings_have_places_in_every_form(tmp_path: Path) -> None:
    """JSON as documented, SARIF, annotations of GitHub: the same finding at the same place."""
    file = tmp_path / "a.json"
    file.write_text(json.dumps(config(retention_in_days="30"), indent=2))
    line = file.read_text()[: file.read_text().index('"retention')].count("\n") + 1
    told = {form: agent("lint", file, "--format", form) for form in ("json", "sarif", "github", "text")}
    [finding] = json.loads(told["json"].stdout)["findings"]
    [result] = json.loads(told["sarif"].stdout)["runs"][0]["results"]

    assert [done.returncode for done in told.values()] == [1] * 4
    assert {name: finding[name] for name in ("file", "path", "line", "column", "rule", "severity")} == {
        "file": str(file), "path": "/logs/logs_collected/files/collect_list/0/retention_in_days", "line": line,
        "column": 13, "rule": "wrong-type", "severity": "error",
    }  # fmt: skip
    assert (result["ruleId"], result["locations"][0]["physicalLocation"]["region"]["startLine"]) == ("wrong-type", line)
    assert told["github"].stdout.startswith(f"::error file={file},line={line},col=13,title=wrong-type::")


def test_fix_writes_what_is_surely_meant(tmp_path: Path) -> None:
    """Renamed keys, numbers without quotes, commas and comments; the rest of the text stays byte for byte."""
    file = tmp_path / "a.json"
    file.write_text(
        '{\n  // old\n  "logs": {"logs_collected": {"files": {"collect_list": [\n'
        '    {"file_path":   "/var/log/a.log", "datetime_format": "%Y-%m-%d", "timezone": "utc",\n'
        '     "log_group_name": "/a", "retention_in_days": "30",}\n  ]}}}\n}\n'
    )
    done = agent("lint", file, "--fix")
    text = file.read_text()

    assert (done.returncode, "fixes" in done.stderr) == (0, True)
    assert '    {"file_path":   "/var/log/a.log", "timestamp_format": "%Y-%m-%d", "timezone": "UTC",\n' in text
    assert json.loads(text)["logs"]["logs_collected"]["files"]["collect_list"][0]["retention_in_days"] == 30
    assert lint_document(text.encode()) == []


def test_a_folder_is_linted_whole(tmp_path: Path) -> None:
    """A hundred good configs in a folder: nothing on stdout, and how many there were on stderr."""
    for number in range(100):
        entries = [
            {**ENTRY, "file_path": f"/var/log/{number}-{one}.log", "log_stream_name": f"{one}"} for one in range(10)
        ]
        text = json.dumps({"logs": {"logs_collected": {"files": {"collect_list": entries}}}}, indent=2)
        (tmp_path / f"{number}.json").write_text(text)
    done = agent("lint", tmp_path)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "100 files: nothing to complain about\n")


def test_versions_and_systems(tmp_path: Path) -> None:
    """Unknown keys of a later agent are warnings; what an older one or the system has not got is told."""
    file = tmp_path / "a.json"
    file.write_text(json.dumps(config(brand_new=True)))
    assert (agent("lint", file).returncode, agent("lint", file, "--agent-version", "1.400000").returncode) == (1, 0)
    journal = {"logs": {"logs_collected": {"journald": {"collect_list": [{"log_group_name": "/j"}]}}}}
    file.write_text(json.dumps(journal))

    assert agent("lint", file, "--agent-version", "1.300069").returncode == 1
    assert "collects nothing on windows" in agent("lint", file, "--os", "windows").stdout


def test_merge_says_who_says_what(tmp_path: Path) -> None:
    """The merged config on stdout; a conflict names both files and values, and nothing is printed."""
    one, two = tmp_path / "a.json", tmp_path / "b.json"
    one.write_text(json.dumps({"agent": {"metrics_collection_interval": 5}, **config()}))
    two.write_text(json.dumps(config(file_path="/var/log/b.log")))
    merged = agent("merge", one, two)
    paths = [
        entry["file_path"] for entry in json.loads(merged.stdout)["logs"]["logs_collected"]["files"]["collect_list"]
    ]
    two.write_text(json.dumps({"agent": {"metrics_collection_interval": 15}}))
    refused = agent("merge", one, two)

    assert (merged.returncode, paths) == (0, ["/var/log/app.log", "/var/log/b.log"])
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "a.json says 5, b.json says 15" in refused.stderr
    assert agent("lint", one, two, "--merged").returncode == 1


def test_diff_is_by_meaning(tmp_path: Path) -> None:
    """The order of keys and entries is no difference; a changed option is one line with its entry."""
    other = config(file_path="/b.log")["logs"]["logs_collected"]["files"]["collect_list"]
    before, after = config(), config(retention_in_days=7)
    after["logs"]["logs_collected"]["files"]["collect_list"].insert(0, other[0])
    before["logs"]["logs_collected"]["files"]["collect_list"].append(dict(reversed(other[0].items())))
    one, two = tmp_path / "a.json", tmp_path / "b.json"
    one.write_text(json.dumps(before))
    two.write_text(json.dumps(after))
    done = agent("diff", one, two)

    assert done.stdout == "+ /logs/logs_collected/files/collect_list[/var/log/app.log]/retention_in_days: 7\n"
    assert (done.returncode, list(differences(before, before))) == (1, [])


def test_preview_shows_files_events_and_times(tmp_path: Path) -> None:
    """Which file is read, how events are cut, which times are read, where they go."""
    logs = tmp_path / "var/log"
    logs.mkdir(parents=True)
    (logs / "app.log.1").write_text("old\n")
    (logs / "app.log").write_text(
        "2026-11-23 10:00:00,123 ERROR broken\nTraceback:\n  x\n2026-11-23 10:00:01,000 INFO ok\n"
    )
    file = tmp_path / "a.json"
    wanted = {"file_path": "/var/log/app.log*", "timestamp_format": "%Y-%m-%d %H:%M:%S,%f", "timezone": "UTC",
              "multi_line_start_pattern": "{timestamp_format}", "log_stream_name": "{instance_id}"}  # fmt: skip
    file.write_text(json.dumps(config(**wanted)))
    shown = json.loads(
        agent("preview", file, "--root", tmp_path, "--set", "instance_id=i-7", "--format", "json").stdout
    )
    [entry] = shown["entries"]

    assert (sorted(entry["files"]), entry["tailed"]) == (
        ["/var/log/app.log", "/var/log/app.log.1"],
        ["/var/log/app.log"],
    )
    assert [(event["text"].count("\n"), event["time"]) for event in entry["events"]] == [
        (2, "2026-11-23T10:00:00.123000+00:00"), (0, "2026-11-23T10:00:01+00:00"),
    ]  # fmt: skip
    assert (entry["group"], entry["stream"], entry["undated"]) == ("/shop/app", "i-7", 0)
    assert "publish_multi_logs" in entry["notes"][0]
    assert "(+2 lines)" in agent("preview", file, "--root", tmp_path).stdout


def test_preview_sees_lines_that_look_like_metrics(tmp_path: Path) -> None:
    """A line of EMF turns the whole stream into metrics, which no config shows; preview says so."""
    (tmp_path / "app.log").write_text('{"_aws": {"CloudWatchMetrics": []}, "x": 1}\n')
    file = tmp_path / "a.json"
    file.write_text(json.dumps(config(file_path=str(tmp_path / "app.log"))))

    assert "look like EMF" in agent("preview", file).stdout


AWSLOGS = """
[general]
state_file = /var/awslogs/state/agent-state
[/var/log/app.log]
file = /var/log/app.log
datetime_format = %d/%b/%Y:%H:%M:%S %z
time_zone = UTC
multi_line_start_pattern = {datetime_format}
log_group_name = /shop/app
log_stream_name = {instance_id}
initial_position = end_of_file
buffer_duration = 5000
encoding = utf_8
"""
PLUGIN = {
    "IsEnabled": True,
    "EngineConfiguration": {
        "Components": [
            {"Id": "Sys", "FullName": "AWS.EC2.Windows.CloudWatch.EventLog.EventLogInputComponent,AWS.EC2.Windows.CloudWatch",
             "Parameters": {"LogName": "System", "Levels": "3"}},
            {"Id": "Custom", "FullName": "AWS.EC2.Windows.CloudWatch.CustomLog.CustomLogInputComponent,AWS.X",
             "Parameters": {"LogDirectoryPath": "C:\\Logs\\", "TimestampFormat": "MM/dd/yyyy HH:mm:ss",
                            "TimeZoneKind": "UTC", "Encoding": "UTF-8", "Filter": "*.log"}},
            {"Id": "Out", "FullName": "AWS.EC2.Windows.CloudWatch.CloudWatchLogsOutput,AWS.X",
             "Parameters": {"Region": "eu-west-1", "LogGroup": "/win", "LogStream": "{instance_id}", "AccessKey": "k"}},
        ],
        "Flows": {"Flows": ["(Sys,Custom),Out"]},
    },
}  # fmt: skip


def test_old_configs_are_taken_over(tmp_path: Path) -> None:
    """awslogs.conf and the SSM plugin's JSON become configs that pass the linter; keys of theirs never do."""
    (tmp_path / "awslogs.conf").write_text(AWSLOGS)
    done = agent("import-legacy", tmp_path / "awslogs.conf")
    [entry] = json.loads(done.stdout)["logs"]["logs_collected"]["files"]["collect_list"]
    made = convert(json.dumps(PLUGIN), "x")
    collected = made.config["logs"]["logs_collected"]

    assert (entry["timestamp_format"], entry["multi_line_start_pattern"], entry["timezone"], entry["encoding"]) == (
        "%d/%b/%Y:%H:%M:%S %z", "{timestamp_format}", "UTC", "utf-8",
    )  # fmt: skip
    assert ("initial_position" in done.stderr, "buffer_duration" in done.stderr) == (True, True)
    assert collected["windows_events"]["collect_list"][0]["event_levels"] == ["ERROR", "WARNING"]
    assert collected["files"]["collect_list"][0]["timestamp_format"] == "%m/%d/%Y %H:%M:%S"
    assert "access keys" in made.warnings[0]
    for text in (done.stdout, json.dumps(made.config)):
        assert [one.message for one in lint_document(text.encode()) if one.severity == "error"] == []
    assert agent("import-legacy", __file__).returncode == 5
