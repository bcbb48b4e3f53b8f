"""Families around another one that write down when it computed; what the engine-busy fraction is made of.

Each line of the log is one job: when `run` began and when it had its arrays, in seconds of the monotonic clock, which
on Linux is the same for every process. The log lies in the folder for temporary files, since TMPDIR is what an engine
is given; no torch is imported here.
"""

import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from jobs.params.registry import MODALITIES, AnyParams
from pipelines.catalog.spec import ModelSpec
from pipelines.runtime.protocol import Encode, Inputs, Outputs, RawOutput, RunContext
from pipelines.runtime.registry import pipeline_class

if TYPE_CHECKING:
    from pipelines.memory.weight_loader import WeightLoader

LOG = "computed.log"

Interval = tuple[float, float]


class Timed:
    """The pipeline, without weights that move, of the family that the title names after its last ": "."""

    def __init__(self, spec: ModelSpec, weights: Path, device: str, *loader: "WeightLoader") -> None:
        meant = msgspec.structs.replace(spec, family=spec.title.rpartition(": ")[2])
        self._pipeline: Any = pipeline_class(meant)(meant, weights, device, *loader)
        self._log = Path(tempfile.gettempdir()) / LOG

    def __getattr__(self, name: str) -> Any:
        """Whatever else the pipeline has, such as a warm-up."""
        return getattr(self._pipeline, name)

    def run(self, params: AnyParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """See `Pipeline`."""
        began = time.monotonic()
        raw: RawOutput = self._pipeline.run(params, inputs, ctx)
        with self._log.open("a") as log:
            log.write(f"{began} {time.monotonic()}\n")
        return raw


class TimedModel(Timed):
    """The same around a family with `modules`: the class has them too, so the engine offloads it like the family."""

    @property
    def modules(self) -> list[Any]:
        """See `Pipeline`."""
        modules: list[Any] = self._pipeline.modules
        return modules


def encode(raw: RawOutput, params: AnyParams, folder: Path) -> Outputs:
    """As the service encodes what such parameters ask for; only that encoder is imported."""
    word = next(modality.word for modality in MODALITIES if isinstance(params, modality.params))
    encoder: Encode = import_module(f"pipelines.{word}.encode").encode
    return encoder(raw, params, folder)


def take_log(folder: Path) -> list[Interval]:
    """The intervals in the log that lies in `folder`, which is empty from then on."""
    log = folder / LOG
    lines = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    return sorted((float(began), float(ended)) for began, ended in (line.split() for line in lines))


def busy_fraction(intervals: list[Interval]) -> float:
    """Of the time from the first beginning to the last end, what lies within any of the sorted intervals."""
    return union_seconds(intervals) / (max(ended for _, ended in intervals) - intervals[0][0])


def union_seconds(intervals: list[Interval]) -> float:
    """Seconds that lie within any of the sorted intervals."""
    busy, until = 0.0, float("-inf")
    for began, ended in intervals:
        busy += max(0.0, ended - max(began, until))
        until = max(until, ended)
    return busy
