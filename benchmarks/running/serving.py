"""Jobs through the whole service, submitted at once and waited for."""

import time
from datetime import datetime
from typing import Any

import httpx

from jobs.params.registry import modality_named

JOB_SECONDS = 120.0
POLL_SECONDS = 1.0
"""As a polite client does; the rows say when a job began and ended, so that no figure hangs on it."""


def serve(client: httpx.Client, modality: str, body: dict[str, Any], count: int) -> float:
    """Seconds of `count` jobs of the same body, from the first start to the last commit."""
    ids = [
        client.post(modality_named(modality).path, json=body | {"seed": number}).raise_for_status().json()["job_id"]
        for number in range(count)
    ]
    found = [ended(client, job_id, time.monotonic() + JOB_SECONDS * count) for job_id in reversed(ids)]
    starts, ends = (
        [datetime.fromisoformat(status[name]) for status in found] for name in ("started_at", "finished_at")
    )
    return (max(ends) - min(starts)).total_seconds()


def ended(client: httpx.Client, job_id: str, deadline: float) -> dict[str, Any]:
    """The status of a job once it is completed, at the latest at `deadline` of the monotonic clock."""
    while time.monotonic() < deadline:
        status: dict[str, Any] = client.get(f"/jobs/v1/{job_id}").json()
        if status["status"] in ("completed", "failed", "cancelled"):
            assert status["status"] == "completed", status
            return status
        time.sleep(POLL_SECONDS)
    raise TimeoutError(f"{job_id} did not end")
