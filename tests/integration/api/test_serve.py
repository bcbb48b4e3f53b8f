"""The API as its own process: it starts without other services, and stops soon despite open streams."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import httpx
import msgspec
import pytest

from tests.support.ports import free_port
from tests.support.service.sse import events
from tests.support.wait import until


@contextmanager
def process(settings, port, host="127.0.0.1"):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ATELIER_")}
    for name in ("database_url", "broker_url", "storage_url", "secret_key", "catalog"):
        environment[f"ATELIER_{name.upper()}"] = getattr(settings, name)
    script = f"from api.serve import main; main({host!r}, {port})"
    running = subprocess.Popen([sys.executable, "-c", script], env=environment, stderr=subprocess.PIPE, text=True)
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


@pytest.fixture
def url():
    return f"http://127.0.0.1:{free_port()}"


def answers(url):
    try:
        return httpx.get(f"{url}/health/live").status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("stop", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.long)])
def test_streams_and_waits_end_when_it_is_asked_to_stop(settings, key, create, url, stop):
    job_id = create()
    with (
        process(settings, url.rpartition(":")[2]) as running,
        httpx.Client(base_url=url, timeout=30, headers={"X-API-Key": key}) as client,
    ):
        until(lambda: answers(url), timeout=60, what="the API to answer")
        waited = []
        waiting = threading.Thread(
            target=lambda: waited.append(client.post("/generate/image/v1?wait=60", json={"prompt": "a"})), daemon=True
        )
        with client.stream("GET", f"/jobs/v1/{job_id}/events") as response:
            stream = events(response)
            assert "progress" == next(stream).name
            waiting.start()
            until(lambda: len(client.get("/jobs/v1").json()["jobs"]) == 2, what="the submit")
            started = time.monotonic()
            running.send_signal(stop)
            assert [] == list(stream)  # ended, not cut
        waiting.join(10)
        assert (202, "queued") == (waited[0].status_code, waited[0].json()["status"])
        assert 0 == running.wait(10)
        assert time.monotonic() - started < 5.0
        assert "Traceback" not in running.stderr.read()


@pytest.mark.long
def test_it_starts_everywhere_without_database_and_redis(settings, url):
    alone = msgspec.structs.replace(
        settings, database_url="postgresql://127.0.0.1:1/x", broker_url="redis://127.0.0.1:1/0"
    )
    with process(alone, url.rpartition(":")[2], "::"):
        until(lambda: answers(url), timeout=60, what="the API to answer")
        assert answers(url.replace("127.0.0.1", "[::1]"))
        assert 503 == httpx.get(f"{url}/health/ready").status_code


@pytest.mark.long
def test_it_does_not_start_without_a_secret_key(settings, url):
    with process(msgspec.structs.replace(settings, secret_key=""), url.rpartition(":")[2]) as running:
        assert 0 != running.wait(30)
        assert "ATELIER_SECRET_KEY is not set" in running.stderr.read()


@pytest.mark.long
def test_another_server_can_run_it_too(settings, url):
    environment = os.environ | {"ATELIER_SECRET_KEY": "x" * 32, "ATELIER_STORAGE_URL": settings.storage_url}
    command = [sys.executable, "-m", "uvicorn", "api.app:app", "--port", url.rpartition(":")[2]]
    running = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        until(lambda: answers(url), timeout=60, what="the API to answer")
    finally:
        running.kill()
        running.wait()


@pytest.mark.long
@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"secret_key": ""}, "ATELIER_SECRET_KEY is not set"),
        pytest.param({"catalog": "/nowhere.toml"}, "/nowhere.toml", marks=pytest.mark.long),
    ],
)
def test_a_wrong_setting_ends_it_with_one_sentence(settings, wrong, named):
    with process(msgspec.structs.replace(settings, **wrong), free_port()) as running:
        (line,) = running.communicate(timeout=60)[1].splitlines()
    assert 1 == running.returncode
    assert line.startswith("api: ")
    assert named in line
