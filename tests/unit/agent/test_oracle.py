"""Our verdicts against the real agent's: on its own samples, and on these with one thing changed."""

from __future__ import annotations

import copy
import json
import random
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft4Validator

from logship.agent.lint import lint_document
from logship.agent.lint.schema import check
from logship.agent.merge import merge
from logship.agent.options import CONFIG
from logship.agent.schema_file import checker
from logship.agent.timestamps import FormatError, Reader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def load(oracle: Path, name: str) -> Any:
    return json.loads((oracle / name).read_text())


def samples(oracle: Path) -> Iterator[tuple[dict[str, Any], bytes]]:
    for row in load(oracle, "index.json")["samples"]:
        if not row["class"].startswith("merge"):
            yield row, (oracle / row["file"]).read_bytes()


def test_samples_have_the_agents_verdict(oracle: Path) -> None:
    """At least 99 % of the agent's own configs are accepted or refused as it does, the refused ones where it says."""
    rows, wrong = list(samples(oracle)), []
    for row, data in rows:
        errors = [one.path for one in lint_document(data) if one.severity == "error"]
        if bool(errors) != (row["expected"] != "valid"):
            wrong.append(row["file"])
        if row["expected"] != "valid":
            for path in re.findall(r"(/[\w/.-]*): ", row["why"]):
                assert any(one == path or one.startswith(f"{path}/") for one in errors), (row["file"], path)

    assert (len(rows) > 100, wrong[: len(rows) // 100 + 1]) == (True, [])


def test_every_trap_is_reported(oracle: Path) -> None:
    """Each hand-written trap is told at its place, in words about it; clean configs get neither error nor warning."""
    for case in load(oracle, "lint_cases.json")["cases"]:
        text = case.get("config_text") or json.dumps(case["config"])
        found = lint_document(text.encode(), system=case["os"])
        for wanted in case["must_report"]:
            near = [one for one in found if _near(one.path, wanted["path"])]
            words = wanted["about"].lower().split("|")
            assert any(word in f"{one.rule} {one.message}".lower() for one in near for word in words), case["name"]
        if case["name"].startswith("clean_"):
            assert [one for one in found if one.severity != "hint"] == [], case["name"]


def _near(path: str, wanted: str) -> bool:
    return wanted in (path, path.rpartition("/")[0]) or wanted.rpartition("/")[0] == path


def test_merges_are_the_agents(oracle: Path) -> None:
    """What merges is equal to its result, and what does not names the key and both files."""
    for row in load(oracle, "index.json")["samples"]:
        if row["class"].startswith("merge"):
            folder = oracle / row["file"]
            inputs = [(path.name, json.loads(path.read_text())) for path in sorted(folder.glob("input_*.json"))]
            merged = merge(inputs)
            if row["class"] == "merge_ok":
                assert (merged.config, merged.conflicts) == (load(oracle, f"{row['file']}expected_output.json"), [])
            else:
                [conflict] = merged.conflicts
                key = row["why"].rpartition(" ")[2]
                assert [word in str(conflict) for word in (key, *conflict.files)] == [True] * 3
    for case in load(oracle, "merge_cases.json")["cases"]:
        told = " ".join(map(str, merge(sorted(case["files"].items())).conflicts))
        assert (not told, [word for word in case["about"] if word not in told]) == (case["expected"] == "merges", [])


def test_times_are_read_as_the_agent_reads_them(oracle: Path) -> None:
    """Expression, layouts, time and what is left of each line, by the facts of its own tests and of running it."""
    table = load(oracle, "timestamps.json")
    for fact in [*table["upstream_facts"], *table["run_facts"]]:
        if fact["section"] != "logs.files" or "format" not in fact:
            continue
        if fact.get("refused"):
            with pytest.raises(FormatError):
                Reader(fact["format"])
            continue
        reader = Reader(fact["format"], fact.get("timezone", ""), now=NOW)
        assert (reader.pattern, reader.layouts) == (fact["regex"], fact["layouts"])
        for line in fact.get("lines", []):
            if (line["time"] or "").startswith("0000"):
                continue  # a layer below the one that gives it a year
            read = reader.read(line["line"])
            time = read.time.isoformat(timespec="milliseconds").replace("+00:00", "Z") if read.time else None
            assert (fact["format"], time) == (fact["format"], line["time"])
            assert read.trimmed == line.get("trimmed", read.trimmed)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(item, (*path, key))


REPLACEMENTS: tuple[Any, ...] = (
    None, True, 0, 1, -1, 7, 14.5, 100_000, 200_000, 2**40, "", "x", "30", "true", "x" * 300, "y" * 5000, [], {},
    ["a"], ["a", "a"], [{}], {"a": 1}, {"measurement": ["used"]}, {"collect_list": []},
)  # fmt: skip


def changed(config: Any, drawn: random.Random) -> Any:
    """The config with one thing changed: a value, a key, or something taken away."""
    config = copy.deepcopy(config)
    *above, last = drawn.choice([path for path in places(config) if path])
    holder = config
    for key in above:
        holder = holder[key]
    deed = drawn.randrange(4)
    if deed == 0:
        del holder[last]
    elif deed == 1 and isinstance(holder, dict):
        holder[drawn.choice([f"{last}x", "unknown", "measurement", "collect_list"])] = holder.pop(last)
    elif deed == 2 and isinstance(holder, list):
        holder.append(copy.deepcopy(holder[last]))
    else:
        holder[last] = copy.deepcopy(drawn.choice(REPLACEMENTS))
    return config


def test_the_table_is_the_schema(oracle: Path) -> None:
    """Of 3,000 configs that differ from a sample in one thing, the table refuses just what the schema refuses."""
    validator = Draft4Validator(load(oracle, "schema.json"))
    drawn = random.Random(7)
    configs = [json.loads(data) for row, data in samples(oracle) if row["expected"] == "valid"]
    for _ in range(3_000):
        config = changed(drawn.choice(configs), drawn)
        ours = next(check(config, CONFIG), None)
        theirs = next(validator.iter_errors(config), None)

        assert (ours is None) == (theirs is None), (ours, theirs and (list(theirs.absolute_path), theirs.message))


def test_the_users_own_schema_is_told_in_words(oracle: Path) -> None:
    """With --schema verdicts are the same, and no complaint says "is not valid under any of the given schemas"."""
    own = checker(oracle / "schema.json")
    for row, data in samples(oracle):
        found = list(own(json.loads(data)))
        assert bool(found) == (row["expected"] != "valid"), row["file"]
        assert [one.message for one in found if "given schemas" in one.message] == []
