"""Ratio 10: the same model behind LitServe and behind the service, until the client has the file.

Pictures a second with 8 clients, and how long one waits that is alone. The model, its settings, the encoder and the
client are the same; they take turns, so that a machine that changes its speed changes both. LitServe answers with the
file. The service writes the job down, stores the file and answers `?wait` with a link, which the client follows.
"""

import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx

from benchmarks.report import Figure, Report
from benchmarks.running.stack import Running, await_answer, free_port, part, running
from jobs.params.image import IMAGE

TITLE = "Ratio 10: the same model behind LitServe"
SETTINGS = {"ATELIER_CPU_THREADS": "1", "ATELIER_DEVICE": "cpu"}
BODY = {"prompt": "a red circle on a blue background", "width": 1024, "height": 1024, "output_format": "png"}
MODEL = "demo-shapes"
CLIENTS = 8
PNG = b"\x89PNG\r\n\x1a\n"

Draw = Callable[[int], bytes]
"""Return the picture of a seed."""


def run(*, quick: bool = False) -> Report:
    """Measure on the demo model."""
    rounds, each, alone = (1, 8, 2) if quick else (3, 32, 8)
    with ExitStack() as stack:
        service = stack.enter_context(running(SETTINGS))
        port = free_port()
        stack.enter_context(part(service.environment, "benchmarks.running.behind_litserve", str(port)))
        litserve = stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120))
        await_answer(litserve, "/health")  # once the model is loaded
        sides = {"ours": _ours(service), "LitServe": _theirs(litserve)}
        rates: dict[str, list[float]] = {name: [] for name in sides}
        waits: dict[str, list[float]] = {name: [] for name in sides}
        seeds = itertools.count(1)
        for draw in sides.values():
            draw(next(seeds))
        for _ in range(rounds):
            for name, draw in sides.items():
                rates[name].append(_rate(draw, seeds, each))
            for name, draw in sides.items():
                waits[name].append(statistics.median(_seconds(draw, next(seeds)) for _ in range(alone)))
    return Report(name="served", title=TITLE, figures=[*_figures(rates, waits)])


def _figures(rates: dict[str, list[float]], waits: dict[str, list[float]]) -> Iterator[Figure]:
    ratios = [ours / theirs for ours, theirs in zip(rates["ours"], rates["LitServe"], strict=True)]
    yield Figure(f"pictures a second with {CLIENTS} clients, ours / LitServe", statistics.median(ratios), "", "≥ 1.05")
    ratios = [ours / theirs for ours, theirs in zip(waits["ours"], waits["LitServe"], strict=True)]
    yield Figure("p50 of one client, ours / LitServe", statistics.median(ratios), "", "≤ 1.10")
    for name in rates:
        yield Figure(f"{name}: pictures a second with {CLIENTS} clients", statistics.median(rates[name]), "/s")
        yield Figure(f"{name}: p50 of one client", 1000 * statistics.median(waits[name]), "ms")


def _rate(draw: Draw, seeds: Iterator[int], count: int) -> float:
    """Pictures a second, from the first request to the last file."""
    began = time.monotonic()
    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(draw, itertools.islice(seeds, count)))
    return count / (time.monotonic() - began)


def _seconds(draw: Draw, seed: int) -> float:
    began = time.monotonic()
    draw(seed)
    return time.monotonic() - began


def _ours(service: Running) -> Draw:
    def draw(seed: int) -> bytes:
        body = BODY | {"seed": seed, "model": MODEL}
        answer = service.client.post(IMAGE.path, params={"wait": 120}, json=body).raise_for_status().json()
        assert answer["status"] == "completed", answer
        return _checked(service.client.get(answer["result_url"], follow_redirects=True))

    return draw


def _theirs(litserve: httpx.Client) -> Draw:
    return lambda seed: _checked(litserve.post("/predict", json=BODY | {"seed": seed}))


def _checked(answer: httpx.Response) -> bytes:
    content = answer.raise_for_status().content
    assert content.startswith(PNG), content[:100]
    return content
