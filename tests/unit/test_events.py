"""Events that are kept field by field are the events that they were made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from logship.events import Columns, Events, chosen, columns_of, messages_of
from logship.record import Cloud, LogEvent

if TYPE_CHECKING:
    from collections.abc import Sequence

EVENTS = st.builds(
    LogEvent,
    st.sampled_from(["/a", "/b"]),
    st.sampled_from(["x", "y"]),
    st.integers(0, 2**48),
    st.text(max_size=4),
    st.text(max_size=4),
    st.integers(0, 2**48),
    st.sampled_from([Cloud(), Cloud("1", "eu-west-1")]),
)


@given(made=st.lists(EVENTS, min_size=1, max_size=6), start=st.integers(-7, 7), stop=st.integers(-7, 7))
def test_they_are_a_sequence_of_the_same_events(made: list[LogEvent], start: int, stop: int) -> None:
    """One by one, by place, in part, and field by field."""
    events = Events(columns_of(made))

    assert list(events) == made
    assert [events[place] for place in range(-len(made), len(made))] == made + made
    assert all(type(event) is LogEvent for event in (events[0], *events))
    assert list(events[start:stop]) == made[start:stop]
    assert columns_of(events) == columns_of(made)
    assert list(messages_of(events)) == messages_of(made)


@given(made=st.lists(EVENTS, min_size=1, max_size=6), data=st.data())
def test_some_of_them_are_chosen(made: list[LogEvent], data: st.DataObject) -> None:
    """From columns and from lists alike."""
    places = data.draw(st.lists(st.integers(0, len(made) - 1), unique=True))
    wanted: Sequence[LogEvent] = [made[place] for place in places]

    assert list(chosen(Events(columns_of(made)), places)) == chosen(made, places) == wanted


def test_none_have_columns_too() -> None:
    """A page may be empty."""
    assert columns_of([]) == columns_of(Events(Columns((), (), (), (), (), (), ()))) == ((),) * 7
