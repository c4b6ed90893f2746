"""Which log groups there are: by name, pattern and tag, in this account and in those linked to it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from logship.cloudwatch.client import is_denied, no_cloudwatch
from logship.cloudwatch.permissions import allow, partition
from logship.cloudwatch.quotas import DESCRIBE_TPS, TAGS_TPS, Governor
from logship.cloudwatch.tags import KEPT_S, Tags
from logship.errors import AccessError, UnknownGroupError
from logship.record import Cloud

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from logship.cloudwatch.paging import Retry

_WILD: Final = frozenset("*?[")
_NONE: Final = 20
"""So many groups whose tags are refused, and none whose are not: no other one is asked for its own."""
_UNREADABLE: Final = frozenset({"INFREQUENT_ACCESS", "DELIVERY"})
"""Classes of log groups that FilterLogEvents does not read (CloudWatch Logs user guide, log classes)."""


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
        waits: whether groups that are named and not there are waited for from the first listing on.
        known: whether a group has been read before: then it has gone since, and is waited for, too.
        heard: the tags that other listings of this process have heard: the first one begins with them.
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
        waits: bool = False,
        known: Callable[[str], bool] = lambda _: False,
        heard: Tags | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._patterns, self._exclude = client, patterns or ["*"], exclude
        self._wanted_tags, self._linked, self._observe, self._clock = dict(tags or {}), linked, observe, clock
        self._say, self._is_first, self._waits, self._known = say, True, waits, known
        self._unreadable: frozenset[str] = frozenset()
        """Names of groups that were left out for their class."""
        self.account = ""
        """The account whose credentials these are, once a listing has told."""
        self.untagged: frozenset[str] = frozenset()
        """The keys of groups that the last listing left out for their tags alone."""
        self._refused = set[str]()
        """The keys of groups whose tags may not be asked for."""
        self._tags, self._began_s = heard or Tags(), clock()
        self._tagging = Governor(TAGS_TPS, clock)
        self._listing = Governor(DESCRIBE_TPS, clock)

    def list(self, retry: Retry) -> dict[str, FoundGroup]:
        """The groups by key, in order.

        Only the first listing tells of what is not there: groups that go later are told of by whoever reads them, and
        those that come are found.

        Raises:
            UnknownGroupError: in the first listing a pattern without wildcards names a group that does not exist, and
                has not been read before.
            Stopped, LogshipError: as `Retry.call`.
        """
        found, missed, unreadable = dict[str, FoundGroup](), list[str](), dict[str, str]()
        own = self._own_account(retry) if self._linked else None
        for pattern in self._patterns:
            described = self._described(_prefix(pattern), own, retry)
            groups = [(group, kind) for group, kind in described if fnmatchcase(group.name, pattern)]
            found |= {group.key: group for group, kind in groups if kind not in _UNREADABLE}
            unreadable |= {group.name: kind for group, kind in groups if kind in _UNREADABLE}
            if not groups:
                missed.append(pattern)
        self._tell_unreadable({name: kind for name, kind in unreadable.items() if not self._is_excluded(name)})
        is_first, self._is_first = self._is_first, False
        if is_first:
            self._listing.allow(DESCRIBE_TPS / 2)  # nobody waits for later ones: the rest is others'
            self._tell(missed)
        named = {key: found[key] for key in sorted(found) if not self._is_excluded(found[key].name)}
        if not self._wanted_tags:
            return named
        # Nothing waits for a later listing: what others have heard is asked for again then.
        since_s = float("-inf") if is_first else max(self._began_s, self._clock() - KEPT_S)
        again = self._tags.to_ask_again([group.arn for group in named.values()], since_s)
        wanted = self._with_tags(named, again, retry)
        if is_first and named and not wanted:
            tags = ", ".join(f"{key}={value}" for key, value in self._wanted_tags.items())
            arn = next(iter(named.values())).arn
            self._say(
                f"no log group that is named has the tags {tags} in {self._client.meta.region_name}; "
                f"see those of one with: aws logs list-tags-for-resource --resource-arn {arn}"
            )
        self.untagged = frozenset(named.keys() - wanted.keys())
        self._tags.forget(self._clock())
        return wanted

    def _tell(self, missed: Sequence[str]) -> None:
        """Names come first: their error ends the start, and stands alone."""
        region = self._client.meta.region_name
        remedy = f"list them with: aws logs describe-log-groups --region {region}"
        for pattern in missed:
            if _prefix(pattern) == pattern and not self._waits and not self._known(pattern):
                raise UnknownGroupError(f"there is no log group {pattern!r} in {region}; {remedy}")
        for pattern in missed:
            self._say(f"no log group matches {pattern!r} in {region}; {remedy}")

    def _tell_unreadable(self, found: Mapping[str, str]) -> None:
        """Tells of groups that are left out for their class, which they keep for ever."""
        for name in sorted(found.keys() - self._unreadable):
            self._say(
                f"log group {name!r} is of class {found[name]}, which FilterLogEvents does not read; it is left out"
            )
        self._unreadable = frozenset(found)

    def _is_excluded(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self._exclude)

    def _described(self, prefix: str, own: str | None, retry: Retry) -> Iterator[tuple[FoundGroup, str]]:
        """The groups whose names begin so, and their classes.

        `own` is this account, None where groups of no other are listed.
        """
        request: dict[str, Any] = {"logGroupNamePrefix": prefix} if prefix else {}
        if self._linked:
            request["includeLinkedAccounts"] = True
        while True:
            page = self._page(retry, **request)
            for name, arn, kind in _named(page):
                account = arn.split(":")[4] if arn else ""
                if own is None:
                    self.account = account
                yield FoundGroup(name if own in {None, account} else f"{account}:{name}", name, arn, account), kind
            token = page.get("nextToken")
            if not token:
                return
            if token == request.get("nextToken"):  # would go on for ever
                raise no_cloudwatch("listing log groups")
            request["nextToken"] = token

    def _page(self, retry: Retry, **request: Any) -> dict[str, Any]:
        region = self._client.meta.region_name
        needs = allow("logs:DescribeLogGroups", f"arn:{partition(region)}:logs:{region}:*:log-group:*")
        paced = replace(retry, governor=self._listing)
        page = paced.call("listing log groups", self._client.describe_log_groups, needs=needs, **request)
        self._observe(page)
        return dict(page)

    def _own_account(self, retry: Retry) -> str:
        """This account's number: the account of the groups that are listed without linked ones, "" if it has none."""
        if not self.account:
            self.account = next((arn.split(":")[4] for _, arn, _ in _named(self._page(retry, limit=1)) if arn), "")
        return self.account

    def _with_tags(
        self, named: Mapping[str, FoundGroup], again: Collection[str], retry: Retry
    ) -> dict[str, FoundGroup]:
        """Those of the groups that have the tags. One whose tags may not be asked for has those that were heard before.

        Raises:
            AccessError: that holds for all of them.
        """
        wanted, refused = dict[str, FoundGroup](), dict[str, AccessError]()
        for number, (key, group) in enumerate(named.items(), 1):
            try:
                has_tags = self._has_tags(group, again, retry)
            except AccessError as error:
                refused[key] = error
                is_none_heard = number == len(refused) >= min(_NONE, len(named))
                if is_none_heard or not (isinstance(error.__cause__, Exception) and is_denied(error.__cause__)):
                    raise
                has_tags = self._are_wanted(self._tags.of(group.arn) or {})
            if has_tags:
                wanted[key] = group
        for key in refused:
            self._tags.hear(named[key].arn, self._tags.of(named[key].arn) or {}, self._clock())
        for key in sorted(refused.keys() - self._refused):
            self._say(f"{refused[key]}; meanwhile it is {'read on' if key in wanted else 'left out'}")
        self._refused |= refused.keys()
        return wanted

    def _has_tags(self, group: FoundGroup, again: Collection[str], retry: Retry) -> bool:
        tags = None if group.arn in again else self._tags.of(group.arn)
        if tags is None:
            try:
                tags = self._ask_for_tags(group, retry)
            except UnknownGroupError:  # deleted since it was listed
                return False
            self._refused.discard(group.key)
        return self._are_wanted(tags)

    def _are_wanted(self, tags: Mapping[str, str]) -> bool:
        return all(key in tags and fnmatchcase(tags[key], value) for key, value in self._wanted_tags.items())

    def _ask_for_tags(self, group: FoundGroup, retry: Retry) -> Mapping[str, str]:
        what, request = f"the tags of log group {group.name!r}", self._client.list_tags_for_resource
        needs = allow("logs:ListTagsForResource", group.arn)
        page = replace(retry, governor=self._tagging).call(what, request, needs=needs, resourceArn=group.arn)
        tags: Mapping[str, str] = page.get("tags", {})
        self._tags.hear(group.arn, tags, self._clock())
        return tags


def _prefix(pattern: str) -> str:
    """What stands before its first wildcard: all of a name."""
    return pattern[: next((n for n, char in enumerate(pattern) if char in _WILD), len(pattern))]


def _named(page: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Name, ARN and class of each group of a page, the ARN without the ``:*`` at its end, "" where it is none.

    Raises:
        ConnectError: they are no log groups.
    """
    try:
        groups = [
            (str(group["logGroupName"]), str(group.get("arn", "")), str(group.get("logGroupClass", "")))
            for group in page["logGroups"]
        ]
    except (AttributeError, KeyError, TypeError):
        raise no_cloudwatch("listing log groups") from None
    return [(name, arn.removesuffix(":*") if arn.startswith("arn:") else "", kind) for name, arn, kind in groups]
