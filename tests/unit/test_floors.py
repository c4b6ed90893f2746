"""The lowest floors: records, names, times and settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logship.errors import SettingsError, TimeRangeError
from logship.naming import Naming, service_of_group
from logship.record import Record, format_time, from_document, record_id, severity, to_document
from logship.settings import Source, load, resolve_store
from logship.timerange import TimeRange, human_span, parse_past, parse_span, parse_time, resolve
from logship.validation import SOURCE_KEYS

if TYPE_CHECKING:
    from pathlib import Path

NOW_US = 1_795_443_665_871_234


def test_identity_is_time_and_origin() -> None:
    """Twelve hex digits of the event time, twenty of a digest of (group, handler id) or (group, stream, event id)."""
    ours = record_id(1_795_443_665_871, "/shop/orders", "a", "1", "7f3c-42")

    assert (ours[:12], len(ours)) == ("01a208c82bcf", 32)
    assert ours == record_id(1_795_443_665_871, "/shop/orders", "b", "2", "7f3c-42")
    assert ours != record_id(1_795_443_665_871, "/shop/orders", "a", "1")


@given(st.tuples(st.text(), st.text(), st.text()), st.tuples(st.text(), st.text(), st.text()))
def test_different_origins_have_different_ids(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    """Parts are length-prefixed, so that no two origins run together."""
    assert (record_id(0, *one) == record_id(0, *other)) == (one == other)


def test_a_record_survives_its_document() -> None:
    """What `--format ndjson` prints can be read back whole."""
    record = Record("0" * 32, NOW_US, "x", "WARN", NOW_US // 1000, "t", "s", "p", {"service.name": "a"}, {"b": 1})

    assert from_document(to_document(record)) == record
    assert to_document(record)["@timestamp"] == "2026-11-23T14:21:05.871234Z"


@pytest.mark.parametrize(("text", "level"), [("warning", "WARN"), ("CRITICAL", "FATAL"), ("notice", "INFO"), ("x", "")])
def test_levels_have_one_spelling(text: str, level: str) -> None:
    """Every common name of a level is one of OpenTelemetry's."""
    assert severity(text) == level


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-11-23T14:21:05.871234Z", "2026-11-23T14:21:05.871234Z"),
        ("2026-11-23T14:21:05", "2026-11-23T14:21:05.000000Z"),
        ("2026-11-23T15:21:05+01:00", "2026-11-23T14:21:05.000000Z"),
        ("2026-11-23", "2026-11-23T00:00:00.000000Z"),
        ("15m", "2026-11-23T14:06:05.871234Z"),
        ("yesterday", "2026-11-22T00:00:00.000000Z"),
        ("1795443665871", "2026-11-23T14:21:05.871000Z"),
    ],
)
def test_times_are_read_as_people_write_them(text: str, time: str) -> None:
    """Naive times are UTC, spans count back from now."""
    assert format_time(parse_time(text, now_us=NOW_US)) == time


def test_reading_starts_at_a_time_that_has_passed() -> None:
    """A first run that begins later would leave out what arrives until then."""
    assert parse_past("now", now_us=NOW_US) == NOW_US
    with pytest.raises(TimeRangeError, match="'2026-11-24' is still to come; write now"):
        parse_past("2026-11-24", now_us=NOW_US)


def test_a_range_is_resolved_once() -> None:
    """No flag is the whole store; an end that is not after its start is an error with a remedy."""
    assert resolve(None, None, None, now_us=NOW_US) is None
    assert resolve("1h", None, None, now_us=NOW_US) == TimeRange(NOW_US - 3_600_000_000, NOW_US)
    with pytest.raises(TimeRangeError, match="swap"):
        resolve(None, "2026-01-02", "2026-01-01", now_us=NOW_US)
    with pytest.raises(TimeRangeError, match="one of them"):
        resolve("1h", "2026-01-02", None, now_us=NOW_US)
    assert (parse_span("1h30m"), human_span(5_400_000_000)) == (5_400_000_000, "1.5 h")


@pytest.mark.parametrize(
    ("span_us", "shown"),
    [(1e303, "1.16e+292 d"), (-5_000, "-5 ms"), (0, "0 us"), (738_549 * 86_400e6, "738549 d"), (412_000, "412 ms")],
)
def test_a_span_takes_a_few_characters(span_us: float, shown: str) -> None:
    """Whatever duration a line claims, it leaves its message room."""
    assert human_span(span_us) == shown


