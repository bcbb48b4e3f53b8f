"""Wan-Animate-2 with real diffusers code: a tiny random checkpoint in the published layout, against diffusers."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from PIL import Image, ImageOps

from core.errors.failures import ModelLoadFailed
from jobs.params.video import VideoParams
from pipelines.catalog.spec import ModelSpec, Stage
from pipelines.runtime.device import load
from pipelines.runtime.protocol import Inputs, JobCancelled, Pipeline, RawOutput, RunContext
from pipelines.video.animate.checkpoint import INDEX, part_folder, read_index
from pipelines.video.clips import read_facts, read_frames
from pipelines.weights.lockfile import Lock
from pipelines.weights.verify import lock_directory
from tests.support.checkpoints import tiny_animate
from tests.support.checkpoints.specs import spec
from tests.support.media.films import FPS, moving_art, save_film
from tests.support.media.videos import scene

STILL = scene((150, 100))
SIZE = (96, 64)
ASKED: dict[str, Any] = {"prompt": "a", "width": 96, "height": 64, "duration_seconds": 2, "num_inference_steps": 2}


def write_index(folder: Path, **changes: Any) -> None:
    part = [None, None, {"pretrained_model_name_or_path": tiny_animate.REPO, "subfolder": "vae"}]
    index = {"_class_name": "WanAnimate2ModularPipeline", "vae": part} | changes
    (folder / INDEX).write_text(json.dumps(index))


class TestIndex:
    def test_a_part_is_found_here_whatever_place_is_named(self, tmp_path: Path) -> None:
        write_index(tmp_path)
        (tmp_path / "vae").mkdir()
        assert tmp_path / "vae" == part_folder(tmp_path, read_index(tmp_path), "vae")

    def test_a_part_of_another_repository_is_not_fetched(self, tmp_path: Path) -> None:
        write_index(tmp_path)
        with pytest.raises(ModelLoadFailed, match=f"vae is not in the model's folder.*{tiny_animate.REPO}: copy it"):
            part_folder(tmp_path, read_index(tmp_path), "vae")

    def test_a_part_outside_of_the_folder_is_not_read(self, tmp_path: Path) -> None:
        (tmp_path / "other").mkdir()
        (tmp_path / "model").mkdir()
        write_index(tmp_path / "model", vae=[None, None, {"subfolder": "../other"}])
        with pytest.raises(ModelLoadFailed, match="not in the model's folder"):
            part_folder(tmp_path / "model", read_index(tmp_path / "model"), "vae")

    def test_another_pipeline_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ModelLoadFailed, match=f"has no {INDEX}"):
            read_index(tmp_path)
        write_index(tmp_path, _class_name="WanModularPipeline")
        with pytest.raises(ModelLoadFailed, match="WanModularPipeline is not a pipeline of this family"):
            read_index(tmp_path)
        write_index(tmp_path)
        with pytest.raises(ModelLoadFailed, match=f"{INDEX} has no scheduler"):
            part_folder(tmp_path, read_index(tmp_path), "scheduler")


@pytest.fixture(scope="module")
def weights(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    tiny_animate.save(folder / "animate")
    return folder


def model(**changes: Any) -> ModelSpec:
    entry: dict[str, Any] = {
        "id": "animate",
        "family": "wan-animate",
        "modality": "video",
        "source": {"path": "animate"},
        "capabilities": ["motion-control", "negative-prompt"],
        "limits": {"frame_step": 4, "side_multiple": 32, "max_side": 128, "clip_seconds": 0.75},
        "defaults": {"fps": FPS, "width": 64, "height": 64},
    }
    return spec(**entry | changes)


def loaded(folder: Path, **changes: Any) -> Pipeline:
    entry = model(**changes)
    return load(entry, folder, Lock({"animate": lock_directory(entry, folder / "animate")}), "cpu")


def shown(folder: Path, count: int) -> Inputs:
    STILL.save(folder / "still.png")
    film = save_film(moving_art(count), folder / "film.mp4")
    return Inputs({"input_image": folder / "still.png", "motion_video": film})


def run(pipeline: Pipeline, given: Inputs, log: list[tuple[float, Stage]] | None = None, **params: Any) -> RawOutput:
    reports = [] if log is None else log
    context = RunContext(seed=1, progress=lambda part, stage: reports.append((part, stage)), warn=lambda text: None)
    return pipeline.run(VideoParams(**ASKED | params), given, context)


def directly(folder: Path, given: Inputs, **arguments: Any) -> np.ndarray:
    film = [Image.fromarray(frame) for frame in read_frames(read_facts(given.files["motion_video"]))]
    still = ImageOps.fit(STILL, SIZE, Image.Resampling.LANCZOS)
    with torch.compiler.set_stance("force_eager"):  # diffusers compiles the mask of its attention, in minutes
        return tiny_animate.made_directly(folder / "animate", still, film, steps=2, prompt="a", **arguments)


@pytest.mark.long
class TestFilms:
    @pytest.mark.parametrize("changes", [{}, {"offload_blocks": True}], ids=["whole", "in blocks"])
    def test_frames_equal_those_of_diffusers(self, weights: Path, tmp_path: Path, changes: dict[str, Any]) -> None:
        given, log = shown(tmp_path, 17), list[tuple[float, Stage]]()

        raw = run(loaded(weights, **changes), given, log, negative_prompt="b", guidance_scale=2.0)

        expected = directly(weights, given, segment=9, guidance=2.0, negative_prompt="b")
        assert np.array_equal(expected, raw.arrays["frames"])
        parts = [1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6]
        stages = ["step", "decode", "prepare", "step", "decode"]
        assert [(0.0, "prepare"), (0.0, "prepare"), *zip(parts, stages, strict=True)] == [
            (pytest.approx(part), stage) for part, stage in log
        ]
        assert (2, 2.0, 17, FPS) == tuple(
            raw.metadata[name] for name in ("num_inference_steps", "guidance_scale", "frames", "fps")
        )
        assert any("made 2 clips" in warning for warning in raw.warnings)

    def test_a_short_film_is_one_segment(self, weights: Path, tmp_path: Path) -> None:
        given = shown(tmp_path, 5)
        raw = run(loaded(weights), given, motion_as_given=True)
        assert "animate does not use `motion_as_given`; it was ignored" in raw.warnings
        assert np.array_equal(directly(weights, given, segment=5), raw.arrays["frames"])

    def test_the_distilled_model_has_no_guidance(self, weights: Path, tmp_path: Path) -> None:
        folder = tmp_path / "weights"
        shutil.copytree(weights, folder)
        index = folder / "animate" / INDEX
        text = index.read_text().replace("WanAnimate2", "WanAnimate2Distilled", 2)
        index.write_text(text.replace("DPMSolverMultistepScheduler", "FlowMatchEulerDiscreteScheduler"))
        FlowMatchEulerDiscreteScheduler(shift=5.0).save_pretrained(folder / "animate" / "scheduler")
        pipeline, given = loaded(folder), shown(tmp_path, 5)

        raw = run(pipeline, given)

        assert np.array_equal(directly(folder, given, segment=5, guidance=1.0), raw.arrays["frames"])
        assert (1.0, "WanAnimate2DistilledModularPipeline") == (
            raw.metadata["guidance_scale"],
            type(vars(pipeline)["pipe"]).__name__,
        )

    def test_a_cancelled_job_leaves_the_model_as_it_was(self, weights: Path, tmp_path: Path) -> None:
        pipeline, given = loaded(weights), shown(tmp_path, 9)
        before = run(pipeline, given).arrays["frames"]

        def stop(part: float, stage: Stage) -> None:
            if stage == "step":
                raise JobCancelled

        with pytest.raises(JobCancelled):
            pipeline.run(VideoParams(**ASKED), given, RunContext(seed=1, progress=stop, warn=lambda text: None))

        assert np.array_equal(before, run(pipeline, given).arrays["frames"])
        assert not vars(pipeline)["pipe"].transformer.block_masks

    def test_it_is_warmed_up_without_a_film(self, weights: Path) -> None:
        log: list[Stage] = []
        pipeline: Any = loaded(weights)
        pipeline.warm_up(RunContext(seed=1, progress=lambda part, stage: log.append(stage), warn=lambda text: None))
        assert ["prepare", "prepare", "step", "decode"] == log

    def test_in_bfloat16_the_autoencoder_is_exact(self, weights: Path, tmp_path: Path) -> None:
        pipeline: Any = loaded(weights, dtype="bfloat16")
        raw = run(pipeline, shown(tmp_path, 5))
        assert (torch.float32, torch.bfloat16) == (pipeline.pipe.vae.dtype, pipeline.pipe.text_encoder.dtype)
        assert torch.bfloat16 == pipeline.pipe.transformer.blocks[0].ffn[0].weight.dtype
        assert torch.float32 == pipeline.pipe.transformer.time_embedding[0].weight.dtype
        assert raw.arrays["frames"].std() > 0


@pytest.mark.long
class TestRefusals:
    def test_a_part_with_fewer_tensors(self, weights: Path, tmp_path: Path) -> None:
        shutil.copytree(weights, tmp_path / "weights")
        config = tmp_path / "weights" / "animate" / "transformer" / "config.json"
        config.write_text(config.read_text().replace('"num_layers": 2', '"num_layers": 3'))
        with pytest.raises(ModelLoadFailed, match="transformer does not fit its configuration"):
            loaded(tmp_path / "weights")

    @pytest.mark.parametrize(
        ("named", "why"),
        [("UniPCMultistepScheduler", "without a generator"), ("AutoencoderKLWan", "is not a scheduler")],
    )
    def test_another_scheduler(self, weights: Path, tmp_path: Path, named: str, why: str) -> None:
        shutil.copytree(weights, tmp_path / "weights")
        index = tmp_path / "weights" / "animate" / INDEX
        index.write_text(index.read_text().replace("DPMSolverMultistepScheduler", named))
        with pytest.raises(ModelLoadFailed, match=why):
            loaded(tmp_path / "weights")

    def test_a_number_of_frames_that_it_does_not_make(self, weights: Path) -> None:
        with pytest.raises(ModelLoadFailed, match=r"write `limits\.frame_step = 4`"):
            loaded(weights, limits={"frame_step": 1})
