"""Which log groups there are: by name, pattern and tag, in this account and in those linked to it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from logship.cloudwatch.client import no_cloudwatch
from logship.cloudwatch.quotas import TAGS_TPS, Governor
from logship.errors import UnknownGroupError
from logship.record import Cloud

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from logship.cloudwatch.paging import Retry

_WILD: Final = frozenset("*?[")
_TAGS_KEPT_S: Final = 600.0
"""So long a group's tags are taken as they were: asking costs a call for each group."""


@dataclass(frozen=True, slots=True)
class FoundGroup:
    """A log group, and how to ask for its events."""

    key: str
    """Its name; of a linked account ``ACCOUNT:NAME``, since names there may be the same."""
    name: str
    arn: str
    """Without the ``:*`` at its end."""
    account: str

    @property
    def address(self) -> dict[str, str]:
        """The argument that names it in a request."""
        return {"logGroupName": self.name} if self.key == self.name else {"logGroupIdentifier": self.arn}

    @property
    def region(self) -> str:
        """Where it lies."""
        return self.arn.split(":")[3] if self.arn else ""

    @property
    def cloud(self) -> Cloud:
        """The same, with its account, for records."""
        return Cloud(self.account, self.region)


class Discovery:
    """Lists the groups that are wanted, again and again.

    Args:
        client: of CloudWatch Logs.
        patterns: names and patterns with `*` and `?`; none means every group.
        exclude: names and patterns of groups that are not wanted.
        tags: tags that a group must have; values may be patterns.
        linked: whether groups of accounts linked to this monitoring account are listed, too.
        observe: sees each answer.
        say: told of patterns that match nothing, a line each.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        client: Any,
        patterns: Sequence[str] = (),
        *,
        exclude: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
        linked: bool = False,
        observe: Callable[[dict[str, Any]], None] = lambda _: None,
        say: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._patterns, self._exclude = client, patterns or ["*"], exclude
        self._wanted_tags, self._linked, self._observe, self._clock = dict(tags or {}), linked, observe, clock
        self._say, self._is_first = say, True
        self._tags: dict[str, tuple[float, dict[str, str]]] = {}
        self._governor = Governor(TAGS_TPS, clock)

    def list(self, retry: Retry) -> dict[str, FoundGroup]:
        """The groups by key, in order.

        Only the first listing tells of what is not there: groups that go later are told of by whoever reads them, and
        those that come are found.

        Raises:
            UnknownGroupError: in the first listing a pattern without wildcards names a group that does not exist.
            LogshipError: as `Retry.call`.
        """
        found: dict[str, FoundGroup] = {}
        for pattern in self._patterns:
            prefix = pattern[: next((n for n, char in enumerate(pattern) if char in _WILD), len(pattern))]
            groups = [group for group in self._described(prefix, retry) if fnmatchcase(group.name, pattern)]
            if not groups and self._is_first:
                self._miss(pattern, named=prefix == pattern)
            found |= {group.key: group for group in groups}
        listed = {key: found[key] for key in sorted(found) if self._is_wanted(found[key], retry)}
        self._is_first = False
        return listed

    def _miss(self, pattern: str, *, named: bool) -> None:
        region = self._client.meta.region_name
        remedy = f"list them with: aws logs describe-log-groups --region {region}"
        if named:
            raise UnknownGroupError(f"there is no log group {pattern!r} in {region}; {remedy}")
        self._say(f"no log group matches {pattern!r} in {region}; {remedy}")

    def _described(self, prefix: str, retry: Retry) -> Iterator[FoundGroup]:
        request: dict[str, Any] = {"logGroupNamePrefix": prefix} if prefix else {}
        if self._linked:
            request["includeLinkedAccounts"] = True
        own = ""
        while True:
            page = retry.call("listing log groups", self._client.describe_log_groups, **request)
            self._observe(page)
            if "logGroups" not in page:
                raise no_cloudwatch("listing log groups")
            for group in page["logGroups"]:
                arn = str(group.get("arn", "")).removesuffix(":*")
                account = arn.split(":")[4] if arn.count(":") > 4 else ""  # noqa: PLR2004 - arn:aws:logs:REGION:ACCOUNT:
                own = own or (self._account(retry) if self._linked else account)
                name = group["logGroupName"]
                yield FoundGroup(name if account == own else f"{account}:{name}", name, arn, account)
            if "nextToken" not in page:
                return
            request["nextToken"] = page["nextToken"]

    def _account(self, retry: Retry) -> str:
        """This account's number: the account of the groups that are listed without linked ones, "" if it has none."""
        page = retry.call("listing log groups", self._client.describe_log_groups, limit=1)
        return next((str(group["arn"]).split(":")[4] for group in page["logGroups"]), "")

    def _is_wanted(self, group: FoundGroup, retry: Retry) -> bool:
        if any(fnmatchcase(group.name, pattern) for pattern in self._exclude):
            return False
        if not self._wanted_tags:
            return True
        tags = self._tags_of(group, retry)
        return all(key in tags and fnmatchcase(tags[key], value) for key, value in self._wanted_tags.items())

    def _tags_of(self, group: FoundGroup, retry: Retry) -> dict[str, str]:
        at_s, tags = self._tags.get(group.arn, (float("-inf"), {}))
        if self._clock() - at_s > _TAGS_KEPT_S:
            threading.Event().wait(max(0.0, self._governor.reserve() - self._clock()))
            request = self._client.list_tags_for_resource
            page = retry.call(f"the tags of log group {group.name!r}", request, resourceArn=group.arn)
            tags = dict(page.get("tags", {}))
            self._tags[group.arn] = (self._clock(), tags)
        return tags
