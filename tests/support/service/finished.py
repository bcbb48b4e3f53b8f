"""A job as its caller sees it: made while the request waits, followed, cancelled, downloaded without a key."""

import re
from typing import Any

import httpx

from jobs.job import JobStatus
from tests.support.faults.faults import engine_of, frozen
from tests.support.service.service import Service
from tests.support.service.sse import events
from tests.support.wait import until


def make(service: Service, modality: str, **body: Any) -> dict[str, Any]:
    """The status answer of a completed job of a modality, as its path names it."""
    answer = service.client.post(f"/generate/{modality}/v1", params={"wait": 60}, json=body, timeout=90)
    assert answer.status_code in (200, 202), answer.text
    job_id = answer.json()["job_id"]
    service.ended(job_id, 180)
    found = service.client.get(f"/generate/{modality}/v1/status/{job_id}").raise_for_status()
    status: dict[str, Any] = found.json()
    assert "completed" == status["status"], status
    return status


def download(url: str) -> bytes:
    """The bytes that the link of an output leads to."""
    return httpx.get(url, follow_redirects=True).raise_for_status().content


def assert_progress_rises(service: Service, job_id: str) -> None:
    """Follow a job that has just been submitted: its progress rises three times or more before it is completed."""
    with service.client.stream("GET", f"/jobs/v1/{job_id}/events", timeout=120) as stream:
        progress = [event.data for event in events(stream)]
    seen = [event["progress"] for event in progress if event["status"] == "processing"]
    assert sorted(seen) == seen, progress
    assert 3 <= len(set(seen)), progress
    assert "completed" == progress[-1]["status"]


def assert_a_cancel_ends_it(service: Service, server_id: str, job_id: str) -> None:
    """Cancel a job while a GPU worker computes it: its engine stops between two steps, and nothing is stored.

    The engine stands still while it is asked for: on a busy machine tiny models are done before that. Its log says how
    far it was, since the API says `cancelled` whatever the engine does.
    """
    service.running(job_id, 120)
    engine = engine_of(service.newest[server_id].pid)
    assert engine is not None
    with frozen(engine):
        answer = service.client.post(f"/jobs/v1/{job_id}/cancel").raise_for_status()
        assert "cancelled" == answer.json()["status"]
    fraction, stage = until(lambda: interrupted_at(service, server_id, job_id), 30, "the engine to be interrupted")
    assert (stage, True) == ("step", fraction < 1), fraction
    assert JobStatus.CANCELLED == service.ended(job_id, 30).status
    assert not [key for key in service.objects(job_id) if "/inputs/" not in key]


def interrupted_at(service: Service, server_id: str, job_id: str) -> tuple[float, str] | None:
    """How much of a job its engine had done when it was interrupted (0 to 1), and the stage that was next."""
    found = re.search(rf"engine: interrupted ticket={job_id}-.* fraction=([\d.]+) stage=(\w+)", service.log(server_id))
    return (float(found[1]), found[2]) if found else None
