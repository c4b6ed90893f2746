"""The one registry of actions: keys, help and footer all come from here."""

from __future__ import annotations

from dataclasses import dataclass

from textual.binding import Binding


@dataclass(frozen=True, slots=True)
class Action:
    """Something a key does."""

    id: str
    """The method behind it, without `action_`."""
    keys: str
    """As textual names them, separated by commas."""
    label: str
    """A word for the footer."""
    help: str
    """A sentence for the help screen."""
    shown: bool = True
    """Whether the footer has room for it."""

    def binding(self) -> Binding:
        """For textual; the id lets a user's keymap change the keys."""
        return Binding(self.keys, self.id, self.label, show=self.shown, id=self.id)


EVERYWHERE = (
    Action("app.show_search", "1", "search", "Search across all services.", shown=False),
    Action("app.show_incident", "4", "incident", "What is slow, and which service causes it.", shown=False),
    Action("app.show_help", "question_mark,f1", "help", "This list of keys."),
    Action("app.quit", "q,ctrl+c", "quit", "Leave."),
)
SEARCH = (
    Action("edit_query", "slash", "query", "Edit the query; results follow while you type."),
    Action("to_results", "escape,down", "results", "From anywhere to the list."),
    Action("toggle_detail", "enter", "open", "Show or hide the whole record."),
    Action("explain", "i", "cause", "What is slow in this time range, and which service causes it."),
    Action("edit_range", "r", "time", "Type a time range: 15m, yesterday, 2026-11-23T14:00..2026-11-23T14:30."),
    Action("brush", "b", "brush", "Pick a time on the bars: arrows, shift to extend, Enter to zoom; or drag."),
    Action("earlier", "left", "earlier", "Move the time range back by half its length.", shown=False),
    Action("later", "right", "later", "Move the time range on by half its length.", shown=False),
    Action("narrower", "plus,equals_sign", "zoom", "Halve the time range around its middle.", shown=False),
    Action("wider", "minus", "wider", "Double the time range.", shown=False),
    Action("whole", "0", "all time", "The whole store.", shown=False),
    Action("follow_trace", "t", "trace", "All records of this record's trace."),
    Action("filter_service", "f", "filter", "Only this record's service.", shown=False),
    Action("exclude_service", "x", "exclude", "Everything but this record's service.", shown=False),
    Action("copy_line", "y", "copy", "Copy the original line.", shown=False),
    Action("toggle_live", "l", "live", "Follow what arrives, or stop following."),
)
INCIDENT = (
    Action("previous", "up,k", "up", "The suspect above.", shown=False),
    Action("next", "down,j", "down", "The suspect below.", shown=False),
    Action("open_examples", "enter", "records", "The records that speak against this suspect."),
    Action("stop", "escape", "stop", "Stop an analysis that takes too long.", shown=False),
    Action("analyse_again", "r", "again", "Look at the newest records again."),
    Action("earlier", "left_square_bracket", "earlier", "Move the window back by half its length."),
    Action("later", "right_square_bracket", "later", "Move the window on by half its length."),
)


def bindings(actions: tuple[Action, ...]) -> list[Binding]:
    """The bindings of a screen."""
    return [action.binding() for action in actions]
