"""Ratio 1: images a second through the whole service, against the bare pipeline in a loop.

Both load the demo model in the same way with one thread; the loop computes only, the service also writes rows, encodes,
stores and answers. They take turns, so that a machine that changes its speed changes both.
"""

import statistics

from benchmarks.report import Figure, Report
from benchmarks.running.loop import bare_loop
from benchmarks.running.serving import serve
from benchmarks.running.stack import running

TITLE = "Ratio 1: throughput of the service"
SETTINGS = {"ATELIER_CPU_THREADS": "1", "ATELIER_DEVICE": "cpu"}
BODY = {"prompt": "a red circle on a blue background", "width": 256, "height": 256}
MODEL = "demo-shapes"


def run(*, quick: bool = False) -> Report:
    """Measure on the demo model."""
    rounds, each = (1, 4) if quick else (5, 12)
    bare: list[float] = []
    served: list[float] = []
    with bare_loop(SETTINGS) as loop, running(SETTINGS) as service:
        serve(service.client, "image", BODY | {"model": MODEL}, 1)
        for _ in range(rounds):
            bare.append(each / loop(MODEL, BODY, each, encode=False).total)
            served.append(each / serve(service.client, "image", BODY | {"model": MODEL}, each))
    figures = [
        Figure(
            "service / bare loop, compute only",
            statistics.median(s / b for s, b in zip(served, bare, strict=True)),
            "",
            "≥ 0.85",
        ),
        Figure("bare loop", statistics.median(bare), "images/s"),
        Figure("service", statistics.median(served), "images/s"),
    ]
    return Report(name="throughput", title=TITLE, figures=figures)
