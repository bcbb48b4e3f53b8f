"""Faults of ingest: hosts that never answer, workers that are killed, inputs that are no good. Real processes."""

import io
import os
import signal
import statistics
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from jobs.job import Job, JobStatus
from tests.support.media_server import MediaServer, png
from tests.support.rows import Rows
from tests.support.service import Service
from tests.support.sink import Tarpit
from tests.support.wait import until

OPEN = {"ATELIER_DEVELOPMENT": "1", "ATELIER_ALLOWED_NETWORKS": "127.0.0.0/8"}


def pixels(file: Path | bytes) -> np.ndarray:
    with Image.open(file if isinstance(file, Path) else io.BytesIO(file)) as image:
        return np.asarray(image)


def pending(stack: Service, *urls: str, prompt: str = "echo=1", tenant: str = "", **params: object) -> Job:
    rows = Rows(stack.database)
    return rows.pending(tenant or stack.tenant, *urls, model="chaos-edit", prompt=prompt, output_format="png", **params)


def queued(stack: Service, job: Job) -> Job | None:
    now = stack.job(job.id)
    return now if now.status is not JobStatus.PENDING else None


def test_the_pipeline_sees_the_pixels_that_the_urls_lead_to(stack: Service) -> None:
    stack.environment |= OPEN
    stack.cpu()
    stack.gpu("one")
    with MediaServer() as host:
        urls = [host.serve(f"/{seed}", png(seed)) for seed in (1, 2)]
        job = stack.ended(pending(stack, *urls).id)
    assert (JobStatus.COMPLETED, 1) == (job.status, job.attempt), job.error
    for seed, artifact in zip((1, 2), job.artifacts, strict=True):
        assert np.array_equal(pixels(png(seed)), pixels(stack.folder / "objects" / artifact.key))


def test_hosts_that_never_answer_delay_only_their_own_tenant(stack: Service, full: bool, capsys: Any) -> None:
    """50 tarpits of one tenant; every input of another is there while each tarpit still holds what came to it."""
    stack.environment |= OPEN
    stack.cpu()
    other = Rows(stack.database).tenant("other")
    with ExitStack() as opened, MediaServer() as host:
        pits = [opened.enter_context(Tarpit(f"127.0.1.{number}")) for number in range(1, 51)]
        stuck = [pending(stack, pit.url) for pit in pits]
        until(lambda: 8 == sum(row.attempt for job in stuck for row in Rows(stack.database).inputs(job)), 20, "it")
        url = host.serve("/a.png", png(1, 512, 512))
        quick = [pending(stack, url, tenant=other) for _ in range(200 if full else 20)]
        staged = [until(lambda job=job: queued(stack, job), 60, "an input of the other tenant") for job in quick]
        assert {JobStatus.PENDING} == {stack.job(job.id).status for job in stuck}
    seconds = [(job.queued_at - job.created_at).total_seconds() for job in staged if job.queued_at]
    p95 = statistics.quantiles(seconds, n=20)[-1]
    with capsys.disabled():
        print(f"\ningest beside 50 tarpits: p50 {statistics.median(seconds):.2f} s, p95 {p95:.2f} s")
    if full:
        assert p95 < 2.0  # the promise of the issue, not a benchmark
