"""Ingest on a real database, a real store and real web servers: from a URL to a queued job."""

import io
import threading
import wave

import msgspec
import numpy as np
import pytest
from PIL import Image
from redis import Redis
from sqlalchemy import func, text, update

from core.settings import Settings
from core.storage.store import open_store
from jobs.doorbell import model_queue
from jobs.job import JobStatus
from jobs.schema.tables import inputs, servers
from jobs.statements.media import input_removal
from jobs.statements.queue import tenant_jobs
from tests.support.rows.rows import MODEL
from tests.support.servers.media_server import MediaServer, Reply, encoded, png
from tests.support.service.cpu_worker import cpu_worker
from tests.support.service.published import published
from tests.support.wait import until
from workers.ingest.service import Ingest


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
        lease_seconds=6.0,  # nothing counts as lost for half of it after the start
        renew_seconds=0.2,
    )


@pytest.fixture(autouse=True)
def _served(rows):
    rows.server()


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


def test_a_job_is_queued_with_its_last_clean_input(rows, settings, host, worker, tmp_path, broker_url):
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
    (event,) = until(lambda: published(redis, job.id), what="the event, which follows the doorbell")
    assert 1 == redis.llen(model_queue(MODEL))
    assert (queued.event_seq, JobStatus.QUEUED) == (event.seq, event.status)
    until(lambda: not list((tmp_path / "scratch").rglob("source")), what="the scratch files to be removed")


class TestFailures:
    """A wrong input fails its job at once, by a stable code, and no GPU worker sees the job."""

    @pytest.mark.matrix
    @pytest.mark.parametrize(
        ("reply", "code", "words"),
        [
            (Reply(status=404), "input_unreachable", "answered 404"),
            (Reply(body=b"<html>log in</html>"), "unsupported_media", "judged by its content"),
            (Reply(body=png()[:-40]), "input_unreadable", "decoded"),
            (Reply(body=b"x", length="30000000"), "input_too_large", "20 MB"),
            (Reply(body=encoded(Image.new("1", (8200, 10)))), "input_too_large", "8200x10"),
            (Reply(status=302, headers={"Location": "http://10.0.0.1/"}), "forbidden_url", "redirects"),
        ],
    )
    def test_an_input_that_is_no_good_fails_its_job(self, rows, host, worker, reply, code, words):
        host.replies["/a"] = reply
        job = rows.pending(rows.tenant(), f"{host.url}/a", callback_url="http://example.com/hook")
        failed = moved(rows, job)
        assert (JobStatus.FAILED, code, 0) == (failed.status, failed.error.code, failed.fence)
        assert failed.error.message.startswith("`reference_images[0]`: ")
        assert words in failed.error.message
        assert ["/a"] == host.requests
        assert [("failed", 1)] == [(row.status, row.attempt) for row in rows.inputs(job)]
        assert [("job.failed", job.id)] == [(row.type, row.job_id) for row in rows.deliveries()]

    def test_a_private_address_is_never_asked(self, rows, worker):
        job = rows.pending(rows.tenant(), "http://10.0.0.1/a.png")
        assert "forbidden_url" == moved(rows, job).error.code

    @pytest.mark.long
    def test_a_host_in_trouble_is_asked_again(self, rows, host, worker):
        host.replies["/a"] = [Reply(status=503), Reply(body=png()[:50], length="9999"), Reply(body=png())]
        job = rows.pending(rows.tenant(), f"{host.url}/a")
        assert JobStatus.QUEUED == moved(rows, job).status
        assert 3 == len(host.requests) == rows.inputs(job)[0].attempt

    @pytest.mark.long
    def test_and_again_but_not_for_ever(self, rows, host, worker):
        host.replies["/a"] = Reply(status=503)
        failed = moved(rows, rows.pending(rows.tenant(), f"{host.url}/a"))
        assert ("input_unreachable", 3) == (failed.error.code, len(host.requests))
        assert "answered 503" in failed.error.message

    @pytest.mark.long
    def test_one_bad_input_of_two_fails_the_job_once(self, rows, host, worker):
        host.replies |= {"/a": Reply(body=png()), "/b": Reply(status=404), "/c": Reply(status=410)}
        job = rows.pending(rows.tenant(), *[f"{host.url}/{name}" for name in "abc"], callback_url="http://x.example/")
        assert JobStatus.FAILED == moved(rows, job).status
        until(lambda: all(row.lease_until is None for row in rows.inputs(job)), what="the other inputs to be dropped")
        assert 1 == len(rows.deliveries())


