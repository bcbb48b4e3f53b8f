"""Distilled films: the steps that an entry names, against diffusers called with the same ones."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, WanImageToVideoPipeline, WanPipeline

from jobs.params.video import VideoParams
from pipelines.image.inputs import read_image
from pipelines.runtime.device import load
from pipelines.runtime.protocol import Inputs, Pipeline, RawOutput, RunContext
from pipelines.weights.lockfile import Lock
from pipelines.weights.verify import lock_directory
from tests.support.checkpoints import tiny_videos
from tests.support.checkpoints.specs import spec
from tests.support.checkpoints.tiny_loras import WAN_LAYERS, save_lora
from tests.support.media.videos import planes, scene

SIZE = {"width": 64, "height": 64}
DMD, EULER = (1.0, 0.757, 0.522), (1.0, 0.9375, 5 / 6, 0.625)


@pytest.fixture(scope="module")
def folder(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("weights")
    tiny_videos.save_fastwan(made / "fastwan")
    tiny_videos.save("wan22a14b", made / "a14b")
    save_lora(made / "fast" / "fast.safetensors", WAN_LAYERS, alpha=False, seed=1)
    scene((64, 64)).save(made / "start.png")
    return made


def loaded(name: str, folder: Path, **changes: Any) -> Pipeline:
    entry = {"id": name, "family": "diffusers-video", "modality": "video", "source": {"path": name}}
    limits = {"frame_step": 4, "max_seconds": 5, "side_multiple": 32}
    made = spec(**entry, limits=limits, **{"defaults": {"fps": 24, "guidance_scale": 1.0}, **changes})
    lock = Lock({bundle.key: lock_directory(bundle, bundle.directory(folder)) for bundle in made.bundles})
    return load(made, folder, lock, "cpu")


def run(pipeline: Pipeline, start: Path | None = None, seed: int = 1, **fields: Any) -> RawOutput:
    context = RunContext(seed=seed, progress=lambda part, stage: None, warn=lambda text: None)
    asked = VideoParams(prompt="a", **SIZE, duration_seconds=0.2, **fields)
    return pipeline.run(asked, Inputs({"input_image": start} if start else {}), context)


def directly(pipe: Any, start: Path | None, sigmas: list[float], **scheduler: Any) -> np.ndarray:
    """The frames by diffusers alone, as planes."""
    generator = torch.Generator().manual_seed(1)
    steps: Any = FlowMatchEulerDiscreteScheduler(**scheduler)  # type: ignore[no-untyped-call]
    set_timesteps, step = steps.set_timesteps, steps.step
    steps.set_timesteps = lambda count, device: set_timesteps(sigmas=sigmas, device=device)
    steps.step = partial(step, generator=generator)
    pipe.scheduler = steps
    pipe.set_progress_bar_config(disable=True)
    still = {"image": read_image(start)} if start else {}
    made = pipe(
        prompt="a", **SIZE, **still, num_frames=5, num_inference_steps=len(sigmas), guidance_scale=1.0,
        generator=generator, output_type="np",
    ).frames[0]  # fmt: skip
    return planes(made)


@pytest.mark.parametrize("is_still", [False, True])
def test_fastwan_renews_its_noise_in_three_steps(folder: Path, is_still: bool) -> None:
    start = folder / "start.png" if is_still else None
    schedule = {"sigmas": DMD, "stochastic": True}
    able = ["text-to-video", "image-to-video"]
    pipeline = loaded("fastwan", folder, capabilities=able, schedule=schedule)
    class_: Any = WanImageToVideoPipeline if is_still else WanPipeline

    made = run(pipeline, start, num_inference_steps=7)

    expected = directly(
        class_.from_pretrained(folder / "fastwan", dtype=torch.float32), start, list(DMD), stochastic_sampling=True
    )
    assert np.array_equal(expected, made.arrays["frames"])
    assert np.array_equal(expected, run(pipeline, start).arrays["frames"])
    assert not np.array_equal(expected, run(pipeline, start, seed=2).arrays["frames"])
    assert 3 == made.metadata["num_inference_steps"]
    assert ("fastwan makes 3 steps here; `num_inference_steps` was ignored",) == made.warnings


@pytest.mark.long
def test_a_lora_has_its_own_euler_steps(folder: Path) -> None:
    start, file = folder / "start.png", folder / "fast" / "fast.safetensors"
    fast = {"source": {"path": "fast"}, "file": file.name, "schedule": {"sigmas": EULER}}
    changes = {"loras": {"fast": fast}, "quality": {"fast": {"lora": "fast", "guidance_scale": 1.0}}}
    pipeline: Any = loaded("a14b", folder, capabilities=["image-to-video"], **changes)
    pipe: Any = WanImageToVideoPipeline.from_pretrained(folder / "a14b", dtype=torch.float32)
    own = type(pipe.scheduler)
    for into in ({}, {"load_into_transformer_2": True}):
        pipe.load_lora_weights(file.parent, weight_name=file.name, adapter_name="fast", **into)

    made = run(pipeline, start, quality="fast")

    assert np.array_equal(directly(pipe, start, [1.0, 0.75, 0.5, 0.25], shift=5.0), made.arrays["frames"])
    assert 4 == made.metadata["num_inference_steps"]
    assert 2 == run(pipeline, start, num_inference_steps=2).metadata["num_inference_steps"]
    assert own is type(pipeline.pipes["image-to-video"].scheduler)
