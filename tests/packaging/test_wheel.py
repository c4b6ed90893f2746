"""The wheel, built and used from another directory."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of what git tracks, so that nothing lies in it by accident."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    for name in tracked:
        if (REPOSITORY / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, source / name)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source)]
    subprocess.run(command, capture_output=True, check=True)
    return next(out.glob("*.whl"))


def test_the_wheel_holds_its_data(wheel: Path) -> None:
    """Grammar, style sheet, recipes and type markers are inside; tests are not."""
    names = zipfile.ZipFile(wheel).namelist()
    wanted = [
        "logship/query/grammar.lark",
        "logship/py.typed",
        "logship_tui/logship.tcss",
        "logship_tui/py.typed",
        "logship_agent_configs/__init__.py",
    ]

    assert [name for name in wanted if name not in names] == []
    assert [name for name in names if name.startswith(("tests", "docs"))] == []


def test_the_wheel_works_from_another_directory(wheel: Path, tmp_path: Path) -> None:
    """Installed without the checkout, it imports and searches a file, and the terminal's parts are found."""
    target = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target), str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    (tmp_path / "a.log").write_text("2026-11-23T14:00:00Z ERROR it broke\n")
    env = os.environ | {"PYTHONPATH": str(target), "PYTHONSAFEPATH": "1"}

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, env=env, capture_output=True, text=True, check=True
        )
        return done.stdout

    run("-m", "logship", "import", "a.log")
    found = run("-m", "logship", "search", "level:error", "--count")
    place = run("-c", "import logship, logship_tui, logship_agent_configs as c; print(logship.__file__, c.__file__)")
    style = run(
        "-c", "from importlib.resources import files; print(files('logship_tui').joinpath('logship.tcss').is_file())"
    )

    assert (found, style, place.count(str(target))) == ("1\n", "True\n", 2)
