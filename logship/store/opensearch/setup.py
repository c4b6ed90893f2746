"""Setting a cluster up, as a list of requests that can be shown, sent, or compared with what is there."""

from __future__ import annotations

import re
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from logship.errors import AccessError, StoreError
from logship.store.opensearch import partition, template
from logship.store.opensearch.columns import Meta
from logship.store.opensearch.connection import Cluster, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from logship.settings import Store

_OLDEST: Final = (2, 4)
"""The first version with point in time (OpenSearch release notes 2.4.0)."""
_NOT_FOUND: Final = 404
_TAGLINE: Final = "The OpenSearch Project"
"""Of `GET /`, also where the version is given as Elasticsearch's (`compatibility.override_main_response_version`)."""
_NO_HANDLER: Final = frozenset({400, 404, 405})
_EXISTS: Final = "resource_already_exists_exception"


@dataclass(frozen=True, slots=True)
class Step:
    """One request of the set-up."""

    what: str
    method: str
    path: str
    body: dict[str, Any]
    needs_plugin: str = ""
    """The plugin without which the step is left out, and said."""


def steps(store: Store) -> list[Step]:
    """Everything that sets up a store, in order."""
    found = [
        Step("index template", "PUT", f"/_index_template/{store.index}", template.index_template(store)),
        Step("meta index", "PUT", f"/{template.META_INDEX}", template.meta_index()),
    ]
    if store.retention:
        found.append(
            Step(
                "retention policy",
                "PUT",
                f"/_plugins/_ism/policies/{store.index}",
                template.retention_policy(store),
                "index management",
            )
        )
    found += [
        Step(f"role {name}", "PUT", f"/_plugins/_security/api/roles/{name}", role, "security")
        for name, role in template.roles(store).items()
    ]
    return found


def check_version(cluster: Cluster) -> None:
    """Refuses servers that cannot answer.

    Raises:
        StoreError: too old, or no OpenSearch.
    """
    try:
        found = cluster.request("GET", "/")
    except RefusedError as error:
        if error.status != _NOT_FOUND:
            raise
        raise StoreError(
            f"{cluster.url} is no OpenSearch cluster: it answers GET / with 404; correct the URL, or, since OpenSearch "
            "Serverless is not supported, use a domain of Amazon OpenSearch Service"
        ) from None
    version = found.get("version")
    number = str(version.get("number")) if isinstance(version, dict) else ""
    numbers = re.match(r"(\d+)\.(\d+)", number)
    if not isinstance(version, dict) or not numbers:
        raise cluster.strange("GET /")
    if version.get("distribution") != "opensearch" and _TAGLINE in str(found.get("tagline")):
        raise StoreError(
            f"{cluster.url} runs in compatibility mode, as Elasticsearch {number}; switch that off with "
            'PUT /_cluster/settings {"persistent": {"compatibility.override_main_response_version": false}}'
        )
    if version.get("distribution") != "opensearch":
        raise StoreError(
            f"{cluster.url} is no OpenSearch (version {number}); logship writes to OpenSearch 2.4 or later"
        )
    if tuple(map(int, numbers.groups())) < _OLDEST:
        raise StoreError(f"{cluster.url} runs OpenSearch {number}; logship needs 2.4 or later, upgrade it")


