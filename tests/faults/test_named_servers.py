"""Named servers: pinned jobs, cordon, drain, dedication. Three workers that all tests share.

`slow` looks for jobs once an hour and beats every 150 s, so that what it does within seconds is the work of a
bell or by remote control. `quick` beats twice a second. `own` takes only jobs that ask for it.
"""

import signal
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select

from cli.embedded.valkey import EmbeddedValkey
from jobs.job import Job, JobStatus
from jobs.schema import tables
from tests.support.service.service import Service, service
from tests.support.wait import until

SLOW = {"ATELIER_SERVER_LEASE_SECONDS": "600", "ATELIER_POLL_SECONDS": "3600"}


@pytest.fixture(scope="module")
def fleet(
    tmp_path_factory: pytest.TempPathFactory, module_database_url: str, broker: EmbeddedValkey
) -> Iterator[Service]:
    """An API and the three workers."""
    folder = tmp_path_factory.mktemp("fleet")
    with service(folder, database_url=module_database_url, broker_url=broker.url) as made:
        made.gpu("slow", wait=False, **SLOW)
        made.gpu("quick", wait=False)
        made.gpu("own", wait=False, dedicated=True)
        made.api()
        ready = ["own", "quick", "slow"]
        until(lambda: ready == [one["server_id"] for one in servers(made) if one["alive"]], 60, "the workers")
        yield made


def servers(fleet: Service) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = fleet.client.get("/servers/v1").json()["servers"]
    return found


def state(fleet: Service, server_id: str) -> str:
    return str(fleet.client.get(f"/servers/v1/{server_id}").json()["state"])


def order(fleet: Service, verb: str, server_id: str) -> None:
    answer = fleet.client.post(f"/servers/v1/{server_id}/{verb}")
    assert 200 == answer.status_code, answer.text


def heard(fleet: Service, server_id: str, words: str, times: int = 1) -> None:
    """Wait until the worker has said these words so often."""
    until(lambda: fleet.log(server_id).count(words) >= times, 10, f"{server_id} to say {words!r}")


def loaded_at(fleet: Service, server_id: str) -> datetime | None:
    """When the server's last claim needed a model that was not in its memory."""
    with fleet.database.begin() as connection:
        when: datetime | None = connection.scalar(select(tables.servers.c.loaded_at).filter_by(server_id=server_id))
        return when


def in_order(jobs: list[Job]) -> list[str]:
    """Ids in the order in which the jobs were started."""
    return [job.id for job in sorted(jobs, key=lambda job: job.started_at.timestamp() if job.started_at else 0.0)]


@pytest.mark.contract("F22")
def test_cordoned_server_takes_nothing_until_it_is_uncordoned(fleet: Service) -> None:
    def cordoned() -> bool:
        order(fleet, "cordon", "slow")  # again, since a worker that has just registered may not listen yet
        return "desired=cordoned" in fleet.log("slow")

    until(cordoned, 30, "the worker to listen", every=0.5)
    waits = fleet.submit("null=1", server_id="slow")
    assert JobStatus.COMPLETED == fleet.ended(fleet.submit("null=1", server_id="quick")).status
    assert JobStatus.QUEUED == fleet.job(waits).status
    order(fleet, "uncordon", "slow")
    assert (JobStatus.COMPLETED, "slow") == ((job := fleet.ended(waits, 30)).status, job.worker)


@pytest.mark.contract("F22")
def test_drained_server_finishes_its_job_and_stays_up(fleet: Service) -> None:
    runs, waits = fleet.submit("compute=4 steps=80", server_id="slow"), fleet.submit("null=1", server_id="slow")
    fleet.running(runs)
    order(fleet, "drain", "slow")  # the job computes longer than an order takes on a busy machine
    until(lambda: state(fleet, "slow") == "drained", 30, "nothing to be left")
    assert (JobStatus.COMPLETED, 1) == ((job := fleet.job(runs)).status, job.attempt)
    assert JobStatus.QUEUED == fleet.job(waits).status
    order(fleet, "uncordon", "slow")
    assert JobStatus.COMPLETED == fleet.ended(waits, 30).status


@pytest.mark.contract("F22")
def test_a_drained_servers_work_goes_to_a_preloaded_one(fleet: Service) -> None:
    """The running job ends where it began, and the next ones find their model in memory."""
    runs = fleet.submit("compute=2 steps=40", model="chaos-two", server_id="slow")
    fleet.running(runs)
    fleet.client.post("/servers/v1/quick/preload", json={"model": "chaos-two"}).raise_for_status()
    until(lambda: "chaos-two" in fleet.client.get("/servers/v1/quick").json()["resident"], 30, "the model")
    before = loaded_at(fleet, "quick")
    order(fleet, "drain", "slow")
    later = [fleet.submit("null=1", model="chaos-two") for _ in range(3)]
    ended = [fleet.ended(job_id, 30) for job_id in (runs, *later)]
    assert [(JobStatus.COMPLETED, name, 1) for name in ("slow", "quick", "quick", "quick")] == [
        (job.status, job.worker, job.attempt) for job in ended
    ]
    assert before == loaded_at(fleet, "quick")
    until(lambda: state(fleet, "slow") == "drained", 30, "nothing to be left")
    order(fleet, "uncordon", "slow")


def test_a_dedicated_server_takes_only_jobs_that_ask_for_it(fleet: Service) -> None:
    for name in ("slow", "quick"):
        order(fleet, "cordon", name)
    free, pinned = fleet.submit("null=1"), fleet.submit("null=1", server_id="own")
    assert (JobStatus.COMPLETED, "own") == ((job := fleet.ended(pinned)).status, job.worker)
    assert JobStatus.QUEUED == fleet.job(free).status
    for name in ("slow", "quick"):
        order(fleet, "uncordon", name)
    assert fleet.ended(free).worker in ("slow", "quick")


def test_pinned_jobs_run_in_order_and_outlive_the_worker(fleet: Service) -> None:
    """Kill -9 amid ten pinned jobs and twenty others, then a worker under the same name."""
    pinned, free = [], []
    for _ in range(10):
        pinned.append(fleet.submit("compute=0.2", server_id="quick"))
        free += [fleet.submit("null=1"), fleet.submit("null=1")]
    fleet.ended(pinned[2])
    worker = fleet.newest["quick"]
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    fleet.gpu("quick")
    ended = [fleet.ended(job_id, 45) for job_id in pinned]
    assert {(JobStatus.COMPLETED, "quick")} == {(job.status, job.worker) for job in ended}
    assert pinned == in_order(ended)
    assert 2 == max(job.incarnation for job in ended if job.incarnation)
    assert {JobStatus.COMPLETED} == {fleet.ended(job_id).status for job_id in free}


def test_cordon_without_a_broker_holds_from_the_next_heartbeat(fleet: Service, broker: EmbeddedValkey) -> None:
    before = fleet.log("quick").count("desired=cordoned")
    broker.stop()
    order(fleet, "cordon", "quick")
    heard(fleet, "quick", "desired=cordoned", before + 1)
    waits = fleet.submit("null=1", server_id="quick")
    assert JobStatus.COMPLETED == fleet.ended(fleet.submit("null=1", server_id="own")).status
    assert JobStatus.QUEUED == fleet.job(waits).status
    order(fleet, "uncordon", "quick")
    assert JobStatus.COMPLETED == fleet.ended(waits, 30).status
    broker.start()
