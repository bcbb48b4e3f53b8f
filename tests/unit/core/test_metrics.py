"""The metrics: documented, bounded, and served where a setting says."""

import re
import socket

import pytest
from prometheus_client import CollectorRegistry, Gauge

from core import metrics
from core.settings import Settings
from tests.support.paths import DOCS
from tests.support.ports import free_port
from tests.support.service.scrape import scrape

PAGE = DOCS / "operations.md"
ROW = re.compile(r"^\| `(atelier_\w+)` \| ([^|]*) \| ([^|]*) \| ([^|]*) \| ([^|]+) \|$", re.MULTILINE)


def declared():
    """Where, kind and labels of every metric of ours, by the name that Prometheus knows."""
    found = {}
    for place, registry in metrics.REGISTRIES.items():
        for collector in registry._collector_to_names:
            for family in collector.describe() if hasattr(collector, "describe") else ():
                if family.name.startswith("atelier_"):
                    name = family.name + ("_total" if family.type == "counter" else "")
                    found[name] = place, family.type, set(collector._labelnames)
    return found


def documented():
    return {
        name: (place, kind, set(re.findall(r"`(\w+)`", labels)))
        for name, place, kind, labels, _ in ROW.findall(PAGE.read_text())
    }


def test_every_metric_is_documented_and_no_other():
    assert declared() == documented()
    assert len(declared()) == len(ROW.findall(PAGE.read_text()))


def test_the_page_names_existing_metrics_only():
    names = {re.sub("_(sum|count|bucket)$", "", name) for name in re.findall(r"atelier_\w+", PAGE.read_text())}
    assert declared().keys() >= names


def test_every_metric_is_described_in_a_sentence():
    for registry in metrics.REGISTRIES.values():
        for family in registry.collect():
            assert family.documentation.endswith("."), family.name


def test_labels_are_bounded():
    known = {"model", "state", "route", "method", "status", "modality", "stage", "outcome", "place", "reason", "task"}
    known |= {"kind"}  # of objects: `jobs.statements.maintenance.growth.KINDS`
    known |= {"backend"}  # a name of the catalog
    assert known >= {label for _, _, labels in declared().values() for label in labels}


@pytest.fixture
def registry():
    made = CollectorRegistry()
    Gauge("one", "A number.", registry=made).set(1)
    return made


def test_metrics_are_served_where_the_setting_says(registry):
    port = free_port()
    metrics.expose(Settings(metrics_port=port, metrics_host="127.0.0.1"), registry)
    assert 1.0 == scrape(f"http://127.0.0.1:{port}/metrics").value("one")


def test_a_taken_port_names_its_settings(registry):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(metrics.PortTaken, match=f"ATELIER_METRICS_PORT={port}: Address already in use"):
            metrics.expose(Settings(metrics_port=port, metrics_host="127.0.0.1"), registry)


def test_without_a_port_nothing_listens(registry, monkeypatch):
    monkeypatch.setattr(metrics, "start_http_server", lambda *_: pytest.fail("it listens"))
    metrics.expose(Settings(), registry)
