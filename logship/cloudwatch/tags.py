"""The tags of log groups as they were of late: asking costs a call for each group, and few are allowed a second."""

from __future__ import annotations

from heapq import nsmallest
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

KEPT_S: Final = 600.0
"""So long a group's tags are taken as they were."""
_AGAIN: Final = 50
"""So many groups of which tags are known are asked for again in one listing: it takes ten seconds, and new groups
wait for no more than that."""
_FORGOTTEN_S: Final = 6 * KEPT_S


class Tags:
    """What all listings of a process have heard, one after the other or at the same time. Times are monotonic."""

    def __init__(self) -> None:
        self._heard: dict[str, tuple[float, Mapping[str, str]]] = {}

    def of(self, arn: str) -> Mapping[str, str] | None:
        """The tags of a group; None if nobody has asked."""
        heard = self._heard.get(arn)
        return heard[1] if heard else None

    def hear(self, arn: str, tags: Mapping[str, str], now_s: float) -> None:
        """A group has these tags now."""
        self._heard[arn] = now_s, tags

    def to_ask_again(self, arns: Collection[str], since_s: float) -> set[str]:
        """Those of the groups to be asked for anew in this listing: they were before `since_s`, the oldest first."""
        asked_s = {arn: self._heard[arn][0] for arn in arns if arn in self._heard}
        return set(nsmallest(_AGAIN, (arn for arn, at_s in asked_s.items() if at_s < since_s), key=asked_s.__getitem__))

    def forget(self, now_s: float) -> None:
        """Forgets groups that nobody has asked for in an hour: they are gone, or no longer named."""
        for arn in [arn for arn, (at_s, _) in list(self._heard.items()) if at_s < now_s - _FORGOTTEN_S]:
            self._heard.pop(arn, None)
