"""One delivery of Firehose: its headers, its body, and the answer it gets.

After Amazon Data Firehose, "Understand HTTP endpoint delivery request and response specifications".
"""

from __future__ import annotations

import base64
import binascii
import time
import zlib
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import orjson

from logship.timerange import LATEST_US

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_BODY_BYTES: Final = 64 * 2**20
"""The most that Firehose sends at once, which it does only where its buffer is set so."""
_GZIP_WINDOW: Final = 31


class Refused(Exception):  # noqa: N818 - an answer
    """The request gets an answer other than 200, with this text.

    Args:
        status: of the answer. Firehose sends again for as long as it was told to, then keeps it in its backup bucket.
        text: what is wrong.
    """

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class Delivery:
    """The body of a request."""

    request_id: str
    timestamp_ms: int
    """When Firehose made the request."""
    records: list[Any]
    size: int
    """Of the body as it was unpacked, in bytes."""

    def payloads(self) -> Iterator[tuple[bytes, str]]:
        """The bytes of each record, and what is wrong with it if that cannot be told from the bytes."""
        for record in self.records:
            data = record.get("data") if isinstance(record, dict) else None
            if not isinstance(data, str):
                yield orjson.dumps(record), "it has no data"
                continue
            try:
                yield base64.b64decode(data, validate=True), ""
            except (binascii.Error, ValueError):
                yield data.encode("utf-8", "replace"), "its data is no base64"


def read(body: bytes, headers: Mapping[str, str]) -> Delivery:
    """The delivery that a request brings.

    Raises:
        Refused: it is none.
    """
    encoding = headers.get("content-encoding", "").lower()
    if encoding == "gzip":
        body = _unpacked(body)
    elif encoding not in {"", "identity"}:
        raise Refused(HTTPStatus.BAD_REQUEST, f"content-encoding {encoding!r} is unknown; leave it out, or send gzip")
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused(HTTPStatus.BAD_REQUEST, f"the body is no JSON: {error}") from None
    request_id, records = (found.get("requestId"), found.get("records")) if isinstance(found, dict) else (None, None)
    if not isinstance(request_id, str) or not isinstance(records, list):
        raise Refused(HTTPStatus.BAD_REQUEST, "the body lacks requestId or records")
    if headers.get("x-amz-firehose-request-id", request_id) != request_id:
        raise Refused(HTTPStatus.BAD_REQUEST, "requestId is not the one of the header X-Amz-Firehose-Request-Id")
    at = found.get("timestamp")
    is_time = isinstance(at, int) and 0 <= at * 1000 < LATEST_US
    return Delivery(request_id, at if is_time else int(time.time() * 1000), records, len(body))


def _unpacked(body: bytes) -> bytes:
    unpacker = zlib.decompressobj(_GZIP_WINDOW)
    try:
        content = unpacker.decompress(body, MAX_BODY_BYTES + 1)
    except zlib.error as error:
        raise Refused(HTTPStatus.BAD_REQUEST, f"the body is no gzip: {error}") from None
    if len(content) > MAX_BODY_BYTES:
        raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {MAX_BODY_BYTES:,} bytes")
    if not unpacker.eof:
        raise Refused(HTTPStatus.BAD_REQUEST, "the body's gzip is cut off")
    return content


def answer(request_id: str, error: str = "") -> bytes:
    """The body of an answer."""
    told = {"requestId": request_id, "timestamp": int(time.time() * 1000)}
    return orjson.dumps({**told, "errorMessage": error} if error else told)


def source_name(headers: Mapping[str, str]) -> str:
    """The delivery stream's name, as Firehose tells its ARN; "" if it does not."""
    return headers.get("x-amz-firehose-source-arn", "").rpartition("/")[2]
