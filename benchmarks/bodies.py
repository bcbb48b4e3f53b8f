"""Scenario 29: what large bodies of one tenant cost the API, and another tenant's requests beside them.

60 bodies of 26 MB at once, each with a picture as a `data:` URL, from one key; meanwhile another tenant lists its jobs,
and `/health/live`, which asks no database, shows for how long the event loop was held. Then one body after the other.
"""

import base64
import os
import socket
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import msgspec

from benchmarks.report import Figure, Report
from benchmarks.running.stack import Running, make_key, running

CATALOG = Path(__file__).parents[1] / "tests" / "support" / "models.toml"
TITLE = "Scenario 29: large bodies of one tenant"
BYTES, BODIES, ALONE = 26_000_000, 60, 8
ROUTE = "/generate/video/v1"
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(BYTES // 4 * 3 - 150)


def run(*, quick: bool = False) -> Report:
    """Measure memory, answers and the time of other requests."""
    environment = {"ATELIER_CATALOG": str(CATALOG), "PYTHONPATH": str(CATALOG.parents[2])}
    source = f"data:image/png;base64,{base64.b64encode(PICTURE).decode()}"
    body = msgspec.json.encode({"prompt": "a red circle", "model": "chaos-video", "input_image": source})
    figures = []
    with running(environment, gpu=False) as service:
        api = service.api_pid
        before = _memory(api)
        for name, rounds, at_once in (("at once", 1, 12 if quick else BODIES), ("one by one", ALONE, 1)):
            with _peak(api) as peak, _times(service, "/jobs/v1?limit=1") as lists, _times(service) as live:
                answers = [status for _ in range(rounds) for status in _send(service, body, at_once)]
            figures += _figures(f"{rounds * at_once} bodies {name}", Counter(answers), lists, live)
            figures.append(
                Figure(f"{rounds * at_once} bodies {name}: memory of the API, more by", (peak[0] - before) / 1e6, "MB")
            )
        figures.append(Figure("memory of the API at the end, more by", (_memory(api) - before) / 1e6, "MB"))
    return Report(name="bodies", title=TITLE, figures=figures)


def _figures(name: str, answers: Counter[int], lists: list[float], live: list[float]) -> list[Figure]:
    return [
        *(Figure(f"{name}: answered {status}", answers[status], "") for status in sorted(answers)),
        Figure(f"{name}: another tenant's list, p50", 1000 * statistics.median(lists), "ms"),
        Figure(f"{name}: another tenant's list, p95", 1000 * statistics.quantiles(lists, n=20)[-1], "ms", "< 300"),
        Figure(f"{name}: health, p95", 1000 * statistics.quantiles(live, n=20)[-1], "ms"),
        Figure(f"{name}: health, the longest", 1000 * max(live), "ms"),
    ]


def _send(service: Running, body: bytes, at_once: int) -> list[int]:
    """The status of each of the bodies that are sent at once."""
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(_status(service, body))) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def _status(service: Running, body: bytes) -> int:
    """Send a body through a plain socket, which takes this machine the least; the status of the answer."""
    url, key = service.client.base_url, service.client.headers["X-API-Key"]
    lines = f"POST {ROUTE} HTTP/1.1", "Host: a", f"X-API-Key: {key}", f"Content-Length: {len(body)}"
    head = "\r\n".join((*lines, "Expect: 100-continue", "", ""))
    with socket.create_connection((url.host, url.port), 120) as opened:
        opened.sendall(head.encode())
        status = _head(opened)
        if status == 100:
            opened.sendall(body)
            status = _head(opened)
        return status


def _head(opened: socket.socket) -> int:
    return int(opened.recv(65_536).split(maxsplit=2)[1])


@contextmanager
def _times(service: Running, path: str = "/health/live") -> Iterator[list[float]]:
    """The seconds of each answer to another tenant while the context lasts."""
    found: list[float] = []
    headers = {"X-API-Key": make_key(service.settings, "another")}
    with httpx.Client(base_url=service.client.base_url, headers=headers, timeout=60) as client:

        def ask() -> None:
            begun = time.perf_counter()
            client.get(path).raise_for_status()
            found.append(time.perf_counter() - begun)

        with _repeated(ask, 0.02):
            yield found


@contextmanager
def _peak(pid: int) -> Iterator[list[int]]:
    """The most bytes of memory that the process has while the context lasts, as its only entry."""
    most = [0]

    def watch() -> None:
        most[0] = max(most[0], _memory(pid))

    with _repeated(watch, 0.01):
        yield most


@contextmanager
def _repeated(work: Callable[[], None], pause: float) -> Iterator[None]:
    """Do `work` again and again while the context lasts, in a thread, with so many seconds between."""
    stop = threading.Event()

    def repeat() -> None:
        while not stop.wait(pause):
            work()

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _memory(pid: int) -> int:
    """Bytes of memory that a process has now, files that it maps among them."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
