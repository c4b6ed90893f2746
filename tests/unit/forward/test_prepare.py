"""Events on their way into the store: redacted, parsed, chosen, and counted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from logship.errors import SettingsError
from logship.forward.between.prepare import Preparer, prepare_of
from logship.forward.between.rules import Rules
from logship.parse import Parser
from logship.record import CONTINUES, SAMPLE_RATE, LogEvent
from logship.settings import Forward, Redact, Rule, Service, Settings

if TYPE_CHECKING:
    from collections.abc import Sequence


def event(number: int, message: str, *, group: str = "/shop/orders", stream: str = "x") -> LogEvent:
    return LogEvent(group, stream, 1_795_443_665_000 + number, message, str(number))


def redact_many(messages: Sequence[str]) -> list[str]:
    return [
        re.sub(r"token=\w+", "[redacted:token]", message) if "token=" in message else message for message in messages
    ]


def preparer() -> Preparer:
    rules = Rules([Rule(query="level:debug", action="drop"), Rule(query="noise", action="sample", rate=0.0)])
    return Preparer(Parser(), rules=rules, redact_many=redact_many)


EVENTS = [
    event(1, "2026-11-23T14:00:00Z INFO token=a token=b"),
    event(2, "2026-11-23T14:00:00Z DEBUG x"),
    event(3, "2026-11-23T14:00:00Z INFO noise"),
    event(4, "2026-11-23T14:00:00Z INFO [redacted:token] token=c"),
    event(5, "2026-11-23T14:00:00Z INFO clean"),
]


def test_records_come_redacted_chosen_and_counted() -> None:
    """In order, without what rules leave out; secrets are counted by rule, but not those taken out before."""
    prepare = preparer()
    records = prepare(EVENTS)
    counts = prepare.counts()

    assert [record.body[26:] for record in records] == [
        "[redacted:token] [redacted:token]", "[redacted:token] [redacted:token]", "clean"
    ]  # fmt: skip
    assert [(rule.dropped, rule.sampled_out) for rule in counts.rules] == [(1, 0), (0, 1)]
    assert counts.redacted == {"token": 3}


def test_what_is_prepared_again_is_counted_once() -> None:
    """Going back takes counts and streams back, as often as it is done."""
    prepare = preparer()
    prepare(EVENTS[:2])
    mark = prepare.mark()
    made = []
    for _ in range(3):
        prepare.rewind(mark)
        made.append([record.id for record in prepare([*EVENTS, event(6, "\tat x.Y")])])

    assert (made[0], made[0]) == (made[1], made[2])
    assert (prepare.counts().redacted, prepare.counts().rules[0].dropped) == ({"token": 5}, 2)


def test_an_explanation_is_what_is_done() -> None:
    """What a dry run says of each event is what becomes of it."""
    explained = [preparer().explain(one) for one in EVENTS]
    stored = [said.record.body for said in explained if said.decision.kept]

    assert stored == [record.body for record in preparer()(EVENTS)]
    assert [dict(said.redacted) for said in explained] == [{"token": 2}, {}, {}, {"token": 1}, {}]
    assert [said.decision.rule for said in explained] == [None, 0, 1, None, None]


def test_an_event_out_of_order_links_to_nothing_by_chance() -> None:
    """A dead letter keeps the link that it had, and is nobody's first event."""
    prepare = preparer()
    prepare([EVENTS[0]])
    alone = [
        prepare.alone(event(7, "\tat x.Y")), prepare.alone(event(8, "\tat x.Y"), continues="f" * 32),
        prepare.alone(EVENTS[4]), prepare.alone(EVENTS[1]),
    ]  # fmt: skip
    [after] = prepare([event(9, "\tat x.Z")])
    [first] = preparer()([EVENTS[0]])

    assert [record and record.attributes.get(CONTINUES) for record in alone] == [None, "f" * 32, None, None]
    assert (alone[3], after.attributes[CONTINUES]) == (None, first.id)


def test_ids_do_not_depend_on_what_is_redacted() -> None:
    """The handler's id counts as it stood in the line, also in a letter whose line lost it."""
    line = event(1, '{"msg": "a", "logship.id": "7f3c-42"}')
    prepare = Preparer(Parser(), redact_many=lambda texts: [text.replace("7f3c-42", "[redacted:id]") for text in texts])
    [record], [plain] = prepare([line]), Preparer(Parser())([line])
    gone = line._replace(message='{"msg": "a"}')
    replayed = prepare.alone(gone, identity=record.id)

    assert (record.id, record.original) == (plain.id, prepare.clean(line).message)
    assert replayed is not None
    assert replayed.id == plain.id


