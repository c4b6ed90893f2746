"""What a forwarder serves over HTTP, asked for over real connections."""

from __future__ import annotations

import http.client
import json
import socket
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from logship.errors import UsageError
from logship.forward.between.rules import RuleCount
from logship.forward.outside import http as served
from logship.forward.outside.http import serving
from tests.forward_status import GROUP, SOURCE, status, with_source

if TYPE_CHECKING:
    from collections.abc import Callable

    from logship.forward.outside.status import ForwardStatus

FREE = "127.0.0.1:0"


def ask(url: str, path: str, *, method: str = "GET", **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def answer_of(snapshot: ForwardStatus, path: str) -> tuple[int, Any]:
    with serving(lambda: snapshot, FREE) as url:
        code, body = ask(url, path)
        return code, json.loads(body)


def samples(snapshot: Callable[[], ForwardStatus], scrapes: int = 1) -> dict[tuple[str, ...], float]:
    """The last scrape: by name and values of labels."""
    with serving(snapshot, FREE) as url:
        text = [ask(url, "/metrics")[1] for _ in range(scrapes)][-1]
    return {
        (sample.name.removeprefix("logship_forward_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_are_the_snapshot() -> None:
    """Each figure of each group, source and rule is served under its own name and labels."""
    found = samples(status)
    group = (GROUP.name, SOURCE.name)

    assert {
        ("stored_records_total",): 80,
        ("queue_bytes",): 12_000,
        ("store_waiting",): 0,
        ("store_requests_limit",): 4,
        ("rule_dropped_records_total", "forward.rule[0]"): 11,
        ("rule_sampled_out_records_total", "forward.rule[0]"): 4,
        ("redactions_total", "jwt"): 6,
        ("source_throttled_calls_total", SOURCE.name): 1,
        ("source_quota_calls_per_second", SOURCE.name): 10,
        ("group_lag_seconds", *group): 2.5,
        ("group_known_events_total", *group): 10,
        ("group_newest_stored_timestamp_seconds", *group): 1_795_443_665.5,
        ("group_refused", *group): 0,
    }.items() <= found.items()


def test_what_a_source_does_not_have_is_not_served() -> None:
    """A source without a quota has no rate of 0, which would look like one that stands still."""
    found = samples(lambda: with_source(calls=None, rate=None, quota=None, ready=None, groups=()))

    assert {("source_throttled_calls_total", SOURCE.name), ("source_retried_calls_total", SOURCE.name)} == {
        key for key in found if SOURCE.name in key
    }


def test_a_counter_of_rules_never_falls() -> None:
    """Rounds that are prepared again count again; Prometheus would take a lower figure for a restart."""
    dropped = iter([11, 7])

    found = samples(lambda: status(rules=(RuleCount("forward.rule[0]", "*", dropped=next(dropped)),)), scrapes=2)

    assert found["rule_dropped_records_total", "forward.rule[0]"] == 11


def test_openmetrics_is_spoken_to_who_asks_for_it() -> None:
    """The answer ends as that format wants."""
    with serving(status, FREE) as url:
        _, text = ask(url, "/metrics", Accept="application/openmetrics-text; version=1.0.0")

    assert text.endswith("# EOF\n")


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        ({}, 200, "ok"),
        ({"progress_age_s": 59.0}, 200, "ok"),
        ({"progress_age_s": 61.0}, 503, "stuck"),
        ({"progress_age_s": 61.0, "store_reason": "no route to host"}, 200, "ok"),
    ],
)
def test_health_is_that_the_storing_thread_goes_round(changes: dict[str, Any], code: int, says: str) -> None:
    """It is bad when that thread is stuck, and good while it waits for the store on purpose."""
    found, body = answer_of(status(**changes), "/healthz")

    assert (code, says, changes.get("store_reason", "")) == (found, body["status"], body["waits_for_store"])


@pytest.mark.parametrize(
    ("snapshot", "code", "reason"),
    [
        (status(), 200, ""),
        (with_source(ready=None), 200, ""),
        (with_source(ready=False), 503, "no source has listed what there is to read yet"),
        (status(store_reason="disk full"), 503, "waiting for the store: disk full"),
        (status(letters_reason="disk full"), 503, "waiting for room for dead letters: disk full"),
    ],
)
def test_ready_is_that_groups_are_listed_and_the_store_takes_records(
    snapshot: ForwardStatus, code: int, reason: str
) -> None:
    """Who is not ready says why."""
    assert (code, {"ready": not reason, "reason": reason}) == answer_of(snapshot, "/readyz")


def test_one_ready_source_of_two_is_enough() -> None:
    """What one source can read flows, whatever another one waits for."""
    sources = (with_source(ready=False).sources[0], SOURCE)

    assert answer_of(status(sources=sources), "/readyz")[0] == 200


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("localhost:9404", 200),
        ("127.0.0.1", 200),
        ("[::1]:9404", 200),
        ("attacker.example", 421),
        ("127.0.0.1.attacker.example:9404", 421),
        ("[::1", 421),
        ("", 421),
    ],
)
def test_on_loopback_only_names_of_this_machine_are_answered(name: str, code: int) -> None:
    """A page in somebody's browser, whose own name was made to lead here, reads nothing."""
    with serving(status, FREE) as url:
        assert ask(url, "/metrics", Host=name)[0] == code


