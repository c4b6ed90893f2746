"""Properties of the engine: whatever the text, it raises nothing, breaks nothing and takes linear time."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logship.secrets import BUILT_IN, Redactor
from tests.benchmarks.bench_redaction import HOSTILE, clean_lines
from tests.unit.secrets.test_rules import FALSE_ALARMS, SECRETS

if TYPE_CHECKING:
    from logship.secrets import Rule
    from logship.secrets.patterns import Span

REDACTOR = Redactor()
PIECES = st.sampled_from([
    "password", "token", "secret", "api_key", "Authorization", "Bearer ", "Basic ", "next_", "pwd", "pass", "--", "curl -u ",
    "=", ":", ": ", " = ", "=>", '"', '\\"', '\\\\\\"', "'", "\\", ",", ";", "&", "{", "}", "[", "]", "(", ")", " ", "\n", "\\n",
    "hunter2", "<hunter2>", '["', '", "', "x", "12", "null", "****", "%22", "%3D", "%26", "://", "@", "/", "é", "日", "\ud800", "\udfff", "\x00", "K", "ſ",
    "AKIAIOSFODNN7EXAMPLE", "eyJhbGciOiJI.eyJzdWIi.abc", "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "[redacted:", "[redacted:jwt]", "[redacted:password]", "-", "\\u0026", "\\u00e9",
    "\\u0022", "\\u0027", "\\u003d", "\\u003C", "\\u005c", "\\/", "\\\\u0022",
])  # fmt: skip
LINES = st.lists(PIECES, max_size=16).map("".join) | st.text(max_size=40)
NAMES = st.sampled_from(["password", "token", "msg", "user", "Authorization", "nested", "api_key"])
VALUES = st.recursive(
    LINES.map(lambda text: text.encode("utf-8", "replace").decode()) | st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4) | inner.map(json.dumps),
    max_leaves=8,
)  # fmt: skip


def shape(value: Any) -> Any:
    """Which keys and lists there are, whatever stands in them."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    return [shape(item) for item in value] if isinstance(value, list) else None


@given(LINES)
def test_redacting_twice_changes_nothing(line: str) -> None:
    """What was redacted is clean, and any text at all is taken."""
    once = REDACTOR.redact(line)

    assert REDACTOR.redact(once) is once


@given(st.dictionaries(NAMES, VALUES, max_size=5), st.sampled_from([None, 2]), st.booleans())
def test_json_stays_json_with_the_same_keys(value: dict[str, Any], indent: int | None, ascii_only: bool) -> None:
    """No quote and no half of an escape is taken, no key is lost."""
    line = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    clean = json.loads(REDACTOR.redact(line))

    assert shape(clean) == shape(value)


@given(st.lists(LINES | st.sampled_from([line for line, _ in SECRETS] + FALSE_ALARMS), max_size=12))
def test_many_texts_are_redacted_as_each_is(lines: list[str]) -> None:
    """A batch gives what its texts give one by one, and the batch itself if all are clean."""
    many, each = REDACTOR.redact_many(lines), [REDACTOR.redact(line) for line in lines]

    assert list(many) == each
    assert (many is lines) == (each == lines)


@dataclass(frozen=True)
class Unanchored:
    """A rule that is tried on every text."""

    rule: Rule
    anchor: str = ""

    @property
    def name(self) -> str:
        return self.rule.name

    def find(self, data: bytes) -> list[Span]:
        return self.rule.find(data)


UNANCHORED = Redactor([Unanchored(rule) for rule in BUILT_IN])


@given(LINES | st.sampled_from([line for line, _ in SECRETS]))
def test_anchors_hide_no_secret(line: str) -> None:
    """Trying every rule on every text finds no more than the quick search lets through."""
    assert REDACTOR.redact(line) == UNANCHORED.redact(line)


def test_clean_texts_come_back_as_they_are() -> None:
    """Nothing is copied on the way that nearly all lines go."""
    lines = clean_lines()

    assert REDACTOR.redact_many(lines) is lines
    assert all(REDACTOR.redact(line) is line for line in lines[:100])


def test_only_the_lines_with_secrets_change() -> None:
    """Offsets are right where lines of other scripts stand around them."""
    lines = ["日本語のログ", "é password=hunter2 ü", "\ud800 broken", "token=ünïcödé-1 \udfff", "clean"]

    assert list(REDACTOR.redact_many(lines)) == [
        "日本語のログ",
        "é password=[redacted:password] ü",
        "\ud800 broken",
        "token=[redacted:token] \udfff",
        "clean",
    ]


