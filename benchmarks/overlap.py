"""Ratios 2 and 3: the service against a loop that encodes inline, and the share of time in which its engine computes.

The service encodes beside the next job's computing.
Three kinds of job, all at saturation. The demo model at 1024x1024 computes on one core (it makes its 256x256 and
enlarges them) and its PNG is written on another. The two simulated ones wait, as a host does for its GPU, for as long
as the encoding of the photograph (PNG) or the video (MP4) takes in that run; all the rest is real. Loop and service
take turns. The engine is busy while its pipeline runs: the union of those times by the time from the first beginning to
the last end.
"""

import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.families.timed import busy_fraction, take_log
from benchmarks.report import Figure, Report
from benchmarks.running.catalog import settings_in
from benchmarks.running.loop import Loop, bare_loop
from benchmarks.running.serving import serve
from benchmarks.running.stack import Running, running

TITLE = "Ratios 2 and 3: encoding beside computing"
SETTINGS = {"ATELIER_CPU_THREADS": "1", "ATELIER_DEVICE": "cpu"}
PICTURE = {"width": 1024, "height": 1024, "output_format": "png"}
FILM = {"width": 896, "height": 512, "duration_seconds": 2.0}


def run(*, quick: bool = False) -> Report:
    """Measure all three."""
    with tempfile.TemporaryDirectory(prefix="atelier-bench-") as temporary:
        folder = Path(temporary)
        settings = SETTINGS | settings_in(folder)
        with bare_loop(settings) as loop, running(settings) as service:
            figures = [*_figures(loop, service, folder, rounds=1 if quick else 4, few=quick)]
    return Report(name="overlap", title=TITLE, figures=figures)


def _figures(loop: Loop, service: Running, folder: Path, *, rounds: int, few: bool) -> Iterator[Figure]:
    name: str
    body: dict[str, Any]
    for name, model, modality, body, count, target in (
        ("PNG, demo model", "shapes", "image", PICTURE | {"prompt": "a red circle"}, 24, ""),
        ("PNG, simulated device", "simulated-image", "image", PICTURE, 40, "≥ 1.18"),
        ("MP4, simulated device", "simulated-video", "video", FILM, 20, "≥ 1.5"),
    ):
        each = 4 if few else count
        if "prompt" not in body:
            body = body | {"prompt": f"compute={_encoding(loop, model, body):.3f}"}
        yield from _compare(loop, service, folder, name, model, modality, body, rounds, each, target)


def _encoding(loop: Loop, model: str, body: dict[str, Any]) -> float:
    """Seconds that one encoding takes, as it does after a pause as long: one right after the other is faster."""
    turns, seconds = 5, 0.0
    for _ in range(2):
        seconds = loop(model, body | {"prompt": f"compute={seconds:.3f}"}, turns, encode=True).encoding / turns
    return seconds


def _compare(
    loop: Loop,
    service: Running,
    folder: Path,
    name: str,
    model: str,
    modality: str,
    body: dict[str, Any],
    rounds: int,
    each: int,
    target: str,
) -> Iterator[Figure]:
    serve(service.client, modality, body | {"model": model}, 1)
    loop(model, body, 1, encode=True)
    gains, busy, shares = [], [], []
    for _ in range(rounds):
        took = loop(model, body, each, encode=True)
        take_log(folder)
        gains.append(took.total / serve(service.client, modality, body | {"model": model}, each))
        busy.append(busy_fraction(take_log(folder)))
        shares.append(took.encoding / (took.total - took.encoding))
    yield Figure(f"{name}: service / loop that encodes inline", statistics.median(gains), "", target)
    yield Figure(f"{name}: engine-busy fraction", statistics.median(busy), "", "≥ 0.95")
    yield Figure(f"{name}: encoding / computing in the loop", statistics.median(shares))
