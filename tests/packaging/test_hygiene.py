"""What loads what: applications embed the handler, and nobody waits for a vendor SDK that is not used."""

from __future__ import annotations

import subprocess
import sys

import pytest

VENDORS = ["boto3", "botocore", "watchtower", "opensearchpy", "tantivy", "textual", "httpx", "lark", "rich", "msgspec"]


def loaded_by(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after running some code."""
    program = f"{code}\nimport sys; print(' '.join(sorted(name.partition('.')[0] for name in sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "code",
    [
        "import logship",
        "import logship.handler",
        "import logship.serverless",
        "from logship.handler import CloudWatchHandler; CloudWatchHandler('/g').close()",
        "from logship.cli.main import logship\ntry: logship.main(['--help'])\nexcept SystemExit: pass",
    ],
)
def test_no_vendor_sdk_is_loaded(code: str) -> None:
    """Importing the library, making a handler and printing the help load none of them."""
    assert loaded_by(code) & set(VENDORS) == set()


@pytest.mark.parametrize("module", ["logship.errors", "logship.record"])
def test_the_lowest_floors_need_the_standard_library_alone(module: str) -> None:
    """They are embedded everywhere, so they bring nothing along."""
    extra = loaded_by(f"import {module}") - loaded_by("pass") - {"logship"}

    assert extra <= set(sys.stdlib_module_names)
