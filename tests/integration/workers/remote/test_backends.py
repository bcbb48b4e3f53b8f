"""Models that a remote backend makes, alone or in an order with the servers here.

API, workers and a server of OpenAI's protocol are real processes and real sockets.
"""

import io
from collections.abc import Iterator

import httpx
import pytest
from PIL import Image

from jobs.job import Job, JobStatus
from tests.support.servers.openai_backend import KEY, OpenAIBackend
from tests.support.service.backends import SETTINGS, backend, catalog_with, model
from tests.support.service.finished import download, make
from tests.support.service.service import Service, service
from tests.support.wait import until

LOCAL_FIRST = '[{ name = "local" }, { name = "partner", model = "picture-maker" }]'
PARTNER_FIRST = '[{ name = "partner", model = "picture-maker" }, { name = "local" }]'
ALONE = '[{ name = "partner", model = "picture-maker", sends = ["seed"] }]'
SPEAKER = '[{ name = "partner", model = "speaker" }]'


@pytest.fixture(scope="module")
def partner() -> Iterator[OpenAIBackend]:
    with OpenAIBackend() as running:
        yield running


@pytest.fixture(autouse=True)
def fresh(partner: OpenAIBackend) -> None:
    partner.requests.clear()
    partner.refusals.clear()
    partner.is_ill = False


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, module_database_url: str, valkey: str, partner: OpenAIBackend
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    catalog = catalog_with(
        folder,
        backend("partner", "openai", partner.url),
        model("away", ALONE),
        model("here-first", LOCAL_FIRST, local=True),
        model("there-first", PARTNER_FIRST, local=True),
        model("voice", SPEAKER, modality="speech", more='languages = ["en"]\nvoice = "verse"'),
    )
    settings = SETTINGS | {"ATELIER_CATALOG": str(catalog), "ATELIER_BACKEND_KEYS": f"partner={KEY}"}
    with service(folder, database_url=module_database_url, broker_url=valkey, **settings) as made:
        made.api()
        made.cpu()
        made.gpu("gpu-1")
        circuit(made, "closed")
        yield made


def shown(stack: Service) -> dict[str, object]:
    """The backend as a server."""
    answer: dict[str, object] = stack.client.get("/servers/v1/backend:partner").json()
    return answer


def circuit(stack: Service, state: str) -> None:
    """Wait until the circuit of the backend is in this state."""

    def reached() -> bool:
        known = shown(stack)
        return known.get("alive") is True and known["backend"]["circuit"] == state  # type: ignore[index]

    until(reached, 30, f"the circuit to be {state}")


def is_first(stack: Service) -> None:
    """Wait until the server here knows that the backend is up: it looks once a second."""
    until(lambda: who(ended(stack, "there-first"))[::2] == ("partner", "primary"), what="the backend to be the first")


def submit(stack: Service, name: str, **fields: object) -> str:
    answer = stack.client.post("/generate/image/v1", json={"prompt": "steps=1", "model": name, **fields})
    assert 202 == answer.status_code, answer.text
    return str(answer.json()["job_id"])


def ended(stack: Service, name: str, **fields: object) -> Job:
    return stack.ended(submit(stack, name, **fields))


def who(job: Job) -> tuple[str, str, str]:
    made_by = job.made_by
    assert made_by is not None
    return made_by.name, made_by.kind, made_by.reason


@pytest.mark.contract("E6")
def test_one_interface_has_outputs_of_either(stack: Service) -> None:
    """The same submit, status and files, and the status and the manifest say who made it."""
    for name, made_by in (("away", ("partner", "openai")), ("chaos", ("local", "local"))):
        status = make(stack, "image", prompt="steps=1", model=name, width=64, height=64, output_format="webp")
        assert (*made_by, "primary") == tuple(status["backend"].values())
        opened = Image.open(io.BytesIO(download(status["outputs"][0]["url"])))
        assert "WEBP" == opened.format
        assert status["outputs"][0]["thumbnail_url"]
        manifest = stack.client.get(f"/jobs/v1/{status['job_id']}/manifest").json()
        assert status["backend"] == manifest["backend"]
        assert status["outputs"][0]["sha256"] == manifest["outputs"][0]["sha256"]


def test_pictures_have_the_size_and_number_asked_for(stack: Service, partner: OpenAIBackend) -> None:
    status = make(stack, "image", prompt="a circle", model="away", width=100, height=64, num_images=2, seed=5)
    assert [(100, 64)] * 2 == [(output["width"], output["height"]) for output in status["outputs"]]
    ((_, body),) = partner.requests
    assert ("104x64", 2, 5) == (body["size"], body["n"], body["seed"])


@pytest.mark.long
def test_speech_is_encoded_here(stack: Service, partner: OpenAIBackend) -> None:
    status = make(
        stack, "speech", text="Good morning.", model="voice", output_format="mp3", apply_watermark=False, speed=2.0
    )
    assert "partner" == status["backend"]["name"]
    assert "audio/mpeg" == status["outputs"][0]["media_type"]
    assert 0.25 == pytest.approx(status["outputs"][0]["duration_seconds"], abs=0.05)


