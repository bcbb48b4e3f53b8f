"""A decode that runs out of memory in its midst, in pipelines of diffusers with tiny checkpoints."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.errors.failures import GpuOutOfMemory
from jobs.params.base import Params
from jobs.params.image import ImageParams
from jobs.params.video import VideoParams
from pipelines.catalog.spec import ModelSpec
from pipelines.runtime.device import load
from pipelines.runtime.protocol import Inputs, Pipeline, RunContext
from pipelines.weights.lockfile import Lock
from pipelines.weights.verify import lock_directory
from tests.support.checkpoints import tiny_checkpoints, tiny_videos
from tests.support.checkpoints.specs import spec

SMALL: dict[str, Any] = {"prompt": "a red apple", "width": 64, "height": 64, "num_inference_steps": 1}
FILM: dict[str, Any] = {
    "family": "diffusers-video",
    "modality": "video",
    "capabilities": ["text-to-video"],
    "limits": {"side_multiple": 32, "frame_step": 4},
    "defaults": {"fps": 24},
}
CASES: dict[str, tuple[dict[str, Any], Params]] = {
    "sdxl": ({"dtype": "float16"}, ImageParams(**SMALL)),
    "zimage": ({}, ImageParams(**SMALL)),
    "wan22": (FILM, VideoParams(duration_seconds=0.5, **SMALL)),
}


@pytest.fixture(scope="module", params=CASES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def pipeline(one_thread: None, name: str, tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    folder = tmp_path_factory.mktemp("weights")
    (tiny_videos if name == "wan22" else tiny_checkpoints).save(name, folder / name)
    entry: ModelSpec = spec(id=name, source={"path": name}, **CASES[name][0])
    return load(entry, folder, Lock({name: lock_directory(entry, Path(folder / name))}), "cpu")


class Watched:
    """The pipeline of diffusers: counts evaluations of the denoiser, and runs out of memory in chosen decodes."""

    def __init__(self, pipeline: Any) -> None:
        self.pipe = pipeline.pipe if hasattr(pipeline, "pipe") else next(iter(pipeline.pipes.values()))
        self.evaluations = self.failures = self.calls = 0
        denoiser = getattr(self.pipe, "transformer", None) or self.pipe.unet
        last = list(self.pipe.vae.decoder.children())[-1]
        self.hooks = [denoiser.register_forward_pre_hook(self.count), last.register_forward_pre_hook(self.fail)]

    @property
    def dtype(self) -> torch.dtype:
        found: torch.dtype = self.pipe.vae.dtype
        return found

    def count(self, *_: Any) -> None:
        self.evaluations += 1

    def fail(self, *_: Any) -> None:
        self.calls += 1
        if self.failures and (self.calls == 2 or not hasattr(self.pipe.vae, "clear_cache")):
            self.failures, self.calls = self.failures - 1, 0
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 4.00 GiB.")


@pytest.fixture
def watched(pipeline: Pipeline) -> Iterator[Watched]:
    found = Watched(pipeline)
    yield found
    for hook in found.hooks:
        hook.remove()


def make(pipeline: Pipeline, name: str, make_room: Callable[[], bool] = lambda: False) -> np.ndarray:
    context = RunContext(seed=5, progress=lambda part, stage: None, warn=print, make_room=make_room)
    (found,) = pipeline.run(CASES[name][1], Inputs(), context).arrays.values()
    return np.array(found)


def test_only_the_decode_is_repeated_and_pixels_are_the_same(pipeline: Pipeline, name: str, watched: Watched) -> None:
    expected, alone = make(pipeline, name), watched.evaluations
    watched.evaluations, watched.failures, watched.calls = 0, 2, 0
    others = ["a model", "another"]

    found = make(pipeline, name, lambda: bool(others.pop()))

    assert np.array_equal(expected, found)
    assert (alone, 0, []) == (watched.evaluations, watched.failures, others)


@pytest.mark.matrix
def test_when_no_model_can_leave_it_is_tried_once_more(pipeline: Pipeline, name: str, watched: Watched) -> None:
    expected, alone = make(pipeline, name), watched.evaluations
    watched.evaluations, watched.failures, watched.calls = 0, 9, 0

    with pytest.raises(GpuOutOfMemory):
        make(pipeline, name)

    assert (alone, 7) == (watched.evaluations, watched.failures)
    watched.failures = 0
    assert np.array_equal(expected, make(pipeline, name))


@pytest.mark.parametrize("name", ["sdxl"], indirect=True, scope="module")
def test_sdxls_autoencoder_is_float16_again(pipeline: Pipeline, name: str, watched: Watched) -> None:
    watched.failures = 9
    seen: list[torch.dtype] = []
    watched.hooks.append(watched.pipe.vae.decoder.register_forward_pre_hook(lambda *_: seen.append(watched.dtype)))
    with pytest.raises(GpuOutOfMemory):
        make(pipeline, name)

    assert [torch.float32] * 2 == seen
    assert torch.float16 == watched.dtype
