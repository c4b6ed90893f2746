"""Secrets behind their names: `password=…`, `api_key: …`, `"client_secret":"…"`, however deep the quotes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

from logship.secrets import values
from logship.secrets.patterns import Span, compiled, in_mark

if TYPE_CHECKING:
    from collections.abc import Iterator

_CLOSE: Final = r"(?:\\*[\"']|%22|\]|%5[Dd])?"
_SIGN: Final = r"(?::=|=>|==?|:|%3[AaDd])"
_OPEN: Final = r"b?(?:\\*[\"']|%22)"
_SUFFIX: Final = r"(?i:[_-]?(?:confirm|confirmation|again|repeat|hash|[0-9]{1,2}))?"
_NEXT_ITEM: Final = r"\\*[\"'](?:\s|\\+[nrt])*,(?:\s|\\+[nrt])*b?(\\*[\"'])"
_LONGEST_PREFIX: Final = 24
_LONGEST_NAME: Final = 40
_COUNT_DIGITS: Final = 9
_LONG: Final = 16
"""A value that touches the colon behind a word of prose has at least as many characters."""
_BRACKETS: Final = (b"{", b"<", b"(", b"[", b"`")
_PLAIN: Final = b" \t\r\n\"'([{,;=:"


class _Lead(NamedTuple):
    """What stands before a value, taken apart."""

    start: int
    end: int
    sign: str
    """`=` or `:`; `%` where the pair is percent-encoded; a space where none stands."""
    close: bytes
    """The quote that ended the name, with its backslashes."""
    open: bytes
    """The quote that begins the value, likewise."""
    spaced: bool
    listed: bool
    """Whether the value is the first of a list."""


@dataclass(frozen=True, kw_only=True)
class Named:
    """A secret that is the value of a key."""

    name: str
    keys: str
    """RE2 of the ends of the keys' names, in any case."""
    not_after: tuple[str, ...] = ()
    """Words of the key before these ends that make something else of it."""
    not_value: str = ""
    """RE2 of whole values that are no secrets, although the key is right."""
    shortest: int = 6
    """Values of fewer bytes are no secrets."""
    numbers: bool = False
    """Whether a number of a few digits is a secret and not a count."""
    prose: bool = True
    """Whether the key is a word that is also used in sentences, `unexpected token: end`: then a word of letters alone
    behind `key: `, and a name behind `key:` without a space, are none."""
    quoted: bool = False
    """Whether the key is a word that counts and verdicts have too, `pass: 3`: then a value without quotes is one
    behind a flag alone."""

    @property
    def anchor(self) -> str:
        """Name and sign, a name and a quoted value as in SQL's `PASSWORD 'x'`, or a flag and a word or list item."""
        key = f"(?i:{self.keys}){_SUFFIX}"
        flag = rf"--(?:[a-z0-9]+-)*(?i:{self.keys})(?:[ \t]|\\*[\"'],)"
        return rf"{key}(?:{_CLOSE}[ \t]*(?:[:=]|%3[AaDd])|[ \t]+\\*')|{flag}"

    @cached_property
    def _lead(self) -> str:
        key = f"(?i:{self.keys}){_SUFFIX}"
        pair = rf"{key}{_CLOSE}[ \t]*{_SIGN}(?:\s*\[?\s*{_OPEN}|[ \t]*(?:%20)*)"
        flag = rf"--(?:[a-z0-9]+-)*(?i:{self.keys})(?:[ \t]+(?:{_OPEN})?|\\*[\"'],\s*{_OPEN})"
        return rf"{pair}|{key}[ \t]+\\*'|{flag}"

    def find(self, data: bytes) -> list[Span]:
        """Where such secrets stand."""
        found: list[Span] = []
        at = listed = 0
        runs = values.Runs(data)
        pattern = compiled(self._lead)
        while match := pattern.search(data, at):
            lead = _taken_apart(data, *match.span())
            at = lead.end
            if in_mark(data, lead.start) or self._is_something_else(data, lead):
                continue
            end = _value_end(data, lead, runs)
            if (span := self._judged(data, lead, end)) is not None:
                found.append(span)
                at = end
            if lead.listed and lead.start >= listed:  # A list within one that was read is not read again.
                for item, item_end in _further_items(data, lead, end):
                    listed = item_end
                    if (span := self._judged(data, item, item_end)) is not None:
                        found.append(span)
                        at = item_end
        return found

    def _judged(self, data: bytes, lead: _Lead, end: int) -> Span | None:
        """The value up to `end`; None where it is empty or no secret."""
        start = lead.end
        if end <= start or not self._accepted(data, lead, data[start : min(end, start + values.LONGEST_JUDGED + 1)]):
            return None
        is_number = lead.close.endswith(b'"') and not lead.open and values.literal_end(data, start) == end
        return Span(start, end, lead.close if is_number else b"")

    def _is_something_else(self, data: bytes, lead: _Lead) -> bool:
        before = data[max(0, lead.start - _LONGEST_PREFIX) : lead.start]
        if self.quoted and not data.startswith(b"--", lead.start) and (lead.sign == " " or not lead.open):
            return True
        return bool(self.not_after) and bool(compiled(self._other_names).search(before))

    @cached_property
    def _other_names(self) -> str:
        words, humps = "|".join(self.not_after), "|".join(word.capitalize() for word in self.not_after)
        return rf"(?:(?:\A|[^A-Za-z])(?i:{words})|[a-z0-9](?:{humps}))[_. -]?\z"

    def _accepted(self, data: bytes, lead: _Lead, value: bytes) -> bool:
        """`value` is all of it, or so much that it is longer than anything that is refused."""
        touches = not lead.spaced and (lead.sign, lead.open, lead.close) == (":", b"", b"")
        if self.prose and touches and not _is_pair(data, lead, value):
            return False
        if len(value) > values.LONGEST_JUDGED:
            return True
        if len(value) < self.shortest or values.is_mask(value):
            return False
        if lead.listed and len(value.split()) > 1:  # `"errors":{"password":["is too short"]}`
            return False
        is_field = not self.prose and lead.open and lead.close and not lead.listed
        if values.is_answer(value) if is_field else values.is_word(value):
            return False
        if self.prose and not lead.open and value.startswith(_BRACKETS):
            return False
        if lead.sign == "=" and not lead.open and self._is_expression(data, lead, value):
            return False
        if not self.numbers and value.isdigit() and len(value) <= _COUNT_DIGITS:
            return False
        if self.prose and lead.sign == ":" and not lead.open and values.is_message(value):
            return data[lead.start - 1 : lead.start] not in _PLAIN
        return not self.not_value or not compiled(self.not_value).fullmatch(value)

    def _is_expression(self, data: bytes, lead: _Lead, value: bytes) -> bool:
        if lead.spaced and (values.is_pair(value) or value.startswith((b"(", b"["))):
            return True
        before = data[max(0, lead.start - _LONGEST_NAME) : lead.end].rstrip(b" \t=:")
        name = compiled(r"[\w.-]*\z").search(before)
        written = name.group() if name else b""
        if not lead.spaced and not self.prose:
            return values.is_handed_on(value, written)
        return values.is_code(value, data[lead.end + len(value) : lead.end + len(value) + 1], written)


