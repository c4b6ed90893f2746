"""The engine: finds the few lines that may hold a secret, and cuts the secrets out of them."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from threading import Lock
from typing import TYPE_CHECKING, Any

from logship.secrets.escapes import undone, unescaped
from logship.secrets.patterns import MARK, Span, compiled, encoded, finder, in_mark
from logship.secrets.rules import BUILT_IN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from logship.secrets.rules import Rule


class Redactor:
    """Takes secrets out of text. What it leaves is as it was, to the byte; redacting again changes nothing.

    One redactor may be used by several threads.

    Args:
        rules: what is taken out, in order of precedence. They see a text without the JSON escapes of printable ASCII.
        own: further rules, behind them. They see the text as it arrived as well.

    Attributes:
        counts: by rule's name, how many secrets were taken out.
        lines: how many texts had any.
    """

    def __init__(self, rules: Iterable[Rule] = BUILT_IN, own: Iterable[Rule] = ()) -> None:
        known = tuple(rules)
        self._rules = (*known, *own)
        self._own = frozenset(range(len(known), len(self._rules)))
        anchors = {order: rule.anchor for order, rule in enumerate(self._rules) if rule.anchor}
        self._anchored = list(anchors)
        self._always = [order for order in range(len(self._rules)) if order not in anchors]
        self._gate: Any = compiled("|".join(f"(?:{anchor})" for anchor in anchors.values())) if anchors else None
        self._which = finder(list(anchors.values())) if anchors else None
        self._lock = Lock()
        self.counts: dict[str, int] = dict.fromkeys((rule.name for rule in self._rules), 0)
        self.lines = 0

    def redact(self, text: str) -> str:
        """The text without its secrets; the same object if it has none."""
        data, readable = encoded(text)
        if not self._always:
            if "\\" in text:  # else it has no escapes, which most have not
                if not self._is_suspect(readable):
                    return text
            elif self._gate is None or self._gate.search(readable) is None:
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

    def _is_suspect(self, readable: bytes) -> bool:
        """Whether an anchor stands in a text."""
        if self._gate is None:
            return False
        plain = undone(readable)
        return bool(self._gate.search(plain) or (plain is not readable and self._own and self._gate.search(readable)))

    def _suspects(self, texts: Sequence[str]) -> Sequence[int]:
        """The indices of texts that an anchor stands in, or begins in: one that runs on into the next is harmless."""
        if self._gate is None:
            return []
        readable = encoded("\n".join(texts))[1]
        plain = undone(readable)
        found = self._standing(texts, plain)
        if plain is readable or not self._own:
            return list(found)
        return sorted({*found, *self._standing(texts, readable)})

    def _standing(self, texts: Sequence[str], joined: bytes) -> Iterator[int]:
        """The indices of texts that an anchor stands in, in one reading of them all; their newlines tell them apart."""
        found = self._gate.search(joined)
        if found is None:
            return
        ends = list(accumulate(text.count("\n") + 1 for text in texts))
        at = newlines = 0
        while found:
            newlines += joined.count(b"\n", at, found.start())
            at = found.start()
            index = bisect_right(ends, newlines)
            yield index
            if index + 1 == len(texts):
                return
            while newlines < ends[index]:
                at = joined.index(b"\n", at) + 1
                newlines += 1
            found = self._gate.search(joined, at)

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
        plain = unescaped(readable)
        if plain is None:
            found = self._found(readable, self._candidates(readable))
        else:
            found = self._found(readable, self._own.intersection(self._candidates(readable)))
            for span, order, name in self._found(plain.data, self._candidates(plain.data)):
                start, end = plain.start(span.start), plain.end(span.end)
                if start < end:
                    found.append((Span(start, end, span.quote), order, name))
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

    def _found(self, readable: bytes, orders: Iterable[int]) -> list[tuple[Span, int, str]]:
        """What some rules find in a text, with the order and the name of each."""
        return [
            (span, order, self._rules[order].name)
            for order in orders
            for span in self._rules[order].find(readable)
            if not in_mark(readable, span.start)
        ]

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
