"""Ratio 1: pictures a second through the whole service, against the bare pipeline in a loop.

Both load the demo model in the same way with one thread; the loop computes only, the service also writes rows, encodes,
stores and answers. They take turns, so that a machine that changes its speed changes both.
"""

import statistics
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import httpx

from benchmarks.report import Figure, Report
from benchmarks.stack import running

TITLE = "Ratio 1: throughput of the service"
MODEL = "demo-shapes"
THREADS = 1
_LOOP = """
import sys, time
from pathlib import Path
from jobs.params import ImageParams
from pipelines import runtime
from pipelines.catalog import load_catalog
from pipelines.lockfile import read_lock
from pipelines.pipeline import Inputs, RunContext
runtime.prepare("cpu", int(sys.argv[2]))
spec = load_catalog().get(sys.argv[1])
pipeline = runtime.load(spec, Path("."), read_lock(), "cpu")
context = RunContext(seed=1, progress=lambda fraction, stage: None, warn=lambda text: None)
params = ImageParams(prompt="a red circle on a blue background", width=spec.defaults.width, height=spec.defaults.height)
pipeline.run(params, Inputs(), context)
for line in sys.stdin:
    began = time.perf_counter()
    for _ in range(int(line)):
        pipeline.run(params, Inputs(), context)
    print(time.perf_counter() - began, flush=True)
"""


def run(*, quick: bool = False) -> Report:
    """Measure on the demo model."""
    rounds, each = (1, 4) if quick else (5, 12)
    loop = subprocess.Popen(
        [sys.executable, "-c", _LOOP, MODEL, str(THREADS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    bare: list[float] = []
    served: list[float] = []
    with loop, running({"ATELIER_CPU_THREADS": str(THREADS), "ATELIER_DEVICE": "cpu"}) as service:
        assert loop.stdin is not None
        assert loop.stdout is not None
        _serve(service.client, 1)
        for _ in range(rounds):
            loop.stdin.write(f"{each}\n")
            loop.stdin.flush()
            bare.append(each / float(loop.stdout.readline()))
            served.append(_serve(service.client, each))
        loop.stdin.close()
    figures = [
        Figure(
            "service / bare loop, compute only",
            statistics.median(s / b for s, b in zip(served, bare, strict=True)),
            "",
            "≥ 0.85",
        ),
        Figure("bare loop", statistics.median(bare), "pictures/s"),
        Figure("service", statistics.median(served), "pictures/s"),
    ]
    return Report(name="throughput", title=TITLE, figures=figures)


def _serve(client: httpx.Client, count: int) -> float:
    """Pictures a second of `count` jobs submitted at once, from the first start to the last commit."""
    ids = []
    for number in range(count):
        body = {
            "prompt": "a red circle on a blue background",
            "model": MODEL,
            "seed": number,
            "width": 256,
            "height": 256,
        }
        ids.append(client.post("/generate/image/v1", json=body).raise_for_status().json()["job_id"])
    deadline = time.monotonic() + 60 * count
    left = list(ids)
    statuses = {}
    while left and time.monotonic() < deadline:
        status = client.get(f"/jobs/v1/{left[-1]}").json()
        if status["status"] in ("completed", "failed", "cancelled"):
            assert status["status"] == "completed", status
            statuses[left.pop()] = status
        else:
            time.sleep(0.1)
    assert not left, f"{len(left)} jobs did not finish"
    began = min(datetime.fromisoformat(status["started_at"]) for status in statuses.values())
    ended = max(datetime.fromisoformat(status["finished_at"]) for status in statuses.values())
    return count / (ended - began).total_seconds()
