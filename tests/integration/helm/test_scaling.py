"""Autoscaling: the query that KEDA asks is asked of a real PostgreSQL; every scaler moves something that is there."""

import pytest
from sqlalchemy import text

from core.database import sync_engine
from core.settings import Settings
from tests.support.deploy.chart import MATRIX, manifest, manifests
from tests.support.rows.rows import Rows


@pytest.fixture
def rows(database_url):
    engine = sync_engine(Settings(database_url=database_url))
    yield Rows(engine)
    engine.dispose()


def query_of(pool):
    (trigger,) = manifest("pools", "ScaledObject", f"atelier-gpu-{pool}")["spec"]["triggers"]
    return trigger["metadata"]["query"]


def test_a_pool_counts_what_it_runs_and_what_it_may_take(rows):
    tenant = rows.tenant()

    def job(model, **columns):
        made = rows.submit(tenant, model=model)
        if columns:
            rows.set(made, **columns)

    job("flux2-klein-4b")
    job("z-image-turbo")
    job("z-image-turbo", status="completed")
    job("sdxl")
    job("flux2-klein-4b", status="pending", queued_at=None)
    job("flux2-klein-4b", status="processing", worker="atelier-gpu-default-0")
    job("flux2-klein-4b", status="processing", worker="atelier-gpu-small-1")
    job("sdxl", status="queued", server_id="atelier-gpu-default-1")
    job("flux2-klein-4b", status="queued", server_id="atelier-gpu-studio-0")
    job("flux2-klein-4b", status="processing", worker="atelier-gpu-default-b-0")

    def count(pool):
        return rows.scalar(text(query_of(pool)))

    assert 5 == count("default")  # three of its models, one of them pending, one that it runs, one that is pinned to it
    assert 5 == count("small")  # every model that no job asks for, and one that it runs
    assert 1 == count("studio")  # dedicated: what asks for it


def test_keda_reads_the_address_from_the_secret():
    (trigger,) = manifest("pools", "ScaledObject", "atelier-gpu-default")["spec"]["triggers"]
    authentication = manifest("pools", "TriggerAuthentication", trigger["authenticationRef"]["name"])
    assert [{"parameter": "connection", "name": "atelier", "key": "database-url"}] == authentication["spec"][
        "secretTargetRef"
    ]


@pytest.mark.parametrize("case", MATRIX)
def test_every_scaler_sets_a_number_that_is_set_nowhere_else(case):
    there = {
        (one["kind"], one["metadata"]["name"]): one["spec"] for one in manifests(case, "Deployment", "StatefulSet")
    }
    scaled = []
    for scaler in manifests(case, "HorizontalPodAutoscaler", "ScaledObject"):
        target = scaler["spec"]["scaleTargetRef"]
        assert "replicas" not in there[target["kind"], target["name"]]
        scaled.append((target["kind"], target["name"]))
    assert len(scaled) == len(set(scaled))
    assert {name for name, spec in there.items() if "replicas" in spec} == set(there) - set(scaled)


@pytest.mark.parametrize("case", MATRIX)
def test_every_disruption_budget_is_about_pods_of_one_kind(case):
    kinds = manifests(case, "Deployment", "StatefulSet")
    for budget in manifests(case, "PodDisruptionBudget"):
        wanted = budget["spec"]["selector"]["matchLabels"].items()
        chosen = [one for one in kinds if wanted <= one["spec"]["template"]["metadata"]["labels"].items()]
        assert [budget["metadata"]["name"]] == [one["metadata"]["name"] for one in chosen]


def test_a_plain_autoscaler_asks_for_the_same_jobs_by_metric():
    films = manifest("pools", "HorizontalPodAutoscaler", "atelier-gpu-films")["spec"]["metrics"][0]["external"]
    assert "atelier_queue_jobs" == films["metric"]["name"]
    chosen = {one["key"]: one["values"] for one in films["metric"]["selector"]["matchExpressions"]}
    assert {"state": ["pending", "queued", "processing"], "model": ["wan2.2-ti2v-5b"]} == chosen
    any_ = manifest("pools", "HorizontalPodAutoscaler", "atelier-gpu-any")["spec"]["metrics"][0]["external"]
    assert ["state"] == [one["key"] for one in any_["metric"]["selector"]["matchExpressions"]]


def test_a_pool_may_be_empty_until_somebody_asks_for_it():
    """Zero is a number: laying a pool over the defaults must not pass it by."""
    assert 0 == manifest("pools", "ScaledObject", "atelier-gpu-small")["spec"]["minReplicaCount"]
    assert 1 == manifest("pools", "ScaledObject", "atelier-gpu-default")["spec"]["minReplicaCount"]