class TestUploads:
    """Inputs that lie in the store already: uploads, and what came as a data: URL."""

    def waiting(self, rows, settings, tmp_path, data, **more):
        job = rows.pending(rows.tenant(), **more)
        if data is not None:
            (tmp_path / "upload").write_bytes(data)
            open_store(settings).put(f"{job.tenant}/inputs/inp_1", tmp_path / "upload", "application/octet-stream")
        rows.input(job, "input_image", source_key=f"{job.tenant}/inputs/inp_1")
        return job

    @pytest.mark.long
    def test_they_are_cleaned_too(self, rows, settings, tmp_path, worker):
        job = self.waiting(rows, settings, tmp_path, encoded(Image.new("RGB", (8, 8), "red"), "BMP"))
        assert JobStatus.QUEUED == moved(rows, job).status
        assert "image/png" == rows.inputs(job)[0].media_type

    @pytest.mark.matrix
    @pytest.mark.parametrize(
        ("data", "code"),
        [(None, "input_unreachable"), (b"text", "unsupported_media"), (bytes(20_000_001), "input_too_large")],
    )
    def test_one_that_is_no_good_fails_its_job(self, rows, settings, tmp_path, worker, data, code):
        assert code == moved(rows, self.waiting(rows, settings, tmp_path, data)).error.code


@pytest.mark.long
@pytest.mark.parametrize(
    ("rule", "code", "words"),
    [
        ({"max_bytes": 200}, "input_too_large", "more than the 0.0002 MB that the model takes"),
        ({"types": ["image/jpeg", "image/webp"]}, "unsupported_media", "The model takes JPEG or WebP, and this is PNG"),
    ],
)
def test_a_file_beyond_what_the_model_takes_fails_its_job(rows, host, worker, rule, code, words):
    jobs = [rows.pending(rows.tenant()) for _ in range(2)]
    url = host.serve("/a.png", encoded(Image.effect_noise((64, 64), 50), "PNG"))
    fitting = {"max_bytes": 100_000, "types": ["image/png"]}
    for job, rules in zip(jobs, (fitting, rule), strict=True):
        rows.input(job, "input_image", url=url, host="a", **rules)
    taken, failed = (moved(rows, job) for job in jobs)
    assert (JobStatus.QUEUED, JobStatus.FAILED, code) == (taken.status, failed.status, failed.error.code)
    assert words in failed.error.message


class TestMasks:
    """A mask that repaints nothing, or is not of its picture's size, fails its job before any GPU has heard of it."""

    def moved(self, rows, host, mask, last):
        """The job whose input `last` is answered once the other one is there."""
        job = rows.pending(rows.tenant())
        pictures = {"input_image": Image.new("RGB", (48, 32)), "mask": mask}
        for name, picture in pictures.items():
            rows.input(job, name, url=host.serve(f"/{name}", encoded(picture, "PNG")), host="a")
        others = lambda: "ready" in {row.status for row in rows.inputs(job) if row.name != last}  # noqa: E731
        reply = host.replies[f"/{last}"]
        host.replies[f"/{last}"] = msgspec.structs.replace(reply, before=lambda: until(others, 20, "the other one"))
        return moved(rows, job)

    @pytest.mark.long
    @pytest.mark.parametrize("last", ["mask", "input_image"])
    def test_one_of_another_size_fails_its_job(self, rows, host, worker, last):
        failed = self.moved(rows, host, Image.new("RGBA", (32, 48)), last)
        assert (JobStatus.FAILED, "mask_of_other_size", 0) == (failed.status, failed.error.code, failed.fence)
        words = "`mask`: The mask has 32x48 pixels; send one of 48x32, the size of `input_image`."
        assert words == failed.error.message

    @pytest.mark.long
    def test_an_empty_one_fails_its_job(self, rows, host, worker):
        failed = self.moved(rows, host, Image.new("RGBA", (48, 32), "white"), "mask")
        assert (JobStatus.FAILED, "empty_mask", 0) == (failed.status, failed.error.code, failed.fence)

    @pytest.mark.long
    def test_one_that_fits_is_taken(self, rows, host, worker):
        mask = Image.new("RGBA", (48, 32), "white")
        mask.putpixel((5, 5), (0, 0, 0, 127))
        assert JobStatus.QUEUED == self.moved(rows, host, mask, "mask").status

    @pytest.mark.long
    def test_two_that_end_at_once_are_compared(self, rows, host, settings, monkeypatch):
        """Neither has seen the other when its copy is stored."""
        both = threading.Barrier(2)
        store_copy = Ingest._put
        monkeypatch.setattr(Ingest, "_put", lambda *copy: (store_copy(*copy), both.wait(20))[0])
        job = rows.pending(rows.tenant())
        for name, picture in (("input_image", Image.new("RGB", (48, 32))), ("mask", Image.new("RGBA", (32, 48)))):
            rows.input(job, name, url=host.serve(f"/{name}", encoded(picture, "PNG")), host="a")
        with cpu_worker(settings):
            assert "mask_of_other_size" == moved(rows, job).error.code