def test_names_follow_the_rule() -> None:
    """Patterns are filled in; unknown placeholders and illegal names say so."""
    assert Naming(app="shop").group_name("orders") == "/shop/orders"
    assert service_of_group("/shop/orders") == "orders"
    with pytest.raises(SettingsError, match="unknown"):
        Naming(group="/{ap}/x").group_name("orders")
    with pytest.raises(SettingsError, match="not legal"):
        Naming(app="a b").group_name("orders")


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ('stor = "./x"', "did you mean 'store'"),
        ('[naming]\nap = "x"', "'naming.ap'"),
        ('[[forward.source]]\ntype = "kinesi"', "forward.source"),
        ("[forward]\ninterval_s = 'x'", "forward.interval_s"),
        ("store =", "no TOML"),
        ("[[forward.source]]\n[[forward.source]]\nregon = 'x'", "unknown key 'forward.source[1].regon'; did you mean"),
        ("[[service]]\nname = 'a'\n[[service.file]]\npth = 'x'", "unknown key 'service[0].file[0].pth'"),
        ("[stores.prod]\nlocation = './x'\ntimeout_s = 0", "key 'stores.prod.timeout_s': expected `float` > 0"),
        ("[stores.prod]\nindex = 'x'", "key 'stores.prod': object missing required field `location`"),
        ("[[forward.source]]\ntags = { team = 1 }", "key 'forward.source[0].tags.team': expected `str`"),
        (
            '[[forward.source]]\ntype = "cloudwatchlogs"',
            "[0].type' = 'cloudwatchlogs' is none of 'cloudwatch', 'firehose'",
        ),
        (
            "[[forward.rule]]\nquery = 'a'\naction = 'zap'",
            "rule[0].action' = 'zap' is none of 'drop', 'keep', 'sample'",
        ),
        ("[stores.prod]\nlocation = './x'\nauth = 'key'", "key 'stores.prod.auth' = 'key' is none of 'auto'"),
        ("[forward]\nstate = ''", "key 'forward.state': expected `str` of length >= 1"),
        ("[[service]]\nname = ''", "key 'service[0].name': expected `str` of length >= 1"),
        ("[[forward.source]]\nrole = 'nope'", "key 'forward.source[0].role' = 'nope' is no ARN of a role; write arn:"),
        ("[[forward.source]]\nregion = 'EU West'", "key 'forward.source[0].region' = 'EU West' is no region; write"),
        (
            "[[forward.source]]\ntype = 's3'\nbuckets = ['a', 'arn:aws:s3:::b2/x']",
            "key 'forward.source[0].buckets[1]' = 'arn:aws:s3:::b2/x' is no name of a bucket; write 'b2'",
        ),
    ],
)
def test_settings_errors_name_file_and_key(tmp_path: Path, toml: str, said: str) -> None:
    """Whatever is wrong in logship.toml is named with its place and the nearest known key."""
    path = tmp_path / "logship.toml"
    path.write_text(toml)
    with pytest.raises(SettingsError, match=r"logship\.toml") as error:
        load(str(path), environ={})

    assert said in str(error.value)
    assert str(error.value).count("logship.toml") == 1


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (
            'type = "kinesis"\nstream = "st"\ngroups = ["/a"]',
            ["source[1].groups'", "type 'kinesis'", "[[forward.rule]]"],
        ),
        ('type = "s3"\ntags = { team = "a" }', ["source[1].tags'", "type 's3'", "[[forward.rule]]"]),
        ('stream = "st"', ["source[1].stream'", "type 'cloudwatch'", "it is of type 'kinesis'"]),
        ('type = "firehose"\nregion = "eu-west-1"', ["source[1].region'", "type 'firehose'", "leave it out"]),
        ('type = "s3"\nstart = "1h"', ["source[1].start'", "type 's3'", "it is of type 'cloudwatch' or 'kinesis'"]),
        ('external_id = "shop"', ["source[1].external_id'", "add role ="]),
    ],
)
def test_a_key_that_its_source_does_not_read_is_refused(tmp_path: Path, keys: str, said: list[str]) -> None:
    """A filter that filters nothing would store what nobody wanted to have stored."""
    path = tmp_path / "logship.toml"
    path.write_text(f"[[forward.source]]\n[[forward.source]]\n{keys}\n")
    with pytest.raises(SettingsError, match=r"logship\.toml: key 'forward\.source") as error:
        load(str(path), environ={})

    assert [piece for piece in said if piece not in str(error.value)] == []


def test_every_key_of_a_source_is_read_by_some_type() -> None:
    """One that is added has to say which."""
    assert {key for keys in SOURCE_KEYS.values() for key in keys} == set(Source.__struct_fields__)


def test_stores_are_named_by_folder_profile_or_variable(tmp_path: Path) -> None:
    """Text with a slash is a folder, a word is a profile, `env:` is a variable; the flag wins over the variable."""
    path = tmp_path / "logship.toml"
    path.write_text('[stores.prod]\nlocation = "/srv/logs"')
    settings = load(str(path), environ={"LOGSHIP_STORE": "./from-env"})
    found = [
        resolve_store(where, settings, environ={"HERE": "/x/y"}).location for where in (None, "./a", "prod", "env:HERE")
    ]

    assert found == ["./from-env", "./a", "/srv/logs", "/x/y"]
    with pytest.raises(SettingsError, match="did you mean prod"):
        resolve_store("prd", settings, environ={})
