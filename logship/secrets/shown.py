"""Secrets that show themselves: by a prefix that nothing else has, or by the words that stand around them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from logship.secrets.patterns import Span, compiled, in_mark

if TYPE_CHECKING:
    from collections.abc import Callable

_JUDGED: Final = 256
"""Longer secrets are never refused for what they are."""
_LONGEST_AFTER: Final = 6
_SECRET_KEY: Final = 40
"""So many characters has a secret key of AWS."""


def _any_secret(lead: bytes, secret: bytes) -> bool:
    del lead, secret
    return True


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A secret after something that leads to it."""

    name: str
    anchor: str
    """RE2 that stands in every line with such a secret, and in few others."""
    lead: str = ""
    """RE2 of what stands before the secret and stays; empty where the secret shows itself."""
    secret: str
    """RE2 of the secret. It takes the longest run, so that none of it is left behind."""
    stays: bytes = b""
    """What the secret's pattern may end with that is no part of it."""
    after: str = ""
    """RE2 of the end of what must stand before a secret that shows itself; empty where that may be anything."""
    not_before: tuple[bytes, ...] = ()
    """What makes something else of the text that it follows."""
    accepts: Callable[[bytes, bytes], bool] = field(default=_any_secret)
    """Whether lead and secret are meant so. It is asked about short ones alone, since what is refused is read again."""

    def find(self, data: bytes) -> list[Span]:
        """Where such secrets stand."""
        lead, secret = compiled(self.lead or self.secret), compiled(self.secret)
        found: list[Span] = []
        at = 0
        while match := lead.search(data, at):
            start, end = match.span()
            at = end
            if self.lead:
                tail = secret.match(data, end)
                start, end = end, tail.end() if tail else end
            if self.stays and data.endswith(self.stays, start, end):
                end -= len(self.stays)
            if end > start and not in_mark(data, start) and self._accepted(match.group(), data, start, end):
                found.append(Span(start, end))
                at = end
        return found

    def _accepted(self, lead: bytes, data: bytes, start: int, end: int) -> bool:
        if self.after and not compiled(self.after).search(data[max(0, start - _LONGEST_AFTER) : start]):
            return False
        if data.startswith(self.not_before, end):
            return False
        return end - start > _JUDGED or self.accepts(lead, data[start:end])


def _key_id_and_secret(lead: bytes, secret: bytes) -> bool:
    """Forty characters of base64 are a secret key; forty of lower-case hex are somebody's digest."""
    del lead
    return bool(secret.strip(b"0123456789abcdef"))


def _named_secret(lead: bytes, secret: bytes) -> bool:
    return len(secret) == _SECRET_KEY and _key_id_and_secret(lead, secret)


def _token(name: str, prefix: str, rest: str) -> Shown:
    return Shown(name=name, anchor=prefix + rest, secret=prefix + rest)


@dataclass(frozen=True, kw_only=True)
class _KeyLines:
    """The lines of a private key that are strings of a list: each is cut by itself, so that the list stays one."""

    name: str = "private-key"
    anchor: str

    def find(self, data: bytes) -> list[Span]:
        """Where such lines stand."""
        found: list[Span] = []
        at = 0
        line = compiled(_PEM_ITEM)
        while begin := compiled(_PEM).search(data, at):
            at = begin.end()
            while item := line.match(data, at):
                at = item.end(1)
                if at > item.start(1):
                    found.append(Span(item.start(1), at))
        return found


_PEM_TEXT: Final = r"(?:[^-\"']|-{1,4}[^-\"'])"
"""Whatever joins the lines: breaks and their escapes, `%0A`, `<br>`, colours, `> `; a quote would end their string."""
_PEM_BREAK: Final = r"(?:[\s,+]|\\+[nr])*"
_PEM_CLOSE: Final = r"(?:\\+[nr])*\\*[\"']"
_PEM_ITEM: Final = (
    rf"{_PEM_CLOSE}{_PEM_BREAK}[bu]?\\*[\"']([A-Za-z0-9+/=][A-Za-z0-9+/=:, -]*|){_PEM_CLOSE}{_PEM_BREAK}(?:[^\s:]|\z)"
)
"""The end of one string, and the line that is the next one, if that is no key of an object."""
_PEM_HEADERS: Final = r"(?:(?:[\r\n]|\\+[nr])+[A-Z][A-Za-z-]{2,15}:(?:[^-\r\n\\\"']|-{1,4}[^-\r\n\\\"'])*)*"
"""`Proc-Type`, `DEK-Info`, `Version`: what an encrypted key and one of PGP have before an empty line."""
_PEM_LONG: Final = r"(?:(?:\s|\\+[nrt])*[A-Za-z0-9+/=]{16,})"
_PEM_SHORT: Final = r"(?:(?:[ \t]*[\r\n]+|\\+[nr])+[A-Za-z0-9+/]{1,15}={0,2})"
_BLANK: Final = r"(?: |%20|\+)"
_PEM_BEGIN: Final = rf"-----BEGIN{_BLANK}(?:[A-Z0-9]|{_BLANK}){{0,40}}PRIVATE{_BLANK}KEY"
_PEM: Final = rf"{_PEM_BEGIN}(?:{_BLANK}BLOCK)?-----"

