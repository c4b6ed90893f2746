"""What `logship import` stores holds no secret, and ids do not depend on what was redacted."""

from __future__ import annotations

import base64
import gzip
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from logship.forward.files import FileOptions
from logship.forward.importing import import_paths
from logship.parse import Parser
from logship.query.tree import All
from logship.record import ORIGINAL_BASE64, LogEvent, Record, record_id, to_document
from logship.secrets import Redactor, from_settings
from logship.settings import Redact, RedactRule
from logship.store.tantivy.reader import Reader
from logship.testing import MemoryStore
from logship.timerange import TimeRange

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECRET = "hunter2secret"
EVENT = {"logGroup": "/g", "logStreamName": "s", "timestamp": 1_795_443_665_871, "eventId": "7"}
LISTED = {"events": [{**EVENT, "eventId": "8", "message": f'{{"api_key":"{SECRET}","body":"x"}}'}]}
FILES = {
    "plain.log": f"2026-11-23T14:00:00Z ERROR password={SECRET}\nlevel=info msg=x token={SECRET}\nplain\n".encode(),
    "json.log": f'{{"timestamp":"2026-11-23T14:00:00Z","body":"https://a:{SECRET}@b","password":"{SECRET}"}}\n'.encode(),
    "broken.log": f"2026-11-23T14:00:01Z caf\xe9 password={SECRET} \xff\n2026-11-23T14:00:02Z \xe9\n".encode("latin-1"),
    "undated.log.gz": gzip.compress(f"Authorization: Bearer {SECRET}\n2026-11-23T14:00:00Z x".encode()),
    "events.ndjson": json.dumps({**EVENT, "message": f"secret={SECRET}"}).encode() + f"\npassword={SECRET}\n".encode(),
    "listed.json": json.dumps(LISTED).encode(),
    "task/web-1/000000": f"2026-11-23T14:00:00.000Z pwd={SECRET}\ncontinues pwd={SECRET}\n".encode(),
}  # fmt: skip
"""Every shape that files have, with secrets in each."""


def written(folder: Path) -> Path:
    for name, content in FILES.items():
        path = folder / "logs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder / "logs"


def imported(folder: Path, redact: Callable[[str], str] | None) -> list[Record]:
    store = MemoryStore()
    result = import_paths([str(folder)], store, Parser(), FileOptions(group="/g"), redact=redact)
    assert result.errors == []
    store.refresh()
    return list(store.scan(All(), TimeRange(0, 2**60)))


def test_no_shape_of_file_brings_a_secret_into_the_store(tmp_path: Path) -> None:
    """Neither body nor attributes nor originals nor exact bytes have it, and nothing else is missing."""
    logs, redactor = written(tmp_path), Redactor()
    clean, as_it_was = imported(logs, redactor.redact), imported(logs, None)

    assert [record for record in clean if SECRET in text_of(record)] == []
    assert sorted(record.id for record in clean) == sorted(record.id for record in as_it_was)
    assert sum(SECRET in text_of(record) for record in as_it_was) == redactor.lines == 10


def text_of(record: Record) -> str:
    exact = base64.b64decode(str(record.attributes.get(ORIGINAL_BASE64, ""))).decode("latin-1")
    return json.dumps(to_document(record)) + exact


def test_exact_bytes_are_kept_but_for_the_secret(tmp_path: Path) -> None:
    """A line that is no UTF-8 is stored to the byte, the secret apart."""
    (tmp_path / "a.log").write_bytes(FILES["broken.log"])
    exact = [
        base64.b64decode(str(record.attributes[ORIGINAL_BASE64]))
        for record in sorted(imported(tmp_path, Redactor().redact), key=lambda record: record.time_us)
    ]

    assert exact == [
        b"2026-11-23T14:00:01Z caf\xe9 password=[redacted:password] \xff",
        b"2026-11-23T14:00:02Z \xe9",
    ]


def test_ids_are_those_of_the_lines_as_they_were(tmp_path: Path) -> None:
    """Not even a rule that takes times and our handler's ids changes which record a line is."""
    (tmp_path / "a.log").write_text('{"timestamp":"2026-11-23T14:00:00Z","body":"x","logship.id":"7f3c-42"}\n')
    settings = Redact(rule=[RedactRule(name="own", pattern='7f3c-42|2026-[^"]+')])
    redactor = from_settings(settings)
    assert redactor is not None
    clean, as_it_was = imported(tmp_path, redactor.redact)[0], imported(tmp_path, None)[0]

    assert clean.attributes["logship.id"] == "[redacted:own]"
    assert clean.id == as_it_was.id == record_id(1_795_442_400_000, "/g", "", "", "7f3c-42")


def test_a_parser_takes_what_was_redacted_before() -> None:
    """Whoever redacts a whole page at once hands in each text, and the id is still that of the event."""
    event = LogEvent("/g", "s", 1_795_443_665_871, '{"body":"password=x1","logship.id":"7f3c-42"}', "1")
    redacted = '{"body":"password=[redacted:password]","logship.id":"7f3c-42"}'
    expected = Parser().record(event, redacted=Redactor().redact(event.message))

    assert Parser().record(event, redacted=redacted) == expected
    assert (expected.body, expected.id) == ("password=[redacted:password]", Parser().record(event).id)


def test_records_that_a_store_gave_out_are_left_as_they_are(tmp_path: Path) -> None:
    """They were redacted when they first came in, as the settings of that time said."""
    record = Record(record_id(1_795_443_665_871, "/g", "s", "1"), 1_795_443_665_871_000, f"password={SECRET}")
    (tmp_path / "a.ndjson").write_text(json.dumps(to_document(record)) + "\n")

    assert [found.body for found in imported(tmp_path, Redactor().redact)] == [f"password={SECRET}"]


def run(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "logship", *arguments]
    return subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)


def test_the_command_redacts_and_says_so(tmp_path: Path) -> None:
    """No file of the store has the secret, and one line on stderr counts what was taken out."""
    logs = written(tmp_path)
    done = run(tmp_path, "import", str(logs), "--group", "/g", "--store", "./store")
    records = list(Reader(tmp_path / "store").scan(All(), TimeRange(0, 2**60)))
    files = [path for path in (tmp_path / "store").rglob("*") if path.is_file()]

    assert (done.returncode, done.stdout) == (0, "")
    assert "11 secrets in 10 lines were redacted: password 6, " in done.stderr
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []
    assert (len(records) > 10, [record for record in records if SECRET in text_of(record)]) == (True, [])


@pytest.mark.parametrize(
    ("toml", "status", "said"),
    [
        ("[redact]\nenabled = false", 0, ""),
        ('[redact]\noff = ["password"]', 0, ""),
        ('[[redact.rule]]\nname = "x"\npattern = "(?<=a)b"', 2, "key 'redact.rule[0].pattern': '(?<=a)b' is no RE2"),
        ('[redact]\nof = ["jwt"]', 2, "unknown key 'redact.of'"),
    ],
)
def test_the_command_obeys_the_settings(tmp_path: Path, toml: str, status: int, said: str) -> None:
    """Redaction can be turned off, and a wrong setting stores nothing."""
    (tmp_path / "logship.toml").write_text(toml)
    (tmp_path / "a.log").write_text("2026-11-23T14:00:00Z password=hunter2\n")
    done = run(tmp_path, "import", "a.log")

    assert (done.returncode, said in done.stderr, "redacted:" in done.stderr) == (status, True, False)
    assert (tmp_path / "data").exists() == (status == 0)
