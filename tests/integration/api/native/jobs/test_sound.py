"""Sound that is sent while it is made; the test plays the worker, and what it publishes and stores."""

import json
import threading
from contextlib import contextmanager

import msgspec
import pytest
from redis import Redis

from jobs.job import Artifact, JobError, JobStatus
from jobs.live.pieces import MOST_PIECES, PIECE_BYTES, PiecePublisher, pieces_key
from jobs.statements.queue.tenant_jobs import listing
from tests.support.service.api_server import api_server
from tests.support.wait import until

SPEAK = "/generate/speech/v1"
TEXT = {"text": "Good morning. Your order has left our workshop."}
SOUND = bytes(range(256)) * 100
"""A recording, by its bytes."""


@pytest.fixture(autouse=True)
def speaks(server, all_models, worker):
    """The server that the test plays makes speech."""
    worker.claimant = all_models


@pytest.fixture
def pieces(settings):
    return PiecePublisher(settings)


@pytest.fixture
def keep(store, tmp_path):
    """Store a recording; the artifact."""

    def keep(content=SOUND):
        (tmp_path / "sound").write_bytes(content)
        store.put("ten/job/1/ab.wav", tmp_path / "sound", "audio/wav")
        return Artifact(
            key="ten/job/1/ab.wav", media_type="audio/wav", bytes=len(content), sha256="ab", metadata={"duration": 1.0}
        )

    return keep


@contextmanager
def listening(client, job=None, accept="audio/wav", **query):
    """The answer of a request for sound whose first bytes the test makes; made in a thread, for it waits for them."""
    method, path = ("POST", SPEAK) if job is None else ("GET", f"/jobs/v1/{job.id}/sound")
    request = client.build_request(
        method, path, json=TEXT if job is None else None, headers={"Accept": accept}, params=query
    )
    answers = []
    thread = threading.Thread(target=lambda: answers.append(client.send(request, stream=True)), daemon=True)
    thread.start()

    def answer():
        thread.join(20)
        return answers[0]

    yield answer
    answer().close()


@pytest.fixture
def submit(client, worker):
    """Submit a recording that is streamed; the claimed job."""

    def submit(**fields):
        answer = client.post(SPEAK, json=TEXT | {"stream": True} | fields)
        assert 202 == answer.status_code, answer.text
        return worker.claim()

    return submit


def claim(worker):
    """The job that a request in another thread submits."""
    return worker.tell(until(lambda: worker.rows.claim(worker.claimant), what="the job"))


def only_job(rows, tenant):
    with rows.engine.connect() as connection:
        return connection.execute(listing(tenant, limit=2)).one_or_none()


@pytest.mark.contract("F6")
def test_sound_comes_before_the_job_has_ended(client, worker, pieces, keep):
    with listening(client) as answer:
        job = claim(worker)
        pieces.publish(job.id, "run_1", 0, SOUND[:1000])
        chunks = answer().iter_raw()
        assert SOUND[:1000] == next(chunks)
        status = client.get(f"/jobs/v1/{job.id}").json()["status"]
        pieces.publish(job.id, "run_1", 1000, SOUND[1000:])
        worker.complete(job, keep())
        rest = b"".join(chunks)
    assert ("processing", SOUND[1000:]) == (status, rest)
    assert (200, "audio/wav", job.id) == (
        answer().status_code,
        answer().headers["Content-Type"],
        answer().headers["X-Atelier-Job"],
    )
    assert (True, "wav") == (job.params["stream"], job.params["output_format"])


@pytest.mark.parametrize(
    ("accept", "output_format", "media_type"),
    [
        ("audio/pcm", "pcm", "audio/pcm"),
        ("audio/ogg; codecs=opus, */*", "ogg", "audio/ogg"),
        ("audio/mpeg", "mp3", "audio/mpeg"),
        ("audio/*", "wav", "audio/wav"),
    ],
)
def test_the_sound_is_of_the_type_that_is_accepted(client, worker, pieces, keep, accept, output_format, media_type):
    with listening(client, accept=accept) as answer:
        job = claim(worker)
        worker.complete(job, keep())
        assert SOUND == answer().read()
    assert (output_format, media_type) == (job.params["output_format"], answer().headers["Content-Type"])


def test_sound_that_is_not_made_here_is_refused(client):
    answer = client.post(SPEAK, json=TEXT, headers={"Accept": "audio/amr"})
    assert (422, "header.Accept") == (answer.status_code, answer.json()["field"])


def test_a_job_without_a_listener_is_answered_as_before(client, rows, tenant):
    answer = client.post(SPEAK, json=TEXT, headers={"Accept": "*/*"})
    assert (202, False) == (answer.status_code, only_job(rows, tenant).params["stream"])


def test_a_late_listener_gets_what_it_missed(client, worker, pieces, submit, keep):
    job = submit()
    for begin in range(0, 5000, 1000):
        pieces.publish(job.id, "run_1", begin, SOUND[begin : begin + 1000])
    with listening(client, job) as first, listening(client, job) as second:
        pieces.publish(job.id, "run_1", 5000, SOUND[5000:])
        worker.complete(job, keep())
        assert SOUND == first().read() == second().read()
    assert SOUND == client.get(f"/jobs/v1/{job.id}/sound").content


