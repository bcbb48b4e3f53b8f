"""Network policies: default deny; GPU pods reach PostgreSQL, Redis and S3; only CPU workers reach the internet."""

from ipaddress import ip_address, ip_network

import pytest

from api.http.received_file import ENVELOPE
from core.settings import Settings
from tests.support.deploy.chart import LEAST, MATRIX, chart, manifest, manifests, over, pod_templates, render

WITH_POLICIES = [case for case in MATRIX if case != "everything off"]
PUBLIC = ("93.184.216.34", "2606:2800:220:1::1")
INSIDE = ("10.0.0.7", "192.168.3.4", "fd00::7", "169.254.169.254", "127.0.0.1")


def chooses(policy, labels):
    """Whether the policy is about a pod with these labels."""
    return policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items()


def of(case, component):
    """The policies of a component's pods."""
    labels = next(template["metadata"]["labels"] for name, template in pod_templates(case) if name == component)
    return [one for one in manifests(case, "NetworkPolicy") if chooses(one, labels)]


def reaches(case, component, address, port):
    """Whether some rule lets the component's pods open this address, judged by its number alone."""
    return any_opens(of(case, component), address, port)


def any_opens(policies, address, port):
    for policy in policies:
        for rule in policy["spec"].get("egress", ()):
            ports = [one["port"] for one in rule.get("ports", ())]
            if ports and port not in ports:
                continue
            blocks = (peer["ipBlock"] for peer in rule["to"] if "ipBlock" in peer)
            if any(opens(block, address) for block in blocks):
                return True
    return False


def opens(block, address):
    return within(address, block["cidr"]) and not any(within(address, one) for one in block.get("except", ()))


def within(address, cidr):
    network, found = ip_network(cidr), ip_address(address)
    return found.version == network.version and found in network


@pytest.mark.parametrize("case", WITH_POLICIES)
def test_every_pod_is_closed_both_ways_and_has_rules_of_its_own(case):
    policies = manifests(case, "NetworkPolicy")
    (deny,) = (one for one in policies if one["metadata"]["name"].endswith("-deny"))
    assert {"podSelector", "policyTypes"} == set(deny["spec"])
    for component, template in pod_templates(case):
        assert chooses(deny, template["metadata"]["labels"]), component
        assert 2 == len(of(case, component)), component
    assert all(["Ingress", "Egress"] == one["spec"]["policyTypes"] for one in policies)


def test_what_runs_before_a_release_has_its_rules_before_it():
    """A policy of the release before would close a doctor and migrations to what is configured anew."""
    hooks = {"migrations": "atelier-migrations", "doctor": "atelier-doctor"}
    jobs = {component: [manifest("least", "Job", name)] for component, name in hooks.items()}
    jobs["doctor"].append(manifest("least", "Job", "atelier-test"))
    for component, made in jobs.items():
        (rules,) = (one for one in of("least", component) if not one["metadata"]["name"].endswith("-deny"))
        notes = rules["metadata"]["annotations"]
        assert "hook-failed" not in notes["helm.sh/hook-delete-policy"]
        for job in made:
            given = job["metadata"]["annotations"]
            assert set(given["helm.sh/hook"].split(",")) <= set(notes["helm.sh/hook"].split(","))
            assert int(notes["helm.sh/hook-weight"]) < int(given.get("helm.sh/hook-weight", "0"))


def test_policies_can_be_left_to_others():
    assert [] == manifests("everything off", "NetworkPolicy")


PORTS = (22, 53, 80, 443, 5432, 6379, 9000)


@pytest.mark.parametrize("address", PUBLIC)
@pytest.mark.parametrize("component", ["api", "gpu-worker", "migrations", "doctor"])
def test_nobody_else_reaches_the_internet(component, address):
    """Of the store, whose name may lead there, its port alone, and only the pods that use it."""
    of_the_store = [] if component == "migrations" else [443]
    assert of_the_store == [port for port in PORTS if reaches("least", component, address, port)]
    assert [] == [port for port in PORTS if reaches("closed networks", component, address, port)]


