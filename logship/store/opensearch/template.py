"""What is set up on a cluster, as plain requests: index template, retention policy, roles.

The mapping is fixed but for the columns below `logship.text` and `logship.number`, whose names are encoded and
whose types follow from the folder they are in. A mapping conflict therefore cannot occur: nothing that a record
brings decides a type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from logship.query.text import MAX_TOKEN_CHARS, MAX_VALUE_BYTES
from logship.store.opensearch.layout import LAYOUTS, LONG_TEXT
from logship.timerange import parse_span

if TYPE_CHECKING:
    from logship.settings import Store

FORMAT: Final = 1
"""Grows when records of this version could not be read by the version before."""
MOST_COLUMNS: Final = 500
"""Columns that records may bring, over all names; names beyond have no statistics, sorts and facets."""
META_INDEX: Final = "logship-meta"

_WORD: Final = r"\p{L}\p{M}\p{N}_"
_KEYWORD: Final = {"type": "keyword", "ignore_above": MAX_VALUE_BYTES}

_INDEX_ONLY: Final = ("id", "names", "keys", "text", "number")
"""What can be made again from the rest, so that it is not kept twice."""
_ANALYSED: Final = {"type": "text", "analyzer": "words", "norms": False}
_KINDS: Final = {
    "text": _KEYWORD,
    "number": {"type": "double"},
    # Whole numbers are matched as text, too (`status:5*`), and are listed as it.
    "whole": {"type": "double", "fields": {"text": {"type": "keyword"}}},
}
_BESIDE: Final = {
    "otel": {
        "observedTime": {"type": "date"},
        "severity.text": _KEYWORD,
        "severity.number": {"type": "short"},
        **{f"attributes.{name}": _ANALYSED for name in LONG_TEXT},
    },
    "ecs": {
        "log.level": _KEYWORD,
        "event.ingested": {"type": "date"},
        "event.duration": {"type": "long"},
        "error.message": _ANALYSED,
        "error.stack_trace": _ANALYSED,
    },
}
"""Fields for other tools alone."""


def _nested(names: dict[str, Any]) -> dict[str, Any]:
    """Dotted names as the objects that a mapping wants."""
    properties: dict[str, Any] = {}
    for name, kind in names.items():
        at = properties
        *folders, last = name.split(".")
        for folder in folders:
            at = at.setdefault(folder, {"dynamic": False, "properties": {}})["properties"]
        at[last] = kind
    return properties


def mapping(store: Store) -> dict[str, Any]:
    """The mapping of our indices."""
    layout = LAYOUTS[store.output]
    ours = {
        "time_us": {"type": "long"},
        "observed_us": {"type": "long"},
        "level": {"type": "short"},
        # Identity as a column: `_id` has none, and every listing is ordered by it.
        "id": {"type": "keyword"},
        "names": {"type": "keyword"},
        "keys": {"type": "keyword", "doc_values": False},
        "text": {"type": "object", "dynamic": True},
        "number": {"type": "object", "dynamic": True},
        "rest": {"type": "object", "enabled": False},
    }
    named = {leaf.path: _KINDS[leaf.kind] for leaf in layout.leaves.values() if not leaf.path.startswith("logship.")}
    visible = {layout.body: _ANALYSED, **named, **_BESIDE[store.output]}
    return {
        "_meta": {"logship": {"format": FORMAT, "output": store.output}},
        "_source": {"excludes": [f"logship.{name}" for name in _INDEX_ONLY]},
        "dynamic": False,
        "date_detection": False,
        "numeric_detection": False,
        "dynamic_templates": [
            {"text": {"path_match": "logship.text.*", "mapping": {**_KEYWORD, "index": False}}},
            {"number": {"path_match": "logship.number.*", "mapping": {"type": "double", "index": False}}},
        ],
        "properties": {
            "@timestamp": {"type": "date_nanos"},
            **_nested(visible),
            "logship": {"dynamic": False, "properties": ours},
        },
    }


def settings(store: Store) -> dict[str, Any]:
    """The index settings: the one rule of words as an analyzer, and room for the columns."""
    return {
        "index": {
            "number_of_replicas": str(store.replicas),
            "refresh_interval": "1s",
            "codec": "best_compression",
            "mapping": {"total_fields": {"limit": str(MOST_COLUMNS + 300)}},
            "analysis": {
                "char_filter": {"dotted": {"type": "mapping", "mappings": ["\u0130 => i\u0307"]}},
                "tokenizer": {
                    # What separates words: signs, and runs that are too long to be one.
                    "runs": {
                        "type": "pattern",
                        "pattern": f"[^{_WORD}]+|(?<![{_WORD}])[{_WORD}]{{{MAX_TOKEN_CHARS + 1},}}",
                    }
                },
                "analyzer": {
                    "words": {
                        "type": "custom",
                        "tokenizer": "runs",
                        "filter": ["lowercase"],
                        "char_filter": ["dotted"],
                    }
                },
            },
        }
    }


def index_template(store: Store) -> dict[str, Any]:
    """The composable index template."""
    return {
        "index_patterns": [f"{store.index}-*"],
        "priority": 200,
        "template": {
            "settings": settings(store),
            "mappings": mapping(store),
            "aliases": {store.index: {}},
        },
        "_meta": {"logship": {"format": FORMAT, "output": store.output}},
    }


def meta_index() -> dict[str, Any]:
    """The small index that writers agree through; one document a store."""
    return {
        "settings": {"index": {"number_of_shards": "1", "auto_expand_replicas": "0-1"}},
        "mappings": {"dynamic": False, "_meta": {"logship": {"format": FORMAT}}},
    }


def retention_policy(store: Store) -> dict[str, Any]:
    """Index State Management: an index is deleted when it is older than the retention and its own span."""
    days = -(-parse_span(store.retention) // 86_400_000_000)
    return {
        "policy": {
            "description": f"logship keeps {store.retention} of {store.index}",
            "default_state": "kept",
            "states": [
                {
                    "name": "kept",
                    "actions": [],
                    "transitions": [
                        {
                            "state_name": "deleted",
                            "conditions": {"min_index_age": f"{days + (31 if store.partition == 'month' else 1)}d"},
                        }
                    ],
                },
                {"name": "deleted", "actions": [{"delete": {}}], "transitions": []},
            ],
            "ism_template": [{"index_patterns": [f"{store.index}-*"], "priority": 100}],
        }
    }


def roles(store: Store) -> dict[str, dict[str, Any]]:
    """The least that a writer and a reader need, for the security plugin."""
    indices = [store.index, f"{store.index}-*"]
    return {
        f"{store.index}-writer": {
            "cluster_permissions": [
                "cluster:monitor/main",
                "indices:data/write/bulk*",
                "indices:admin/index_template/get",
            ],
            "index_permissions": [
                {
                    "index_patterns": indices,
                    "allowed_actions": [
                        "indices:data/write/index",
                        "indices:data/write/bulk*",
                        "indices:admin/create",
                        "indices:admin/mapping/auto_put",
                        "indices:admin/mapping/put",
                        "indices:admin/refresh*",
                        "indices:admin/get",
                        "indices:admin/mappings/get",
                        "indices:admin/aliases/get",
                    ],
                },
                {
                    "index_patterns": [META_INDEX],
                    "allowed_actions": [
                        "indices:data/read/get",
                        "indices:data/write/index",
                        "indices:data/write/bulk*",
                        "indices:admin/get",
                        "indices:admin/mappings/get",
                    ],
                },
            ],
        },
        f"{store.index}-reader": {
            "cluster_permissions": [
                "cluster:monitor/main",
                "cluster:monitor/health",
                "cluster:monitor/task*",
                "cluster:admin/tasks/cancel",
            ],
            "index_permissions": [
                {
                    "index_patterns": indices,
                    "allowed_actions": [
                        "indices:data/read/search",
                        "indices:data/read/point_in_time/*",
                        "indices:data/read/field_caps*",
                        "indices:admin/get",
                        "indices:admin/mappings/get",
                        "indices:admin/aliases/get",
                        "indices:monitor/stats",
                    ],
                },
                {"index_patterns": [META_INDEX], "allowed_actions": ["indices:data/read/get"]},
            ],
        },
    }
