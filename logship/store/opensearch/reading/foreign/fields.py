"""Where an index holds what we ask for, and as what type: from the server's field capabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from logship.store.opensearch.reading.foreign.profiles import Profile

Kind = Literal["text", "keyword", "number", "date", "date_nanos", "ip", "boolean", "mixed"]
_KINDS: Final[dict[str, Kind]] = {
    **dict.fromkeys(("text", "match_only_text"), "text"),
    **dict.fromkeys(("keyword", "constant_keyword", "wildcard", "flat_object"), "keyword"),
    **dict.fromkeys(
        ("long", "integer", "short", "byte", "double", "float", "half_float", "scaled_float", "unsigned_long"), "number"
    ),
    "date": "date",
    "date_nanos": "date_nanos",
    "ip": "ip",
    "boolean": "boolean",
}
_SUBFIELDS: Final = (".keyword", ".raw")


@dataclass(frozen=True, slots=True)
class Located:
    """One field of theirs."""

    field: str
    kind: Kind
    exact: str | None
    """The field for whole values, facets and sorts; None when there is none."""
    scale: float = 1.0
    """What to multiply its numbers by to get ours."""


class Fields:
    """The fields of an index, found by our canonical names."""

    def __init__(self, capabilities: Mapping[str, Any], profile: Profile, corrections: Mapping[str, str]) -> None:
        """Takes the `fields` of a `_field_caps` answer."""
        self.profile, self._corrections = profile, corrections
        self._types: dict[str, Kind] = {}
        self._aggregatable: set[str] = set()
        for name, by_type in capabilities.items():
            kinds = {_KINDS[type_name] for type_name in by_type if type_name in _KINDS}
            if kinds and not name.startswith("_"):
                self._types[name] = kinds.pop() if len(kinds) == 1 else "mixed"
                if all(facts.get("aggregatable") for facts in by_type.values()):
                    self._aggregatable.add(name)
        self._found: dict[str, tuple[Located, ...]] = {}
        self._canonical = self._inverse()

    def locate(self, name: str) -> tuple[Located, ...]:
        """Every field that may hold what we call `name`; empty when no record has it."""
        if name not in self._found:
            candidates = self.profile.candidates(name, self._corrections)
            self._found[name] = tuple(self._located(field) for field in candidates if field in self._types)
        return self._found[name]

    def canonical(self, field: str) -> str:
        """What we call a field of theirs."""
        if field in self._canonical:
            return self._canonical[field]
        for prefix in self.profile.prefixes:
            if field.startswith(prefix):
                return field.removeprefix(prefix).replace("@", ".")
        return field

    def names(self) -> set[str]:
        """Our names of all fields."""
        plain = {name for name in self._types if not self._is_subfield(name)}
        return {self.canonical(name) for name in plain}

    def _located(self, field: str) -> Located:
        kind = self._types[field]
        exact = field if field in self._aggregatable and kind not in ("text", "mixed") else None
        if exact is None:
            subfields = (field + suffix for suffix in _SUBFIELDS)
            exact = next((name for name in subfields if name in self._aggregatable), None)
        return Located(field, kind, exact, self.profile.scales.get(field, 1.0))

    def _is_subfield(self, name: str) -> bool:
        return any(name.endswith(suffix) and name.removesuffix(suffix) in self._types for suffix in _SUBFIELDS)

    def _inverse(self) -> dict[str, str]:
        tables = {**self.profile.fields, **{name: (field,) for name, field in self._corrections.items()}}
        return {field: name for name, fields in tables.items() for field in fields if field in self._types}