def _is_pair(data: bytes, lead: _Lead, value: bytes) -> bool:
    """Whether `key:value` is a pair, `X-Auth-Token:ab12cd34`; a phrase, a cache's key, an ARN or an image is none."""
    before = compiled(r"[\w.:/-]*\z").search(data[max(0, lead.start - _LONGEST_NAME) : lead.start]).group()
    if b":" in before or b"/" in before or values.is_name(value):
        return False
    return bool(before) or len(value) >= _LONG


def _taken_apart(data: bytes, start: int, end: int) -> _Lead:
    text = data[start:end]
    head = text.removesuffix(b"%22") if text.endswith(b"%22") else _without_quote(text)
    sign = "%" if b"%3" in head else "=" if b"=" in head else ":" if b":" in head else " "
    double, single = head.rfind(b'"'), head.rfind(b"'")
    name = head[: max(double, single) + 1]
    close = name[len(_without_quote(name)) :]
    listed = head[len(name) :].removesuffix(b"b").rstrip().endswith(b"[")
    return _Lead(start, end, sign, close, text[len(head) :], text[-1:].isspace(), listed)


def _further_items(data: bytes, lead: _Lead, end: int) -> Iterator[tuple[_Lead, int]]:
    """The other items of the list that a value begins, and where each ends."""
    while (gap := compiled(_NEXT_ITEM).match(data, end)) and gap.group(1) == lead.open:
        lead = lead._replace(end=gap.end())
        end = values.quoted_end(data, lead.end, lead.open) or lead.end
        yield lead, end