def test_on_an_open_address_any_name_is_answered() -> None:
    """Who listens to others is called by names that logship does not know."""
    answers = served._Answers(status)
    with served._Server("127.0.0.1", 0, answers) as server:
        server.is_private = False
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            assert ask(server.url, "/healthz", Host="forwarder.internal")[0] == 200
        finally:
            server.shutdown()


def test_head_has_the_same_head_without_a_body() -> None:
    """Load balancers ask so; other paths say what there is."""
    with serving(status, FREE) as url:
        assert ask(url, "/healthz", method="HEAD") == (200, "")
        assert ask(url, "/")[1].startswith("/metrics")
        assert ask(url, "/secrets") == (404, "there are /metrics, /healthz and /readyz\n")
        assert ask(url, "/healthz?verbose=1")[0] == 200


def test_a_silent_connection_holds_up_nobody() -> None:
    """Each connection has a thread of its own, and leaving does not wait for it."""
    with serving(status, FREE) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))):
            assert ask(url, "/healthz")[0] == 200


def test_without_the_extra_metrics_say_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said once at the start and in the answer; health is served all the same."""
    said: list[str] = []
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    monkeypatch.setattr(served, "find_spec", lambda _: None)
    with serving(status, FREE, say=said.append) as url:
        code, text = ask(url, "/metrics")

        expected = "prometheus-client is not installed; install it with: pip install 'logship[metrics]'\n"
        assert (501, expected) == (code, text)
        assert [f"/metrics answers 501: {text.strip()}"] == said
        assert ask(url, "/healthz")[0] == 200


@pytest.fixture
def taken() -> Any:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def test_an_address_of_ones_own_that_is_taken_is_an_error(taken: str) -> None:
    """Whoever set it scrapes it: the forwarder does not begin unseen."""
    with pytest.raises(UsageError) as raised, serving(status, taken):
        pass

    assert str(raised.value) == (
        f"cannot listen on '{taken}' for /metrics and /healthz: Address already in use; "
        'name another: listen = "127.0.0.1:9405" under [forward]'
    )


def test_the_default_address_that_is_taken_is_done_without(taken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second forwarder on a machine works; that it is not seen is said once."""
    said: list[str] = []
    monkeypatch.setattr(served, "DEFAULT_LISTEN", taken)
    with serving(status, taken, say=said.append) as url:
        assert (url, len(said)) == ("", 1)


def test_no_address_serves_nothing() -> None:
    """An empty setting turns it off."""
    with serving(status, "") as url:
        assert url == ""


@pytest.mark.parametrize("listen", ["9404", "127.0.0.1:", "127.0.0.1:http", ":9404", "127.0.0.1:70000"])
def test_what_is_no_address_is_named(listen: str) -> None:
    """With the key and an example."""
    with pytest.raises(UsageError) as raised, serving(status, listen):
        pass

    assert str(raised.value) == f"forward.listen = {listen!r} is no host and port; write 127.0.0.1:9404"


def test_a_host_that_cannot_be_found_is_an_error() -> None:
    """A name that leads nowhere is told as what it is."""
    with (
        pytest.raises(UsageError, match=r"cannot listen on 'nowhere\.invalid:9404'"),
        serving(status, "nowhere.invalid:9404"),
    ):
        pass