def apply(cluster: Cluster, store: Store, say: Callable[[str], None]) -> None:
    """Sets the store up; what is right already stays as it is.

    Raises:
        StoreError: the names are taken by something that is not ours.
        AccessError: not permitted.
    """
    check_version(cluster)
    refuse_strangers(cluster, store)
    for step in steps(store):
        _send(cluster, step, say)
    meta = Meta(cluster, store)
    meta.create()
    _give_alias(cluster, store, partition.span(time.time_ns() // 1_000_000, meta.partition).suffix)
    if (meta.partition, meta.output) != (store.partition, store.output):
        say(
            f"kept partition={meta.partition} and output={meta.output}: they were chosen when the store was set up "
            "and give every record its index and its shape"
        )


def _give_alias(cluster: Cluster, store: Store, suffix: str) -> None:
    """Makes the index of today, so that the alias is there, and gives the alias back to indices that lack it."""
    try:
        cluster.request("PUT", f"/{store.index}-{suffix}")
    except RefusedError as error:
        if error.kind != _EXISTS:
            raise
    indices = _indices(cluster, f"/{store.index}-*")
    lacking = [name for name, held in indices.items() if store.index not in held["aliases"]]
    if lacking:
        actions = [{"add": {"index": name, "alias": store.index}} for name in lacking]
        cluster.request("POST", "/_aliases", {"actions": actions})


def _send(cluster: Cluster, step: Step, say: Callable[[str], None]) -> None:
    try:
        cluster.request(step.method, step.path, step.body, params=_if_changed(cluster, step))
    except RefusedError as error:
        if error.kind == _EXISTS:
            return
        if step.needs_plugin and error.status in _NO_HANDLER:
            say(f"left out: {step.what}; the {step.needs_plugin} plugin is not on this cluster")
            return
        raise
    except AccessError as error:
        if not step.needs_plugin:
            raise
        say(f"left out: {step.what}; {error}")


def _if_changed(cluster: Cluster, step: Step) -> dict[str, Any]:
    """What a retention policy needs to be replaced: the numbers of the one that is there."""
    if "_ism" not in step.path:
        return {}
    try:
        held = cluster.request("GET", step.path)
    except RefusedError:
        return {}
    return {"if_seq_no": held["_seq_no"], "if_primary_term": held["_primary_term"]}


def refuse_strangers(cluster: Cluster, store: Store) -> None:
    """Makes sure that nothing under our names belongs to somebody else.

    Raises:
        StoreError: an index, alias or template of that name is not ours.
    """
    for path in (f"/{store.index}", f"/{store.index}-*", f"/{template.META_INDEX}"):
        for name, held in _indices(cluster, f"{path}/_mapping").items():
            if "logship" not in held.get("mappings", {}).get("_meta", {}):
                raise StoreError(
                    f"{cluster.url}: the index {name!r} is not logship's and stands in the way of {store.index!r}; "
                    "choose another index in [stores.NAME], or delete it"
                )
    held = template_of(cluster, store.index)
    if held and "logship" not in held.get("_meta", {}):
        raise StoreError(f"{cluster.url}: the index template {store.index!r} is not logship's; choose another index")


def template_of(cluster: Cluster, index: str) -> dict[str, Any]:
    """The index template as it is; {} when there is none."""
    found = _get(cluster, f"/_index_template/{index}").get("index_templates", ())
    return dict(found[0]["index_template"]) if found else {}


def check_template(cluster: Cluster, index: str) -> None:
    """Refuses to write where an index would come to be without our mapping.

    Raises:
        StoreError: the index template is missing.
    """
    if not template_of(cluster, index):
        raise StoreError(
            f"{cluster.url}: the index template {index!r} is missing; run: logship store setup --store {cluster.url}"
        )


def drift(cluster: Cluster, store: Store) -> Iterator[str]:
    """What differs from the set-up that `steps` would make, a line each."""
    check_version(cluster)
    refuse_strangers(cluster, store)
    held = template_of(cluster, store.index)
    if held:
        yield from _differences(template.index_template(store), held, "template")
    else:
        yield f"the index template {store.index!r} is missing"
    meta = Meta(cluster, store)
    if not meta.read():
        yield f"the document {store.index!r} of {template.META_INDEX} is missing"
    elif (meta.partition, meta.output) != (store.partition, store.output):
        yield (
            f"settings say partition={store.partition}, output={store.output}; the store has "
            f"partition={meta.partition}, output={meta.output}"
        )
    mapped = _indices(cluster, f"/{store.index}-*")
    for name, held in mapped.items():
        if store.index not in held.get("aliases", {}):
            yield f"the index {name!r} lacks the alias {store.index!r}"
        expected = {"properties": template.mapping(store)["properties"]}
        yield from _differences(expected, held.get("mappings", {}), name)


def _differences(expected: Any, found: Any, place: str) -> Iterator[str]:
    """Where what is expected is missing or different; more than expected is no difference."""
    if isinstance(expected, dict):
        if not isinstance(found, dict):
            yield f"{place} is missing" if found is None else f"{place} is {found!r}"
            return
        for name, wanted in expected.items():
            below = found.get(name)
            if below is None and name == "dynamic":
                continue  # servers leave the default out
            yield from _differences(wanted, below, f"{place}.{name}")
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for number, (wanted, below) in enumerate(zip(expected, found, strict=True)):
            yield from _differences(wanted, below, f"{place}[{number}]")
    elif str(expected).lower() != str(found).lower() and expected not in ({}, []):
        yield f"{place} is {found!r}, should be {expected!r}" if found is not None else f"{place} is missing"


def _indices(cluster: Cluster, path: str) -> dict[str, dict[str, Any]]:
    """What is known of each index, by its name."""
    found = _get(cluster, path)
    if not all(isinstance(held, dict) for held in found.values()):
        raise cluster.strange(f"GET {path}")
    return found


def _get(cluster: Cluster, path: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = cluster.request("GET", path)
    except RefusedError as error:
        if error.status == 404:  # noqa: PLR2004 - not there
            return {}
        raise
    return found


class Setup:
    """The set-up of one store, as commands use it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def steps(self) -> list[Step]:
        """The requests that would be sent."""
        return steps(self._store)

    def apply(self, say: Callable[[str], None]) -> None:
        """Sends them."""
        with closing(Cluster(self._store)) as cluster:
            apply(cluster, self._store, say)

    def drift(self) -> Iterator[str]:
        """What differs."""
        with closing(Cluster(self._store)) as cluster:
            yield from drift(cluster, self._store)