def _without_quote(text: bytes) -> bytes:
    return text[:-1].rstrip(b"\\") if text.endswith((b'"', b"'")) else text


def _value_end(data: bytes, lead: _Lead, runs: values.Runs) -> int:
    start = lead.end
    if lead.open:
        return values.quoted_end(data, start, lead.open) or start
    if lead.sign == "%":
        return values.percent_end(data, start)
    if lead.close and (end := values.literal_end(data, start)) > start:
        return end
    if not lead.close and (end := values.bracketed_end(data, start)) > start:
        return end
    return runs.value_end(start, ":" if lead.sign == ":" else "=")


_PAGING: Final = (
    "next", "page", "paging", "pagination", "continuation", "continue", "sync", "cursor", "start", "prev", "previous",
    "last", "end", "forward", "backward", "sequence", "cancel", "cancellation", "unexpected", "resume", "scroll", "eos",
    "bos", "pad", "stop", "mask", "sep", "cls", "unk", "special", "request", "idempotency",
)  # fmt: skip
"""What says where a list goes on, which word a parser met, or that a request is the same as before."""
_PASSES: Final = (
    "first", "second", "third", "last", "final", "one", "two", "single", "multi", "all", "low", "high", "band",
    "render", "shadow", "depth", "boarding",
)  # fmt: skip
"""What a pass is that is no password: of a filter, of a renderer, of something that reads its input more than once."""
_FILE: Final = (
    r"(?:~|\.{1,2}|/(?:app|certs?|config|data|etc|home|mnt|opt|private|root|run|secrets?|srv|tmp|usr|Users|var|vault))"
    r"(?:/[\w.@-]+)+"
)
"""The file that a secret stands in. Its root is known, since base64 has slashes too."""

RULES: Final = (
    Named(name="aws-secret-key", keys=r"secret[_ -]?access[_ -]?key(?: \[[\w*]{1,40}\])?", prose=False),
    Named(name="aws-session-token", keys="(?:session|security)[_-]?token", prose=False),
    Named(
        name="password",
        keys="passw(?:or)?d|passwort|passphrase|passcode|(?-i:IDENTIFIED BY)",
        shortest=1,
        numbers=True,
        prose=False,
    ),
    Named(name="password", keys="pwd", not_value=r"[/~.].*|[A-Za-z]:[\\/].*", shortest=1, numbers=True, prose=False),
    # Of a longer name, `SMTP_PASS`, `db.pass`, `userPass`, or a parameter of a URL; alone it needs quotes.
    Named(name="password", keys=r"(?:[_.?&-]|%26|u0026)pass|(?-i:\BPass)", not_after=_PASSES, shortest=4, prose=False),
    Named(name="password", keys=r"\bpass", not_after=_PASSES, shortest=4, prose=False, quoted=True),
    Named(
        name="api-key",
        keys="api[_ -]?key|(?:access|account|auth|subscription)[_-]?key",
        not_value=_FILE,
        prose=False,
    ),
    Named(
        name="secret",
        keys="secret|secret[_-]?key(?:[_-]?base)?|(?:private|signing|encryption|master|shared)[_-]?key|sharedaccesssignature",
        not_value=_FILE,
    ),
    Named(name="token", keys="token", not_after=_PAGING, not_value=_FILE),
)
