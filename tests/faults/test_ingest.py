"""Faults of ingest: hosts that never answer, workers that are killed, inputs that are no good. Real processes."""

import io
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jobs.job import Job, JobStatus
from tests.support.media_server import MediaServer, png
from tests.support.rows import Rows
from tests.support.service import Service
from tests.support.wait import until

OPEN = {"ATELIER_DEVELOPMENT": "1", "ATELIER_ALLOWED_NETWORKS": "127.0.0.0/8"}


def pixels(file: Path | bytes) -> np.ndarray:
    with Image.open(file if isinstance(file, Path) else io.BytesIO(file)) as image:
        return np.asarray(image)


def pending(stack: Service, *urls: str, prompt: str = "echo=1", tenant: str = "", **params: object) -> Job:
    rows = Rows(stack.database)
    return rows.pending(tenant or stack.tenant, *urls, model="chaos-edit", prompt=prompt, output_format="png", **params)


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
