"""Sessions of the SDK, which load in half the time: orjson reads the files that describe the services.

The SDK's own reader holds the GIL for some 15 ms a file, and leaves so many objects that a full garbage collection
follows, which stops every thread of an application as long.
"""

from __future__ import annotations

import gzip
import os
from typing import TYPE_CHECKING, Any, Final

import boto3
import botocore.session
import orjson
from botocore.loaders import JSONFileLoader

if TYPE_CHECKING:
    from collections.abc import Callable

_OPENED: Final[dict[str, Callable[..., Any]]] = {".json": open, ".json.gz": gzip.open}


class _Files(JSONFileLoader):  # type: ignore[misc]  # the SDK has no types
    def load_file(self, file_path: str) -> Any:
        """What the file holds that has that path without its suffix; None where there is none."""
        for suffix, opened in _OPENED.items():
            if os.path.isfile(file_path + suffix):  # noqa: PTH113 - as often as the SDK looks into its folders
                with opened(file_path + suffix, "rb") as file:
                    return orjson.loads(file.read())
        return None


def core_session(profile: str | None = None) -> Any:
    """A botocore session."""
    session = botocore.session.Session(profile=profile)
    session.get_component("data_loader").file_loader = _Files()
    return session


def new_session(*, region: str | None = None, profile: str | None = None) -> Any:
    """A boto3 session.

    Args:
        region: None takes ``AWS_REGION``, as every other SDK of AWS does, then boto3's own choice.
        profile: None takes ``AWS_PROFILE``, then the default one.

    Raises:
        botocore.exceptions.ProfileNotFound: there is no such profile.
    """
    return boto3.session.Session(
        botocore_session=core_session(profile), region_name=region or os.environ.get("AWS_REGION")
    )
