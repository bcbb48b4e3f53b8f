"""Monitors find ports that are there; rules and dashboard name only metrics that the processes have."""

import json
import re

from core import metrics
from tests.support.deploy.chart import CHART, manifest, manifests, pod_templates

NAME = re.compile(r"\b(?:atelier|process)_[a-z_]+")
ALERTS = {
    *("AtelierQueueOld", "AtelierNoServer", "AtelierEngineRestarts", "AtelierOutOfMemory", "AtelierWebhooksLate"),
    *("AtelierUploadsStuck", "AtelierApiErrors", "AtelierBrokerDown", "AtelierDatabaseDown"),
    *("AtelierModelNotServed", "AtelierStoreFilling", "AtelierGrowing"),
}


def exposed():
    """Every series by the name that PromQL knows it by, with the labels that it has."""
    series = {}
    for registry in metrics.REGISTRIES.values():
        for collector in registry._collector_to_names:
            for family in collector.collect():
                names = registry._collector_to_names[collector]
                labels = set(getattr(collector, "_labelnames", ()))
                series |= dict.fromkeys([*names, family.name], labels | {"le"})
    return series


def rules():
    (made,) = manifests("watched", "PrometheusRule")
    return [rule for group in made["spec"]["groups"] for rule in group["rules"]]


def panels():
    return json.loads(manifest("watched", "ConfigMap", "atelier-dashboard")["data"]["atelier.json"])["panels"]


def expressions():
    return [rule["expr"] for rule in rules()] + [target["expr"] for one in panels() for target in one["targets"]]


def test_rules_and_dashboard_name_only_metrics_that_exist():
    series = exposed()
    named = {name for expression in expressions() for name in NAME.findall(expression)}
    assert len(named) > 20
    assert set() == named - set(series)


def test_every_metric_of_ours_is_on_the_dashboard():
    on_it = {name for one in panels() for target in one["targets"] for name in NAME.findall(target["expr"])}
    families = {re.sub(r"_(bucket|sum|count|total|created)$", "", name) for name in exposed() if "atelier_" in name}
    assert set() == families - {re.sub(r"_(bucket|sum|count|total)$", "", name) for name in on_it}


def test_labels_are_those_of_the_metrics():
    series = exposed()
    for expression in expressions():
        for name, chosen in re.findall(r"\b(atelier_[a-z_]+)\{([^}]*)\}", expression):
            assert series[name] >= set(re.findall(r"(\w+)(?:=|!)", chosen)), expression
        grouped = {label for labels in re.findall(r"by \(([^)]*)\)", expression) for label in labels.split(", ")}
        names = NAME.findall(expression)
        assert {"pod"}.union(*(series[name] for name in names)) >= grouped, expression


def test_every_alert_is_there_and_says_where_its_runbook_is():
    assert ALERTS == {rule["alert"] for rule in rules()}
    for rule in rules():
        assert f"docs/operations.md#{rule['alert'].lower()}" == rule["annotations"]["runbook"]
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"]


def test_every_runbook_is_written():
    page = (CHART.parent / "docs" / "operations.md").read_text()
    titles = {title.strip().lower() for title in re.findall(r"^#+ (.*)$", page, re.MULTILINE)}
    assert set() == {alert.lower() for alert in ALERTS} - titles


def test_templates_of_alerts_survive_helms_own():
    (old,) = (rule for rule in rules() if rule["alert"] == "AtelierQueueOld")
    assert (
        "A job of {{ $labels.model }} has waited for {{ $value | humanizeDuration }}" == old["annotations"]["summary"]
    )


def test_monitors_find_the_ports():
    ports = {
        component: {port["name"]: port["containerPort"] for port in template["spec"]["containers"][0].get("ports", ())}
        for component, template in pod_templates("watched")
    }
    (of_pods,) = manifests("watched", "PodMonitor")
    (chosen,) = of_pods["spec"]["selector"]["matchExpressions"]
    assert {9100} == {
        ports[component][of_pods["spec"]["podMetricsEndpoints"][0]["port"]] for component in chosen["values"]
    }
    (of_service,) = manifests("watched", "ServiceMonitor")
    service = manifest("watched", "Service", "atelier-api")
    assert of_service["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert [port["name"] for port in service["spec"]["ports"]] == [of_service["spec"]["endpoints"][0]["port"]]
    assert "prometheus" == of_service["metadata"]["labels"]["release"]


def test_the_dashboard_is_found_by_its_label():
    made = manifest("watched", "ConfigMap", "atelier-dashboard")
    assert "1" == made["metadata"]["labels"]["grafana_dashboard"]
    assert len({panel["id"] for panel in panels()}) == len(panels())
