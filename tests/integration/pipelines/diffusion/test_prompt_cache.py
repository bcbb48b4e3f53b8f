"""Text encoders of the real families read a prompt once, and the pixels do not show it."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines.runtime.protocol import Inputs
from tests.support.checkpoints.image_runs import directly, from_image, image, loaded
from tests.support.checkpoints.tiny_loras import save_lora


class Counter:
    """How often a pipeline's text encoder ran."""

    def __init__(self, pipeline: Any) -> None:
        self.runs = 0
        pipeline.pipe.text_encoder.register_forward_hook(self._count)

    def _count(self, *anything: object) -> None:
        self.runs += 1


@pytest.mark.matrix
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("sdxl", marks=pytest.mark.long),
        "flux",
        "zimage",
        pytest.param("flux2klein", marks=pytest.mark.long),
        "qwenimage",
    ],
)
def test_a_cached_prompt_gives_the_same_pixels(weights_dir: Path, name: str) -> None:
    pipeline = loaded(name, weights_dir)
    counter = Counter(pipeline)
    first = image(pipeline, 1)
    runs = counter.runs
    second, third = image(pipeline, 2), image(pipeline, 1)

    assert runs == counter.runs > 0
    assert np.array_equal(directly(weights_dir / name, 1), first)
    assert np.array_equal(directly(weights_dir / name, 2), second)
    assert np.array_equal(first, third)


@pytest.mark.long
def test_in_bfloat16_too(weights_dir: Path) -> None:
    pipeline = loaded("zimage", weights_dir, dtype="bfloat16")

    assert np.array_equal(image(pipeline), image(pipeline))
    assert 0 < pipeline.prompts.bytes  # type: ignore[attr-defined]


@pytest.mark.long
def test_another_negative_prompt_is_read(weights_dir: Path) -> None:
    pipeline = loaded("sdxl", weights_dir)
    for words in ("dogs", "cats", "dogs"):
        made = image(pipeline, guidance_scale=7.5, negative_prompt=words)
        assert np.array_equal(directly(weights_dir / "sdxl", guidance_scale=7.5, negative_prompt=words), made)


@pytest.mark.long
def test_a_start_image_reuses_the_prompt_of_text_alone(weights_dir: Path, reference: Inputs) -> None:
    file = reference.files["reference_images.0"]
    pipeline = loaded("zimage", weights_dir)
    counter = Counter(pipeline)
    image(pipeline)
    runs = counter.runs
    made = image(pipeline, 1, Inputs({"input_image": file}), strength=0.7, width=96)

    with Image.open(file) as start:
        expected = from_image(weights_dir / "zimage", image=start.convert("RGB"), strength=0.7)
    assert runs == counter.runs
    assert np.array_equal(expected, made)


def test_what_is_read_beside_an_image_is_read_each_time(weights_dir: Path, reference: Inputs) -> None:
    pipeline = loaded("qwenedit", weights_dir)
    counter = Counter(pipeline)
    image(pipeline, inputs=reference)
    runs = counter.runs
    image(pipeline, inputs=reference)

    assert 2 * runs == counter.runs


def test_a_lora_is_not_taken_for_another(weights_dir: Path, tmp_path: Path) -> None:
    shutil.copytree(weights_dir / "qwenimage", tmp_path / "qwenimage")
    layers = {f"transformer_blocks.{n}.attn.to_{part}": (32, 32) for n in (0, 1) for part in "qkv"}
    save_lora(tmp_path / "qwenimage+quick" / "quick.safetensors", layers, alpha=True)
    lora = {"source": {"path": "qwenimage+quick"}, "file": "quick.safetensors"}
    pipeline = loaded("qwenimage", tmp_path, loras={"quick": lora}, quality={"fast": {"lora": "quick"}})
    counter = Counter(pipeline)
    runs = []
    for quality in ("standard", "fast", "standard", "fast"):
        image(pipeline, quality=quality)
        runs.append(counter.runs)

    assert 0 < runs[0] < runs[1] == runs[2] == runs[3]
