"""One PutLogEvents call after another, until CloudWatch has taken the batch in; built on watchtower's handler.

Imported by the sender's thread on first use, since it brings botocore (about 300 ms). What may be doubled: a
call whose answer was lost is made again with the same lines, and their `logship.id` keeps each one record.
"""

from __future__ import annotations

import codecs
import enum
import io
import random
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson
from botocore.config import Config
from botocore.exceptions import ClientError, NoCredentialsError, ParamValidationError
from watchtower import CloudWatchLogHandler

from logship.cloudwatch.sdk import new_session

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from logship.handler.batch import Event

codecs.lookup("idna")  # urllib3 needs it at the first connection, when the interpreter may be ending already

BACKOFF_BASE_SECONDS: Final = 0.1
BACKOFF_CAP_SECONDS: Final = 10.0
HURRIED_CAP_SECONDS: Final = 0.25
"""Longest pause while somebody waits in `flush`: an outage shorter than its deadline is survived."""

CONNECT_TIMEOUT_SECONDS: Final = 5
READ_TIMEOUT_SECONDS: Final = 10

# PutLogEvents, "Errors": these say that the batch itself is wrong, so that sending it again cannot help.
_CONTENT_ERRORS: Final = frozenset({"InvalidParameterException", "ValidationException", "SerializationException"})
_STALE: Final = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
"""The credentials are no longer good, and others may lie where these were found."""
_TOO_LARGE: Final = 413
_MOMENTS: Final = ("request-created", "before-sign", "before-send", "after-call")
"""Events of botocore's clients, in the order in which they come."""
_TOGETHER: Final = 200
"""Events that are written between two calls of `pace`."""
_DONE: Final = frozenset({"OperationAbortedException", "ResourceAlreadyExistsException"})


@dataclass(frozen=True, kw_only=True)
class Destination:
    """Where lines go and what may be created there."""

    group: str
    stream: str
    create_group: bool = True
    create_stream: bool = True
    retention_days: int | None = None
    """None leaves the group's retention as it is."""
    tags: Mapping[str, str]
    kms_key_id: str | None = None
    log_class: str | None = None
    """None leaves it to CloudWatch: STANDARD."""
    client: Any = None
    """A boto3 ``logs`` client; None makes one from profile, region and endpoint."""
    profile: str | None = None
    region: str | None = None
    endpoint_url: str | None = None


class _Verdict(enum.Enum):
    AGAIN = enum.auto()
    MISSING = enum.auto()
    CONTENT = enum.auto()
    TAKEN = enum.auto()


