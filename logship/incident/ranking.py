"""Evidence → suspects: each kind of evidence measured against what is normal for that service.

How much a service changes when nothing is wrong differs widely, so each quiet stretch is judged against the
others, and evidence counts by how far it exceeds that.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from logship.incident import unlinked
from logship.incident.evidence import Evidence, against
from logship.incident.features import Features, Segment, measure, merge

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_NORMAL_FLOOR: Final = {"gap": 2.0, "own": 2.0, "line": 1.0, "whole": 2.0, "failures": 0.25}
"""Evidence below this is normal everywhere."""
_OWN_QUANTILE, _ALL_QUANTILE = 0.75, 0.9
ALARM_FROM: Final = 4.0
"""Times the normal from which something is wrong."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """A service, how suspect it is in multiples of its normal, and why, strongest reason first."""

    service: str
    score: float
    evidence: tuple[Evidence, ...]


def rank(
    window: Segment, baseline: Sequence[Segment], *, progress: Callable[[str], None] = lambda _: None
) -> tuple[list[Suspect], Features, Features]:
    """The services, most suspect first, and the measurements they were judged by."""
    progress("measuring")
    now = measure(window)
    stretches = [measure(segment) for segment in _stretches(baseline)]
    progress("comparing")
    quiet, normal = merge(stretches), _normal(stretches)
    reasons: dict[str, list[tuple[float, Evidence]]] = defaultdict(list)
    for kind, found in _evidence(now, quiet).items():
        usual = normal[kind]
        everywhere = max(
            _quantile([value for values in usual.values() for value in values], _ALL_QUANTILE), _NORMAL_FLOOR[kind]
        )
        for service, evidence in found.items():
            own = _quantile(usual.get(service, []), _OWN_QUANTILE)
            reasons[service].append((evidence.strength / max(own, everywhere), evidence))
    _leave_out_explained(reasons)
    suspects = []
    for service, found_reasons in reasons.items():
        found_reasons.sort(key=lambda reason: -reason[0])
        # What stays within the normal of its kind is no reason; the strongest is told in any case.
        told = tuple(
            evidence for n, (score, evidence) in enumerate(found_reasons) if score >= 1 or (n == 0 and score > 0)
        )
        suspects.append(Suspect(service, found_reasons[0][0], told))
    suspects.sort(key=lambda suspect: (-suspect.score, suspect.service))
    return suspects, now, quiet


def _evidence(window: Features, baseline: Features) -> dict[str, dict[str, Evidence]]:
    return against(window, baseline) | unlinked.against(window, baseline)


def _leave_out_explained(reasons: dict[str, list[tuple[float, Evidence]]]) -> None:
    """Drops what requests without a trace say where traced ones, or lines, say enough for an alarm."""
    told = [score for found in reasons.values() for score, evidence in found if evidence.kind not in unlinked.KINDS]
    if max(told, default=0.0) < ALARM_FROM:
        return
    for service, found in list(reasons.items()):
        kept = [reason for reason in found if reason[1].kind not in unlinked.KINDS]
        reasons[service] = kept or [(0.0, evidence) for _, evidence in found]


def _stretches(baseline: Sequence[Segment]) -> list[Segment]:
    """The quiet stretches that are compared with each other; a single one is halved."""
    segments = [segment for segment in baseline if len(segment)]
    return segments[0].halves() if len(segments) == 1 else segments


def _normal(stretches: Sequence[Features]) -> dict[str, dict[str, list[float]]]:
    """By kind and service, its evidence in each quiet stretch against the other ones."""
    usual: dict[str, dict[str, list[float]]] = {kind: defaultdict(list) for kind in _NORMAL_FLOOR}
    for number, stretch in enumerate(stretches):
        others = [other for place, other in enumerate(stretches) if place != number]
        if others:
            for kind, found in _evidence(stretch, merge(others)).items():
                for service, evidence in found.items():
                    usual[kind][service].append(evidence.strength)
    return usual


def _quantile(values: Sequence[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[int((len(ordered) - 1) * part)] if ordered else 0.0
