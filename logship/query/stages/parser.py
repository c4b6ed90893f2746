"""Text → `Pipeline`, or an error that points at a character of the whole text."""

from __future__ import annotations

import re
import time
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, NoReturn

from logship.errors import QuerySyntaxError
from logship.query import names
from logship.query.parser import parse
from logship.query.stages import figures
from logship.query.stages.conditions import condition
from logship.query.stages.lexer import Cursor, split
from logship.query.stages.shape import Shape, twice
from logship.query.stages.tree import (
    Column,
    Dedup,
    Fields,
    Figure,
    Key,
    Limit,
    Pipeline,
    Related,
    Sort,
    SortKey,
    Stage,
    Stats,
    Timechart,
    Top,
    Where,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from logship.query.stages.lexer import Piece, Token
    from logship.query.tree import Node

_TOP: Final = 10
_WHOLE: Final = re.compile(r"[0-9]{1,9}\Z")
_COUNT: Final = Figure("count", "", 0.0, Column("count", "count"))
_ELSEWHERE: Final = {
    "patterns": "top 10 message counts messages that are the same",
    "slow": "the command `logship incident` finds what is slow and who causes it",
}
_OTHER_NAMES: Final = {
    "filter": "where", "search": "where", "table": "fields", "display": "fields", "project": "fields",
    "keep": "fields", "drop": "fields -", "uniq": "dedup", "order": "sort", "take": "limit", "tail": "limit",
    "group": "stats", "summarize": "stats", "count": "stats count()", "rare": "top", "chart": "timechart",
    "transaction": "related trace", "bin": "timechart", "eval": "where", "percentiles": "stats p50(duration)",
}  # fmt: skip


def parse_pipeline(text: str, *, now_us: int | None = None) -> Pipeline:
    """The query and the stages of a text such as ``level:error | stats count() by service | limit 5``.

    Args:
        text: as typed; without `|` it is a query alone.
        now_us: what times like `15m` count back from; the clock's time when None.

    Raises:
        QuerySyntaxError: with the position in the whole text of the first wrong character and a suggestion.
    """
    now = time.time_ns() // 1000 if now_us is None else now_us
    query, *rest = split(text)
    try:
        search = parse(text[: query.end], now_us=now)
    except QuerySyntaxError as error:
        raise QuerySyntaxError(
            text, error.position, error.problem, length=error.length, suggestion=error.suggestion
        ) from None
    shape, stages = Shape(), []
    for piece in rest:
        stage, shape = _Stages(text, piece, shape, now).read()
        stages.append(stage)
    return Pipeline(search, tuple(stages))


def parse_conditions(text: str, *, now_us: int | None = None) -> Node:
    """The tree of a query where no stages may follow it.

    Raises:
        QuerySyntaxError: as `parse_pipeline` does, and where stages do follow.
    """
    query, *stages = split(text)
    if stages:
        problem = "stages make tables, and conditions alone are asked for here"
        raise QuerySyntaxError(text, query.end, problem, suggestion="run it as `logship search`")
    return parse(text, now_us=now_us)


class _Stages:
    """Reads one stage; each method gives it with the shape of what comes out."""

    def __init__(self, text: str, piece: Piece, shape: Shape, now_us: int) -> None:
        self._text, self._piece, self._shape, self._now_us = text, piece, shape, now_us
        self._cursor = Cursor(text, piece)

    def read(self) -> tuple[Stage, Shape]:
        if self._cursor.peek is None:
            raise QuerySyntaxError(
                self._text, self._piece.start - 1, "no stage stands behind this |", suggestion=f"stages are {_known()}"
            )
        token = self._cursor.take()
        reader = _READERS.get(token.text.lower())
        if reader is None or token.quoted:
            self._unknown(token)
        return reader(self)

    def _unknown(self, token: Token) -> NoReturn:
        word = token.text.lower()
        if word in _ELSEWHERE:
            self._cursor.fail(f"{word} is no stage yet", _ELSEWHERE[word], token)
        near = _OTHER_NAMES.get(word) or next(iter(get_close_matches(word, _READERS, 1, 0.5)), "")
        known = (f"did you mean {near}? " if near else "") + f"stages are {_known()}; quote | to search for it"
        self._cursor.fail(f"there is no stage {token.text!r}", known, token)

    def stats(self) -> tuple[Stage, Shape]:
        cursor = self._cursor
        found = figures.figures(cursor, self._shape)
        if not found:
            cursor.fail("stats needs a figure", "write stats count() by service")
        group = figures.grouping(cursor, self._shape) if cursor.accept("by") else figures.Grouping((), 0, "time")
        if group.bin_us:
            self._needs_time()
        stage = Stats(found, group.keys, group.bin_us, group.bin_name)
        if double := twice(stage.columns):
            cursor.fail(f"two columns are named {double!r}", "name one of them with `as`", cursor.last)
        return stage, Shape(stage.columns)

    def top(self) -> tuple[Stage, Shape]:
        cursor = self._cursor
        size = self._number(cursor.take()) if cursor.peek and cursor.peek.text[:1].isdecimal() else _TOP
        key = self._shape.key(cursor, cursor.name("a field", "top 10 service"))
        cursor.finish("top 10 service")
        stage = Top(size, key)
        return stage, Shape(stage.columns)

    def timechart(self) -> tuple[Stage, Shape]:
        cursor = self._cursor
        self._needs_time()
        bin_us = self._span()
        found = figures.figures(cursor, self._shape) or (_COUNT,)
        key = None
        if cursor.accept("by"):
            key = self._shape.key(cursor, cursor.name("a field", "timechart count() by service"))
            if len(found) > 1:
                cursor.fail("timechart by a field shows one figure", "write stats … by bin(1m) for several")
        bin_us = bin_us or self._span()
        cursor.finish("timechart span=1m count() by service")
        columns = [Column("time", "time"), *(figure.column for figure in found)]
        shape = Shape((columns[0],), found[0].column.kind) if key else Shape(tuple(columns))
        return Timechart(found, key, bin_us), shape

    def sort(self) -> tuple[Stage, Shape]:
        cursor = self._cursor
        cursor.accept("by")
        keys: list[SortKey] = []
        while cursor.peek is not None or not keys:
            keys.append(self._sort_key())
            cursor.accept(",")
        return Sort(tuple(keys)), self._shape

    def limit(self) -> tuple[Stage, Shape]:
        token = self._cursor.name("a number", "limit 10")
        stage = Limit(self._number(token))
        self._cursor.finish("limit 10")
        return stage, self._shape

    def fields(self) -> tuple[Stage, Shape]:
        cursor = self._cursor
        leave_out = cursor.sign() == "-"
        keys = self._keys("fields time, service, message")
        if leave_out:
            gone = {key.name for key in keys}
            columns = self._shape.columns
            left = None if columns is None else tuple(column for column in columns if column.name not in gone)
            return Fields(keys, leave_out=True), Shape(left, self._shape.values_kind)
        columns = tuple(key.column for key in keys)
        if double := twice(columns):
            cursor.fail(f"the column {double!r} stands there twice", "remove one", cursor.last)
        return Fields(keys), Shape(columns)

    def dedup(self) -> tuple[Stage, Shape]:
        return Dedup(self._keys("dedup service")), self._shape

    def where(self) -> tuple[Stage, Shape]:
        start = self._cursor.last.end
        if not self._text[start : self._piece.end].strip():
            self._cursor.fail("where needs a condition", "write where count>10")
        return Where(condition(self._text, start, self._piece.end, self._shape, self._now_us)), self._shape

    def related(self) -> tuple[Stage, Shape]:
        cursor = self._cursor
        if self._shape.columns is not None:
            cursor.fail("related needs records", "put it before the stages that count or choose fields", cursor.last)
        token = cursor.name("what they share", "related trace")
        if names.canonical(token.text) != "traceId":
            cursor.fail(f"records are related by their trace, not by {token.text!r}", "write related trace", token)
        cursor.finish("related trace")
        return Related(), self._shape

    def _sort_key(self) -> SortKey:
        cursor = self._cursor
        descending = cursor.sign() == "-"
        key = self._named(cursor.name("a column", "sort -count"))
        if cursor.accept("desc", "descending"):
            descending = True
        else:
            cursor.accept("asc", "ascending")
        return SortKey(key, descending)

    def _keys(self, example: str) -> tuple[Key, ...]:
        keys: list[Key] = []
        while self._cursor.peek is not None or not keys:
            keys.append(self._named(self._cursor.name("a field", example)))
            self._cursor.accept(",")
        return tuple(keys)

    def _named(self, token: Token) -> Key:
        """A field or column; a figure may be named by how it was asked for, such as p95(duration)."""
        cursor = self._cursor
        if self._shape.columns is None or cursor.peek is None or cursor.peek.text != "(":
            return self._shape.key(cursor, token)
        cursor.accept("(")
        inner = "" if cursor.accept(")") else cursor.name("a field", "p95(duration)").text
        if inner and not cursor.accept(")"):
            cursor.fail("this needs a closing )", f"write {token.text}({inner})")
        name = f"{token.text.lower()}_{inner}" if inner else token.text.lower()
        return self._shape.key(cursor, token, name)

    def _span(self) -> int:
        cursor = self._cursor
        if not cursor.accept("span"):
            return 0
        if not cursor.accept("="):
            cursor.fail("span needs a length", "write span=1m")
        return figures.span(cursor)

    def _number(self, token: Token) -> int:
        if not _WHOLE.match(token.text) or not int(token.text):
            self._cursor.fail(f"{token.text[:20]!r} is no number from 1 to 999999999", "write limit 10", token)
        return int(token.text)

    def _needs_time(self) -> None:
        columns = self._shape.columns
        if columns is not None and not any(column.name == "time" and column.kind == "time" for column in columns):
            self._cursor.fail(
                "bins need a column `time`, which the stages before do not give",
                "write by bin(1m) in the stage before",
                self._cursor.last,
            )


_READERS: Final[dict[str, Callable[[_Stages], tuple[Stage, Shape]]]] = {
    "stats": _Stages.stats,
    "top": _Stages.top,
    "timechart": _Stages.timechart,
    "sort": _Stages.sort,
    "limit": _Stages.limit,
    "head": _Stages.limit,
    "fields": _Stages.fields,
    "dedup": _Stages.dedup,
    "where": _Stages.where,
    "related": _Stages.related,
}


def _known() -> str:
    return ", ".join(name for name in _READERS if name != "head")
