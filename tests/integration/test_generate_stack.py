"""`logship generate stack` as people call it, and what it wrote at work."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from logship.cli.main import logship
from logship.forward.outside.http import serving
from logship.generate.container import container
from logship.settings import Forward
from tests.forward_status import status

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = '[[forward.source]]\nregion = "eu-west-1"\ngroups = ["{group}"]\n'


def generate(*flags: str) -> Result:
    return CliRunner().invoke(logship, ["generate", "stack", *flags], standalone_mode=False)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "logship.toml").write_text(SETTINGS.format(group="/a"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_files_follow_the_settings_and_edits_are_kept(here: Path) -> None:
    """Written, checked, out of date, shown, written again; an edited one is said and left, exit status 1."""
    first, checked = generate(), generate("--check")
    (here / "logship.toml").write_text(SETTINGS.format(group="/b"), encoding="utf-8")
    outdated, shown = generate("--check"), generate("--diff")
    second = generate()
    unit = here / "deploy/logship-forward.service"
    unit.write_text(unit.read_text("utf-8") + "# mine\n", "utf-8")
    edited, after, forced = generate(), unit.read_text("utf-8"), generate("--force")

    assert [run.return_value for run in (first, checked, outdated, shown, second, edited, forced)] == [
        0, 0, 1, 1, 0, 1, 0
    ]  # fmt: skip
    assert (checked.output, outdated.stderr) == (
        "",
        "deploy/policy.json: is out of date; run: logship generate stack\n",
    )
    assert re.findall(r"^[-+] .*", shown.stdout, re.MULTILINE) == [
        '-        "arn:aws:logs:eu-west-1:*:log-group:/a:*"',
        '+        "arn:aws:logs:eu-west-1:*:log-group:/b:*"',
    ]
    assert (second.stderr, after.endswith("# mine\n")) == ("wrote deploy/policy.json\n", True)
    assert edited.stderr.startswith("deploy/logship-forward.service was edited by hand and is left as it is")
    assert "# mine" not in unit.read_text("utf-8")


def test_this_machine_is_not_in_what_is_written(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables that hold here do not hold where the files are used; the file is found from wherever one stands."""
    generate()
    monkeypatch.setenv("LOGSHIP_STORE", "https://logs.example.com")
    (here / "sub").mkdir()
    monkeypatch.chdir(here / "sub")
    checked = generate("--config", "../logship.toml", "--output", "../deploy", "--check")

    assert (checked.return_value, checked.output) == (0, "")


def test_a_broken_setting_is_one_line(here: Path) -> None:
    """Exit status 2 with the key, no traceback, nothing written."""
    (here / "logship.toml").write_text('[[forward.source]]\ntype = "kinesis"\n', encoding="utf-8")
    call = [sys.executable, "-m", "logship", "generate", "stack"]
    done = subprocess.run(call, cwd=here, capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "forward.source[0].stream is missing" in done.stderr
    assert not (here / "deploy").exists()


@pytest.mark.parametrize(("age_s", "code"), [(0.1, 0), (1_000.0, 1)])
def test_the_health_check_of_the_container_works(age_s: float, code: int) -> None:
    """Its command, run as it stands there, against the health of a forwarder that moves, and of one that is stuck."""
    with serving(lambda: status(progress_age_s=age_s), "127.0.0.1:0") as url:
        listen = url.removeprefix("http://")
        text = container(Forward(listen=listen), extras=[], version="1", settings="logship.toml", folder="deploy")
        command = json.loads(re.findall(r"HEALTHCHECK .* CMD (\[.*\])", text)[0])
        done = subprocess.run([sys.executable, *command[1:]], timeout=30, check=False)

    assert (command[0], done.returncode) == ("python", code)
