"""GET /jobs/v1/{id}/events: in order, resumable, and ended by the row, with Redis or without."""

import socket
import threading
import time
from contextlib import closing, contextmanager, suppress
from functools import partial
from itertools import islice

import httpx
import msgspec
import pytest
from redis import Redis

from cli.embedded.valkey import EmbeddedValkey
from core.errors.failures import GpuOutOfMemory
from jobs.events import Publisher
from jobs.job import JobError
from jobs.step_previews import PreviewPublisher, StepPreview
from tests.support.ports import free_port
from tests.support.rows.rows import ARTIFACT
from tests.support.rows.worker_stub import WorkerStub
from tests.support.service.api_server import api_server, make_key
from tests.support.service.sse import Event, events
from tests.support.wait import until


class Listener:
    """Reads a stream in a thread; `seen` grows as events come, `ended` is set when the stream does."""

    def __init__(self, client, job_id, last_event_id=None, previews=False):
        headers = {} if last_event_id is None else {"Last-Event-ID": str(last_event_id)}
        query = {"previews": True} if previews else {}
        request = client.build_request("GET", f"/jobs/v1/{job_id}/events", headers=headers, params=query)
        self.seen: list[Event] = []
        self.times: list[float] = []
        self.ended = threading.Event()
        self._response = client.send(request, stream=True)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        with suppress(httpx.TransportError), closing(self._response):
            for event in events(self._response):
                self.times.append(time.monotonic())
                self.seen.append(event)
        self.ended.set()

    def names(self):
        return [event.name for event in self.seen]

    def has(self, count):
        return until(lambda: len(self.seen) >= count and self.seen, what=f"{count} events")

    def finish(self, timeout=10.0):
        assert self.ended.wait(timeout), f"the stream has not ended; seen: {self.seen}"
        return self.seen

    def leave(self):
        """Cut the connection, as a client that is gone does."""
        if not self.ended.is_set():
            with suppress(OSError):
                self._response.extensions["network_stream"].get_extra_info("socket").shutdown(socket.SHUT_RDWR)
            self._thread.join()


@pytest.fixture
def follow():
    """Listen to a job with a given client."""
    listeners = []

    def start(client, job_id, last_event_id=None, previews=False):
        listeners.append(Listener(client, job_id, last_event_id, previews))
        return listeners[-1]

    yield start
    for listener in listeners:
        listener.leave()


@pytest.fixture
def listen(follow, client):
    return partial(follow, client)


def test_a_job_from_the_queue_to_its_end(client, create, worker, listen):
    job_id = create()
    listener = listen(job_id)
    snapshot = listener.has(1)[0]
    assert ("progress", 1, "queued", 1) == (
        snapshot.name,
        snapshot.seq,
        snapshot.data["status"],
        snapshot.data["queue_position"],
    )
    job = worker.claim()
    for step in (1, 2, 3):
        job = worker.progress(job, step / 4)
    worker.complete(job, ARTIFACT)
    seen = listener.finish()
    assert [f"{seq}.0" for seq in range(1, 7)] == [event.id for event in seen]
    assert ["progress"] * 5 + ["completed"] == listener.names()
    assert [0.0, 0.0, 0.25, 0.5, 0.75, 1.0] == [event.data["progress"] for event in seen]
    assert {
        "job_id": job_id,
        "seq": 3,
        "n": 0,
        "status": "processing",
        "progress": 0.25,
        "stage": "step",
        "attempt": 1,
    } == seen[2].data
    assert client.get(f"/jobs/v1/{job_id}").json() == seen[-1].data


def test_the_headers_that_keep_proxies_from_holding_it_back(client, create):
    with client.stream("GET", f"/jobs/v1/{create()}/events") as response:
        assert 200 == response.status_code
        assert "text/event-stream; charset=utf-8" == response.headers["Content-Type"]
        assert ("no-cache", "no") == (response.headers["Cache-Control"], response.headers["X-Accel-Buffering"])


def test_a_failure_and_a_cancel_end_it_too(client, create, worker, listen):
    first = listen(create())
    first.has(1)
    worker.fail(worker.claim(), JobError.of(GpuOutOfMemory))
    assert ("failed", "gpu_out_of_memory") == (first.finish()[-1].name, first.seen[-1].data["error"]["code"])
    job_id = create()
    second = listen(job_id)
    second.has(1)
    client.post(f"/jobs/v1/{job_id}/cancel")
    assert "cancelled" == second.finish()[-1].name


def test_a_job_that_has_ended_yields_its_end(client, create, worker, listen):
    job_id = create()
    worker.complete(worker.claim(), ARTIFACT)
    (only,) = listen(job_id).finish()
    assert ("completed", 3, "completed") == (only.name, only.seq, only.data["status"])


