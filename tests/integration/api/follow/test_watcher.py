"""?wait=seconds: the answer as soon as the job has ended."""

import socket
import threading
import time
from urllib.parse import urlsplit

import msgspec
import pytest

from tests.support.rows.rows import ARTIFACT
from tests.support.service.api_server import api_server
from tests.support.wait import until

ROUTE = "/generate/image/v1"


class Waiting:
    """A submit that waits, in a thread."""

    def __init__(self, client, seconds, **headers):
        self.answer = None
        self._thread = threading.Thread(target=self._send, args=(client, seconds, headers), daemon=True)
        self._thread.start()

    def _send(self, client, seconds, headers):
        self.answer = client.post(f"{ROUTE}?wait={seconds}", json={"prompt": "a"}, headers=headers)
        self.at = time.monotonic()

    def check_accepted(self):
        """Fail with the answer if the submit was refused, and not with a job that never came."""
        assert self._thread.is_alive() or self.answer is not None, "the submit had no answer"
        assert self.answer is None or self.answer.is_success, self.answer.text

    def finish(self, timeout=20.0):
        self._thread.join(timeout)
        assert not self._thread.is_alive()
        return self.answer


@pytest.fixture
def claimed(worker):
    """Claims the job of a submit that waits, as soon as there is one."""

    def claim(waiting):
        def look():
            waiting.check_accepted()
            return worker.rows.claim(worker.claimant)

        return worker.tell(until(look, what="a job"))

    return claim


@pytest.mark.contract("C2", "C8")
def test_a_wait_ends_with_the_commit_before_the_next_reread(client, server, worker, claimed):
    waiting = Waiting(client, 30)
    job = claimed(waiting)
    for step in (1, 2, 3):
        job = worker.progress(job, step / 4)
    before = time.monotonic()
    worker.complete(job, ARTIFACT)
    answer = waiting.finish()
    assert (200, "completed", job.id) == (answer.status_code, answer.json()["status"], answer.json()["job_id"])
    assert answer.json()["result_url"]
    assert f"{ROUTE}/status/{job.id}" == answer.headers["Location"]
    assert waiting.at - before < 4  # it is read again after 5 s


def test_a_job_that_takes_longer_is_answered_as_it_stands(client, server, claimed):
    waiting = Waiting(client, 0.5)
    job = claimed(waiting)
    started = time.monotonic()
    answer = waiting.finish()
    assert (202, "processing", job.id) == (answer.status_code, answer.json()["status"], answer.json()["job_id"])
    assert 0.2 < waiting.at - started < 5.0


def test_no_wait_is_no_wait(client, server):
    answer = client.post(f"{ROUTE}?wait=0", json={"prompt": "a"})
    assert (202, True) == (answer.status_code, "status_url" in answer.json())


@pytest.mark.long
def test_a_wait_is_capped(settings, key, server):
    with api_server(msgspec.structs.replace(settings, wait_limit=0.2)) as capped, capped.client(key) as client:
        started = time.monotonic()
        assert 202 == Waiting(client, 3600).finish().status_code
        assert time.monotonic() - started < 5.0


@pytest.mark.long
def test_without_redis_the_row_is_re_read(settings, key, server, worker, claimed):
    chosen = msgspec.structs.replace(settings, broker_url="redis://127.0.0.1:1/0", reread_seconds=0.3)
    with api_server(chosen) as lonely, lonely.client(key) as client:
        waiting = Waiting(client, 30)
        job = claimed(waiting)
        before = time.monotonic()
        worker.complete(job, ARTIFACT)
        assert 200 == waiting.finish().status_code
        assert waiting.at - before < 2.0


def test_a_repeat_waits_for_the_first_ones_job(client, server, worker, claimed):
    headers = {"Idempotency-Key": "k"}
    job_id = client.post(ROUTE, json={"prompt": "a"}, headers=headers).json()["job_id"]
    waiting = Waiting(client, 30, **headers)
    worker.complete(claimed(waiting), ARTIFACT)
    assert (200, job_id) == (waiting.finish().status_code, waiting.answer.json()["job_id"])
    assert 200 == Waiting(client, 30, **headers).finish().status_code


def test_a_job_that_is_deleted_meanwhile(client, server, claimed):
    waiting = Waiting(client, 30)
    client.delete(f"/jobs/v1/{claimed(waiting).id}")
    assert (404, "unknown_job") == (waiting.finish().status_code, waiting.answer.json()["code"])


def test_a_caller_who_leaves_is_no_longer_waited_for(api, key, server):
    body = b'{"prompt": "a"}'
    head = f"POST {ROUTE}?wait=300 HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\nContent-Length: {len(body)}\r\n\r\n"
    place = urlsplit(api.url)
    with socket.create_connection((place.hostname, place.port)) as connection:
        connection.sendall(head.encode() + body)
        until(lambda: api.event_hub.following == 1, what="the wait to begin")
    until(lambda: api.event_hub.following == 0, what="the wait to be given up")
