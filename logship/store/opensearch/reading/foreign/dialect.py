"""An index of others as `Reader` sees it: orders, columns, and documents as records."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from logship.errors import StoreError, UsageError
from logship.query import names
from logship.query.match import value_text
from logship.query.tree import Range
from logship.record import RESOURCE_NAMES, SEVERITY_NUMBERS, Record, severity, time_us_of
from logship.store.opensearch.reading.foreign.compile import ForeignCompiler, date_range
from logship.store.opensearch.reading.foreign.fields import Fields
from logship.store.opensearch.reading.foreign.profiles import PROFILES, decide

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from logship.query.tree import Node
    from logship.settings import Store
    from logship.store.opensearch.connection import Cluster
    from logship.store.opensearch.reading.compile import Compiled
    from logship.store.port import Cursor
    from logship.timerange import TimeRange

_KEPT_CURSORS: Final = 20_000
_MILLISECOND_US: Final = 1000
_TOP_LEVEL: Final = {names.BODY, names.SEVERITY, names.OBSERVED, names.TIME, "traceId", "spanId", "parentSpanId"}


class ForeignDialect:
    """One index, or many of one pattern, that others write. Nothing of it is ever changed."""

    time_unit_us = float(_MILLISECOND_US)

    def __init__(self, cluster: Cluster, store: Store) -> None:
        """Asks the server for the fields.

        Raises:
            StoreError: there is no such index, or it has no field of time.
        """
        self.index = store.index
        found = cluster.request("GET", f"/{store.index}/_field_caps", params={"fields": "*"})["fields"]
        if not found:
            raise StoreError(f"{store.location} has no index that matches {store.index!r}; name one with --index")
        self.profile, self.why = decide(found)
        if store.profile in PROFILES:
            self.profile, self.why = PROFILES[store.profile], f"profile {store.profile}: it was chosen"
        self._fields = Fields(found, self.profile, store.fields)
        times = [at for at in self._fields.locate(names.TIME) if at.kind in ("date", "date_nanos")]
        if not times:
            raise StoreError(
                f"{store.index!r} has no field of time; name it in [stores.NAME]: "
                'fields = {"@timestamp" = "their.field"}'
            )
        self._time = times[0]
        self.time_field = self._time.field
        self._compiler = ForeignCompiler(self._fields)
        self._cursors: OrderedDict[Cursor, list[Any]] = OrderedDict()

    def compile(self, node: Node) -> Compiled:
        """The query for the server."""
        return self._compiler.compile(node)

    def exists(self, name: str) -> dict[str, Any]:
        """The query for records that have a field."""
        return self._compiler.exists(name)

    def within(self, time_range: TimeRange) -> dict[str, Any]:
        """The query for a range of time."""
        return date_range(
            self._time, Range(names.TIME, time_range.start_us, time_range.end_us, include_low=True, include_high=False)
        )

    def everything(self) -> dict[str, Any]:
        """Documents without a time are no records."""
        return {"exists": {"field": self.time_field}}

    def sort(self, *, newest_first: bool) -> list[dict[str, Any]]:
        """The order of (time, id); ids may repeat in several indices."""
        order = "desc" if newest_first else "asc"
        time = {"order": order, "numeric_type": "date_nanos"}
        return [{self.time_field: time}, {"_id": order}, {"_index": order}]

    def search_after(self, cursor: Cursor) -> list[Any]:
        """The exact values of that order for a record that was read here, else those of its microsecond."""
        return self._cursors.get(cursor) or [cursor[0] * _MILLISECOND_US, cursor[1], ""]

    def source(self, fields: Sequence[str] | None) -> Any:
        """What of the documents is needed."""
        if fields is None:
            return True
        return [at.field for name in fields for at in self._fields.locate(name)]

    def extras(self) -> dict[str, Any]:
        """What a search asks for beside the source: the time in one format, whatever the source has."""
        return {"docvalue_fields": [{"field": self.time_field, "format": "strict_date_optional_time_nanos"}]}

    def record(self, hit: dict[str, Any]) -> Record:
        """The record that a hit holds."""
        time_us = _time_us(hit["fields"][self.time_field][0])
        record = self._record(hit["_id"], time_us, _flat(hit.get("_source", {})))
        self._cursors[record.order] = hit["sort"]
        if len(self._cursors) > _KEPT_CURSORS:
            self._cursors.popitem(last=False)
        return record

    def text_column(self, name: str) -> str | None:
        """The column that lists a field's values."""
        return next((at.exact for at in self._fields.locate(name) if at.exact), None)

    def number_column(self, name: str) -> tuple[str, float] | None:
        """The column of a field's numbers, and what to multiply them by."""
        if name in names.TIMES:
            return next(
                ((at.field, 1000.0) for at in self._fields.locate(name) if at.kind in ("date", "date_nanos")), None
            )
        return next(((at.field, at.scale) for at in self._fields.locate(name) if at.kind == "number"), None)

    def key_text(self, name: str, key: Any) -> str:
        """A value of a column as text."""
        at = next((at for at in self._fields.locate(name) if at.exact), None)
        if at is not None and at.kind == "boolean":
            return value_text(bool(key))
        if name == names.SEVERITY:
            return _level(key) or str(key)
        if at is not None and isinstance(key, (int, float)):
            return value_text(key * at.scale)
        return value_text(key)

    def scans(self, name: str) -> bool:
        """Nothing is read record by record: others' indices may be huge."""
        del name
        return False

    def odd(self, name: str) -> None:
        """Others' columns hold what there is."""

    def own_fields(self) -> dict[str, dict[str, Any]]:
        """The server has listed all names."""
        return {}

    def no_column(self, name: str) -> UsageError:
        """The error for a field that cannot be listed."""
        fields = ", ".join(at.field for at in self._fields.locate(name))
        return UsageError(
            f"{names.short(name)!r} is text without a keyword field ({fields} of {self.index}), so it cannot be "
            "counted, sorted or listed; map it as keyword there, or use another field"
        )

    def bins(self, interval_us: int, *, composite: bool = False) -> dict[str, Any]:
        """The aggregation that cuts time into intervals of at least a millisecond."""
        wanted = {"field": self.time_field, "fixed_interval": f"{max(interval_us // _MILLISECOND_US, 1)}ms"}
        return {"date_histogram": wanted if composite else {**wanted, "min_doc_count": 1}}

    def field_names(self) -> set[str]:
        """Our names of the fields."""
        return self._fields.names()

    def located(self) -> list[str]:
        """Which of their fields stand for ours, a line each."""
        return [self.why] + [
            f"{names.short(name)} = {', '.join(at.field for at in found)}"
            for name in sorted(self.profile.fields)
            if (found := self._fields.locate(name))
        ]

    def _record(self, record_id: str, time_us: int, flat: dict[str, Any]) -> Record:
        found: dict[str, Any] = {}
        resource: dict[str, Any] = {}
        attributes: dict[str, Any] = {}
        for field, value in flat.items():
            if value is None or field == self.time_field:
                continue
            name = self._fields.canonical(field)
            if name in _TOP_LEVEL:
                found.setdefault(name, value)
            elif name in RESOURCE_NAMES or field.startswith("resource."):
                resource.setdefault(name, value)
            else:
                attributes.setdefault(name, self._scaled(field, value))
        level = found.get(names.SEVERITY, "")
        if level and not _level(level):
            attributes["log.level"] = level
        return Record(
            record_id,
            time_us,
            value_text(found.get(names.BODY, "")),
            _level(level),
            _observed_ms(found.get(names.OBSERVED)),
            str(found.get("traceId", "")),
            str(found.get("spanId", "")),
            str(found.get("parentSpanId", "")),
            resource,
            attributes,
        )

    def _scaled(self, field: str, value: Any) -> Any:
        scale = self.profile.scales.get(field)
        return value * scale if scale and isinstance(value, (int, float)) else value


def _flat(source: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Objects within objects as dotted names."""
    found: dict[str, Any] = {}
    for name, value in source.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found


def _level(written: Any) -> str:
    if isinstance(written, (int, float)):
        return next((name for name, number in reversed(SEVERITY_NUMBERS.items()) if number <= written), "")
    return severity(str(written))


def _time_us(written: str) -> int:
    return time_us_of(datetime.fromisoformat(written))


def _observed_ms(written: Any) -> int:
    try:
        return int(written) if isinstance(written, (int, float)) else _time_us(str(written)) // 1000 if written else 0
    except (ValueError, TypeError):
        return 0