def test_a_job_that_is_deleted_meanwhile_ends_as_cancelled(client, create, listen):
    job_id = create()
    listener = listen(job_id)
    listener.has(1)
    client.delete(f"/jobs/v1/{job_id}")
    last = listener.finish()[-1]
    assert ("cancelled", {"job_id": job_id, "status": "cancelled"}) == (last.name, last.data)


def test_all_clients_of_one_job_receive_the_same(create, worker, listen):
    job_id = create()
    listeners = [listen(job_id) for _ in range(8)]
    for listener in listeners:
        listener.has(1)
    job = worker.claim()
    worker.complete(worker.progress(job, 0.5), ARTIFACT)
    for listener in listeners:
        assert [1, 2, 3, 4] == [event.seq for event in listener.finish()]


@pytest.mark.parametrize("last_event_id", ["3.0", "3"])
def test_a_client_that_reconnects_receives_only_news(create, worker, listen, last_event_id):
    job_id = create()
    job = worker.progress(worker.claim(), 0.5)
    assert 3 == listen(job_id).has(1)[0].seq
    again = listen(job_id, last_event_id)
    job = worker.progress(job, 0.75)
    again.has(1)
    worker.complete(job, ARTIFACT)
    assert [4, 5] == [event.seq for event in again.finish()]


def test_missed_events_are_sent_as_a_snapshot(create, worker, listen):
    job_id = create()
    worker.progress(worker.claim(), 0.5)
    snapshot = listen(job_id, last_event_id=1).has(1)[0]
    assert (3, "processing", 0.5) == (snapshot.seq, snapshot.data["status"], snapshot.data["progress"])
    assert "outputs" in snapshot.data


@pytest.mark.parametrize("nonsense", ["x", "-1", "99999999999999999999999", "9" * 5000, "", "1.", "1.2.3", "+1.0"])
def test_a_last_event_id_of_no_meaning_is_ignored(create, worker, listen, nonsense):
    job_id = create()
    listener = listen(job_id, last_event_id=nonsense)
    worker.complete(worker.claim(), ARTIFACT)
    assert "completed" == listener.finish()[-1].name


@pytest.mark.parametrize("last_event_id", ["3.0", "3"])
def test_a_client_that_has_the_last_event_gets_a_204(client, create, worker, last_event_id):
    job_id = create()
    worker.complete(worker.claim(), ARTIFACT)
    assert 204 == client.get(f"/jobs/v1/{job_id}/events", headers={"Last-Event-ID": last_event_id}).status_code


@contextmanager
def short_reread(settings, **more):
    with api_server(msgspec.structs.replace(settings, reread_seconds=0.3, **more)) as server:
        yield server


@pytest.mark.long
def test_a_stream_resumed_after_flushall_still_ends(settings, follow, create, key, worker, broker_url):
    job_id = create()
    job = worker.progress(worker.claim(), 0.5)
    with short_reread(settings) as server, server.client(key) as client:
        first = follow(client, job_id)
        assert 3 == first.has(1)[0].seq
        with Redis.from_url(broker_url) as broker:
            broker.flushall()
        second = follow(client, job_id, last_event_id=3)
        until(lambda: server.event_hub.following == 1, what="the subscription")
        worker.rows.complete(job, ARTIFACT)  # without an event in Redis
        for listener in (first, second):
            assert ("completed", 4) == (listener.finish()[-1].name, listener.seen[-1].seq)


def test_events_are_pushed_again_after_flushall(create, worker, listen, broker_url):
    job_id = create()
    listener = listen(job_id)
    listener.has(1)
    with Redis.from_url(broker_url) as broker:
        broker.flushall()
    job = worker.progress(worker.claim(), 0.5)
    worker.complete(job, ARTIFACT)
    assert [1, 2, 3, 4] == [event.seq for event in listener.finish(timeout=4.0)]  # sooner than the row is re-read


@pytest.mark.long
def test_events_are_pushed_again_after_redis_was_away(settings, follow, create, key, rows, server, tmp_path):
    job_id = create()
    with EmbeddedValkey(tmp_path / "valkey") as valkey:
        chosen = msgspec.structs.replace(settings, broker_url=valkey.url, reread_seconds=60.0, breaker_seconds=0.0)
        with api_server(chosen) as api, api.client(key) as client:
            listener = follow(client, job_id)
            listener.has(1)
            valkey.stop()
            valkey.start()
            worker = WorkerStub(rows, server, Publisher(chosen))
            job = worker.claim()
            worker.complete(worker.progress(job, 0.5), ARTIFACT)
            assert ("completed", 4) == (listener.finish()[-1].name, listener.seen[-1].seq)


