from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

ORACLE = Path(__file__).resolve().parents[4] / "shared" / "agent_oracle"


def read(name: str) -> Any:
    """A file of the real agent's verdicts, read in place."""
    if not ORACLE.is_dir():
        pytest.skip("the agent's verdicts are not beside this checkout (../shared/agent_oracle)")
    return json.loads((ORACLE / name).read_text())


@pytest.fixture
def oracle() -> Path:
    read("index.json")
    return ORACLE