def test_redactions_are_counted_by_rule() -> None:
    """One count for each secret, and one for each text with any; rules that found nothing stand there with 0."""
    redactor = Redactor()
    redactor.redact_many(["password=a1 https://a:b@c", "clean", "password=b2"])

    assert {name: count for name, count in redactor.counts.items() if count} == {"password": 2, "url-password": 1}
    assert (redactor.lines, redactor.counts["jwt"]) == (2, 0)


def test_threads_share_a_redactor() -> None:
    """No count is lost between them."""
    redactor = Redactor()
    threads = [threading.Thread(target=redactor.redact_many, args=(["password=a1", "clean"] * 200,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (redactor.counts["password"], redactor.lines) == (800, 800)


def test_a_secret_that_two_rules_find_is_named_by_the_first() -> None:
    """Overlapping findings become one replacement that covers both."""
    assert REDACTOR.redact('{"token":"Bearer eyJhbGciOiJI.eyJzdWIi.abc tail"}') == '{"token":"[redacted:jwt]"}'


def test_long_texts_are_redacted_whole() -> None:
    """A secret behind a mebibyte of other text is found."""
    filler = "clean é " * 2**17

    assert REDACTOR.redact(f"{filler}password=hunter2") == f"{filler}password=[redacted:password]"


LISTS = (
    '"password":["a b", ', '"password":["a', "password=(", "password={a}", "pwd:`<", "--password', '", '"pass":"', "&pass=", "userPass:",
    '-----BEGIN PRIVATE KEY-----","', '-----BEGIN PRIVATE KEY-----"', '"MIIE",', "-----BEGIN PRIVATE KEY-----#",
    "-----BEGIN PRIVATE KEY-----\nProc-Type: 4", "\nProc-Type: 4",
    "\\", "\\/", "\\u0022", "password\\u003da,", "\\u0022password\\u0022:\\u0022", "\\\\\\u005c",
)  # fmt: skip
"""Values in brackets, in lists and in key blocks that begin and do not end."""


@pytest.mark.parametrize("piece", [*HOSTILE, *LISTS])
def test_hostile_text_takes_linear_time(piece: str) -> None:
    """Eight times the text takes about eight times the time; a quadratic rule would take sixty-four times."""
    small, large = (best_seconds(piece * (size // len(piece))) for size in (2**13, 2**16))

    assert large < 18 * small + 0.004


def best_seconds(text: str) -> float:
    seconds = []
    for _ in range(3):
        began = time.process_time()
        REDACTOR.redact(text)
        seconds.append(time.process_time() - began)
    return min(seconds)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("[redacted: old key AKIAIOSFODNN7EXAMPLE", "[redacted: old key [redacted:aws-access-key-id]"),
        ("filter [redacted:, then password=hunter2x9", "filter [redacted:, then password=[redacted:password]"),
        ("[redacted:email bob, password: hunter2x9]", "[redacted:email bob, password: [redacted:password]]"),
    ],
)
def test_what_merely_begins_as_a_mark_hides_no_secret(text: str, left: str) -> None:
    """Anybody may write such a line."""
    assert REDACTOR.redact(text) == left


def test_a_pattern_that_re2_gives_up_on_hides_nothing() -> None:
    """Where the choice of rules fails for memory, all rules are tried."""
    redactor = Redactor()

    class GivesUp:
        def Match(self, data: bytes) -> None:  # noqa: N802 - RE2's name
            del data

    redactor._which = GivesUp()

    assert redactor.redact("password=hunter2") == "password=[redacted:password]"


def test_no_rules_leave_everything() -> None:
    """A redactor without rules is one that finds nothing."""
    lines = ["password=hunter2"]

    assert Redactor([]).redact_many(lines) is lines


def test_re2_is_loaded_with_the_first_redactor() -> None:
    """Importing the package costs no start-up time."""
    code = "import sys, logship.secrets; print('re2' in sys.modules); logship.secrets.Redactor(); print('re2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["False", "True"]


def test_rules_are_named_for_replacements() -> None:
    """A name holds nothing that would end the replacement or a JSON string."""
    assert all(rule.name.replace("-", "").isalnum() and rule.anchor for rule in BUILT_IN)