STORES = {
    "http://minio.storage.svc.cluster.local:9000": {"pods": "storage"},
    "http://minio.storage.svc:9000": {"pods": "storage"},
    "http://minio:9000": {"pods": "studio"},
    "http%3A%2F%2Fminio.storage%3A9000": {"pods": "storage", "opens": {"10.0.0.7", "93.184.216.34"}},
    "https://10.0.0.7:9000": {"opens": {"10.0.0.7"}},
    "https://[fd00::7]:9000": {"opens": {"fd00::7"}},
    "https://93.184.216.34:9000": {"opens": {"93.184.216.34"}},
    "https://s3.corp.internal:9000": {"opens": {"10.0.0.7", "fd00::7"}},
    "https://vpce-1.s3.eu-central-1.vpce.amazonaws.com": {"port": 443, "opens": {"10.0.0.7", "fd00::7"}},
    "https://s3.example.com:9000": {"opens": {"10.0.0.7", "fd00::7", *PUBLIC}},
    "https://s3.eu-central-1.amazonaws.com": {"port": 443, "opens": set(PUBLIC)},
    "https://1234.r2.cloudflarestorage.com": {"port": 443, "opens": set(PUBLIC)},
    "https://storage.googleapis.com": {"port": 443, "opens": set(PUBLIC)},
    "": {"port": 443, "opens": set(PUBLIC)},
}
"""Endpoints, and what a policy opens for them: pods of a namespace, and those of some addresses."""


@pytest.mark.matrix
@pytest.mark.parametrize("endpoint", STORES)
def test_what_the_stores_endpoint_names_is_opened(endpoint):
    wanted = {"port": 9000, "pods": None, "opens": set()} | STORES[endpoint]
    if wanted["pods"] and not wanted["opens"]:
        wanted["opens"] = set()
    url = f"s3://media?region=r&endpoint={endpoint}&public_endpoint=https://x.example" if endpoint else "s3://media"
    made = [one for one in render(over(LEAST, {"storage": {"url": url}})) if one["kind"] == "NetworkPolicy"]
    closed = {one["metadata"]["name"]: one for one in made}
    for component in ("api", "cpu-worker", "gpu-worker", "doctor"):
        rules = closed[f"atelier-{component}"]["spec"]["egress"][3:4]  # the name server, the database, the broker
        assert [[{"port": wanted["port"], "protocol": "TCP"}]] == [rule["ports"] for rule in rules]
        spaces = [peer["namespaceSelector"] for peer in rules[0]["to"] if "namespaceSelector" in peer]
        named = [one["matchLabels"]["kubernetes.io/metadata.name"] for one in spaces]
        assert ([wanted["pods"]] if wanted["pods"] else []) == named
        only = [{"spec": {"egress": rules}}]
        tried = ("10.0.0.7", "fd00::7", *PUBLIC)
        opened = {address for address in tried if any_opens(only, address, wanted["port"])}
        assert opened >= wanted["opens"]
        assert wanted["pods"] or opened == wanted["opens"]
        assert not any(any_opens(only, address, wanted["port"]) for address in ("169.254.169.254", "127.0.0.1"))
    assert {5432, 53} == {
        port["port"] for rule in closed["atelier-migrations"]["spec"]["egress"] for port in rule["ports"]
    }


def test_the_notes_say_what_is_opened_and_where_keys_come_from():
    def notes(more):
        return chart().render(over(LEAST, more), name="atelier", namespace="studio")["atelier/templates/NOTES.txt"]

    said = notes({})
    assert "store     s3.example.com, port 443: public and private addresses" in said
    assert "Keys of the bucket: the Secret bucket, `access-key` and `secret-key`." in said
    inside = notes({"storage": {"url": "s3://media?endpoint=http://minio.storage.svc:9000"}})
    assert "minio.storage.svc, port 9000: pods of the namespace storage" in inside
    assert "what networkPolicy says" in notes(MATRIX["closed networks"])
    assert "The network policies open" not in notes({"networkPolicy": {"enabled": False}})


@pytest.mark.parametrize(
    ("collector", "opened"),
    [("http://otel.watch.svc:4318", False), ("https://10.3.2.1:4318", True), ("", False)],
)
def test_a_collector_of_traces_is_opened_too(collector, opened):
    made = render(over(LEAST, {"settings": {"otlp_endpoint": collector}}))
    policies = {one["metadata"]["name"]: one for one in made if one["kind"] == "NetworkPolicy"}
    for component in ("api", "cpu-worker", "gpu-worker"):
        ports = [
            port["port"]
            for rule in policies[f"atelier-{component}"]["spec"]["egress"]
            for port in rule.get("ports", ())
        ]
        assert bool(collector) == (4318 in ports)
        assert opened == any_opens([policies[f"atelier-{component}"]], "10.3.2.1", 4318)
    assert not any_opens([policies["atelier-migrations"]], "10.3.2.1", 4318)


