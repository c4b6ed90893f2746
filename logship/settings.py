"""logship.toml and the environment → typed settings. Every complaint names file and key.

The environment wins over the file: ``LOGSHIP_STORE`` over `store`, ``LOGSHIP_APP`` over `naming.app`.
``LOGSHIP_CONFIG`` names the file when `--config` does not.
"""

from __future__ import annotations

import os
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from urllib.parse import urlsplit

import msgspec

from logship.errors import SettingsError
from logship.validation import check_sources, converted

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_FILE: Final = "logship.toml"
_SCHEMES: Final = ("http", "https")
Positive = Annotated[float, msgspec.Meta(gt=0, le=1_000_000)]
"""Seconds or a rate; neither 0 nor endless, nor what is no number at all."""
NonEmpty = Annotated[str, msgspec.Meta(min_length=1)]


class Naming(msgspec.Struct, frozen=True, kw_only=True):
    """`[naming]`: patterns of log group and log stream names."""

    app: str = "app"
    group: str = "/{app}/{service}"
    stream: str = "{host}/{pid}"


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """`[[forward.source]]`: where events come from. Each type takes the keys that are named for it, and no other."""

    type: Literal["cloudwatch", "kinesis", "firehose", "s3"] = "cloudwatch"
    region: str | None = None
    """AWS region; None takes the SDK's own choice."""
    role: str = ""
    """ARN of a role to assume, for logs of another account; empty takes the credentials as they are."""
    external_id: str = ""
    """What the role's trust policy asks for, if it does."""
    groups: list[str] = []
    """cloudwatch: names or patterns with `*` and `?`; empty means every group."""
    exclude_groups: list[str] = []
    """cloudwatch: names or patterns of groups that are not read."""
    tags: dict[str, str] = {}
    """cloudwatch: only groups that have all these tags; values may be patterns. Tags are asked for every 10 minutes."""
    linked_accounts: bool = False
    """cloudwatch: also the groups of source accounts linked to this monitoring account."""
    live_tail: bool = False
    """cloudwatch: wake the reader by Live Tail (charged by the minute) instead of waiting out its interval."""
    start: str = "1h"
    """cloudwatch, kinesis: how far back the first run reads: a span or an ISO time, now at the latest."""
    tps: Positive | None = None
    """cloudwatch: calls a second that may be spent; None takes the quota of the region."""
    stream: str = ""
    """kinesis: name or ARN of the data stream that a subscription filter writes to."""
    queue: str = ""
    """s3: URL of the SQS queue that the bucket notifies of new objects."""
    buckets: list[str] = []
    """s3: the buckets that the queue tells of, for the policy that `logship generate stack` writes."""
    listen: str = "127.0.0.1:8088"
    """firehose: host and port of the HTTP endpoint."""
    access_key: str = ""
    """firehose: a reference (``env:NAME``, ``file:PATH``) to the key that deliveries must carry."""


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[forward.rule]]`: what becomes of records that match a query. The first rule that matches decides."""

    query: str
    """In the query language, without stages: ``level:debug service:edge``."""
    action: Literal["keep", "drop", "sample"]
    rate: float | None = None
    """sample, which needs it: the part that is kept, 0 to 1; kept records carry it as `logship.sample_rate`."""


class Forward(msgspec.Struct, frozen=True, kw_only=True):
    """`[forward]`: the forwarder."""

    state: NonEmpty = "./state"
    """Folder of checkpoints and dead letters."""
    checkpoints: str = ""
    """``dynamodb:TABLE`` shares checkpoints among processes; empty keeps them in the state folder."""
    interval_s: Positive = 1.0
    """Pause between two rounds over a group, in seconds."""
    listen: str = "127.0.0.1:9404"
    """Host and port of ``/metrics``, ``/healthz`` and ``/readyz``; empty serves none."""
    keep_original: bool = True
    """Whether records carry the line as it arrived where their message is not all of it."""
    rule: list[Rule] = []
    source: list[Source] = []


class RedactRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[redact.rule]]`: a secret of one's own."""

    name: str
    """Stands in the text instead of the secret: ``[redacted:NAME]``."""
    pattern: str
    """RE2 of no empty text; what its groups match is taken out, or all of a match that no group took part in."""


