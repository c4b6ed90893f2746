"""Secrets of requests: authorization headers, and passwords in URLs and in command lines of curl."""

from __future__ import annotations

import base64
import binascii
from typing import Final

from logship.secrets.patterns import compiled
from logship.secrets.shown import Shown
from logship.secrets.values import is_mask

_QUOTE: Final = r"(?:\\*[\"']|%22)?"
_NAME: Final = rf"(?i:authorization){_QUOTE}\s*(?:[:=,]|%3[AaDd])"
_AUTHORIZATION: Final = rf"{_NAME}>?(?:\s|\+|%20)*\[?b?{_QUOTE}"
"""The header's name in a header line, a JSON field or a list of pairs, up to its value."""
_SPACE: Final = r"(?:\s|%20|\+)+"
_LONG: Final = 16
"""A bearer token or an opaque value without a header around it has at least as many characters."""
_NUMBER: Final = b"0123456789.eE+-"
_PROSE: Final = frozenset({b"auth", b"authentication", b"authorization", b"realm", b"scheme", b"token", b"tokens"})


def _bearer(lead: bytes, secret: bytes) -> bool:
    if _in_header(lead):
        return secret.lower() not in _PROSE
    return len(secret) >= _LONG and _has_digit(secret)


def _basic(lead: bytes, secret: bytes) -> bool:
    """In its header whatever it is; elsewhere only what decodes to a user and a password."""
    if _in_header(lead):
        return secret.lower() not in _PROSE
    try:
        return b":" in base64.b64decode(secret.replace(b"%3D", b"=").replace(b"%3d", b"="), validate=True)
    except binascii.Error:
        return False


def _opaque(lead: bytes, secret: bytes) -> bool:
    """A value without a scheme: long, with digits and more than a number has, and no list of parameters."""
    del lead
    if len(secret) < _LONG or secret.startswith(b"Credential="):
        return False
    return _has_digit(secret) and bool(secret.translate(None, _NUMBER))


def _is_password(lead: bytes, secret: bytes) -> bool:
    """Neither a mask nor the port of an address and what follows it, as in `kafka://b1:9092,b2:9092/x@y`."""
    del lead
    return not is_mask(secret) and not compiled(_PORTS).fullmatch(secret)


def _in_header(lead: bytes) -> bool:
    return b"authorization" in lead.lower()


def _has_digit(text: bytes) -> bool:
    return text.translate(None, b"0123456789") != text


_USER: Final = r"[^\s/?#@:\"'\\<>]*"
_URL_USER: Final = rf"(?:[^\[\s/?#@:\"'\\<>]{_USER})?"
"""What begins with a bracket is an address of IPv6."""
_PORTS: Final = r"(?:https?|[0-9]{1,5}(?:,[\w.-]+(?::[0-9]{1,5})?)+)[/?#].*"
_SWITCHES: Final = "[#0-46afgGiIjJkLlnNOpqRsSvZ]*"
"""Options of curl without a value, which may stand before another behind one dash: `-su`."""
_CURL: Final = tuple(
    rf"\bcurl\b[^\n]*?[\s\"'](?:-{_SWITCHES}{short}|--{long}\b)" for short, long in (("u", "user"), ("U", "proxy-user"))
)

RULES: Final = (
    Shown(
        name="bearer",
        anchor=rf"(?i:bearer){_SPACE}{_QUOTE}[A-Za-z0-9._~+/=%-]",
        lead=rf"(?:{_AUTHORIZATION})?\b(?i:bearer){_SPACE}{_QUOTE}",
        secret="(?:[A-Za-z0-9._~+/=-]|%2[BbFf]|%3[Dd])+",
        accepts=_bearer,
    ),
    Shown(
        name="basic-auth",
        anchor=rf"\b(?i:basic){_SPACE}[A-Za-z0-9+/_-]",
        lead=rf"(?:{_AUTHORIZATION})?\b(?i:basic){_SPACE}",
        secret="(?:[A-Za-z0-9+/_-])+(?:=|%3[Dd])*",
        accepts=_basic,
    ),
    *(
        Shown(
            name="basic-auth",
            anchor=curl,
            lead=rf"{curl}(?:[ =\"',]|\\+[\"'])*{_USER}:",
            secret=r"[^\s\"'\\]+",
        )
        for curl in _CURL
    ),
    Shown(
        name="authorization",
        anchor=_NAME,
        lead=rf"{_AUTHORIZATION}(?:[A-Za-z][A-Za-z0-9-]*{_SPACE})?",
        secret=r"[^\s\"'\\,;<>\[\]{}()]+",
        accepts=_opaque,
    ),
    Shown(
        name="url-password",
        anchor=rf":(?:\\*/){{2}}{_URL_USER}:[^\s\"'<>@]*@",
        lead=rf":(?:\\*/){{2}}{_URL_USER}:",
        # Up to the last @ of the authority; one with a slash in it is a password where it cannot be a port.
        secret=r"(?:[^\s\"'<>\\/?#]|\\+u[0-9a-fA-F]{4})*@|[0-9]*[^0-9\s\"'<>\\@/?#][^\s\"'<>\\@]{0,127}@",
        stays=b"@",
        not_before=(b"@sha256:", b"@sha512:"),  # the digest of an image
        accepts=_is_password,
    ),
)
