"""Where configs come from: files, folders, and parameters of AWS Systems Manager."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from logship.agent.document import parse, read_text
from logship.errors import AccessError, ConnectError, DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

SSM: Final = "ssm:"
_OTHERS: Final = ({"Version", "Statement"}, {"AWSTemplateFormatVersion", "Resources"})
_DENIED: Final = frozenset({"AccessDeniedException", "UnrecognizedClientException", "ExpiredTokenException"})


def read(names: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    """The text of each config by its name; of a folder every ``.json`` in it but IAM policies and CloudFormation.

    Raises:
        DataError: a file cannot be read, a folder has no config, or there is no such parameter.
        AccessError, ConnectError: of the parameter store.
    """
    for name in names:
        if name.startswith(SSM):
            yield name, parameter(name.removeprefix(SSM)).encode()
        elif Path(name).is_dir():
            texts = [(str(file), read_text(file)) for file in sorted(Path(name).glob("*.json"))]
            configs = [(file, text) for file, text in texts if not _is_other(text)]
            if not configs:
                raise DataError(f"{name!r} has no .json file that may be a config; name a folder of agent configs")
            yield from configs
        else:
            yield name, read_text(Path(name))


def _is_other(text: bytes) -> bool:
    """Whether a file is one of those that `logship generate agent` writes beside its configs."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:  # a broken config is one all the same, and is told of by who reads it
        return False
    return isinstance(found, dict) and any(kind <= found.keys() for kind in _OTHERS)


def read_objects(names: tuple[str, ...]) -> list[tuple[str, dict[str, Any]]]:
    """The configs by name, in the order of their names; the folder is left out where the file's name says enough.

    Raises:
        DataError: one is no JSON object; the message has its line.
    """
    found = []
    for name, data in read(names):
        document = parse(data)
        if document.broken is not None:
            place = document.place_of(document.broken.at)
            problem = document.broken
            raise DataError(f"{name}:{place.line}:{place.column}: {problem.message}; {problem.fix}")
        found.append((name, document.value))
    short = [Path(name).name for name, _ in found]
    named = short if len(set(short)) == len(short) else [name for name, _ in found]
    return [(name, config) for name, (_, config) in zip(named, found, strict=True)]


def ssm_client(region: str | None = None) -> Any:
    """A client of AWS Systems Manager."""
    from botocore.exceptions import BotoCoreError

    from logship.cloudwatch.sdk import new_session

    try:
        return new_session(region=region).client("ssm")
    except BotoCoreError as error:
        raise AccessError(f"AWS Systems Manager: {error}; set AWS_REGION") from None


def parameter(name: str, client: Any = None) -> str:
    """The text of a parameter.

    Raises:
        DataError: there is none of that name.
        AccessError: it may not be read.
        ConnectError: Systems Manager does not answer.
    """
    found = find_parameter(name, client or ssm_client())
    if found is None:
        raise DataError(f"there is no parameter {name!r} in this account and region; logship agent push makes one")
    return found


def find_parameter(name: str, client: Any) -> str | None:
    """The text of a parameter; None where there is none. Raises as `parameter` does."""
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

    try:
        return str(client.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"])
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code == "ParameterNotFound":
            return None
        if code in _DENIED:
            raise AccessError(f"parameter {name!r}: {code}; the role needs ssm:GetParameter on it") from None
        raise ConnectError(f"parameter {name!r}: {error}; try again") from None
    except NoCredentialsError:
        raise AccessError(f"parameter {name!r}: no AWS credentials; use a role, or aws sso login") from None
    except BotoCoreError as error:
        raise ConnectError(f"parameter {name!r}: {error}; check region and network") from None
