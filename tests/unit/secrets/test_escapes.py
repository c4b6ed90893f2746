"""A secret is found however the characters around it are written: encoders of JSON escape more than they have to."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

import pytest

from logship.secrets import Redactor, from_settings
from logship.secrets.escapes import unescaped
from logship.settings import Redact, RedactRule
from tests.unit.secrets.test_rules import FALSE_ALARMS, SECRETS

if TYPE_CHECKING:
    from collections.abc import Callable

REDACTOR = Redactor()
LINES: Final = [*(line for line, _ in SECRETS), *FALSE_ALARMS]


def escaping(characters: str, form: str) -> Callable[[str], str]:
    """A JSON encoder of texts that writes some characters as their code."""
    written = {(f"\\{one}" if one == '"' else one): form.format(ord(one)) for one in characters}
    piece = re.compile(r"\\u....|\\.|.")

    def encode(text: str) -> str:
        return f'"{piece.sub(lambda match: written.get(match.group(), match.group()), json.dumps(text)[1:-1])}"'

    return encode


GSON: Final = escaping("'=&<>", "\\u{:04x}")
DOTNET: Final = escaping("\"'+&<>`", "\\u{:04X}")
PHP: Final = escaping("/", "\\/")
WHOLE: Final = escaping("".join(map(chr, range(0x23, 0x5B))), "\\u{:04x}")


@pytest.mark.parametrize("encode", [GSON, DOTNET, PHP, WHOLE], ids=["gson", "dotnet", "php", "whole"])
def test_an_encoder_that_escapes_more_hides_no_secret(encode: Callable[[str], str]) -> None:
    """What a reader of the JSON sees is redacted alike, whichever encoder wrote it."""
    for line in LINES:
        plain, escaped = f'{{"m":{json.dumps(line)}}}', f'{{"m":{encode(line)}}}'
        assert json.loads(escaped) == json.loads(plain)

        assert json.loads(REDACTOR.redact(escaped)) == json.loads(REDACTOR.redact(plain))


@pytest.mark.parametrize("outer", [json.dumps, DOTNET, PHP], ids=["json", "dotnet", "php"])
@pytest.mark.parametrize("inner", [GSON, DOTNET, PHP], ids=["gson", "dotnet", "php"])
def test_escapes_in_json_within_json_hide_no_secret(outer: Callable[[str], str], inner: Callable[[str], str]) -> None:
    """Each level may be written by another encoder."""
    for line in LINES:
        plain, escaped = (
            f'{{"m":{around(f"""{{"m":{within(line)}}}""")}}}' for around, within in ((json.dumps,) * 2, (outer, inner))
        )

        assert twice(REDACTOR.redact(escaped)) == twice(REDACTOR.redact(plain))


def twice(line: str) -> object:
    return json.loads(json.loads(line)["m"])


def test_what_is_no_secret_keeps_its_escapes() -> None:
    """A line is not written anew: all but the secret is as it was, to the byte."""
    line = r'{"q":"a\u003db\/c","m":"{\u0022pwd\u0022:\u0022hunter2\u0022}","n":"\u00e9\\u0041"}'

    assert REDACTOR.redact(line) == line.replace("hunter2", "[redacted:password]")
    assert list(REDACTOR.redact_many(["clean", line, r"clean\/"])) == ["clean", REDACTOR.redact(line), r"clean\/"]


def test_a_rule_of_ones_own_sees_a_text_both_ways() -> None:
    """As it arrived, as it always did, and as its readers see it."""
    rules = [RedactRule(name="raw", pattern=r"a\\u003d(\w+)"), RedactRule(name="read", pattern=r"b=(\w+)")]
    redactor = from_settings(Redact(rule=rules))
    assert redactor

    assert redactor.redact(r'{"m":"a\u003dx1 b\u003dx2"}') == r'{"m":"a\u003d[redacted:raw] b\u003d[redacted:read]"}'


def test_half_an_escape_is_never_taken() -> None:
    """Places within what stands for an escape lead to its nearer end, and others to where their byte stood."""
    found = unescaped(rb"ab\u0022cd\/e")
    assert found

    assert found.data == rb"ab\"cd/e"
    assert [found.start(at) for at in range(8)] == [0, 1, 2, 8, 8, 9, 10, 12]
    assert [found.end(at) for at in range(8)] == [0, 1, 2, 2, 8, 9, 10, 12]
