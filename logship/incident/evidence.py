"""Three kinds of evidence against a service, each a number that is 0 when nothing changed.

*gap*: callers wait longer for it than it works (network, queue, pool, a starved process).
*own*: it spends more time in itself.
*line*: a line stands in a different share of its traces than before.

Each kind alone finds some faults and misses others: delays show in gaps, wrong results and exceptions in lines.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from logship.incident.features import Features
    from logship.incident.spans import Sample

GAP_FLOOR_MS: Final = 1.0
OWN_FLOOR_MS: Final = 0.5
"""Spreads below these are timer noise."""
_FEWEST: Final = 4
"""Fewer samples on either side say nothing."""
_SURE_FROM, _SURE_WITHIN = 1.0, 3.0
"""Rank-sum deviations at which a shift begins to count, and over which it comes to count in full."""
_SHARED: Final = 0.3
"""A caller whose other calls wait this large a part as long explains the wait itself."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One reason to suspect a service."""

    kind: str
    """gap, own or line; whole or failures for requests without a trace."""
    strength: float
    subject: str
    """The other service, the operation, or the template."""
    before: float
    after: float
    """Median in ms; for lines, the share of traces; for failures, of requests."""
    samples_before: int
    samples: int
    examples: tuple[str, ...]


def against(window: Features, baseline: Features) -> dict[str, dict[str, Evidence]]:
    """By kind and service, its strongest evidence of that kind."""
    return {"gap": _gaps(window, baseline), "own": _own(window, baseline), "line": lines(window, baseline)}


def shift(window: Sequence[Sample], baseline: Sequence[Sample], floor_ms: float) -> float:
    """How many quiet spreads the median rose, weighted by how sure that is; 0 if it did not rise."""
    if len(window) < _FEWEST or len(baseline) < _FEWEST:
        return 0.0
    before = median(baseline)
    spread = _quantile(baseline, 0.75) - _quantile(baseline, 0.25)
    effect = (median(window) - before) / max(spread, floor_ms, 0.1 * before)
    sure = (_rank_sum(window, baseline) - _SURE_FROM) / _SURE_WITHIN
    return max(0.0, effect) * min(1.0, max(0.0, sure))


def median(samples: Sequence[Sample]) -> float:
    """The middle value of sorted samples."""
    return _quantile(samples, 0.5)


def _quantile(samples: Sequence[Sample], part: float) -> float:
    return samples[int((len(samples) - 1) * part)].value


def _rank_sum(window: Sequence[Sample], baseline: Sequence[Sample]) -> float:
    """Mann-Whitney's U in standard deviations; positive when the window's values are larger."""
    values = [sample.value for sample in baseline]
    wins = sum((bisect_left(values, s.value) + bisect_right(values, s.value)) / 2 for s in window)
    pairs = len(window) * len(values)
    return (wins - pairs / 2) / math.sqrt(pairs * (len(window) + len(values) + 1) / 12)


def _gaps(window: Features, baseline: Features) -> dict[str, Evidence]:
    """Blames the callee for its callers' waits, or the caller if it waits for most of its callees alike."""
    edges = {
        edge: shift(samples, baseline.gaps[edge], GAP_FLOOR_MS)
        for edge, samples in window.gaps.items()
        if edge in baseline.gaps
    }
    callers = _callers(edges, window)
    found: dict[str, Evidence] = {}
    incoming: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for edge in edges:
        incoming[edge[1]].append(edge)
    for service, into in incoming.items():
        unexplained = {
            edge: 0.0 if callers.get(edge[0], 0.0) >= _SHARED * edges[edge] > 0 else edges[edge] for edge in into
        }
        weights = {edge: len(window.gaps[edge]) for edge in into}
        strength = sum(unexplained[edge] * weights[edge] for edge in into) / sum(weights.values())
        worst = max(into, key=lambda edge: unexplained[edge] * weights[edge])
        found[service] = _gap(strength, worst, worst[0], window, baseline)
    for service, strength in callers.items():
        if service not in found or strength > found[service].strength:
            worst = max((edge for edge in edges if edge[0] == service), key=lambda edge: edges[edge])
            found[service] = _gap(strength, worst, worst[1], window, baseline)
    return found


def _callers(edges: dict[tuple[str, str], float], window: Features) -> dict[str, float]:
    """By caller, the shift that most of its callees show; callers of one service alone are left out."""
    outgoing: dict[str, list[float]] = defaultdict(list)
    for edge, strength in edges.items():
        if len(window.gaps[edge]) >= _FEWEST:
            outgoing[edge[0]].append(strength)
    return {caller: sorted(found)[(len(found) - 1) // 2] for caller, found in outgoing.items() if len(found) > 1}


def _gap(strength: float, edge: tuple[str, str], subject: str, window: Features, baseline: Features) -> Evidence:
    return _samples("gap", strength, subject, window.gaps[edge], baseline.gaps[edge])


def _samples(
    kind: str, strength: float, subject: str, window: Sequence[Sample], baseline: Sequence[Sample]
) -> Evidence:
    examples = tuple(sample.record_id for sample in window[-1:-4:-1])
    return Evidence(kind, strength, subject, median(baseline), median(window), len(baseline), len(window), examples)


def _own(window: Features, baseline: Features) -> dict[str, Evidence]:
    """The mean shift of a service's operations, each weighted by the time spent in it."""
    operations: dict[str, list[tuple[float, float, tuple[str, str]]]] = defaultdict(list)
    for key, samples in window.own.items():
        if key in baseline.own:
            spent = sum(sample.value for sample in samples) + 1e-9
            operations[key[0]].append((shift(samples, baseline.own[key], OWN_FLOOR_MS), spent, key))
    found = {}
    for service, parts in operations.items():
        strength = sum(shifted * spent for shifted, spent, _ in parts) / sum(spent for _, spent, _ in parts)
        worst = max(parts)[2]
        found[service] = _samples("own", strength, worst[1], window.own[worst], baseline.own[worst])
    return found


def lines(window: Features, baseline: Features) -> dict[str, Evidence]:
    """The line whose share of traces changed most and most surely, per service."""
    found: dict[str, Evidence] = {}
    for evidence, service in changed_lines(window, baseline):
        if service not in found or evidence.strength > found[service].strength:
            found[service] = evidence
    return found


def changed_lines(window: Features, baseline: Features) -> list[tuple[Evidence, str]]:
    """Every line with its change: two-proportion deviations times the difference of the shares."""
    changes = []
    for key in window.presence.keys() | baseline.presence.keys():
        service, text = key
        now, then = window.units.get(service, 0), baseline.units.get(service, 0)
        if now < _FEWEST - 1 or then < _FEWEST - 1:
            continue
        with_now, with_then = window.presence.get(key, 0), baseline.presence.get(key, 0)
        after, before = with_now / now, with_then / then
        strength = share_change(with_now, now, with_then, then)
        examples = tuple(window.examples.get(key) or baseline.examples.get(key) or ())
        changes.append((Evidence("line", strength, text, before, after, then, now, examples), service))
    return changes


def share_change(with_now: float, now: int, with_then: float, then: int) -> float:
    """Two-proportion deviations times the difference of the shares: how sure and how large at once."""
    pooled = (with_now + with_then + 1) / (now + then + 2)
    difference = abs(with_now / now - with_then / then)
    return difference**2 / math.sqrt(pooled * (1 - pooled) * (1 / now + 1 / then))
