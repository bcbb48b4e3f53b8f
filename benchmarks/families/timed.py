"""A family around another one that writes down when it computed; what the engine-busy fraction is made of.

Each line of the log is one job: when `run` began and when it had its arrays, in seconds of the monotonic clock, which
on Linux is the same for every process. The log lies in the folder for temporary files, since TMPDIR is what an engine
is given; no torch is imported here.
"""

import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

from jobs.params.registry import AnyParams
from jobs.params.video import VideoParams
from pipelines.catalog.spec import ModelSpec
from pipelines.image import encode as images
from pipelines.runtime.protocol import Inputs, Outputs, RawOutput, RunContext
from pipelines.runtime.registry import pipeline_class
from pipelines.video import encode as videos

LOG = "computed.log"

Interval = tuple[float, float]


class Timed:
    """The pipeline of the family that the title names after its last ": "."""

    def __init__(self, spec: ModelSpec, weights: Path, device: str) -> None:
        meant = msgspec.structs.replace(spec, family=spec.title.rpartition(": ")[2])
        self._pipeline = pipeline_class(meant)(meant, weights, device)
        self._log = Path(tempfile.gettempdir()) / LOG

    def __getattr__(self, name: str) -> Any:
        """Whatever else the pipeline has, `modules` above all."""
        return getattr(self._pipeline, name)

    def run(self, params: AnyParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """See `Pipeline`."""
        began = time.monotonic()
        raw = self._pipeline.run(params, inputs, ctx)
        with self._log.open("a") as log:
            log.write(f"{began} {time.monotonic()}\n")
        return raw


def encode(raw: RawOutput, params: AnyParams, folder: Path) -> Outputs:
    """As the service encodes images and videos."""
    return videos.encode(raw, params, folder) if isinstance(params, VideoParams) else images.encode(raw, params, folder)


def take_log(folder: Path) -> list[Interval]:
    """The intervals in the log that lies in `folder`, which is empty from then on."""
    log = folder / LOG
    lines = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    return sorted((float(began), float(ended)) for began, ended in (line.split() for line in lines))


def busy_fraction(intervals: list[Interval]) -> float:
    """Of the time from the first beginning to the last end, what lies within any of the intervals."""
    busy, until = 0.0, intervals[0][0]
    for began, ended in intervals:
        busy += max(0.0, ended - max(began, until))
        until = max(until, ended)
    return busy / (until - intervals[0][0])
