"""Metrics of the GPU worker."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import generate_latest

from core import metrics
from jobs.job import JobStatus
from jobs.wire.servers import ResidentModel
from pipelines.catalog.loader import load_catalog
from tests.support.paths import CATALOG as CATALOG_FILE
from tests.support.service.scrape import Scraped
from workers.gpu.job.claimed_job import ClaimedJob
from workers.gpu.telemetry import Telemetry
from workers.ipc.messages import Inventory, Ready

CATALOG = load_catalog(CATALOG_FILE)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def rise(act: Any) -> Any:
    """By how much each sample rises."""
    before = Scraped(generate_latest(metrics.GPU).decode()).samples
    act()
    after = Scraped(generate_latest(metrics.GPU).decode()).samples
    return {
        (name, *(value for _, value in labels)): value - before.get((name, labels), 0.0)
        for (name, labels), value in after.items()
        if name.startswith("atelier_") and value != before.get((name, labels), 0.0) and "_bucket" not in name
    }


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry("gpu-1")


def job(**columns: Any) -> Any:
    return SimpleNamespace(
        **{"id": "job_1", "tenant": "ten_1", "model": "chaos", "fence": 1, "attempt": 1, "traceparent": None} | columns
    )


WELL: Any = SimpleNamespace(is_away=False)
AWAY: Any = SimpleNamespace(is_away=True)


def uploading(is_refusing: bool) -> Any:
    return SimpleNamespace(activity=SimpleNamespace(store_is_refusing=is_refusing))


def test_a_claim_counts_how_long_the_job_waited(telemetry: Telemetry) -> None:
    waited = job(queued_at=NOW, started_at=NOW + timedelta(seconds=2.5))
    assert {
        ("atelier_job_wait_seconds_count", "chaos"): 1.0,
        ("atelier_job_wait_seconds_sum", "chaos"): 2.5,
    } == rise(lambda: telemetry.record_claim(waited))


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (JobStatus.COMPLETED, "completed"),
        (JobStatus.FAILED, "failed"),
        (JobStatus.QUEUED, "released"),
        (JobStatus.CANCELLED, "cancelled"),
        (None, "cancelled"),
    ],
)
def test_a_job_ends_in_one_way(telemetry: Telemetry, status: JobStatus | None, outcome: str) -> None:
    claimed = ClaimedJob.begin(job(), CATALOG.get("chaos"), Path("/nowhere"))
    ended = None if status is None else job(status=status)
    assert {("atelier_jobs_ended_total", "chaos", outcome): 1.0} == rise(lambda: telemetry.record_end(claimed, ended))


def test_each_stage_of_a_job_is_observed_once(telemetry: Telemetry) -> None:
    claimed = ClaimedJob.begin(job(), CATALOG.get("chaos"), Path("/nowhere"))
    for stage in ("load", "step", "load", "step"):
        claimed.activity.enter(stage)  # type: ignore[arg-type]
    claimed.activity.leave()
    risen = rise(lambda: telemetry.record_end(claimed, job(status=JobStatus.COMPLETED)))
    counts = {key: value for key, value in risen.items() if key[0] == "atelier_stage_seconds_count"}
    assert {
        ("atelier_stage_seconds_count", "chaos", "compute"): 1.0,
        ("atelier_stage_seconds_count", "chaos", "load"): 1.0,
    } == counts


def test_an_answer_counts_evictions_and_memory_errors(telemetry: Telemetry) -> None:
    inventory = Inventory(evicted=("chaos", "chaos"), out_of_memory=("chaos-two",))
    assert {
        ("atelier_evictions_total", "chaos"): 2.0,
        ("atelier_out_of_memory_total", "chaos-two"): 1.0,
    } == rise(lambda: telemetry.record_inventory(inventory))


def test_gauges_show_the_engine_as_it_is(telemetry: Telemetry) -> None:
    models = (
        ResidentModel(id="chaos", bytes=10, where="device"),
        ResidentModel(id="chaos-two", bytes=20, where="host"),
    )
    engine: Any = SimpleNamespace(busy_seconds=3.0, ready=Ready(memory_budget=100), inventory=Inventory(models=models))
    stuck: Any = [uploading(True), uploading(False)]
    busy = ("atelier_engine_busy_seconds_total",)
    assert 3.0 == rise(lambda: telemetry.show_state(engine, stuck, AWAY))[busy]
    shown = Scraped(generate_latest(metrics.GPU).decode())
    assert (100.0, 1.0) == (shown.value("atelier_memory_budget_bytes"), shown.value("atelier_uploads_stuck"))
    assert 0.0 == shown.value("atelier_store_up")
    assert 10.0 == shown.value("atelier_resident_bytes", model="chaos", place="device")
    assert 20.0 == shown.value("atelier_resident_bytes", model="chaos-two", place="host")

    engine.busy_seconds, engine.inventory = 3.5, Inventory(models=models[:1])
    assert 0.5 == rise(lambda: telemetry.show_state(engine, [], WELL))[busy]
    shown = Scraped(generate_latest(metrics.GPU).decode())
    assert 1.0 == shown.value("atelier_store_up")
    assert 10.0 == shown.value("atelier_resident_bytes", model="chaos", place="device")
    assert shown.value("atelier_resident_bytes", model="chaos-two", place="host") is None