def test_what_redis_has_lost_comes_from_the_store(client, worker, pieces, submit, keep, broker_url):
    job = submit()
    pieces.publish(job.id, "run_1", 0, SOUND[:1000])
    with listening(client, job) as answer:
        chunks = answer().iter_raw()
        assert SOUND[:1000] == next(chunks)
        Redis.from_url(broker_url).delete(pieces_key(job.id))
        pieces.publish(job.id, "run_1", 7000, SOUND[7000:8000])
        worker.complete(job, keep())
        assert SOUND[1000:] == b"".join(chunks)


@pytest.mark.long
def test_a_listener_behind_the_bound_waits_for_the_store(client, worker, pieces, submit, keep):
    job, whole = submit(), bytes(PIECE_BYTES) * 2 * MOST_PIECES
    pieces.publish(job.id, "run_1", 0, whole)
    with listening(client, job) as answer:
        worker.complete(job, keep(whole))
        assert len(whole) == sum(map(len, answer().iter_raw()))


def test_a_job_that_is_made_again_goes_on_where_it_stopped(client, worker, pieces, submit, keep):
    job = submit()
    pieces.publish(job.id, "run_1", 0, SOUND[:3000])
    with listening(client, job) as answer:
        chunks = answer().iter_raw()
        assert SOUND[:3000] == next(chunks)
        for begin in range(0, len(SOUND), 1300):
            pieces.publish(job.id, "run_2", begin, SOUND[begin : begin + 1300])
        assert SOUND[3000:3900] == next(chunks)
        worker.complete(job, keep())
        assert SOUND[3900:] == b"".join(chunks)


@pytest.mark.parametrize("is_published", [True, False])
def test_a_repeat_with_other_bytes_ends_the_sound(client, worker, pieces, submit, keep, is_published):
    job, other = submit(), bytes(len(SOUND))
    pieces.publish(job.id, "run_1", 0, SOUND[:3000])
    with listening(client, job) as answer:
        chunks = answer().iter_raw()
        assert SOUND[:3000] == next(chunks)
        if is_published:
            pieces.publish(job.id, "run_2", 0, other)
        worker.complete(job, keep(other))
        assert b"" == b"".join(chunks)


def test_the_length_in_a_header_is_not_compared(client, worker, pieces, submit, keep):
    job, stored = submit(), b"\1" * 44 + SOUND[44:]
    pieces.publish(job.id, "run_1", 0, SOUND[:3000])
    with listening(client, job) as answer:
        chunks = answer().iter_raw()
        assert SOUND[:3000] == next(chunks)
        worker.complete(job, keep(stored))
        assert SOUND[3000:] == b"".join(chunks)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (JobError("not_supported_by_model", "The recording is silent; send one with a voice."), 422, None),
        (JobError("pipeline_failed", "No."), 409, "no_sound"),
    ],
)
def test_a_job_that_fails_before_its_first_sound_says_why(client, worker, error, status, code):
    with listening(client) as answer:
        worker.fail(claim(worker), error)
        problem = json.loads(answer().read())
    assert (status, code or error.code) == (answer().status_code, problem["code"])
    assert error.message in problem["detail"]


def test_a_job_that_fails_later_ends_the_sound(client, worker, pieces, submit):
    job = submit()
    pieces.publish(job.id, "run_1", 0, SOUND[:3000])
    with listening(client, job) as answer:
        chunks = answer().iter_raw()
        assert SOUND[:3000] == next(chunks)
        worker.fail(job, JobError("gpu_out_of_memory", "No."))
        assert b"" == b"".join(chunks)


@pytest.mark.parametrize("cancels", [True, False])
def test_a_listener_that_leaves_ends_its_own_stream(client, worker, pieces, rows, tenant, cancels):
    with listening(client, cancel_on_disconnect=cancels) as answer:
        job = claim(worker)
        pieces.publish(job.id, "run_1", 0, SOUND[:3000])
        assert SOUND[:3000] == next(answer().iter_raw())
        answer().close()
    if cancels:
        until(lambda: only_job(rows, tenant).status == JobStatus.CANCELLED, what="the cancel")
    else:
        assert JobStatus.PROCESSING == worker.progress(job, 0.5).status


def test_only_speech_has_sound(client, create):
    answer = client.get(f"/jobs/v1/{create()}/sound")
    assert (404, "unknown_output") == (answer.status_code, answer.json()["code"])


def test_another_tenants_sound_is_unknown(stranger, submit):
    assert 404 == stranger.get(f"/jobs/v1/{submit().id}/sound").status_code


@pytest.mark.long
def test_another_process_of_the_api_has_the_same_sound(settings, key, client, worker, pieces, submit, keep):
    job = submit()
    pieces.publish(job.id, "run_1", 0, SOUND[:1000])
    with (
        api_server(settings) as other,
        other.client(key) as elsewhere,
        listening(client, job) as here,
        listening(elsewhere, job) as there,
    ):
        assert SOUND[:1000] == next(here().iter_raw(1000)) == next(there().iter_raw(1000))
        worker.complete(job, keep())


def test_without_sound_in_time_the_job_is_answered(client, worker):
    answer = client.post(SPEAK, json=TEXT, headers={"Accept": "audio/wav"}, params={"wait": 0.3})
    assert (202, "queued") == (answer.status_code, answer.json()["status"])
    assert msgspec.json.decode(answer.content)["job_id"] in answer.headers["Location"]
