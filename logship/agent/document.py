"""JSON with the place of each key and value, and in words what keeps a text from being JSON."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from logship.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

MOST_BYTES: Final = 2_000_000
"""No agent config comes near that; something else was named."""
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
_PLAIN_TEXT: Final = re.compile(r'"[^"\\\x00-\x1f]*"')
_WORDS: Final[dict[str, Any]] = {"true": True, "false": False, "null": None}


@dataclass(frozen=True)
class Place:
    """Of a key or value; both count from 1."""

    line: int
    column: int


@dataclass(frozen=True)
class Problem:
    """Why a text is no JSON, or more than JSON readers show."""

    at: int
    rule: str
    message: str
    fix: str
    pointer: str = ""


@dataclass
class Document:
    """A text, its value, and where everything stands."""

    text: str
    value: Any = None
    values: dict[str, int] = field(default_factory=dict)
    """JSON pointer → offset of the value."""
    keys: dict[str, int] = field(default_factory=dict)
    """JSON pointer → offset of the key that names it."""
    repeated: list[tuple[str, int]] = field(default_factory=list)
    """Keys that stand in one object more than once: pointer, offset of the later one."""
    broken: Problem | None = None

    def place(self, pointer: str) -> Place:
        """Of a key where there is one, else of the value, else of what holds it."""
        while pointer and pointer not in self.values:
            pointer = pointer.rpartition("/")[0]
        return self.place_of(self.keys.get(pointer, self.values.get(pointer, 0)))

    def place_of(self, at: int) -> Place:
        """Of an offset."""
        before = self.text[:at]
        return Place(before.count("\n") + 1, at - (before.rfind("\n") + 1) + 1)


class _BrokenError(Exception):
    def __init__(self, at: int, rule: str, message: str, fix: str) -> None:
        super().__init__(message)
        self.problem = Problem(at, rule, message, fix)


def read_text(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        DataError: it cannot be read, or is far too large to be a config.
    """
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= MOST_BYTES else b""
    except OSError as error:
        raise DataError(f"cannot read {str(path)!r}: {error.strerror or error}; name an agent config") from None
    if size > MOST_BYTES:
        raise DataError(f"{str(path)!r} has {size:,} bytes, and no agent config is that large; name another file")
    return data


def parse(data: bytes) -> Document:
    """Reads a config as the agent would; what it would refuse stands in `broken`."""
    for mark, name in ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            text = data.decode(name + "-sig" if name == "utf-8" else name, "replace")
            what = "a byte-order mark" if name == "utf-8" else "UTF-16"
            return Document(text, broken=Problem(
                0, "file-encoding", f"the file begins with {what}, and the agent refuses it",
                "save it as UTF-8 without a byte-order mark"))  # fmt: skip
    if b"\0" in data[:64]:
        text = data.decode("utf-16", "replace")
        problem = Problem(0, "file-encoding", "the file is no UTF-8 text", "save it as UTF-8")
        return Document(text, broken=problem)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        text = data.decode("utf-8", "replace")
        fix = "save it as UTF-8"
        return Document(text, broken=Problem(error.start, "file-encoding", "the file is no UTF-8 text", fix))
    document = Document(text)
    try:
        _Reader(document).read()
    except _BrokenError as broken:
        document.broken = broken.problem
    except RecursionError:
        document.broken = Problem(0, "json-syntax", "the file nests too deeply", "name an agent config")
    return document


