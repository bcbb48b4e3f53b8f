"""Network policies: default deny; GPU pods reach PostgreSQL, Redis and S3; only CPU workers reach the internet."""

from ipaddress import ip_address, ip_network

import pytest

from tests.support.deploy.chart import MATRIX, manifest, manifests, pod_templates

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
    for policy in of(case, component):
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


def test_policies_can_be_left_to_others():
    assert [] == manifests("everything off", "NetworkPolicy")


@pytest.mark.parametrize("address", PUBLIC)
@pytest.mark.parametrize("component", ["api", "gpu-worker", "migrations"])
def test_nobody_else_reaches_the_internet(component, address):
    assert [] == [port for port in (22, 53, 80, 443, 5432, 6379, 9000) if reaches("least", component, address, port)]


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
    assert reaches("a cloud", "gpu-worker", "52.1.1.1", 443)
    assert not reaches("least", "gpu-worker", "52.1.1.1", 443)


def test_api_admits_the_ingress_controller_and_prometheus_only():
    (rule,) = manifest("closed networks", "NetworkPolicy", "atelier-api")["spec"]["ingress"]
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