@pytest.mark.long
def test_a_stream_without_any_redis_ends(settings, follow, create, key, worker):
    job_id = create()
    with short_reread(settings, broker_url="redis://127.0.0.1:1/0") as server, server.client(key) as client:
        listener = follow(client, job_id)
        assert "queued" == listener.has(1)[0].data["status"]
        job = worker.claim()
        until(lambda: "processing" in [event.data["status"] for event in listener.seen])
        worker.complete(job, ARTIFACT)
        assert "completed" == listener.finish()[-1].name


@pytest.mark.long
def test_a_place_in_the_queue_moves_on(settings, follow, create, key, worker, client):
    _, job_id = create(), create()
    with short_reread(settings) as server, server.client(key) as listening:
        listener = follow(listening, job_id)
        assert 2 == listener.has(1)[0].data["queue_position"]
        worker.claim()
        moved = listener.has(2)[1]
        assert ("1.1", 1) == (moved.id, moved.data["queue_position"])
        client.post(f"/jobs/v1/{job_id}/cancel")
        assert "cancelled" == listener.finish()[-1].name


@pytest.mark.long
def test_a_quiet_stream_is_kept_alive_by_comments(settings, create, key, monkeypatch):
    monkeypatch.setattr("api.follow.event_stream.KEEP_ALIVE_SECONDS", 0.1)
    job_id = create()
    with (
        short_reread(settings) as server,
        server.client(key) as client,
        client.stream("GET", f"/jobs/v1/{job_id}/events") as response,
    ):
        comments = (line for line in response.iter_lines() if line.startswith(":"))
        assert [": keep-alive"] * 2 == list(islice(comments, 2))


def test_a_listener_who_leaves_is_forgotten(api, create, listen):
    listener = listen(create())
    until(lambda: api.event_hub.following == 1, what="the subscription")
    listener.leave()
    until(lambda: api.event_hub.following == 0, what="the subscription to be released")


def test_an_event_is_pushed_within_milliseconds(create, worker, listen):
    job_id = create()
    listener = listen(job_id)
    listener.has(1)
    job, delays = worker.claim(), []
    for step in range(1, 21):
        listener.has(1 + step)
        job = worker.rows.report(job, step / 100)
        published_at = time.monotonic()
        worker.publisher.publish([job])
        listener.has(2 + step)
        delays.append(listener.times[1 + step] - published_at)
    assert sorted(delays)[10] < 0.05  # the median; a target of 5 ms is measured by benchmarks/, on a quiet machine


PREVIEW = StepPreview(step=2, of=4, image="data:image/webp;base64,AA==")


@pytest.fixture
def previews(settings):
    return PreviewPublisher(settings)


def asked(previews, job_id):
    until(lambda: previews.is_asked_for(job_id), what="a stream that asks")


def test_previews_come_to_the_streams_that_ask(client, create, worker, follow, previews):
    job_id = create()
    asking, other = follow(client, job_id, previews=True), follow(client, job_id)
    asked(previews, job_id)
    job = worker.progress(worker.claim(), 0.25)
    asking.has(3)
    previews.publish(job_id, PREVIEW)
    shown = asking.has(4)[3]
    assert ("preview", {"step": 2, "of": 4, "image": PREVIEW.image}) == (shown.name, shown.data)
    assert asking.seen[2].id == shown.id, "a preview has no number: the last event is the one before"
    worker.complete(job, ARTIFACT)
    assert ["progress"] * 3 + ["preview", "completed"] == [event.name for event in asking.finish()]
    assert ["progress"] * 3 + ["completed"] == [event.name for event in other.finish()]
    until(lambda: not previews.is_asked_for(job_id), what="the end of the asking")


def test_a_client_that_leaves_asks_no_more(client, create, follow, previews):
    job_id = create()
    listener = follow(client, job_id, previews=True)
    asked(previews, job_id)
    listener.leave()
    until(lambda: not previews.is_asked_for(job_id), what="the end of the asking")


@pytest.mark.long
def test_a_stream_without_redis_has_no_previews_and_ends(settings, rows, tenant, tmp_path):
    away = msgspec.structs.replace(settings, broker_url=f"redis://127.0.0.1:{free_port()}/0", reread_seconds=0.2)
    with api_server(away) as server, server.client(make_key(rows, settings, tenant)) as client:
        job_id = client.post("/generate/image/v1", json={"prompt": "x", "model": "chaos"}).json()["job_id"]
        listener = Listener(client, job_id, previews=True)
        listener.has(1)
        client.post(f"/jobs/v1/{job_id}/cancel")
        assert "cancelled" == listener.finish()[-1].name
