"""The engine: finds the few lines that may hold a secret, and cuts the secrets out of them."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from threading import Lock
from typing import TYPE_CHECKING

from logship.secrets.patterns import MARK, Span, compiled, encoded, finder, in_mark
from logship.secrets.rules import BUILT_IN

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from logship.secrets.rules import Rule


class Redactor:
    """Takes secrets out of text. What it leaves is as it was, to the byte; redacting again changes nothing.

    One redactor may be used by several threads.

    Args:
        rules: what is taken out, in order of precedence.

    Attributes:
        counts: by rule's name, how many secrets were taken out.
        lines: how many texts had any.
    """

    def __init__(self, rules: Iterable[Rule] = BUILT_IN) -> None:
        self._rules = tuple(rules)
        anchors = {order: rule.anchor for order, rule in enumerate(self._rules) if rule.anchor}
        self._anchored = list(anchors)
        self._always = [order for order in range(len(self._rules)) if order not in anchors]
        self._gate = compiled("|".join(f"(?:{anchor})" for anchor in anchors.values())) if anchors else None
        self._which = finder(list(anchors.values())) if anchors else None
        self._lock = Lock()
        self.counts: dict[str, int] = dict.fromkeys((rule.name for rule in self._rules), 0)
        self.lines = 0

    def redact(self, text: str) -> str:
        """The text without its secrets; the same object if it has none."""
        data, readable = encoded(text)
        if not self._always and (self._gate is None or self._gate.search(readable) is None):
            return text
        return self._cut(text, data, readable)

    def redact_many(self, texts: Sequence[str]) -> Sequence[str]:
        """Each text without its secrets, in order; `texts` itself if none has any.

        All are searched at once, which costs a third of searching each.
        """
        suspects = range(len(texts)) if self._always else self._suspects(texts)
        cleaned: list[str] | None = None
        for index in suspects:
            text = texts[index]
            clean = self._cut(text, *encoded(text))
            if clean is not text:
                cleaned = cleaned or list(texts)
                cleaned[index] = clean
        return texts if cleaned is None else cleaned

    def _suspects(self, texts: Sequence[str]) -> list[int]:
        """The indices of texts that an anchor stands in, or begins in: one that runs on into the next is harmless."""
        if self._gate is None:
            return []
        readable = encoded("\n".join(texts))[1]
        found = self._gate.search(readable)
        if found is None:
            return []
        starts = _starts(texts, len(readable))
        suspects: list[int] = []
        while found:
            suspects.append(bisect_right(starts, found.start()) - 1)
            if suspects[-1] + 1 == len(texts):
                break
            found = self._gate.search(readable, starts[suspects[-1] + 1])
        return suspects

    def _cut(self, text: str, data: bytes, readable: bytes) -> str:
        spans = self._spans(readable)
        if not spans:
            return text
        pieces: list[bytes] = []
        at = 0
        for span, name in spans:
            pieces += (data[at : span.start], span.quote, MARK, name.encode(), b"]", span.quote)
            at = span.end
        pieces.append(data[at:])
        self._count([name for _, name in spans])
        return b"".join(pieces).decode("utf-8", "surrogatepass")

    def _spans(self, readable: bytes) -> list[tuple[Span, str]]:
        """What is to be cut, in order; spans that overlap become one, named by the rule that comes first."""
        found = [
            (span, order, self._rules[order].name)
            for order in self._candidates(readable)
            for span in self._rules[order].find(readable)
            if not in_mark(readable, span.start)
        ]
        found.sort()
        merged: list[tuple[Span, int, str]] = []
        for span, order, name in found:
            if not merged or span.start >= merged[-1][0].end:
                merged.append((span, order, name))
                continue
            last, last_order, last_name = merged[-1]
            both = Span(last.start, max(last.end, span.end), last.quote or span.quote)
            merged[-1] = (both, *min((last_order, last_name), (order, name)))
        return [(span, name) for span, _, name in merged]

    def _candidates(self, readable: bytes) -> Iterable[int]:
        """The rules whose anchors stand in a text; all where RE2 gives up because it would take too much memory."""
        which = self._which.Match(readable) if self._which else None
        if not which and self._gate and self._gate.search(readable):
            return range(len(self._rules))
        return [*(self._anchored[index] for index in which or ()), *self._always]

    def _count(self, names: Sequence[str]) -> None:
        with self._lock:
            self.lines += 1
            for name in names:
                self.counts[name] += 1


def _starts(texts: Sequence[str], size_bytes: int) -> list[int]:
    """The offsets in bytes at which texts begin that are joined by one byte."""
    lengths = [len(text) + 1 for text in texts]
    if sum(lengths) != size_bytes + 1:
        lengths = [len(text.encode("utf-8", "surrogatepass")) + 1 for text in texts]
    return list(accumulate(lengths[:-1], initial=0))
