"""What people have edited is never lost, and what is out of date is always found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from logship.errors import DataError
from logship.generate.written import DIGESTS, Found, compare, write

OLD = {"a.service": "a 1\n", "b.json": "{}\n"}
NEW = {"a.service": "a 2\n", "b.json": "{}\n"}


def states(folder: Path, wanted: dict[str, str]) -> dict[str, str]:
    return {found.name: found.state for found in compare(folder, wanted)}


def bring(folder: Path, wanted: dict[str, str], *, force: bool = False) -> list[str]:
    return [found.name for found in write(folder, compare(folder, wanted), force=force)]


def on_disk(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in folder.iterdir() if path.name != DIGESTS}


def test_files_are_written_and_then_are_the_same(tmp_path: Path) -> None:
    """Into a folder that is made; nothing else is left there; doing it again changes nothing."""
    folder = tmp_path / "x/deploy"
    before = states(folder, OLD)
    kept = bring(folder, OLD)

    assert (before, kept) == ({"a.service": "new", "b.json": "new"}, [])
    assert (on_disk(folder), states(folder, OLD)) == (OLD, {"a.service": "same", "b.json": "same"})
    assert bring(folder, OLD) == []


def test_what_is_out_of_date_is_overwritten(tmp_path: Path) -> None:
    """A file as we wrote it follows the settings."""
    bring(tmp_path, OLD)

    assert states(tmp_path, NEW) == {"a.service": "outdated", "b.json": "same"}
    assert (bring(tmp_path, NEW), on_disk(tmp_path)) == ([], NEW)


def test_what_was_edited_is_left_until_it_is_forced(tmp_path: Path) -> None:
    """The others are brought up to date; it stays protected however often that is done."""
    bring(tmp_path, OLD)
    (tmp_path / "b.json").write_text('{"mine": 1}\n', "utf-8")

    assert bring(tmp_path, NEW) == ["b.json"]
    assert bring(tmp_path, NEW) == ["b.json"]
    assert on_disk(tmp_path) == {"a.service": "a 2\n", "b.json": '{"mine": 1}\n'}
    assert (bring(tmp_path, NEW, force=True), on_disk(tmp_path)) == ([], NEW)
    assert states(tmp_path, NEW) == {"a.service": "same", "b.json": "same"}


def test_an_edit_that_comes_to_the_same_is_none(tmp_path: Path) -> None:
    """Somebody did by hand what the settings ask for now: from then on it is ours."""
    bring(tmp_path, OLD)
    (tmp_path / "a.service").write_text("a 2\n", "utf-8")

    assert bring(tmp_path, NEW) == []
    assert states(tmp_path, OLD) == {"a.service": "outdated", "b.json": "same"}


@pytest.mark.parametrize("digests", ["", "[]", "{", '{"a.service": 7}', "\x00", None])
def test_a_lost_list_protects_everything(tmp_path: Path, digests: str | None) -> None:
    """Without digests nobody knows what was edited: files that differ are left as they are."""
    bring(tmp_path, OLD)
    (tmp_path / DIGESTS).unlink()
    if digests is not None:
        (tmp_path / DIGESTS).write_text(digests, "utf-8")

    assert bring(tmp_path, NEW) == ["a.service"]
    assert on_disk(tmp_path) == OLD


def test_a_file_of_somebody_else_is_left(tmp_path: Path) -> None:
    """A folder may hold more, by the same names, too."""
    (tmp_path / "a.service").write_text("theirs\n", "utf-8")
    (tmp_path / "more").write_text("theirs\n", "utf-8")

    assert bring(tmp_path, OLD) == ["a.service"]
    assert on_disk(tmp_path) == {"a.service": "theirs\n", "b.json": "{}\n", "more": "theirs\n"}


def test_what_is_no_longer_wanted_goes_unless_it_was_edited(tmp_path: Path) -> None:
    """A policy of a role that is no longer assumed is no longer there."""
    bring(tmp_path, OLD | {"c.json": "c\n", "d.json": "d\n"})
    (tmp_path / "d.json").write_text("mine\n", "utf-8")

    assert states(tmp_path, OLD) == {"a.service": "same", "b.json": "same", "c.json": "unwanted", "d.json": "edited"}
    assert (bring(tmp_path, OLD), on_disk(tmp_path)) == (["d.json"], OLD | {"d.json": "mine\n"})


def test_names_in_the_list_lead_nowhere_else(tmp_path: Path) -> None:
    """A list that names a file outside of the folder has it neither read nor deleted."""
    (tmp_path / "victim").write_text("v\n", "utf-8")
    folder = tmp_path / "deploy"
    bring(folder, OLD)
    digests = json.loads((folder / DIGESTS).read_text("utf-8"))
    (folder / DIGESTS).write_text(json.dumps(digests | {"../victim": digests["a.service"]}), "utf-8")

    assert states(folder, OLD) == {"a.service": "same", "b.json": "same"}
    assert (tmp_path / "victim").exists()


def test_a_difference_is_shown_as_diffs_are() -> None:
    """From nothing, to nothing, and from one text to another."""
    changed = Found("a", "outdated", "one\ntwo\n", "one\n2\n")
    fresh, gone = Found("a", "new", "", "x\n"), Found("a", "unwanted", "x\n", "")

    assert list(changed.diff(Path("d"))) == ["--- d/a", "+++ d/a", "@@ -1,2 +1,2 @@", " one", "-two", "+2"]
    assert [list(found.diff(Path("d")))[:2] for found in (fresh, gone)] == [
        ["--- /dev/null", "+++ d/a"],
        ["--- d/a", "+++ /dev/null"],
    ]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """One line with the path and what to do, and no half of a file."""
    (tmp_path / "deploy").write_text("a file\n", "utf-8")

    with pytest.raises(DataError, match=r"cannot (read|write) .*deploy.*; name another --output"):
        bring(tmp_path / "deploy", OLD)
