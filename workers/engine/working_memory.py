"""Working memory: what jobs take on the device beside the weights, measured by model and size of job. No torch."""

from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from jobs.params.base import Params
from jobs.params.image import ImageParams
from jobs.params.media import is_lora
from jobs.params.video import VideoParams
from pipelines.catalog.spec import ModelSpec
from pipelines.weights.footprint import BYTES, header_precision

_FRAMES_PER_SECOND = 24
"""Only sizes of one model are compared, so its own rate does not matter."""
_BATCHES = 64
"""Measured batches that are kept of a model: callers choose any size."""


class PeakSource(Protocol):
    """The device, as far as peaks of its memory are read."""

    def reset_peak(self) -> int:
        """Begin a new peak; return the bytes that are allocated now."""

    def read_peak(self) -> int:
        """Return the most bytes that were allocated at once since then."""


class WorkingMemory:
    """The measured peaks. One job is measured at a time."""

    def __init__(self, source: PeakSource) -> None:
        self._source = source
        self._peaks = defaultdict[str, dict[int, int]](dict)
        self._batches = defaultdict[str, OrderedDict[tuple[int, int], int]](OrderedDict)
        """Bytes by the size of each job and the number that are computed at once, where that is more than one."""
        self._start = 0
        self._peak = 0

    def expected(self, model_id: str, size: int, batch: int = 1) -> int:
        """Return the bytes that a job of this size takes at least: as many as one of this size or a smaller one did.

        A `batch` that was not measured yet takes as many times that.
        """
        alone = max((peak for known, peak in self._peaks[model_id].items() if known <= size), default=0)
        return alone if batch == 1 else self._batches[model_id].get((size, batch), batch * alone)

    def keep_batch(self, model_id: str, size: int, batch: int, peak: int) -> None:
        """Learn what a batch takes, or more than what it takes when it ran out of memory."""
        batches = self._batches[model_id]
        batches[size, batch] = peak
        batches.move_to_end((size, batch))
        if len(batches) > _BATCHES:
            batches.popitem(last=False)

    @contextmanager
    def measured(self, model_id: str, size: int, batch: int = 1, brought: int = 0) -> Iterator[None]:
        """Record the most memory that the block takes beyond what is in use when it begins, also when it fails.

        The bytes that the job has `brought` are left out: other jobs bring others. A batch is recorded when it is
        complete.
        """
        self._start, self._peak = self._source.reset_peak(), 0
        is_complete = False
        try:
            yield
            is_complete = True
        finally:
            self._read()
            self._peak = max(0, self._peak - brought)
            if batch > 1:  # a part says little of the whole, and a multiple is expected already
                if is_complete:
                    self.keep_batch(model_id, size, batch, self._peak)
            elif self._peak > self.expected(model_id, size):  # the rest says nothing new, and callers choose any size
                peaks = self._peaks[model_id].items()
                kept = {known: peak for known, peak in peaks if known < size or peak > self._peak}
                self._peaks[model_id] = kept | {size: self._peak}

    @contextmanager
    def without_eviction(self) -> Iterator[None]:
        """Keep what the block frees out of the present measurement: a model that leaves in the midst of a job."""
        self._read()
        before = self._source.reset_peak()
        yield
        self._start += self._source.reset_peak() - before

    def _read(self) -> None:
        self._peak = max(self._peak, self._source.read_peak() - self._start)


def brought_bytes(spec: ModelSpec, inputs: Mapping[str, Path]) -> int:
    """Return the bytes that the LoRAs among the inputs of a job take on a GPU, where they have the model's precision.

    Each is counted once; a model of two transformers may have it on both.
    """
    wide = BYTES[spec.dtype or "bfloat16"]
    return sum(
        file.stat().st_size * wide // BYTES[header_precision(file)] for name, file in inputs.items() if is_lora(name)
    )


def job_size(params: Params, inputs: int, clip_seconds: float | None = None) -> int:
    """Return a number that grows with the memory that a job with so many input files takes: pixels, where it has any.

    Of a video those of one clip count, where its model makes `clip_seconds` at once. Jobs of models that always compute
    at the same size have the same one.
    """
    match params:
        case ImageParams():
            return params.width * params.height * (1 + inputs)
        case VideoParams():
            seconds = min(params.duration_seconds, clip_seconds or params.duration_seconds)
            return round(params.width * params.height * seconds * _FRAMES_PER_SECOND)
        case _:
            return 1


def warm_up_size(spec: ModelSpec) -> int:
    """Return the size of a model's run before its first job (`pipelines.diffusion.warmup`)."""
    width, height = spec.defaults.width, spec.defaults.height
    if spec.modality == "video":
        return job_size(VideoParams(width=width, height=height), 0)
    if spec.modality == "image":
        return job_size(ImageParams(prompt="", width=width, height=height), "text-to-image" not in spec.capabilities)
    return 1
