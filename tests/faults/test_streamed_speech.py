"""Faults while speech is heard: its worker is killed, Redis forgets, the API that sends it ends. Real processes."""

import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from redis import Redis

from cli.embedded.valkey import EmbeddedValkey
from jobs.job import JobStatus
from tests.support.faults.faults import kill
from tests.support.service.finished import download
from tests.support.service.service import Service, service

CATALOG = """
[[model]]
id = "speaker"
title = "Speaks slowly"
family = "tests.support.faults.speaker:Speaker"
modality = "speech"
tier = "demo"
licence = { name = "Apache-2.0", url = "https://www.apache.org/licenses/LICENSE-2.0" }
"""
BODY = {"text": "one two three four five six seven eight nine ten eleven twelve", "apply_watermark": False}
WAV = {"Accept": "audio/wav"}


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, module_database_url: str, broker: EmbeddedValkey
) -> Iterator[Service]:
    """The service, with a model that takes as long to speak as a speaker does."""
    folder = tmp_path_factory.mktemp("speaker")
    (folder / "models.toml").write_text(CATALOG)
    settings = {"ATELIER_CATALOG": str(folder / "models.toml"), "ATELIER_SCRATCH_DIR": str(folder / "scratch")}
    with service(folder, database_url=module_database_url, broker_url=broker.url, **settings) as made:
        made.gpu("one", wait=False)
        made.api()
        made.up("one")
        yield made


def heard_and_stored(stack: Service, answer: httpx.Response, heard: list[bytes]) -> tuple[bytes, bytes, Any]:
    """All that was heard and what was stored, but for the header of the WAV, and the job's row."""
    assert 200 == answer.status_code, heard
    job = stack.ended(answer.headers["X-Atelier-Job"])
    stored = download(stack.client.get(f"/jobs/v1/{job.id}").json()["result_url"])
    return b"".join(heard)[44:], stored[44:], job


@pytest.mark.long
def test_a_killed_worker_costs_a_pause(stack: Service) -> None:
    with stack.client.stream("POST", "/generate/speech/v1", json=BODY, headers=WAV) as answer:
        chunks = answer.iter_raw()
        heard = [next(chunks)]
        kill(stack.newest["one"])
        starting = threading.Thread(target=lambda: stack.gpu("one"))
        starting.start()
        heard += chunks
        starting.join()
    sound, stored, job = heard_and_stored(stack, answer, heard)
    assert (JobStatus.COMPLETED, 2) == (job.status, job.attempt)
    assert sound == stored


@pytest.mark.long
def test_redis_that_forgets_costs_no_sound(stack: Service, broker: EmbeddedValkey) -> None:
    with stack.client.stream("POST", "/generate/speech/v1", json=BODY, headers=WAV) as answer:
        chunks = answer.iter_raw()
        heard = [next(chunks)]
        Redis.from_url(broker.url).flushall()
        heard += chunks
    sound, stored, job = heard_and_stored(stack, answer, heard)
    assert (JobStatus.COMPLETED, 1, stored) == (job.status, job.attempt, sound)


@pytest.mark.long
def test_another_api_has_the_sound_of_one_that_ended(stack: Service) -> None:
    other = stack.another_api()
    with stack.client.stream("POST", f"{other}/generate/speech/v1", json=BODY, headers=WAV) as answer:
        next(answer.iter_raw())
        kill(stack.newest[f"api-{other.rpartition(':')[2]}"])
    job_id = answer.headers["X-Atelier-Job"]
    again = stack.client.get(f"/jobs/v1/{job_id}/sound")
    sound, stored, job = heard_and_stored(stack, answer, [again.content])
    assert (JobStatus.COMPLETED, 1, stored) == (job.status, job.attempt, sound)
