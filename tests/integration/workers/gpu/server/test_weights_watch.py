"""A running GPU worker and a model that is fetched while it runs, from a hub on loopback."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.job import JobStatus
from pipelines.weights.lockfile import Lock, write_lock
from tests.support.servers.hub import Hub, Machine
from tests.support.service.service import CHAOS, Service, service

REPO, COMMIT = "maker/late", "c" * 40
LATE = f"""
[[model]]
id = "late"
title = "Chaos with weights"
family = "tests.support.faults.chaos:Chaos"
modality = "image"
tier = "demo"
source = {{ repo = "{REPO}", revision = "{COMMIT}" }}
licence = {{ name = "Apache-2.0", url = "https://example.org" }}
capabilities = ["text-to-image"]
estimated_seconds = 0.1
"""


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as server:
        server.repos[REPO, COMMIT] = {"model_index.json": b"{}", "net/model.safetensors": bytes(1000)}
        yield server


@pytest.fixture
def machine(tmp_path: Path, hub: Hub) -> Machine:
    """A machine with a model whose files are not here and not in the lock."""
    machine = Machine(tmp_path, hub)
    machine.catalog.write_text(CHAOS.read_text() + LATE)
    write_lock(Lock(), machine.lock_file)
    return machine


@pytest.fixture
def worker(machine: Machine, database_url: str, valkey: str) -> Iterator[Service]:
    """Its API and its GPU worker."""
    ours = {name: value for name, value in machine.environment.items() if name.startswith("ATELIER_")}
    with service(machine.folder, database_url=database_url, broker_url=valkey, **ours) as made:
        made.api()
        made.gpu("one")
        yield made


@pytest.mark.long
def test_a_job_that_waits_for_it_is_done_without_a_restart(worker: Service, machine: Machine) -> None:
    answer = worker.client.post("/generate/image/v1", json={"prompt": "steps=1", "model": "late"}).json()
    assert "no_server_for_model" == answer["waiting_for"]["code"]

    assert "late: ready" in machine.run("fetch", "late")

    assert JobStatus.COMPLETED == worker.ended(answer["job_id"], 60).status
    assert "weights: served from now on models=late" in worker.log("one")
    (server,) = worker.client.get("/servers/v1").json()["servers"]
    assert "late" in server["serves"]