@pytest.mark.contract("E7")
def test_each_job_goes_where_its_order_or_its_server_says(stack: Service) -> None:
    assert ("local", "local", "primary") == who(ended(stack, "here-first"))
    assert ("partner", "openai", "primary") == who(ended(stack, "there-first"))
    assert ("partner", "openai", "pinned") == who(ended(stack, "here-first", server_id="backend:partner"))
    assert ("local", "local", "pinned") == who(ended(stack, "there-first", server_id="gpu-1"))


@pytest.mark.contract("E8")
def test_another_takes_over_while_the_primary_is_down(stack: Service) -> None:
    """The server here, for as long as it is cordoned; and the backend, while an operator has it cordoned."""
    for name, primary, other in (("here-first", "gpu-1", "partner"), ("there-first", "backend:partner", "local")):
        command = f"/servers/v1/{primary}"
        assert "cordoned" == stack.client.post(f"{command}/cordon").raise_for_status().json()["desired"]
        assert (other, "primary_down") == who(ended(stack, name))[::2]
        stack.client.post(f"{command}/uncordon").raise_for_status()


@pytest.mark.long
def test_a_failing_backend_is_left_alone_and_comes_back(stack: Service, partner: OpenAIBackend) -> None:
    """The job goes to the next of its order; the circuit opens, half opens with its health, and closes with a job."""
    is_first(stack)
    partner.refusals.append((503, {"error": {"message": "warming up"}}))
    job = ended(stack, "there-first")
    assert (JobStatus.COMPLETED, "local", "primary_down") == (job.status, *who(job)[::2])
    assert 1 == job.attempt, "nothing was computed there, so the attempt was given back"
    assert "backend_away" == shown(stack)["state"]
    partner.is_ill = False
    circuit(stack, "half_open")
    is_first(stack)
    circuit(stack, "closed")


@pytest.mark.long
def test_without_another_the_job_waits_for_it(stack: Service, partner: OpenAIBackend) -> None:
    partner.refusals.append((429, {"error": {"message": "slow down"}}))
    job = ended(stack, "away")
    assert (JobStatus.COMPLETED, "partner", 1) == (job.status, who(job)[0], job.attempt)
    assert 2 == len(partner.requests)
    circuit(stack, "closed")


@pytest.mark.long
def test_attempts_that_were_computed_are_spent(stack: Service, partner: OpenAIBackend) -> None:
    partner.refusals.extend([(200, {"data": []})] * 3)
    job = ended(stack, "away")
    assert (JobStatus.FAILED, 3) == (job.status, job.attempt)
    assert job.error is not None
    assert "backend_failed" == job.error.code
    assert ("partner", "bad_answer") == (who(job)[0], job.error.message.split()[-1].rstrip("."))
    ended(stack, "away")
    circuit(stack, "closed")


def test_a_refusal_of_the_request_is_the_jobs_end(stack: Service, partner: OpenAIBackend) -> None:
    is_first(stack)
    partner.refusals.append((400, {"error": {"message": f"This prompt is not allowed ({KEY})."}}))
    job = ended(stack, "there-first")
    assert job.error is not None
    assert ("backend_refused", True) == (job.error.code, "This prompt is not allowed (...)." in job.error.message)
    assert KEY not in stack.log("cpu")
    circuit(stack, "closed")


def test_a_cancel_closes_the_request(stack: Service, partner: OpenAIBackend) -> None:
    partner.is_held = True
    job_id = submit(stack, "away")
    until(lambda: partner.open == 1, what="the backend to have the request")
    stack.client.post(f"/jobs/v1/{job_id}/cancel").raise_for_status()
    until(lambda: partner.open == 0, 15, "the request to be closed")
    partner.is_held = False
    assert JobStatus.CANCELLED == stack.job(job_id).status


@pytest.mark.long
def test_a_tenant_keeps_its_jobs_here(stack: Service, partner: OpenAIBackend) -> None:
    """Its jobs wait as if the backend were not there; asking for the backend by name is refused."""
    me = stack.client.patch("/me/v1", json={"local_only": True}).raise_for_status().json()
    assert me["local_only"] is True
    try:
        waiting = stack.client.post("/generate/image/v1", json={"prompt": "steps=1", "model": "away"}).json()
        assert "no_server_for_model" == waiting["waiting_for"]["code"]
        pinned = {"prompt": "steps=1", "model": "away", "server_id": "backend:partner"}
        assert "unknown_server" == stack.client.post("/generate/image/v1", json=pinned).json()["code"]
        assert ("local", "primary") == who(ended(stack, "here-first"))[::2]
        assert [] == partner.requests
    finally:
        stack.client.patch("/me/v1", json={"local_only": False}).raise_for_status()
    assert "partner" == who(stack.ended(waiting["job_id"]))[0]


def test_servers_show_it_and_no_secret(stack: Service, partner: OpenAIBackend) -> None:
    known = shown(stack)
    expected = {"name": "partner", "kind": "openai", "circuit": "closed", "problem": None, "failures": 0}
    assert (expected, "remote") == (known["backend"], known["device"])
    everything = httpx.Response(200, text=str(stack.client.get("/servers/v1").json())).text
    assert KEY not in everything
    assert str(partner.port) not in everything
    models = {each["id"]: each["available"] for each in stack.client.get("/models/v1").json()["models"]}
    assert models["away"]
