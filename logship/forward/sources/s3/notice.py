"""What a bucket tells a queue: the messages of S3 itself, through SNS, and through EventBridge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_plus

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator

_LAYERS: Final = 3
"""SNS may stand between S3 and the queue, once or, by a mistake, twice."""


@dataclass(frozen=True, slots=True)
class Notice:
    """An object that has been made."""

    bucket: str
    key: str
    region: str = ""
    """Of the bucket, and so of the log groups that are exported to it."""

    @property
    def uri(self) -> str:
        """As the ``aws s3`` commands name it."""
        return f"s3://{self.bucket}/{self.key}"


class NoNotice(Exception):  # noqa: N818 - an outcome, not an error
    """The message is none of S3; its text says why."""


def read(body: str) -> list[Notice]:
    """The objects that a message tells of; none for test messages, and for objects that were deleted.

    Raises:
        NoNotice: it is no message of S3.
    """
    found = _json(body)
    for _ in range(_LAYERS):
        if not isinstance(found.get("Message"), str):
            break
        found = _json(found["Message"])  # SNS
    if found.get("Event") == "s3:TestEvent":
        return []
    try:
        notices = list(_of_bridge(found) if "detail-type" in found else _of_s3(found))
    except (KeyError, TypeError, AttributeError) as error:
        raise NoNotice(f"it is no notification of S3 ({error!r} is not as it should be)") from None
    if not all(isinstance(name, str) for one in notices for name in (one.bucket, one.key)):
        raise NoNotice("it is no notification of S3 (bucket and key are no text)")
    return notices


def _json(text: str) -> dict[str, Any]:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise NoNotice(f"it is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise NoNotice("it is no notification of S3")
    return found


def _of_s3(found: dict[str, Any]) -> Iterator[Notice]:
    for record in found["Records"]:
        if str(record["eventName"]).removeprefix("s3:").startswith("ObjectCreated:"):
            # "s3.object.key" is encoded as a form's field is.
            key = unquote_plus(record["s3"]["object"]["key"])
            yield Notice(record["s3"]["bucket"]["name"], key, str(record.get("awsRegion") or ""))


def _of_bridge(found: dict[str, Any]) -> Iterator[Notice]:
    if found["detail-type"] == "Object Created":
        detail = found["detail"]
        yield Notice(detail["bucket"]["name"], detail["object"]["key"], str(found.get("region") or ""))
