"""What one machine can do to an API process: endless heads, silent sockets, large bodies. Others are answered."""

import base64
import os
import resource
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager

import httpx
import msgspec
import pytest

from tests.support.ports import free_port
from tests.support.service.api_server import make_key
from tests.support.service.processes import forget_peak, peak_memory
from tests.support.service.raw_http import connection, is_closed, read_answer, send
from tests.support.wait import until

LIVE = b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"
MEGABYTE = 1_000_000
BODY_BYTES = 26 * MEGABYTE
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(BODY_BYTES // 4 * 3 - 100)

pytestmark = pytest.mark.long


@contextmanager
def process(settings, **changes):
    """The API as a process with a soft limit of 1,024 files, and its URL."""
    port = free_port()
    names = ("database_url", "broker_url", "storage_url", "secret_key", "catalog")
    chosen = {name: getattr(settings, name) for name in names}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ATELIER_")}
    environment |= {f"ATELIER_{name.upper()}": str(value) for name, value in (chosen | changes).items()}
    script = f"from api.serve import main; main('127.0.0.1', {port})"
    command = ["sh", "-c", 'ulimit -Sn 1024; exec "$@"', "sh", sys.executable, "-c", script]
    running = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        until(lambda: answers(url), timeout=60, what="the API to answer")
        yield running.pid, url
    finally:
        running.kill()
        running.wait()


def answers(url):
    try:
        return httpx.get(f"{url}/health/live", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def watched(url, headers=None):
    """Ask `url` all the time; yields the seconds that each answer took. Raises the first failure at the end."""
    seconds, failures, stop = [], [], threading.Event()

    def watch():
        while not (stop.is_set() or failures):
            begun = time.monotonic()
            try:
                httpx.get(url, headers=headers, timeout=10).raise_for_status()
            except httpx.HTTPError as error:
                failures.append(error)
            seconds.append(time.monotonic() - begun)
            stop.wait(0.05)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seconds
    finally:
        stop.set()
        thread.join()
    assert [] == failures


@pytest.fixture(autouse=True)
def _files():
    """As many open files as the attacker needs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_38_endless_heads_cost_no_memory(settings):
    """Heads of 1 MB, 300 MB of headers on one request, endless trailers; the connection is closed soon, each time."""
    with process(settings) as (pid, url):
        begun = [
            LIVE[:-2] + b"X: ",
            LIVE[:-2],
            b"PUT /files/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
        ]
        pieces = [b"a" * 65_536, b"X: a\r\n" * 10_000, b"X: a\r\n" * 10_000]

        def attack(times, amount):
            for head, piece in zip(begun, pieces, strict=True):
                for _ in range(times):
                    with connection(url) as opened:
                        opened.sendall(head)
                        for _ in range(amount // len(piece)):
                            send(opened, piece)
                        assert read_answer(opened).status in (431, 403, 0)

        attack(5, MEGABYTE)
        forget_peak(pid)
        before = peak_memory(pid)
        attack(50, MEGABYTE)
        attack(1, 300 * MEGABYTE)
        assert peak_memory(pid) - before < 5 * MEGABYTE
        assert answers(url)


@pytest.mark.parametrize("sources", [[f"127.0.0.{n}" for n in range(2, 7)], ["127.0.0.1"]], ids=["many", "one"])
def test_39_silent_sockets_keep_no_client_out(settings, sources):
    begun = (b"", LIVE[:8], LIVE[:25])
    stalled = b"PUT /files/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc"
    with (
        process(settings, head_seconds=4, body_seconds=4) as (_, url),
        ExitStack() as stack,
        watched(f"{url}/health/live") as seconds,
    ):
        sockets = []
        for number in range(1600):
            opened = stack.enter_context(connection(url, sources[number % len(sources)]))
            send(opened, begun[number % 3] if number < 1500 else stalled)
            sockets.append(opened)
        for opened in sockets:
            answer = read_answer(opened)
            assert answer.status in (0, 403, 408, 503)
            assert is_closed(opened)
        assert len(seconds) > 10
        assert max(seconds) < 5


@pytest.mark.parametrize("query", ["", "?wait=10"])
def test_29_large_bodies_of_one_key_leave_room_for_others(settings, rows, tenant, key, all_models, query):
    """60 bodies of 26 MB at once; with `wait`, those that were accepted are held open as well."""
    body = msgspec.json.encode(
        {
            "prompt": "a red circle",
            "model": "chaos-video",
            "input_image": f"data:image/png;base64,{base64.b64encode(PICTURE).decode()}",
        }
    )
    assert abs(len(body) - BODY_BYTES) < MEGABYTE
    outcomes = []

    def submit(url):
        with httpx.Client(headers={"X-API-Key": key}, timeout=180) as own:
            answer = own.post(f"{url}/generate/video/v1{query}", content=body)
            outcomes.append((answer.status_code, answer.headers.get("Retry-After"), answer.text))

    other = {"X-API-Key": make_key(rows, settings, rows.tenant("another"))}
    with process(settings) as (pid, url):
        with watched(f"{url}/jobs/v1?limit=1", other) as seconds:
            senders = [threading.Thread(target=submit, args=(url,)) for _ in range(60)]
            for sender in senders:
                sender.start()
            for sender in senders:
                sender.join()
        statuses = [status for status, _, _ in outcomes]
        assert {202, 429} == set(statuses), outcomes[0]
        assert all(retry is not None for status, retry, _ in outcomes if status == 429)
        assert peak_memory(pid) < 600 * MEGABYTE
        assert max(seconds) < 10
