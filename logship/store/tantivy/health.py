"""Whether an embedded store is well: who writes it, and what waits in its inbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from logship.store.tantivy import folder, inbox

if TYPE_CHECKING:
    from pathlib import Path


def facts(store: Path) -> dict[str, Any]:
    """`writer` (None when nobody writes), `inbox`, and `health`: "ok" or what is wrong and how to mend it."""
    writer = folder.writer_of(store)
    counts = inbox.facts(store / "inbox")
    problems = []
    if counts["unreadable"]:
        problems.append(f"{counts['unreadable']} entries of {store / 'inbox'} cannot be read; import their files again")
    if counts["waiting"] and writer is None:
        problems.append(f"{counts['waiting']} entries wait in {store / 'inbox'}, taken in by the next that writes")
    return {
        "writer": None if writer is None else {"kind": writer.kind, "pid": writer.pid},
        "inbox": counts["waiting"],
        "health": "; ".join(problems) or "ok",
    }