def test_ids_do_not_depend_on_what_is_redacted_where_the_line_names_them_twice() -> None:
    """A body that names the id, too, a long id, or JSON that redaction breaks: the id is that of the line as it was."""
    lines = [
        '{"msg": "no logship.id in the second batch, skipped", "logship.id": "%s-42"}',
        '{"msg": "a", "logship.id": "orders-service-production-eu-1-%s-42"}',
        '{"msg": "%s", "logship.id": "7f3c-42"}',
    ]
    events = [event(1, line % part) for line in lines for part in ("7f3c9a1e", "01234567")]
    redact = Preparer(
        Parser(), redact_many=lambda texts: [re.sub('7f3c9a1e"?|01234567"?', "[redacted:id]", text) for text in texts]
    )
    expected = [record.id for record in Preparer(Parser())(events)]
    tables, others = redact.tables(events)

    assert [record.id for record in redact(events)] == expected
    assert (tables, [record.id for record in others]) == ([], expected)


def test_a_letter_whose_line_lost_its_id_keeps_it() -> None:
    """An id in the line that is redacted, or empty, or no text, is none: the letter's own counts."""
    ids = ('"[redacted:id]-42"', '""', "42", '"7f3c-42"')
    letters = [event(1, f'{{"msg": "a", "logship.id": {own}}}') for own in ids]
    replayed = [preparer().alone(letter, identity="f" * 32) for letter in letters]

    assert [record and record.id == "f" * 32 for record in replayed] == [True, True, True, False]


def test_ids_in_tables_do_not_depend_on_what_is_redacted() -> None:
    """A usual line whose id is cut out keeps the id that it had, also where its kind is made by the column."""
    events = [event(number, f'{{"msg": "a", "logship.id": "7f3c-{number}"}}') for number in range(40)]
    redact = Preparer(Parser(), redact_many=lambda texts: [text.replace("7f3c-39", "7f3c-xx") for text in texts])
    expected = {record.id for record in Preparer(Parser())(events)}
    redact(events)
    tables, others = redact.tables(events[:20])
    later, changed = redact.tables(events[20:])

    assert [*map(len, tables), len(others), len(later), len(changed)] == [20, 0, 0, 20]
    assert {record.id for record in (*tables[0].records(), *changed)} == expected
    assert changed[-1].original == '{"msg": "a", "logship.id": "7f3c-xx"}'


def test_tables_hold_what_rules_do_not_look_at() -> None:
    """Records alike come as a table; where rules look at each, they come one by one, as the rules left them."""
    line = '{"timestamp":"2026-11-23T14:21:05.871Z","level":"INFO","message":"a","n":1}'
    events = [event(number, line) for number in range(50)]
    prepare, ruled = Preparer(Parser()), Preparer(Parser(), rules=Rules([Rule(query="*", action="sample", rate=1.0)]))
    expected = prepare(events)
    [table], others = prepare.tables(events)
    none, sampled = ruled.tables(events)

    assert (table.records(), others) == (expected, [])
    assert (none, [record.attributes[SAMPLE_RATE] for record in sampled]) == ([], [1.0] * 50)


def test_the_settings_make_it() -> None:
    """Rules, services by group, and whether originals are kept, from logship.toml; its errors name the key."""
    settings = Settings(
        forward=Forward(rule=[Rule(query="service:edge", action="drop")], keep_original=False),
        service=[Service(name="edge", groups=["/shop/e*"])],
    )
    prepare = prepare_of(settings)
    records = prepare([event(1, '{"msg": "a"}', group="/shop/e1"), event(2, '{"msg": "b"}')])

    assert [(record.service, record.original) for record in records] == [("orders", "b")]
    [secret] = prepare_of(Settings())([event(1, "INFO password=hunter2")])
    [plain] = prepare_of(Settings(redact=Redact(enabled=False)))([event(1, "INFO password=hunter2")])
    assert (secret.body, plain.body) == ("INFO password=[redacted:password]", "INFO password=hunter2")
    with pytest.raises(SettingsError, match=r"forward\.rule\[0\]\.query"):
        prepare_of(Settings(forward=Forward(rule=[Rule(query="(", action="drop")])))