class TestRecordings:
    """A recording that the model can do nothing with fails its job before any GPU has heard of it."""

    def moved(self, rows, settings, tmp_path, seconds, loud=1.0):
        job = rows.pending(rows.tenant())
        with wave.open(str(tmp_path / "voice"), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            wobble = loud * 8000 * np.sin(np.arange(round(8000 * seconds)) / 5)
            file.writeframes(wobble.astype(np.int16).tobytes())
        open_store(settings).put(f"{job.tenant}/inputs/inp_1", tmp_path / "voice", "audio/wav")
        key = f"{job.tenant}/inputs/inp_1"
        rows.input(job, "target_voice_path", kind="audio", source_key=key, min_seconds=5.0)
        return moved(rows, job)

    @pytest.mark.long
    @pytest.mark.matrix
    @pytest.mark.parametrize(
        ("seconds", "loud", "code", "words"),
        [
            (0.8, 1.0, "not_supported_by_model", "requires a reference voice of more than 5 s; this one has 0.8 s."),
            (6.0, 0.0, "input_unreadable", "is silent or empty"),
        ],
    )
    def test_one_that_is_no_good_fails_its_job(self, rows, settings, tmp_path, worker, seconds, loud, code, words):
        failed = self.moved(rows, settings, tmp_path, seconds, loud)
        assert (JobStatus.FAILED, code, 0) == (failed.status, failed.error.code, failed.fence)
        assert failed.error.message.startswith("`target_voice_path`: ")
        assert words in failed.error.message

    @pytest.mark.long
    def test_one_that_is_long_enough_is_taken(self, rows, settings, tmp_path, worker):
        assert JobStatus.QUEUED == self.moved(rows, settings, tmp_path, 5.1).status


@pytest.mark.long
def test_a_store_that_is_away_costs_no_attempt(rows, settings, host, worker, tmp_path):
    (tmp_path / "objects").write_text("in the way")
    job = rows.pending(rows.tenant(), host.serve("/a", png()))
    until(lambda: rows.inputs(job)[0].fence > 3, 20, what="some attempts")
    (tmp_path / "objects").unlink()
    assert JobStatus.QUEUED == moved(rows, job).status
    assert 1 == rows.inputs(job)[0].attempt


@pytest.mark.long
def test_an_unavailable_store_backs_off_from_the_host(rows, settings, host, tmp_path):
    (tmp_path / "objects").write_text("in the way")
    job = rows.pending(rows.tenant(), host.serve("/a", png()))
    rows.execute(update(inputs).values(fence=4))  # refunded four times so far
    with cpu_worker(msgspec.structs.replace(settings, input_backoff=10.0)):
        until(lambda: rows.inputs(job)[0].fence == 5 and rows.inputs(job)[0].lease_until is None, what="an attempt")
    (row,) = rows.inputs(job)
    assert 0 == row.attempt
    assert 100 < (row.available_at - job.created_at).total_seconds() < 400


@pytest.mark.long
@pytest.mark.parametrize("end", ["cancel", "erase"])
def test_a_job_that_is_ended_in_mid_fetch_is_let_go(rows, settings, host, end):
    hurried = msgspec.structs.replace(settings, input_lease_seconds=8.0)  # kept every 2 s
    with cpu_worker(hurried):
        job = rows.pending(rows.tenant(), host.serve("/a", bytes(10_000), dribble=0.1))
        until(lambda: host.open, what="the fetch")
        rows.execute(getattr(tenant_jobs, end)(job.id, job.tenant))
        until(lambda: not host.open, 20, what="the connection to be dropped")
        until(lambda: all(row.lease_until is None for row in rows.inputs(job)), what="the lease to be dropped")
    assert JobStatus.CANCELLED == rows.job(job).status


@pytest.mark.long
def test_41_inputs_of_a_model_without_a_server_are_not_fetched(rows, host, worker):
    rows.execute(update(servers).values(lease_until=func.now()))
    waits = rows.pending(rows.tenant(), host.serve("/waits", png()))
    served = rows.pending(rows.tenant(), host.serve("/served", png()), model="another")
    rows.server("gpu-2", serves=["another"])
    assert JobStatus.QUEUED == moved(rows, served).status
    assert ["/served"] == host.requests
    rows.server("gpu-3")
    assert JobStatus.QUEUED == moved(rows, waits).status


@pytest.mark.long
def test_the_clean_copies_of_a_cancelled_job_go(rows, settings, host, worker):
    job = rows.pending(rows.tenant(), host.serve("/a", png()))
    assert JobStatus.QUEUED == moved(rows, job).status
    store = open_store(settings)
    assert [rows.inputs(job)[0].key] == list(store.keys())
    rows.cancel(job)
    rows.set(job, finished_at=func.now() - text("interval '30 s'"))
    until(lambda: not list(store.keys()) and not rows.inputs(job), 20, what="the clean copy and its row to be removed")


@pytest.mark.long
def test_a_copy_that_is_stored_after_the_cancel_goes_too(rows, settings, host, monkeypatch):
    """The inputs were removed while it was on its way."""
    store_copy = Ingest._put

    def cancel_first(ingest, *copy):
        rows.cancel(job)
        rows.execute(input_removal.forget(job.id))
        stored.append(store_copy(ingest, *copy))
        return stored[0]

    stored = []
    monkeypatch.setattr(Ingest, "_put", cancel_first)
    job = rows.pending(rows.tenant(), host.serve("/a", png()))
    with cpu_worker(settings):
        until(lambda: stored, 20, what="the clean copy")
        until(lambda: not list(open_store(settings).keys()), 20, what="its removal")


@pytest.mark.long
def test_a_deadline_that_passes_in_mid_fetch_fails_the_job(rows, host, worker):
    job = rows.pending(rows.tenant(), host.serve("/a", bytes(10_000), dribble=0.1))
    until(lambda: host.open, what="the fetch")
    rows.set(job, deadline_at=func.now())
    failed = moved(rows, job)
    assert (JobStatus.FAILED, "deadline_exceeded") == (failed.status, failed.error.code)


@pytest.mark.long
def test_a_stop_hands_back_what_is_under_way(rows, settings, host, tmp_path):
    job = rows.pending(rows.tenant(), host.serve("/a", bytes(10_000), dribble=0.1))
    with cpu_worker(settings):
        until(lambda: host.open, what="the fetch")
    (row,) = rows.inputs(job)
    assert ("waiting", 0, 1, None) == (row.status, row.attempt, row.fence, row.lease_until)
    assert [] == list((tmp_path / "scratch").iterdir())


@pytest.mark.long
def test_a_long_fetch_keeps_its_lease(rows, settings, host):
    """Its lease runs out several times; only one worker ever fetches it."""
    body = png()
    hurried = msgspec.structs.replace(settings, input_lease_seconds=5.0)
    with cpu_worker(hurried), cpu_worker(hurried):
        job = rows.pending(rows.tenant(), host.serve("/a", body, dribble=12.0 / len(body)))
        assert JobStatus.QUEUED == moved(rows, job).status
    assert ["/a"] == host.requests
    assert 1 == rows.inputs(job)[0].attempt


@pytest.mark.long
def test_leases_are_renewed_during_a_purge(rows, settings, host):
    """A transaction that forgets the inputs of a deleted job has them locked for longer than a lease may wait."""
    hurried = msgspec.structs.replace(settings, input_lease_seconds=4.0, db_timeout=0.5, upkeep_seconds=600.0)
    with cpu_worker(hurried):
        deleted, kept = (
            rows.pending(rows.tenant(), host.serve(path, bytes(10_000), dribble=0.1)) for path in ("/a", "/b")
        )
        until(lambda: 2 == host.open, what="both fetches")
        rows.execute(tenant_jobs.erase(deleted.id, deleted.tenant))
        with rows.engine.begin() as purge:
            purge.execute(input_removal.forget(deleted.id))
            until(lambda: 1 == host.open, 20, what="the deleted job's input to be dropped")
            before = rows.inputs(kept)[0].lease_until
            until(lambda: rows.inputs(kept)[0].lease_until > before, 20, what="the other's lease to be renewed")
        assert 1 == rows.inputs(kept)[0].fence


@pytest.mark.long
def test_an_input_whose_every_worker_was_lost_fails_its_job(rows, worker):
    job = rows.pending(rows.tenant(), "http://10.0.0.1/a.png")
    rows.set(job, status="queued")
    rows.execute(update(inputs).values(attempt=3, fence=3, lease_until=func.now()))
    rows.set(job, status="pending", callback_url="http://example.com/hook")
    failed = moved(rows, job)
    assert (JobStatus.FAILED, "input_unreachable") == (failed.status, failed.error.code)
    assert "was lost" in failed.error.message
    assert 1 == len(rows.deliveries())
