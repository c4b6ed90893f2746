"""`[redact]` of logship.toml: rules turned off, rules of one's own, and what is wrong with them."""

from __future__ import annotations

import pytest

from logship.errors import SettingsError
from logship.secrets import from_settings
from logship.settings import Redact, RedactRule

LINE = "password=hunter2 badge EMP-12345 é EMP-67890"


def redacted(settings: Redact, line: str = LINE) -> str:
    redactor = from_settings(settings)
    assert redactor is not None
    return redactor.redact(line)


def own(*patterns: str) -> Redact:
    return Redact(rule=[RedactRule(name=f"own{number}", pattern=pattern) for number, pattern in enumerate(patterns)])


def test_the_built_in_rules_apply_without_settings() -> None:
    """Redaction is on unless somebody turns it off."""
    assert redacted(Redact()) == "password=[redacted:password] badge EMP-12345 é EMP-67890"
    assert from_settings(Redact(enabled=False)) is None


def test_a_rule_can_be_turned_off() -> None:
    """All entries of that name are; the others stay."""
    line = "password=a1 https://u:b2@c"

    assert redacted(Redact(off=["password"]), line) == "password=a1 https://u:[redacted:url-password]@c"


def test_rules_of_ones_own_come_after_the_built_in_ones() -> None:
    """A group is the secret, or the whole match where there is no group."""
    assert redacted(own("EMP-[0-9]{5}")) == "password=[redacted:password] badge [redacted:own0] é [redacted:own0]"
    assert redacted(own("(?:badge|é) EMP-([0-9]+)")) == (
        "password=[redacted:password] badge EMP-[redacted:own0] é EMP-[redacted:own0]"
    )


@pytest.mark.parametrize(
    ("pattern", "line", "becomes"),
    [
        ("card=([0-9]+)|iban=([A-Z]{2}[0-9]+)", "card=41 iban=DE89 x", "card=[redacted:own0] iban=[redacted:own0] x"),
        ("user (é+), pin ([0-9]+)", "user éé, pin 12", "user [redacted:own0], pin [redacted:own0]"),
        ("(EMP)|badge-[0-9]+", "EMP badge-123", "[redacted:own0] [redacted:own0]"),
        ("pin=(([0-9]{2})-[0-9]{2})", "pin=12-34", "pin=[redacted:own0]"),
        ("pin=([0-9]*)", "pin= x", "pin= x"),
    ],
)
def test_every_group_of_a_match_is_a_secret(pattern: str, line: str, becomes: str) -> None:
    """Those that took part in it, and all of the match where none did."""
    assert redacted(own(pattern), line) == becomes


@pytest.mark.parametrize(
    "pattern",
    [
        r"^password",
        r"EMP-\d+$",
        r"\Apassword",
        r"\w+",
        ".+",
        r"(x)?EMP",
        r"(?P<a>E)MP",
        r"[^ ]+",
        "é",
        r"(?s)badge.*",
        r"(?i)emp-[0-9]+",
        r"[^x]+EMP",
        r"\bEMP",
        r"\QEMP-",
        "clean|hunter2",
        "\n",
        r"E[^\n]*\n?",
        "(?:x{500}){2}|EMP",
    ],
)
def test_any_pattern_does_the_same_in_a_batch_and_twice(pattern: str) -> None:
    """Anchors mean the ends of each text, and a replacement is never redacted again."""
    redactor = from_settings(own(pattern))
    assert redactor is not None
    lines = ["clean", LINE, "", LINE]
    each = [redactor.redact(line) for line in lines]

    assert list(redactor.redact_many(lines)) == each
    assert [redactor.redact(line) for line in each] == each


def test_own_rules_count_too() -> None:
    """By their name, as the built-in ones."""
    redactor = from_settings(own("EMP-[0-9]+"))
    assert redactor is not None
    redactor.redact_many([LINE, LINE])

    assert (redactor.counts["own0"], redactor.counts["password"], redactor.lines) == (4, 2, 2)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (Redact(off=["passwrd"]), ["'redact.off[0]'", "'passwrd'", "did you mean 'password'"]),
        (Redact(off=["jwt", "zzz"]), ["'redact.off[1]'", "'zzz'", "private-key, aws-access-key-id"]),
        (own("ok", "(?=x)"), ["'redact.rule[1].pattern'", "'(?=x)'", "look-around"]),
        (own("a(b"), ["'redact.rule[0].pattern'", "'a(b'", "missing )"]),
        (own(""), ["'redact.rule[0].pattern'", "'' matches the empty text", "write what every such secret has"]),
        (own("ok", "x*|^"), ["'redact.rule[1].pattern'", "'x*|^' matches the empty text"]),
        (Redact(rule=[RedactRule(name="jwt", pattern="x")]), ["'redact.rule[0].name'", "'jwt' is taken"]),
        (Redact(rule=[RedactRule(name="a", pattern="x")] * 2), ["'redact.rule[1].name'", "'a' is taken"]),
        (Redact(rule=[RedactRule(name='a"b', pattern="x")]), ["'redact.rule[0].name'", "is no name; write letters"]),
    ],
)
def test_what_is_wrong_is_named_with_its_place(settings: Redact, said: list[str]) -> None:
    """Key, value and remedy, in one line; a command adds the file."""
    with pytest.raises(SettingsError) as error:
        from_settings(settings)
    message = str(error.value)

    assert [piece for piece in said if piece not in message] == []
    assert "\n" not in message
