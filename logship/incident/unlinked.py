"""Evidence from requests without a trace, as access logs have them: what they took, and how many failed.

Such a time includes everything that the service waited for, so it says less than a gap or an own time: it counts
only where those explain nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from logship.incident.evidence import OWN_FLOOR_MS, Evidence, median, share_change, shift

if TYPE_CHECKING:
    from collections.abc import Sequence

    from logship.incident.features import Features
    from logship.incident.spans import Sample

KINDS: Final = ("whole", "failures")
_FEWEST: Final = 4
_EXAMPLES: Final = 3


def against(window: Features, baseline: Features) -> dict[str, dict[str, Evidence]]:
    """By kind and service, its strongest evidence of that kind."""
    return {"whole": _whole(window, baseline), "failures": _failures(window, baseline)}


def _whole(window: Features, baseline: Features) -> dict[str, Evidence]:
    """The mean shift of a service's routes, each weighted by the time spent in it; told is the worst route."""
    found = {}
    for service, routes in _routes(window.whole, baseline.whole).items():
        shifts = {route: shift(now, then, OWN_FLOOR_MS) for route, (now, then) in routes.items()}
        spent = {route: sum(sample.value for sample in now) + 1e-9 for route, (now, _) in routes.items()}
        strength = sum(shifts[route] * spent[route] for route in routes) / sum(spent.values())
        worst = max(routes, key=lambda route: (shifts[route] * spent[route], route))
        now, then = routes[worst]
        found[service] = _evidence("whole", strength, worst, (median(then), median(now)), (then, now))
    return found


def _failures(window: Features, baseline: Features) -> dict[str, Evidence]:
    """The route whose share of failed requests rose most and most surely."""
    found: dict[str, Evidence] = {}
    for service, routes in _routes(window.answers, baseline.answers).items():
        for route, (now, then) in routes.items():
            failed_now, failed_then = sum(s.value for s in now), sum(s.value for s in then)
            shares = (failed_then / len(then), failed_now / len(now))
            strength = share_change(failed_now, len(now), failed_then, len(then)) if shares[1] > shares[0] else 0.0
            if service not in found or strength > found[service].strength:
                found[service] = _evidence("failures", strength, route, shares, (then, now))
    return found


def _routes(
    window: dict[tuple[str, str], list[Sample]], baseline: dict[tuple[str, str], list[Sample]]
) -> dict[str, dict[str, tuple[list[Sample], list[Sample]]]]:
    """By service and route, the samples of both; routes that either side hardly knows are left out."""
    found: dict[str, dict[str, tuple[list[Sample], list[Sample]]]] = {}
    for (service, route), now in window.items():
        then = baseline.get((service, route), [])
        if min(len(now), len(then)) >= _FEWEST:
            found.setdefault(service, {})[route] = (now, then)
    return found


def _evidence(
    kind: str,
    strength: float,
    route: str,
    values: tuple[float, float],
    samples: tuple[Sequence[Sample], Sequence[Sample]],
) -> Evidence:
    then, now = samples
    examples = tuple(sample.record_id for sample in now[: -_EXAMPLES - 1 : -1])
    return Evidence(kind, strength, route, *values, len(then), len(now), examples)