def test_workers_that_fill_their_volume_reach_the_hub_alone():
    case = "weights of each worker"
    assert [443] == [port for port in PORTS if reaches(case, "gpu-worker", PUBLIC[0], port)]
    inside = {"storage": {"url": "s3://media?endpoint=http://minio:9000"}}
    fetches = {"weights": {"models": ["sdxl"]}}
    proxied = {"weights": {"models": ["sdxl"], "env": [{"name": "HTTPS_PROXY", "value": "http://10.0.0.9:3128"}]}}
    reached = {}
    for name, more in (
        ("hub", fetches),
        ("proxy", proxied),
        ("shared", {"weights": {"volume": "shared", "models": ["sdxl"]}}),
    ):
        made = render(over(over(LEAST, inside), more))
        policies = [
            one for one in made if one["kind"] == "NetworkPolicy" and one["metadata"]["name"] == "atelier-gpu-worker"
        ]
        reached[name] = any_opens(policies, PUBLIC[0], 443), any_opens(policies, "10.0.0.9", 3128)
    assert {"hub": (True, False), "proxy": (False, True), "shared": (False, False)} == reached


@pytest.mark.parametrize("address", PUBLIC)
@pytest.mark.parametrize("component", ["cpu-worker", "weights"])
def test_cpu_workers_and_the_fetching_of_weights_do(component, address):
    assert reaches("weights that a Job fetches", component, address, 443)


@pytest.mark.parametrize("address", INSIDE)
def test_cpu_workers_reach_no_inner_address_of_a_callers_choice(address):
    assert not reaches("least", "cpu-worker", address, 80)
    assert not reaches("least", "cpu-worker", address, 8080)


def test_gpu_worker_reaches_three_services_and_the_name_server():
    (rules,) = (one["spec"]["egress"] for one in of("closed networks", "gpu-worker") if "egress" in one["spec"])
    assert [{53}, {6432}, {6380}, {9000}] == [{one["port"] for one in rule["ports"]} for rule in rules]
    assert reaches("closed networks", "gpu-worker", "10.1.2.3", 6432)
    assert not reaches("closed networks", "gpu-worker", "10.1.2.4", 6432)
    assert not reaches("closed networks", "gpu-worker", "10.9.9.1", 9000)


def test_a_migration_speaks_to_the_database_alone():
    assert reaches("closed networks", "migrations", "10.1.2.3", 6432)
    assert not reaches("closed networks", "migrations", "10.9.0.1", 9000)


def test_further_rules_are_those_of_the_operator():
    (rules,) = (one["spec"]["egress"] for one in of("a cloud", "gpu-worker") if "egress" in one["spec"])
    (rule,) = (one for one in rules if {"ipBlock": {"cidr": "52.1.1.1/32"}} in one["to"])
    assert [{"port": 443, "protocol": "TCP"}] == rule["ports"]
    assert reaches("a cloud", "gpu-worker", "52.1.1.1", 443)
    assert not reaches("closed networks", "gpu-worker", "52.1.1.1", 443)


def test_api_admits_the_ingress_controller_and_prometheus_only():
    rule, of_the_test = manifest("closed networks", "NetworkPolicy", "atelier-api")["spec"]["ingress"]
    (tester,) = of_the_test["from"]
    assert ["podSelector"] == list(tester)
    assert "doctor" == tester["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
    assert [{"port": 8000, "protocol": "TCP"}] == rule["ports"] == of_the_test["ports"]
    peers = [peer["namespaceSelector"] for peer in rule["from"]]
    assert {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}} == peers[0]
    assert 2 == len(peers)
    (open_,) = manifest("least", "NetworkPolicy", "atelier-api")["spec"]["ingress"]
    assert {"ports": [{"port": 8000, "protocol": "TCP"}]} == open_


@pytest.mark.parametrize("component", ["cpu-worker", "gpu-worker"])
def test_workers_listen_to_prometheus_alone(component):
    (rule,) = manifest("watched", "NetworkPolicy", f"atelier-{component}")["spec"]["ingress"]
    assert [{"port": 9100, "protocol": "TCP"}] == rule["ports"]
    assert [{"namespaceSelector": {}}] == rule["from"]
    assert "ingress" not in manifest("weights that a Job fetches", "NetworkPolicy", "atelier-weights")["spec"]


@pytest.mark.parametrize(
    ("given", "file"),
    [
        ({}, Settings().library_file_bytes),
        ({"settings": {"library_file_bytes": 300_000_000}}, 300_000_000),
        ({"api": {"settings": {"library_file_bytes": 9}}}, Settings().media_body_limit),
    ],
    ids=["as it is", "larger", "smaller than JSON"],
)
def test_the_ingress_lets_a_file_of_the_library_through(given, file):
    on = {"ingress": {"enabled": True, "host": "media.example.com"}}
    (ingress,) = (one for one in render(over(LEAST, on | given)) if one["kind"] == "Ingress")
    annotations = ingress["metadata"]["annotations"]
    assert str(file + ENVELOPE) == annotations["nginx.ingress.kubernetes.io/proxy-body-size"]
    assert "off" == annotations["nginx.ingress.kubernetes.io/proxy-request-buffering"]
