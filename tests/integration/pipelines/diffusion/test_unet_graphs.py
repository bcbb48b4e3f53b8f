"""SDXL's UNet, tiny, as CUDA graphs that the CPU repeats operator by operator: the pixels are the same."""

import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.errors.failures import ModelLoadFailed
from pipelines.diffusion.unet_graphs import LIMIT, UNetGraphs
from pipelines.memory.weight_loader import WeightLoader
from pipelines.runtime.protocol import Inputs
from tests.support.checkpoints.image_runs import directly, from_image, image, loaded, save_image
from tests.support.gpu_worker.recorded_graphs import GRAPH_BYTES, RecordedGraphs
from workers.engine.loaded_pipeline import LoadedPipeline


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> RecordedGraphs:
    made = RecordedGraphs()
    made.install(monkeypatch)
    return made


def graphed(weights_dir: Path, limit: int = LIMIT) -> Any:
    """SDXL with the graphs that it has on a GPU."""
    pipeline: Any = loaded("sdxl", weights_dir, cuda_graphs=True)
    assert pipeline.acceleration.graphs is None
    pipeline.acceleration.graphs = UNetGraphs(pipeline.pipe.unet, "cuda:0", limit)
    return pipeline


def test_pixels_are_those_of_diffusers(weights_dir: Path, gpu: RecordedGraphs, tmp_path: Path) -> None:
    pipeline = graphed(weights_dir)
    for seed in (1, 2):
        assert np.array_equal(directly(weights_dir / "sdxl", seed), image(pipeline, seed))
    assert 5 == gpu.launches  # of 6 steps, the first was taken as it is

    start = Inputs({"input_image": save_image(tmp_path / "start.png", 64, 64)})
    asked = {"strength": 0.9, "num_inference_steps": 4}
    expected = from_image(weights_dir / "sdxl", image=Image.open(start.files["input_image"]), **asked)
    assert np.array_equal(expected, image(pipeline, 1, start, **asked))
    assert (2, 7) == (gpu.alive, gpu.launches)  # these latents lie channels-last


@pytest.mark.long
def test_each_size_has_a_graph_and_few_are_kept(weights_dir: Path, gpu: RecordedGraphs) -> None:
    pipeline = graphed(weights_dir, limit=2)
    for width in (64, 72, 80):
        image(pipeline, width=width, num_inference_steps=2)
    assert (2, 2 * GRAPH_BYTES) == (gpu.alive, pipeline.graph_bytes)

    gpu.launches = 0
    for width in (80, 64):
        expected = directly(weights_dir / "sdxl", width=width, num_inference_steps=2)
        assert np.array_equal(expected, image(pipeline, width=width, num_inference_steps=2))
    assert 2 + 1 == gpu.launches  # that of 64 was the one used least recently
    assert 2 == gpu.alive


@pytest.mark.long
def test_guidance_that_is_off_has_a_graph_of_its_own(weights_dir: Path, gpu: RecordedGraphs) -> None:
    pipeline = graphed(weights_dir)
    for scale in (5.0, 1.0):
        expected = directly(weights_dir / "sdxl", guidance_scale=scale)
        assert np.array_equal(expected, image(pipeline, guidance_scale=scale))
    assert 2 == gpu.alive


@pytest.mark.long
def test_weights_that_move_leave_no_graph_behind(weights_dir: Path, gpu: RecordedGraphs) -> None:
    pipeline = graphed(weights_dir)
    expected = image(pipeline)
    model = LoadedPipeline(pipeline, WeightLoader("cpu"), 0)
    assert GRAPH_BYTES == model.graph_bytes
    gc.disable()  # graphs go at once, not when garbage is collected
    try:
        model.offload()
        assert (0, 0) == (gpu.alive, model.graph_bytes)
    finally:
        gc.enable()
    model.restore()
    assert np.array_equal(expected, image(pipeline))
    assert 1 == gpu.alive


@pytest.mark.long
def test_without_memory_for_a_graph_steps_are_taken(weights_dir: Path, gpu: RecordedGraphs) -> None:
    pipeline = graphed(weights_dir)
    gpu.error = RuntimeError("CUDA out of memory")
    for seed in (1, 2):
        assert np.array_equal(directly(weights_dir / "sdxl", seed), image(pipeline, seed))
    assert (0, 0, ()) == (gpu.launches, pipeline.graph_bytes, pipeline.warnings)

    gpu.error = None
    pipeline.free_graphs()
    image(pipeline)
    assert 2 == gpu.launches


@pytest.mark.long
def test_a_unet_that_cannot_be_recorded_is_reported(weights_dir: Path, gpu: RecordedGraphs) -> None:
    pipeline = graphed(weights_dir)
    gpu.error = RuntimeError("operation not permitted when stream is capturing")
    assert np.array_equal(directly(weights_dir / "sdxl"), image(pipeline))
    (warning,) = pipeline.warnings
    assert warning.startswith("takes its steps without a CUDA graph: RuntimeError: operation not permitted")


@pytest.mark.long
def test_a_call_with_a_number_is_passed_on(weights_dir: Path, gpu: RecordedGraphs) -> None:
    pipeline = graphed(weights_dir)
    pipe = pipeline.pipe
    for _ in range(2):
        pipe("a red apple", height=64, width=64, num_inference_steps=2, cross_attention_kwargs={"scale": 0.5})
    assert (0, 0) == (gpu.alive, gpu.launches)


def test_a_model_without_a_unet_does_not_load(weights_dir: Path) -> None:
    with pytest.raises(ModelLoadFailed, match="has no UNet; remove `cuda_graphs`"):
        loaded("zimage", weights_dir, cuda_graphs=True)
