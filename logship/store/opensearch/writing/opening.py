"""Opening a store for writing: one that is not set up is set up first, one that keeps no set-up is written to as is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from logship.errors import AccessError, UsageError
from logship.store.opensearch import setup
from logship.store.opensearch.columns import Meta
from logship.store.opensearch.connection import Cluster, RefusedError, StrangeError
from logship.store.opensearch.writing.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable

    from logship.settings import Store

_NO_SETUP: Final = frozenset({404, 405, 501})


def open_writer(store: Store, say: Callable[[str], None] = lambda _: None) -> Writer:
    """A writer of our indices; a store that is not set up is set up first.

    What answers as OpenSearch and takes records, but no set-up, is written to all the same: a gateway, or a stand-in.

    Args:
        store: where.
        say: told of a store that cannot be set up.

    Raises:
        ConnectError, AccessError: the server does not answer, or does not let us.
        StoreError, NewerFormatError: it cannot be written.
    """
    if "*" in store.index or store.profile not in ("auto", "logship"):
        raise UsageError(f"index {store.index!r} with profile {store.profile!r} is read only; write to one of our own")
    cluster = Cluster(store)
    meta = Meta(cluster, store)
    problem = ""
    try:
        _set_up(cluster, store, meta)
    except (RefusedError, StrangeError) as error:
        if isinstance(error, RefusedError) and error.status not in _NO_SETUP:
            raise
        problem = f" ({error})"
        setup.check_version(cluster)
    cluster.is_known = True
    if not meta.found:
        meta.is_alone = True
        say(
            f"{cluster.url} keeps no set-up{problem}; records are written as they are, without our mapping, and can be "
            "searched only where somebody else sees to that"
        )
    return Writer(cluster, store.index, meta)


def _set_up(cluster: Cluster, store: Store, meta: Meta) -> None:
    if not meta.read():
        try:
            setup.apply(cluster, store, lambda _: None)
        except AccessError as error:
            raise AccessError(
                f"the store is not set up, and {error}; somebody with more rights runs: "
                f"logship store setup --store {store.location}"
            ) from None
        meta.read()
    else:
        setup.check_template(cluster, store.index)
