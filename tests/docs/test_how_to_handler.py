"""The examples of the pages about the handler run as they stand; the recipe of its page is one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import msgspec
import pytest

from logship.agent.lint import lint_document
from logship.agent.multiline import cut, start_of
from logship.agent.timestamps import Reader
from logship.generate.agent.config import make
from logship.settings import load
from logship.testing import LocalCloudWatch
from logship_agent_configs import Recipe

HOW_TO = Path(__file__).resolve().parents[2] / "docs/how-to"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (HOW_TO / page).read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", ["embed-the-handler.md", "record-requests-and-calls.md"])
def test_python_examples_run(page: str, tmp_path: Path) -> None:
    """Each in a process of its own, against an endpoint on loopback; what they log arrives."""
    with LocalCloudWatch() as cw:
        env = os.environ | {
            "AWS_ENDPOINT_URL": cw.url, "AWS_DEFAULT_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "t",
            "AWS_SECRET_ACCESS_KEY": "t", "LOGSHIP_APP": "shop",
        }  # fmt: skip
        for number, code in enumerate(blocks(page, "python")):
            program = tmp_path / f"{number}.py"
            program.write_text(code)
            subprocess.run([sys.executable, str(program)], env=env, check=True, timeout=60, cwd=tmp_path)
        if page.startswith("embed"):
            [line] = [json.loads(event.message) for event in cw.events("/shop/orders")]
            assert (line["body"], line["order_id"], line["sku"]) == ("order o-7 created in 12 ms", 7, "sku-7")


def test_the_settings_of_the_agents_page_are_good(tmp_path: Path) -> None:
    """They make a config that passes the linter."""
    [text] = blocks("ship-logs-with-the-agent.md", "toml")
    (tmp_path / "logship.toml").write_text(text)
    [made] = make(load(str(tmp_path / "logship.toml"), environ={}), "linux")

    assert lint_document(json.dumps(made.config).encode(), system="linux") == []


def test_the_recipe_of_its_page_is_one() -> None:
    """It is read as a recipe, and its sample becomes what it says."""
    [text] = blocks("add-a-recipe.md", "toml")
    [file] = msgspec.convert(tomllib.loads(text), Recipe).file
    [sample] = file.sample
    read = Reader(file.timestamp, file.timezone).read(sample.event).time

    assert list(cut(sample.event.split("\n"), start_of(file.multi_line, file.timestamp))) == [sample.event]
    assert read is not None
    assert read.isoformat(timespec="milliseconds").replace("+00:00", "Z") == sample.time
