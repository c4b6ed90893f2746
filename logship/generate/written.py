"""Files that were written before: which are out of date, and which somebody has edited since.

A folder keeps the digests of what was written into it in ``.logship-generated``. A file that differs from its digest
was edited by hand, and one without a digest was not written by us; neither is overwritten unless that is asked for.
Of a file with marks, what stands between them is ours and what stands around them anybody's: that is kept.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from logship.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DIGESTS: Final = ".logship-generated"
BEGIN: Final = "# logship: begin"
END: Final = "# logship: end"
State = Literal["same", "new", "outdated", "edited", "unwanted"]


@dataclass(frozen=True, slots=True)
class Found:
    """How a file on disk stands to what would be written."""

    name: str
    state: State
    """`edited` also means that it is not ours; an `unwanted` one was written by us, and the settings no longer ask."""
    before: str
    """"" where there is none."""
    after: str
    """"" where it is to go."""

    def diff(self, folder: Path) -> Iterator[str]:
        """The lines of a unified diff, without newlines."""
        old, new = self.before.splitlines(), self.after.splitlines()
        path = str(folder / self.name)
        yield from difflib.unified_diff(old, new, path if old else os.devnull, path if new else os.devnull, lineterm="")


def compare(folder: Path, wanted: Mapping[str, str], *, others: str | None = "") -> list[Found]:
    """How each file stands, in the order of what is wanted.

    Args:
        folder: where they are.
        wanted: text by name.
        others: files that were written into it before, begin like that and are not wanted now are to go; None keeps
            them all.

    Raises:
        DataError: a file cannot be read.
    """
    digests = _digests(folder)
    found = [_found(folder, name, text, digests.get(name)) for name, text in wanted.items()]
    unwanted = [name for name in digests.keys() - wanted.keys() if others is not None and name.startswith(others)]
    for name in sorted(unwanted):
        text = _read(folder / name)
        if text is not None:
            found.append(Found(name, "unwanted" if _digest(text) == digests[name] else "edited", text, ""))
    return found


def write(folder: Path, found: list[Found], *, force: bool = False) -> list[Found]:
    """Brings the files up to date but those that were edited; these are returned.

    Args:
        folder: is made if it is not there.
        found: as `compare` gave it.
        force: whether edited ones are overwritten, too.

    Raises:
        DataError: a file cannot be written.
    """
    kept = [] if force else [file for file in found if file.state == "edited"]
    digests = _digests(folder)
    for file in found:
        if file in kept:
            continue
        if file.after:
            _replace(folder / file.name, file.after)
            digests[file.name] = _digest(file.after)
        else:
            _remove(folder / file.name)
            digests.pop(file.name, None)
    _replace(folder / DIGESTS, json.dumps(digests, indent=2, sort_keys=True) + "\n")
    return kept


def _found(folder: Path, name: str, text: str, digest: str | None) -> Found:
    before = _read(folder / name)
    if before is None:
        return Found(name, "new", "", text)
    after = _merged(before, text)
    if before == after:
        return Found(name, "same", before, text)
    return Found(name, "outdated" if _digest(before) == digest else "edited", before, after)


def _ours(text: str) -> tuple[int, int] | None:
    """Where the part that is ours begins and ends, marks included; None where there are none."""
    begin = 0 if text.startswith(BEGIN) else text.find(f"\n{BEGIN}") + 1
    if not text.startswith(BEGIN, begin):
        return None
    end = text.find(f"\n{END}", begin)
    return None if end < 0 else (begin, end + 1 + len(END))


def _merged(before: str, text: str) -> str:
    """What is there, with our part as it is wanted now."""
    old, new = _ours(before), _ours(text)
    if old is None or new is None:
        return text
    return before[: old[0]] + text[new[0] : new[1]] + before[old[1] :]


def _digests(folder: Path) -> dict[str, str]:
    """By file name what was written; a list that is missing or broken protects every file."""
    with suppress(ValueError):
        kept = json.loads(_read(folder / DIGESTS) or "{}")
        if isinstance(kept, dict):
            return {name: text for name, text in kept.items() if isinstance(text, str) and Path(name).name == name}
    return {}


def _digest(text: str) -> str:
    """Of what is ours in a text."""
    part = _ours(text)
    if part is not None:
        text = text[part[0] : part[1]]
    return hashlib.sha256(text.encode()).hexdigest()


def _read(path: Path) -> str | None:
    with _explained(path, "read"):
        try:
            return path.read_bytes().decode("utf-8", "replace")
        except FileNotFoundError:
            return None


def _replace(path: Path, text: str) -> None:
    """Writes a file at once or not at all."""
    with _explained(path, "write"):
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        beside.write_bytes(text.encode())
        beside.replace(path)


def _remove(path: Path) -> None:
    with _explained(path, "delete"):
        path.unlink(missing_ok=True)


@contextmanager
def _explained(path: Path, verb: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(f"cannot {verb} {str(path)!r}: {error.strerror or error}; name another --output") from None
