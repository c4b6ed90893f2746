"""What identifies a record."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from logship.record import record_id, record_ids

NAMES = st.sampled_from(["a", "b", "ab", "é", "\ud800", ""])


@given(
    origins=st.lists(st.tuples(st.integers(-1, 2**49), NAMES, NAMES, NAMES.filter(bool)), min_size=1, max_size=6),
    of_handler=st.booleans(),
)
@example(origins=[(5, "a", "b", "ab"), (5, "a", "b", "ba")], of_handler=True)
@example(origins=[(5, "a", "b", "ab"), (6, "a", "b", "ba")], of_handler=False)
def test_many_identities_are_what_each_of_them_is(
    origins: list[tuple[int, str, str, str]], *, of_handler: bool
) -> None:
    """Of one stream or of several, with parts of one length or of several, of our handler's or of CloudWatch's."""
    times_ms, groups, streams, parts = zip(*origins, strict=True)
    made = record_ids(times_ms, groups, streams, parts, of_handler=of_handler)

    assert made == [
        record_id(at_ms, group, stream, "e" if of_handler else part, part if of_handler else "")
        for at_ms, group, stream, part in origins
    ]