class Redact(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[redact]`: secrets that are taken out of lines before they leave the process."""

    enabled: bool = True
    off: list[str] = []
    """Names of built-in rules that are not applied."""
    rule: list[RedactRule] = []


class Store(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[stores.NAME]`: a named store. Everything but `location` is about OpenSearch."""

    location: str
    """A folder, or the URL of a cluster."""
    index: str = "logship-logs"
    """The alias of our indices; a pattern such as ``filebeat-*`` reads what others wrote."""
    profile: Literal["auto", "logship", "otel", "ecs", "ss4o"] = "auto"
    """How the fields of an index are named; `auto` decides from the fields it has."""
    fields: dict[str, str] = {}
    """Corrections of the profile: our canonical name → the field that holds it."""
    auth: Literal["auto", "none", "basic", "sigv4"] = "auto"
    """`auto` is basic with a user name, sigv4 for hosts of AWS, else none."""
    username: str = ""
    password: str = ""
    """A reference, ``env:NAME`` or ``file:PATH``; never the password itself."""
    region: str = ""
    """Of sigv4; the SDK's own choice if empty."""
    service: Literal["auto", "es", "aoss"] = "auto"
    """Of sigv4: `es` is Amazon OpenSearch Service, `aoss` its Serverless."""
    ca_cert: str = ""
    """File of the authority that signed the server's certificate."""
    client_cert: str = ""
    client_key: str = ""
    timeout_s: Positive = 30.0
    """How long one request may take."""
    partition: Literal["month", "day"] = "month"
    """One index per month or day; `store setup` fixes it."""
    retention: str = ""
    """Age at which an index is deleted, such as ``30d``; empty keeps everything."""
    replicas: Annotated[int, msgspec.Meta(ge=0, le=100)] = 1
    """Copies of each shard beside the first."""
    output: Literal["otel", "ecs"] = "otel"
    """How the fields of new records are named for other tools that read the index."""


class ServiceFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[service.file]]`: a log file that the CloudWatch Agent ships; with a recipe, one more than the recipe's."""

    path: str
    """Absolute, may hold ``*`` and ``**``."""
    timestamp: str = ""
    """In the agent's directives: ``%Y-%m-%d %H:%M:%S``; empty means that events take the time they are read at."""
    timezone: Literal["", "UTC", "Local"] = ""
    multi_line: str = ""
    """RE2 of an event's first line, or ``{timestamp_format}``; empty means that lines beginning with space go on."""
    encoding: str = ""
    stream: str = ""
    """Empty takes the stream of `[naming]`."""


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """`[[service]]`: one description for agent config, logging wiring, forwarding and IAM."""

    name: NonEmpty
    framework: str | None = None
    """What its Python logging is wired into: see ``logship generate logging --help``."""
    recipe: str | None = None
    """A known log source: see ``logship generate agent --list``."""
    groups: list[str] = []
    """Patterns of log groups whose lines are this service's where they name none: ``/aws/lambda/orders-*``."""
    host: str = ""
    """Role of the hosts it runs on: one agent config is written for each; empty means every host."""
    file: list[ServiceFile] = []
    retention_days: int | None = None
    """Of its log group; None takes the recipe's, -1 leaves the group as it is."""
    log_class: Literal["", "STANDARD", "INFREQUENT_ACCESS"] = ""
    """Of its log group; empty leaves it to CloudWatch."""


class Agent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[agent]`: what all configs of the CloudWatch Agent have in common."""

    region: str = ""
    """Empty leaves it to the host."""
    endpoint: str = ""
    """URL that the agent sends logs to instead of CloudWatch's."""
    role: str = ""
    """ARN of a role that the agent assumes; empty takes that of the instance."""
    environment: str = ""
    """`deployment.environment` of everything."""
    run_as_user: str = ""
    """Empty leaves it to the agent: cwagent, or root."""
    metrics: list[str] = []
    """cpu, mem, disk, net, swap, statsd, ``procstat:PROGRAM``."""
    traces: bool = False
    """Whether X-Ray and OTLP traces are taken in."""
    emf: bool = False
    """Whether metrics inside of log lines are taken in."""


class SavedQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[queries.NAME]`: a search by name, used as ``logship search @NAME``."""

    query: str
    since: str = ""
    """A span such as ``1h``, for runs that name no time; empty means the whole store."""
    format: Literal["", "table", "json", "ndjson", "csv", "md", "raw"] = ""
    """For runs that name no format; empty means a table."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of logship.toml."""

    store: str = "./data"
    stores: dict[str, Store] = {}
    queries: dict[str, SavedQuery] = {}
    naming: Naming = Naming()
    forward: Forward = Forward()
    redact: Redact = Redact()
    agent: Agent = Agent()
    service: list[Service] = []


def file_of(path: str | None = None, *, environ: Mapping[str, str] | None = None) -> Path:
    """The file that `load` reads, if it is there."""
    env = os.environ if environ is None else environ
    return Path(path or env.get("LOGSHIP_CONFIG") or DEFAULT_FILE)


def load(path: str | None = None, *, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of a run.

    Args:
        path: the file; None takes ``LOGSHIP_CONFIG``, then ``./logship.toml`` if there is one.
        environ: the environment; ``os.environ`` when None.

    Raises:
        SettingsError: a named file cannot be read, or a file holds what cannot be used.
    """
    env = os.environ if environ is None else environ
    named = path or env.get("LOGSHIP_CONFIG")
    file = file_of(path, environ=env)
    found = _read(file) if named or file.exists() else {}
    settings = converted(found, Settings, str(file))
    check_sources(found, str(file))
    return _with_environment(settings, env)


def in_file(error: SettingsError, path: str | None = None) -> SettingsError:
    """The same complaint with the name of the file, where one is about a key that somebody found of no use."""
    file = file_of(path)
    if str(error).startswith(("--", f"{file}:", "cannot read")) or not file.is_file():
        return error
    return SettingsError(f"{file}: {error}")


def resolve_store(where: str | None, settings: Settings, *, environ: Mapping[str, str] | None = None) -> Store:
    """The store that `--store WHERE` means; None means the settings' own.

    Text with a `/` or starting with `.` is a folder, an ``http(s)`` URL is a server, ``env:NAME`` reads a
    variable, any other word is a ``[stores.NAME]`` profile.

    Raises:
        SettingsError: no such profile or variable, a URL of another kind, or one that holds a password.
    """
    env = os.environ if environ is None else environ
    text = where or settings.store
    if text.startswith("env:"):
        name = text.removeprefix("env:")
        if not env.get(name):
            raise SettingsError(f"--store {text!r}: the variable {name} is not set; export it, or name a folder")
        text = env[name]
    if "/" in text or text.startswith("."):
        return Store(location=_location(text, "--store"))
    if text in settings.stores:
        found = settings.stores[text]
        return msgspec.structs.replace(found, location=_location(found.location, f"stores.{text}.location"))
    near = get_close_matches(text, settings.stores, 1)
    hint = f"did you mean {near[0]}?" if near else f"write ./{text} for a folder"
    raise SettingsError(f"--store {text!r} is no folder and there is no [stores.{text}] in {DEFAULT_FILE}; {hint}")


def _location(text: str, place: str) -> str:
    """A folder as it is, or a URL with its scheme in small letters."""
    scheme, is_url, rest = text.partition("://")
    if not is_url or not scheme.isalnum():
        return text
    if scheme.lower() not in _SCHEMES:
        raise SettingsError(f"{place} {text!r} is no store: write http:// or https:// for a cluster, ./ for a folder")
    _, is_named, host = rest.partition("/")[0].rpartition("@")
    if is_named:  # what stands before it may be a password, which errors and checkpoints would repeat
        raise SettingsError(
            f"{place} has a user in its URL ({scheme}://…@{host}); write username, and password as a reference, in "
            "[stores.NAME]"
        )
    try:
        port = urlsplit(text).port
    except ValueError as error:
        raise SettingsError(f"{place} {text!r} is no URL: {error}; write http://host:9200") from None
    if any(map(str.isspace, text)) or port == 0 or not host:
        raise SettingsError(f"{place} {text!r} is no URL; write http://host:9200")
    return f"{scheme.lower()}://{rest}"


def secret(reference: str, place: str, *, environ: Mapping[str, str] | None = None) -> str:
    """What a reference such as ``env:NAME`` or ``file:PATH`` stands for; "" for an empty one.

    Args:
        reference: the reference.
        place: where it stands, for the error: ``stores.prod.password``.
        environ: the environment; ``os.environ`` when None.

    Raises:
        SettingsError: it is the secret itself, or what it names is not there.
    """
    kind, _, name = reference.partition(":")
    env = os.environ if environ is None else environ
    if not reference:
        return ""
    if kind == "env" and name:
        if name in env:
            return env[name]
        raise SettingsError(f"{place} = {reference!r}: the variable {name} is not set; export it")
    if kind == "file" and name:
        try:
            return Path(name).read_text(encoding="utf-8").rstrip("\r\n")
        except OSError as error:
            raise SettingsError(f"{place} = {reference!r}: {error.strerror}; make that file readable") from None
        except ValueError:
            raise SettingsError(f"{place} = {reference!r}: that is no file of text in UTF-8") from None
    raise SettingsError(f"{place} holds a secret itself; write a reference: env:NAME or file:PATH")


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read the settings file {str(file)!r}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: this is no TOML: {error}") from None


def _with_environment(settings: Settings, env: Mapping[str, str]) -> Settings:
    naming = settings.naming
    if app := env.get("LOGSHIP_APP"):
        naming = msgspec.structs.replace(naming, app=app)
    return msgspec.structs.replace(settings, naming=naming, store=env.get("LOGSHIP_STORE") or settings.store)
