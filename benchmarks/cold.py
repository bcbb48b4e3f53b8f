"""Ratio 6: from no process at all to the first finished file, against a job of the warm processes.

The engine and the encoder are started, the model is verified, loaded and run, and the image is encoded; then the same
job again in the same processes. On the CPU, with the demo model: what is cold here is mostly Python's imports. The
machine's page cache is as warm as the last round left it.
"""

import statistics
import time
from typing import Any

from benchmarks.report import Figure, Report
from benchmarks.running.engine import Bench, bench

TITLE = "Ratio 6: a cold process"
SETTINGS = {"ATELIER_CPU_THREADS": "1", "ATELIER_DEVICE": "cpu"}
BODY = {"prompt": "a red circle on a blue background", "width": 256, "height": 256, "output_format": "png"}
JOB = ("demo-shapes", "image", BODY)
WARM = 8


def run(*, quick: bool = False) -> Report:
    """Measure on the demo model."""
    cold, warm = [], []
    for _ in range(1 if quick else 3):
        with bench(SETTINGS) as made:
            cold.append(seconds_of(made, *JOB))
            warm.append(statistics.median(seconds_of(made, *JOB) for _ in range(2 if quick else WARM)))
    figures = [
        Figure(
            "cold process to first file / warm job", statistics.median(c / w for c, w in zip(cold, warm, strict=True))
        ),
        Figure("cold process to first file", statistics.median(cold), "s", "≤ 10 (FLUX-size, GPU)"),
        Figure("warm job", statistics.median(warm), "s"),
    ]
    return Report(name="cold", title=TITLE, figures=figures)


def seconds_of(made: Bench, model: str, modality: str, body: dict[str, Any]) -> float:
    """Of one job, with whatever has to be started for it."""
    began = time.perf_counter()
    made.make(model, modality, body)
    return time.perf_counter() - began
