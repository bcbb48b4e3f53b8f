"""Ingest on a real database, a real store and real web servers: from a URL to a queued job."""

import io

import numpy as np
import pytest
from PIL import Image
from redis import Redis

from jobs.doorbell import model_queue
from jobs.events import FIELD, decode_event, stream_of
from jobs.job import JobStatus
from jobs.settings import Settings
from jobs.storage import open_store
from tests.support.cpu_worker import cpu_worker
from tests.support.media_server import MediaServer, png
from tests.support.rows import MODEL
from tests.support.wait import until


@pytest.fixture
def settings(database_url, broker_url, tmp_path):
    return Settings(
        database_url=database_url,
        broker_url=broker_url,
        storage_url=f"file://{tmp_path}/objects",
        scratch_dir=str(tmp_path / "scratch"),
        secret_key="a secret",
        development=True,
        allowed_networks="127.0.0.0/8",
        upkeep_seconds=0.1,
        input_poll_seconds=0.1,
        input_backoff=0.0,
        grace_seconds=1.0,
    )


@pytest.fixture
def host():
    with MediaServer() as server:
        yield server


@pytest.fixture
def worker(settings):
    with cpu_worker(settings):
        yield


def moved(rows, job):
    """The job, once it has left `pending`."""
    return until(lambda: now if (now := rows.job(job)).status is not JobStatus.PENDING else None, 30, "the job to move")


def stored(settings, row, tmp_path):
    open_store(settings).get(row.key, tmp_path / "copy")
    return (tmp_path / "copy").read_bytes()


def test_inputs_are_fetched_cleaned_and_stored_and_the_job_is_queued(
    rows, settings, host, worker, tmp_path, broker_url
):
    urls = [host.serve(f"/{seed}.png", png(seed)) for seed in (1, 2)]
    job = rows.pending(rows.tenant(), *urls)
    queued = moved(rows, job)
    assert (JobStatus.QUEUED, 0, job.event_seq + 1) == (queued.status, queued.fence, queued.event_seq)
    for seed, row in zip((1, 2), rows.inputs(job), strict=True):
        assert ("ready", "image/png", 1) == (row.status, row.media_type, row.attempt)
        assert f"{job.tenant}/{job.id}/inputs/{row.sha256}.png" == row.key
        pixels = np.asarray(Image.open(io.BytesIO(stored(settings, row, tmp_path))))
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(png(seed)))), pixels)
    redis = Redis.from_url(broker_url)
    until(lambda: redis.llen(model_queue(MODEL)), what="the doorbell")
    (entry,) = redis.xrange(stream_of(job.id))
    assert (queued.event_seq, JobStatus.QUEUED) == (
        decode_event(entry[1][FIELD]).seq,
        decode_event(entry[1][FIELD]).status,
    )
    until(lambda: not list((tmp_path / "scratch").rglob("source")), what="the scratch files to be removed")
