"""Another Atelier as a backend, both of real processes: what is killed on either side costs no second computing."""

import io
from collections.abc import Iterator

import httpx
import numpy as np
import pytest
from PIL import Image

from cli.embedded.valkey import EmbeddedValkey
from jobs.job import JobStatus
from tests.support.faults.chaos import draw_image
from tests.support.servers.databases import Databases
from tests.support.service.backends import SETTINGS, backend, catalog_with, model
from tests.support.service.finished import assert_progress_rises, download
from tests.support.service.service import Service, service
from tests.support.wait import until

pytestmark = pytest.mark.long

THERE = '[{ name = "other", model = "chaos" }]'
SEED = 11


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory, postgres: Databases, broker: EmbeddedValkey) -> Iterator[Service]:
    """The other Atelier, with a GPU worker."""
    folder = tmp_path_factory.mktemp("other")
    with postgres.fresh() as url, service(folder, database_url=url, broker_url=broker.url) as made:
        made.api()
        made.gpu("there-1")
        yield made


@pytest.fixture(scope="module")
def here(
    tmp_path_factory: pytest.TempPathFactory, module_database_url: str, valkey: str, other: Service
) -> Iterator[Service]:
    """The service under test, which has no GPU worker."""
    folder = tmp_path_factory.mktemp("here")
    catalog = catalog_with(folder, backend("other", "atelier", other.url), model("elsewhere", THERE))
    settings = SETTINGS | {"ATELIER_CATALOG": str(catalog), "ATELIER_BACKEND_KEYS": f"other={other.key}"}
    settings |= {"ATELIER_DEVELOPMENT": "1", "ATELIER_ALLOWED_NETWORKS": "127.0.0.0/8"}
    with service(folder, database_url=module_database_url, broker_url=valkey, **settings) as made:
        made.api()
        made.cpu()
        is_closed(made)
        yield made


def is_closed(here: Service) -> None:
    def closed() -> bool:
        known = here.client.get("/servers/v1/backend:other").json()
        return known.get("alive") is True and known["backend"]["circuit"] == "closed"

    until(closed, 30, "the backend to be known")


def submit(here: Service, prompt: str) -> str:
    body = {"prompt": prompt, "model": "elsewhere", "width": 64, "height": 64, "seed": SEED, "output_format": "png"}
    answer = here.client.post("/generate/image/v1", json=body)
    assert 202 == answer.status_code, answer.text
    return str(answer.json()["job_id"])


def jobs_there(other: Service, since: set[str] = frozenset()) -> set[str]:  # type: ignore[assignment]
    """The jobs of the other one, but those that are known."""
    return {job["job_id"] for job in other.client.get("/jobs/v1", params={"limit": 100}).json()["jobs"]} - since


def assert_made(here: Service, job_id: str) -> None:
    """The job is completed, with the pixels of its seed."""
    job = here.ended(job_id, 60)
    assert JobStatus.COMPLETED == job.status, job.error
    status = here.client.get(f"/generate/image/v1/status/{job_id}").json()
    assert {"name": "other", "kind": "atelier", "reason": "primary"} == status["backend"]
    pixels = np.asarray(Image.open(io.BytesIO(download(status["outputs"][0]["url"]))))
    assert np.array_equal(draw_image(SEED, 64), pixels)


def test_a_job_is_made_there_with_its_progress(here: Service, other: Service) -> None:
    job_id = submit(here, "side=64 steps=5 compute=4")
    assert_progress_rises(here, job_id)
    assert_made(here, job_id)


def test_a_worker_that_is_killed_costs_no_second_job_there(here: Service, other: Service) -> None:
    before = jobs_there(other)
    job_id = submit(here, "side=64 steps=8 compute=6")
    (there,) = until(lambda: jobs_there(other, before), 20, "the job to be there")
    other.running(there)
    here.newest["cpu"].kill()
    here.cpu()
    assert_made(here, job_id)
    assert {there} == jobs_there(other, before)
    assert 2 == here.job(job_id).attempt


def test_an_api_that_is_killed_there_costs_no_second_job(here: Service, other: Service) -> None:
    before = jobs_there(other)
    job_id = submit(here, "side=64 steps=8 compute=6")
    (there,) = until(lambda: jobs_there(other, before), 20, "the job to be there")
    other.running(there)
    other.newest["api"].kill()
    until(lambda: here.client.get("/servers/v1/backend:other").json()["state"] == "backend_away", 20)
    other.api()
    assert_made(here, job_id)
    assert {there} == jobs_there(other, before)
    is_closed(here)


def test_a_cancel_here_is_a_cancel_there(here: Service, other: Service) -> None:
    before = jobs_there(other)
    job_id = submit(here, "side=64 steps=50 compute=50")
    (there,) = until(lambda: jobs_there(other, before), 20, "the job to be there")
    other.running(there)
    here.client.post(f"/jobs/v1/{job_id}/cancel").raise_for_status()
    assert JobStatus.CANCELLED == other.ended(there, 20).status


def test_a_worker_that_stops_hands_the_job_on(here: Service, other: Service) -> None:
    before = jobs_there(other)
    job_id = submit(here, "side=64 steps=12 compute=12")
    (there,) = until(lambda: jobs_there(other, before), 20, "the job to be there")
    here.newest["cpu"].terminate()
    here.newest["cpu"].wait(30)
    assert "queued" == here.job(job_id).status
    here.cpu()
    assert_made(here, job_id)
    assert ({there}, 1) == (jobs_there(other, before), here.job(job_id).attempt)


def test_the_other_ones_refusal_is_the_jobs_end(here: Service, other: Service) -> None:
    job = here.ended(submit(here, "fail=mud"), 60)
    assert job.error is not None
    assert (JobStatus.FAILED, "backend_refused") == (job.status, job.error.code)
    assert httpx.get(here.url + "/health/live").status_code == 200
