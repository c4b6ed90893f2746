"""What DynamoDB and its SDK complain about, in the words of logship, with the statement that a policy lacks."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from logship.cloudwatch.client import is_retriable, translate
from logship.cloudwatch.permissions import checkpoint_table
from logship.errors import AccessError, ConnectError, DataError, LogshipError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

_THROTTLED: Final = frozenset({"ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"})
_NOT_NOW: Final = frozenset(
    {
        "InternalServerError",
        "ResourceInUseException",
        "TransactionConflictException",
        "ReplicatedWriteConflictException",  # global tables: another region writes the item
    }
)
_TOO_LARGE: Final = "Item size"


@contextmanager
def explained(client: Any, table: str, *, create: bool = False) -> Iterator[None]:
    """Turns the SDK's exceptions into logship's.

    Args:
        client: of DynamoDB.
        table: its name.
        create: whether the table may be made: it has not answered yet, so credentials have to be there.

    Raises:
        ConnectError: the same request may succeed later.
        AccessError: not permitted; the message holds the statement that is missing.
        DataError: the table is gone, or an item is too large.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise _translated(error, client.meta.region_name, table, create=create) from error


def _translated(error: Exception, region: str, table: str, *, create: bool) -> LogshipError:
    what = f"the DynamoDB table {table!r} in {region}"
    facts = (getattr(error, "response", None) or {}).get("Error", {})
    code, message = facts.get("Code", ""), facts.get("Message", str(error))
    if code in _THROTTLED or code in _NOT_NOW or (code and is_retriable(error)):
        return ConnectError(f"{what}: {code}: {message}; it is tried again")
    if code == "ResourceNotFoundException":
        return DataError(f"{what} is gone; start the forwarder again, which makes it anew")
    if code == "ValidationException" and _TOO_LARGE in message:
        return DataError(f"{what}: {message}; a checkpoint must be smaller than 400 KB")
    found = translate(error, what, needs=checkpoint_table(region, table, create=create))
    if isinstance(found, AccessError) and is_retriable(error) and not create:
        return ConnectError(f"{found}; it is tried again")
    if isinstance(found, UsageError) and code:
        return DataError(f"{what}: {code}: {message}; name another table under [forward] checkpoints")
    return found