def pointer(*parts: str | int) -> str:
    """A JSON pointer (RFC 6901)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


class _Reader:
    """Reads by RFC 8259, value by value."""

    def __init__(self, document: Document) -> None:
        self._document, self._text = document, document.text

    def read(self) -> None:
        at = self._skip(0)
        if at == len(self._text):
            raise _BrokenError(at, "json-syntax", "the file is empty", 'write an object: {"logs": {...}}')
        if self._text.startswith("---") or re.match(r"[A-Za-z_][\w.]*:\s", self._text[at:]):
            raise _BrokenError(
                at, "json-syntax", "the file looks like YAML, and the agent reads JSON", "convert it to JSON"
            )
        self._document.value, at = self._value(at, "")
        at = self._skip(at)
        if at < len(self._text):
            raise _BrokenError(
                at, "json-syntax", f"{self._text[at]!r} stands behind the end of the object", "delete it"
            )
        if not isinstance(self._document.value, dict):
            kind = kind_of(self._document.value)
            raise _BrokenError(0, "json-syntax", f"the file is {kind}, and a config is an object", "put it into {...}")

    def _skip(self, at: int) -> int:
        match = _SPACE.match(self._text, at)
        assert match is not None
        at = match.end()
        if self._text.startswith(("//", "/*", "#"), at):
            raise _BrokenError(
                at, "json-comment", "JSON has no comments, and the agent refuses them", "delete the comment"
            )
        return at

    def _value(self, at: int, path: str) -> tuple[Any, int]:
        self._document.values[path] = at
        sign = self._text[at : at + 1]
        if sign == "{":
            return self._object(at, path)
        if sign == "[":
            return self._array(at, path)
        if sign == '"':
            return self._string(at)
        if match := _NUMBER.match(self._text, at):
            number = match[0]
            return (int(number) if number.lstrip("-").isdigit() else float(number)), match.end()
        for word, value in _WORDS.items():
            if self._text.startswith(word, at):
                return value, at + len(word)
        raise self._unexpected(at, "a value")

    def _object(self, at: int, path: str) -> tuple[dict[str, Any], int]:
        found: dict[str, Any] = {}
        at = self._skip(at + 1)
        if self._text[at : at + 1] == "}":
            return found, at + 1
        while True:
            if self._text[at : at + 1] != '"':
                raise self._unexpected(at, "a key in double quotes", closing="}")
            key_at = at
            key, at = self._string(at)
            place = path + pointer(key)
            if key in found:
                self._document.repeated.append((place, key_at))
            self._document.keys[place] = key_at
            at = self._skip(at)
            if self._text[at : at + 1] != ":":
                raise self._unexpected(at, f"a colon behind the key {key!r}")
            found[key], at = self._value(self._skip(at + 1), place)
            at = self._skip(at)
            if self._text[at : at + 1] == "}":
                return found, at + 1
            if self._text[at : at + 1] != ",":
                raise self._unexpected(at, "a comma or }")
            at = self._skip(at + 1)

    def _array(self, at: int, path: str) -> tuple[list[Any], int]:
        found: list[Any] = []
        at = self._skip(at + 1)
        if self._text[at : at + 1] == "]":
            return found, at + 1
        while True:
            if self._text[at : at + 1] == "]":
                raise self._unexpected(at, "a value", closing="]")
            item, at = self._value(at, f"{path}/{len(found)}")
            found.append(item)
            at = self._skip(at)
            if self._text[at : at + 1] == "]":
                return found, at + 1
            if self._text[at : at + 1] != ",":
                raise self._unexpected(at, "a comma or ]")
            at = self._skip(at + 1)

    def _string(self, at: int) -> tuple[str, int]:
        if match := _PLAIN_TEXT.match(self._text, at):
            return match[0][1:-1], match.end()
        try:
            return json.decoder.scanstring(self._text, at + 1, True)  # type: ignore[no-any-return,attr-defined]
        except json.JSONDecodeError as error:
            raise _BrokenError(error.pos, "json-syntax", f"{error.msg[0].lower()}{error.msg[1:]}",
                          "escape backslashes and control characters: \\\\ and \\n") from None  # fmt: skip

    def _unexpected(self, at: int, wanted: str, *, closing: str = "") -> _BrokenError:
        sign = self._text[at : at + 1]
        if not sign:
            return _BrokenError(at, "json-syntax", f"the file ends where {wanted} is expected", "close what is open")
        if closing and sign == closing:
            return _BrokenError(at, "json-trailing-comma", f"a comma stands before {sign!r}, and the agent refuses it",
                           "delete the comma")  # fmt: skip
        if sign == "'":
            return _BrokenError(at, "json-syntax", "JSON has no single quotes", 'use double quotes: "..."')
        return _BrokenError(at, "json-syntax", f"found {sign!r} where {wanted} is expected", f"write {wanted}")


def kind_of(value: Any) -> str:
    """The type of a value, in words."""
    if isinstance(value, bool):
        return "true or false"
    names = {dict: "an object", list: "a list", str: "text", int: "a whole number", float: "a number"}
    return names.get(type(value), "null")