class Sender(CloudWatchLogHandler):
    """Watchtower's client calls with a retry that does not give up.

    Args:
        destination: group, stream and client.
        pause: sleeps for so many seconds, less when somebody flushes.
        pace: called between two steps that take less than a millisecond.
        meanwhile: called while CloudWatch works on a request; may be called again for the same one.
        hurried: whether somebody waits for the backlog to be delivered.
        on_failure: told of every failed call, before the pause.
    """

    cwl_client: Any

    def __init__(
        self,
        destination: Destination,
        *,
        pause: Callable[[float], object],
        pace: Callable[[], None] = lambda: None,
        meanwhile: Callable[[], None] = lambda: None,
        hurried: Callable[[], bool],
        on_failure: Callable[[str], None],
    ) -> None:
        self._destination = destination
        self._pause, self._pace, self._meanwhile = pause, pace, meanwhile
        self._hurried, self._on_failure = hurried, on_failure
        self._prepared = destination.retention_days is None and not destination.tags
        self._text = b""
        self._body: _Body | None = None
        self._writes_body = destination.client is None
        super().__init__(
            log_group_name=destination.group,
            log_stream_name=destination.stream,
            boto3_client=destination.client or self._own_client(),
            create_log_group=False,  # watchtower would call the network here
            create_log_stream=destination.create_stream,
        )

    def _own_client(self) -> Any:
        """A client whose requests have the body that `deliver` has written."""
        client = _client(self._destination)
        # botocore's serializer takes a third of all the time of a batch, and holds the GIL meanwhile.
        client.meta.events.register("before-call.cloudwatch-logs.PutLogEvents", self._give_body)
        for moment in _MOMENTS:
            client.meta.events.register(f"{moment}.cloudwatch-logs.PutLogEvents", self._take_breath)
        client.meta.events.register("before-send.cloudwatch-logs.PutLogEvents", self._sending)
        return client

    def _renew(self) -> None:
        """Looks for credentials once more, as the SDK does for a new client alone; an application's own is left."""
        if not self._writes_body:
            return
        try:
            client = self._own_client()
        except Exception as error:  # such as a profile that is gone meanwhile
            self._on_failure(f"{type(error).__name__}: {error}")
        else:
            self.cwl_client.close()
            self.cwl_client = client

    def flush(self) -> None:
        """Nothing: `Delivery` owns the queue, and logging.shutdown must not wait here."""

    def close(self) -> None:
        """Nothing; see `flush`."""

    def deliver(self, events: list[Event], stream: str = "") -> int:
        """Send events in chronological order, within the limits of one call, as often as it takes.

        Args:
            events: for one stream.
            stream: its name; "" is that of the destination.

        Returns:
            How many CloudWatch refused; it keeps the others.
        """
        if not events:
            return 0
        self.log_stream_name = stream or self._destination.stream
        batch: list[dict[str, Any]] = []
        if self._writes_body:
            self._text = self._written(events)
        else:
            batch = _batch(events)
        attempt = 0
        while True:
            try:
                self._prepare_group()
                return refused_count(self._put(batch), len(events))
            except Exception as error:
                verdict = self._judge(error, attempt)
            if verdict is _Verdict.TAKEN:
                return 0
            if verdict is _Verdict.CONTENT:
                return self._deliver_halves(events)
            attempt += 1

    def _put(self, batch: list[dict[str, Any]]) -> Mapping[str, Any]:
        response: Mapping[str, Any] = self.cwl_client.put_log_events(
            logGroupName=self.log_group_name, logStreamName=self.log_stream_name, logEvents=batch
        )
        return response

    def _written(self, events: Sequence[Event]) -> bytes:
        """The body of a request."""
        parts = []
        for start in range(0, len(events), _TOGETHER):
            parts.append(orjson.dumps(_batch(events[start : start + _TOGETHER]))[1:-1])
            self._pace()
        head = orjson.dumps({"logGroupName": self.log_group_name, "logStreamName": self.log_stream_name})
        return b'%b,"logEvents":[%b]}' % (head[:-1], b",".join(parts))

    def _take_breath(self, **_: Any) -> None:
        self._pace()

    def _give_body(self, params: dict[str, Any], **_: Any) -> None:
        params["body"] = self._body = _Body(self._text)

    def _sending(self, **_: Any) -> None:
        """The body was read once, to be signed; from now on whoever reads it sends it."""
        if self._body is not None:
            self._body.then = self._meanwhile

    def _deliver_halves(self, events: list[Event]) -> int:
        """Find the event that makes CloudWatch refuse the whole call, so that the others get through."""
        if len(events) == 1:
            return 1
        middle = len(events) // 2
        return sum(self.deliver(half, self.log_stream_name) for half in (events[:middle], events[middle:]))

    def _judge(self, error: Exception, attempt: int) -> _Verdict:
        verdict = _verdict(error)
        if verdict is _Verdict.TAKEN:
            return verdict
        if verdict is _Verdict.MISSING:
            try:
                if self._create_missing():
                    return _Verdict.AGAIN
            except Exception as failure:
                error = failure
        self._on_failure(f"{type(error).__name__}: {error}")
        if isinstance(error, NoCredentialsError) or (isinstance(error, ClientError) and _code(error) in _STALE):
            self._renew()
        if verdict is not _Verdict.CONTENT:
            self._pause(backoff_seconds(attempt, hurried=self._hurried()))
        return verdict

    def _create_missing(self) -> bool:
        """Create the stream, and the group if that is what is missing; False when neither may be created."""
        if not self.create_log_stream and not self._destination.create_group:
            return False
        try:
            self._create_stream()
        except ClientError as error:
            if _code(error) != "ResourceNotFoundException" or not self._destination.create_group:
                raise
            self._create_group()
            self._create_stream()
        return True

    def _create_stream(self) -> None:
        if self.create_log_stream:
            self._idempotent("create_log_stream", logGroupName=self.log_group_name, logStreamName=self.log_stream_name)

    def _create_group(self) -> None:
        wanted = self._destination
        more = {"tags": dict(wanted.tags), "kmsKeyId": wanted.kms_key_id, "logGroupClass": wanted.log_class}
        given = {name: value for name, value in more.items() if value}
        self._idempotent("create_log_group", logGroupName=self.log_group_name, **given)

    def _prepare_group(self) -> None:
        """Tags and retention, before the first batch; what is not permitted does not hold the lines up."""
        if self._prepared:
            return
        for step in (self._make_group, self._keep_for, self._tag):
            try:
                step()
            except ClientError as error:
                if _is_transient(error):
                    raise
                self._on_failure(f"{type(error).__name__}: {error}")
        self._prepared = True

    def _make_group(self) -> None:
        if self._destination.create_group:
            self._create_group()

    def _keep_for(self) -> None:
        days = self._destination.retention_days
        if days is not None:
            self.cwl_client.put_retention_policy(logGroupName=self.log_group_name, retentionInDays=days)

    def _tag(self) -> None:
        """A group that was there before; one that is made here has its tags already."""
        if self._destination.tags:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._tag_log_group(dict(self._destination.tags))

    def _get_log_group_arn(self) -> str:  # type: ignore[override]  # watchtower caches it
        """The group's ARN, asked of CloudWatch Logs itself: watchtower would need STS."""
        found = self.cwl_client.describe_log_groups(logGroupNamePrefix=self.log_group_name).get("logGroups", [])
        for group in found:
            if group["logGroupName"] == self.log_group_name:
                return str(group.get("logGroupArn") or str(group.get("arn", "")).removesuffix(":*"))
        return ""

    def _idempotent(self, method: str, **arguments: Any) -> None:
        try:
            getattr(self.cwl_client, method)(**arguments)
        except ClientError as error:
            if _code(error) not in _DONE:
                raise


