"""JSON that a strict reader refuses, and that programs write all the same."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logship.forward.files import FileOptions, read_events
from logship.parse import json_text, parse_line

if TYPE_CHECKING:
    from pathlib import Path

PIECES = ["\\ud83d", "\\ude00", "a", "\\\\", "\\n", "\t", "\x1b", "NaN", "Infinity", "\\u0041", '\\"', "{", "é"]


@given(st.lists(st.sampled_from(PIECES)))
def test_odd_strings_are_read_as_python_reads_them(pieces: list[str]) -> None:
    """But for halves of surrogate pairs, which no store holds: they become U+FFFD."""
    text = f'{{"k":"{"".join(pieces)}"}}'
    lenient = json.loads(text, strict=False)["k"].encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    assert json_text.loads(text) == {"k": lenient}


@pytest.mark.parametrize("text", ['{"a":"\\ud83d', "{NaN: 1}", '{"a":NaN1}', "{\x1b[31m", b'{"a":NaN,"b":"\xff"}'])
def test_what_is_no_json_stays_none(text: str | bytes) -> None:
    """However odd it is."""
    with pytest.raises(ValueError, match=r"."):
        json_text.loads(text)


@pytest.mark.parametrize("odd", ['"cut in an emoji \\ud83d"', "NaN", "-Infinity", '"a\ttab"', '["\\ude00"]'])
def test_a_line_with_an_odd_value_keeps_its_fields(odd: str) -> None:
    """An error is found by its level, whatever JavaScript cut or Python divided by."""
    line = f'{{"time":"2026-11-23T14:21:05.871Z","level":"error","msg":"failed","service":"web","detail":{odd}}}'
    parsed = parse_line(line)

    assert (parsed.severity, parsed.body, parsed.resource["service.name"]) == ("ERROR", "failed", "web")


@pytest.mark.parametrize("listed", [False, True], ids=["lines", "listing"])
def test_an_odd_event_in_a_file_is_an_event(tmp_path: Path, *, listed: bool) -> None:
    """One half of a surrogate pair costs no file its events, nor an event its group and id."""
    events = [
        {"logGroup": "/shop/web", "logStreamName": "s", "timestamp": 1795443665871, "eventId": "1", "message": text}
        for text in ("half \ud83d pair", "whole")
    ]
    path = tmp_path / "events.json"
    path.write_text(json.dumps({"events": events}) if listed else "\n".join(map(json.dumps, events)) + "\n")
    found = [read.event for read in read_events(path, FileOptions())]

    assert [(event.group, event.message) for event in found] == [
        ("/shop/web", "half \ufffd pair"),
        ("/shop/web", "whole"),
    ]
