"""The reference of metrics, the dashboard and the alert rules, held to what is served."""

from __future__ import annotations

import json
import re
import urllib.request
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from logship.forward.outside.http import DEFAULT_LISTEN, serving
from logship.settings import Forward
from tests.conftest import REPOSITORY
from tests.forward_status import with_source

TEXT = (REPOSITORY / "docs/reference/metrics.md").read_text(encoding="utf-8")
DASHBOARD = json.loads((REPOSITORY / "docs/grafana/forwarder.json").read_text(encoding="utf-8"))
ALERTS = yaml.safe_load((REPOSITORY / "docs/grafana/alerts.yml").read_text(encoding="utf-8"))
ROW = re.compile(r"^\| `(logship_forward_\w+)` \| (\w+) \| .+ \|$", re.MULTILINE)
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
LABELS = {"source", "group", "rule", "instance", "job"}
"""Ours, and those that Prometheus gives each target."""


@pytest.fixture(scope="module")
def families() -> dict[str, tuple[str, set[str]]]:
    """Kind and labels of every metric of a forwarder that has all of them, by the name of its samples."""
    with (
        serving(lambda: with_source(lag_s=1.5, live_tail_s=60.0), "127.0.0.1:0") as url,
        urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer,
    ):
        text = answer.read().decode()
    return {
        sample.name: (family.type, set(sample.labels))
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def expressions() -> list[str]:
    """Every query of the dashboard and of the rules."""
    panels = [target["expr"] for panel in PANELS for target in panel["targets"]]
    variables = [one["definition"] for one in DASHBOARD["templating"]["list"] if one["type"] == "query"]
    return [*panels, *variables, *(rule["expr"] for rule in RULES)]


def test_the_reference_has_every_metric_that_is_served(families: dict[str, tuple[str, set[str]]]) -> None:
    """Each with its kind, none twice, and none that does not exist."""
    rows = ROW.findall(TEXT)

    assert dict(rows) == {name: kind for name, (kind, _) in families.items()}
    assert len(rows) == len(families)


def test_the_reference_has_each_metric_under_its_labels(families: dict[str, tuple[str, set[str]]]) -> None:
    """The heading over each table names the labels of all its metrics."""
    sections = re.findall(r"^### (.+?)\n(.*?)(?=^##)", TEXT, re.MULTILINE | re.DOTALL)
    found = {name: set(re.findall(r"`(\w+)`", title)) for title, body in sections for name, _ in ROW.findall(body)}

    assert found == {name: labels for name, (_, labels) in families.items()}


def test_names_are_as_prometheus_wants_them(families: dict[str, tuple[str, set[str]]]) -> None:
    """Counters end in _total, nothing else does; labels are source, group and rule alone."""
    assert {name for name, (kind, _) in families.items() if kind == "counter"} == {
        name for name in families if name.endswith("_total")
    }
    assert set().union(*(labels for _, labels in families.values())) == {"source", "group", "rule"}


@pytest.mark.parametrize("expression", expressions())
def test_what_is_asked_for_is_served(expression: str, families: dict[str, tuple[str, set[str]]]) -> None:
    """Queries name existing metrics, with labels that these have; counters are asked for by how they grow."""
    named = set(re.findall(r"\b(logship_\w+|up)\b(?!\")", expression))
    asked = set(re.findall(r"(\w+)=~?\"", expression))

    assert named
    assert named <= families.keys() | {"up"}
    assert asked <= LABELS
    for name, labels in re.findall(r"(logship_\w+)\{(.*?)\}", expression):
        assert set(re.findall(r"(\w+)=", labels)) <= families[name][1] | {"instance", "job"}
    for before, name in re.findall(r"(\w+\(|)(logship_\w+_total)", expression):
        assert before in {"rate(", "increase(", "label_values("}, name


def test_the_dashboard_can_be_imported() -> None:
    """Panels have ids of their own, a place that no other has, and the source of data that is chosen on top."""
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    places = [
        (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["h"])
    ]
    chosen = [one["name"] for one in DASHBOARD["templating"]["list"]]

    assert len(ids) == len(set(ids))
    assert len(places) == len(set(places))
    assert max(x for x, _ in places) == 23
    assert chosen == ["datasource", "instance", "source", "group"]
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in PANELS)
    assert all(panel["description"] for panel in PANELS)


def test_each_alert_says_what_is_wrong_and_what_to_do() -> None:
    """And the reference has all of them."""
    documented = re.findall(r"^\| `(Logship\w+)` \|", TEXT, re.MULTILINE)

    assert documented == [rule["alert"] for rule in RULES]
    for rule in RULES:
        assert set(rule["annotations"]) == {"summary", "description"}
        assert rule["labels"]["severity"] in {"critical", "warning"}


def test_the_reference_has_the_times_of_the_alerts() -> None:
    """A time in its table is a limit, a range or a wait of the rule, or the last two together."""
    rows = dict(re.findall(r"^\| `(Logship\w+)` \| (.+) \|$", TEXT, re.MULTILINE))
    for rule in RULES:
        waited = seconds(rule.get("for", "0s"))
        ranges = [seconds(one) for one in re.findall(r"\[(\w+)\]", rule["expr"])]
        limits = [float(one) for one in re.findall(r"[<>] (\d+)\b", rule["expr"])]
        known = {waited, *ranges, *limits, *(one + waited for one in ranges)}

        assert {60.0 * int(one) for one in re.findall(r"(\d+) minutes", rows[rule["alert"]])} <= known, rule["alert"]


def seconds(duration: str) -> float:
    return int(duration[:-1]) * {"s": 1.0, "m": 60.0, "h": 3600.0}[duration[-1]]


def test_every_kind_of_dead_letter_is_seen() -> None:
    """Payloads that nobody could read are letters without a record: only the letters themselves tell of them."""
    [alert] = [rule["expr"] for rule in RULES if rule["alert"] == "LogshipDeadLetters"]
    [panel] = [panel for panel in PANELS if panel["title"].startswith("Dead letters")]

    assert "logship_forward_dead_letters_waiting" in alert
    assert "logship_forward_dead_letters_waiting" in panel["targets"][0]["expr"]


def test_the_addresses_are_those_of_the_settings() -> None:
    """The reference, the scrape job and the settings have one address."""
    scrape: Any = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)[0])
    targets = scrape["scrape_configs"][0]["static_configs"][0]["targets"]

    assert targets == [DEFAULT_LISTEN] == [Forward().listen]
    assert f'listen = "{DEFAULT_LISTEN}"' in TEXT