class _Body(io.BytesIO):
    """A request's body, which does something else once all of it is sent and before the answer is waited for."""

    then: Callable[[], None] | None = None

    def read(self, size: int | None = -1) -> bytes:
        """All that is left, whatever size is asked for; nothing once it was sent."""
        del size
        data = super().read()
        if not data and self.then is not None:
            self.then()
        return data


def _batch(events: Sequence[Event]) -> list[dict[str, Any]]:
    return [{"timestamp": timestamp_ms, "message": line.decode()} for timestamp_ms, line in events]


def _client(destination: Destination) -> Any:
    session = new_session(region=destination.region, profile=destination.profile)
    return session.client(
        "logs",
        endpoint_url=destination.endpoint_url,
        config=Config(
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            read_timeout=READ_TIMEOUT_SECONDS,
            retries={"total_max_attempts": 1},  # `deliver` is the one that repeats
            parameter_validation=False,  # batches are cut to the limits already; it costs more than the call
            max_pool_connections=1,
            user_agent_extra="logship",
        ),
    )


def refused_count(response: Mapping[str, Any], count: int) -> int:
    """How many of `count` events a PutLogEvents answer refuses.

    RejectedLogEventsInfo: `tooNewLogEventStartIndex` is the first that is too new; `tooOldLogEventEndIndex` and
    `expiredLogEventEndIndex` are one past the last that is too old.
    """
    info = response.get("rejectedLogEventsInfo") or {}
    old = max(int(info.get("tooOldLogEventEndIndex", 0)), int(info.get("expiredLogEventEndIndex", 0)))
    new = count - int(info.get("tooNewLogEventStartIndex", count))
    return min(count, max(0, old) + max(0, new))


def backoff_seconds(attempt: int, *, hurried: bool = False) -> float:
    """Full jitter: anywhere up to the base doubled with each attempt, cut at the cap."""
    cap = HURRIED_CAP_SECONDS if hurried else BACKOFF_CAP_SECONDS
    return random.uniform(0.01, min(cap, BACKOFF_BASE_SECONDS * 2 ** min(attempt, 20)))  # noqa: S311


def _verdict(error: Exception) -> _Verdict:
    if isinstance(error, ParamValidationError):
        return _Verdict.CONTENT
    if not isinstance(error, ClientError):
        return _Verdict.AGAIN
    code = _code(error)
    if code == "DataAlreadyAcceptedException":
        return _Verdict.TAKEN
    if code == "ResourceNotFoundException":
        return _Verdict.MISSING
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return _Verdict.CONTENT if code in _CONTENT_ERRORS or status == _TOO_LARGE else _Verdict.AGAIN


def _is_transient(error: ClientError) -> bool:
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return status >= 500 or "Throttl" in _code(error) or "LimitExceeded" in _code(error)  # noqa: PLR2004


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