_GREATER: Final = r"(?:>|&gt;|\\+u003[eE])"
"""The end of an XML tag, also one within XML or JSON."""
_GAP: Final = r"(?:\s|\\+[nrt])"
_SECRET_NAME: Final = rf"(?i:secret[_ -]?access[_ -]?key)(?:[ \t]+(?:\\*[\"'])?|{_GREATER}{_GAP}*)"
"""The key's name in a command or a Dockerfile, which put a space behind it, or in an answer of STS."""

RULES: Final[tuple[Shown | _KeyLines, ...]] = (
    Shown(
        name="private-key",
        anchor=_PEM_BEGIN,
        lead=_PEM,
        # Up to the END line; where that is missing, as many long runs of base64 as follow, and a last short one.
        secret=rf"{_PEM_TEXT}+-----END|{_PEM_HEADERS}{_PEM_LONG}+{_PEM_SHORT}?",
        stays=b"-----END",
    ),
    _KeyLines(anchor=rf"{_PEM}{_PEM_CLOSE}"),
    Shown(
        name="aws-access-key-id",
        anchor="A[KS]IA[A-Z0-9]{16}",
        secret="A[KS]IA[A-Z0-9]{16,}",
        after=r"(?:\A|[^A-Z0-9]|%[0-9A-Fa-f]{2}|u[0-9a-fA-F]{4})\z",  # no part of a word, but behind `%2F` or `\u0026`
    ),
    Shown(
        name="aws-secret-key",
        anchor="A[KS]IA[A-Z0-9]{16}",
        lead=r"A[KS]IA[A-Z0-9]{16,}[,:;|/\s\"'\\]{1,8}",
        secret="[A-Za-z0-9/+]{40}",
        accepts=_key_id_and_secret,
    ),
    Shown(
        name="aws-secret-key",
        anchor=rf"{_SECRET_NAME}[A-Za-z0-9/+]",
        lead=_SECRET_NAME,
        secret="[A-Za-z0-9/+]{40,}",
        accepts=_named_secret,
    ),
    Shown(
        name="aws-session-token",
        anchor=rf"SessionToken{_GREATER}",
        lead=rf"SessionToken{_GREATER}{_GAP}*",
        secret=rf"[A-Za-z0-9/+=]{{16,}}(?:{_GAP}*[A-Za-z0-9/+=]+)*",
    ),
    _token("aws-session-token", "(?:IQoJb3JpZ2lu|F[wQ]oGZXIvYXdz)", r"(?:[A-Za-z0-9/+=_-]|%2[BbFf]|%3[Dd]){32,}"),
    # With two dots behind its header it is encrypted with a key that both sides have.
    _token("jwt", r"eyJ[A-Za-z0-9_-]{6,}\.\.?[A-Za-z0-9_-]{6,}\.", r"[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*"),
    _token("github-token", "(?:gh[pousr]_|github_pat_)", "[A-Za-z0-9_]{30,}"),
    _token("gitlab-token", "gl(?:pat|rt|dt|ptt|cbt|soat)-", "[A-Za-z0-9_.-]{20,}"),
    _token("slack-token", r"(?:xox[abcdeoprs]-|xapp-|hooks\.slack\.com\\*/services\\*/)", r"[A-Za-z0-9/\-]{10,}"),
    _token("stripe-key", "(?:[rs]k_(?:live|test)_|whsec_)", "[A-Za-z0-9]{16,}"),
    _token("google-key", "(?:AIza|GOCSPX-)", "[A-Za-z0-9_-]{24,}"),
    _token("npm-token", "npm_", "[A-Za-z0-9]{36,}"),
    _token("pypi-token", "pypi-AgE", "[A-Za-z0-9_-]{32,}"),
    _token("sendgrid-key", r"SG\.", r"[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
)
"""Prefixes are those that the vendors document for secret scanning."""
