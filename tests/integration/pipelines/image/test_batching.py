"""Images of one job that are computed at once, with tiny checkpoints: each is the one that is made alone."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image

from core.errors.failures import ModelLoadFailed
from pipelines.catalog.spec import Stage
from pipelines.image.arguments import Call
from pipelines.image.diffusers_image import _check_batch
from pipelines.runtime.protocol import Inputs, JobCancelled, RunContext
from tests.support.checkpoints import tiny_checkpoints
from tests.support.checkpoints.image_runs import asked, context, image, loaded, run

FOUR = {"images": 4}
MARKS = dict.fromkeys(("flux", "flux2klein", "qwenimage", "qwenedit"), pytest.mark.long)
LEVELS = 1
"""Largest difference of a channel: a batch multiplies other matrices, and roundings differ."""


def difference(one: Any, other: Any) -> int:
    return int(np.abs(one.astype(int) - other.astype(int)).max())


@pytest.mark.matrix
@pytest.mark.parametrize("name", [pytest.param(name, marks=MARKS.get(name, ())) for name in tiny_checkpoints.BUILDERS])
def test_each_image_is_the_one_made_alone(weights_dir: Path, reference: Inputs, name: str) -> None:
    inputs = reference if name == "qwenedit" else Inputs()
    pipeline, log = loaded(name, weights_dir, batch=FOUR), list[tuple[float, Stage]]()

    raw = pipeline.run(asked(num_images=5), inputs, context(3, log))

    alone = [image(pipeline, 3 + number, inputs) for number in range(5)]
    assert [str(number) for number in range(5)] == list(raw.arrays)
    assert all(difference(one, other) <= LEVELS for one, other in zip(alone, raw.arrays.values(), strict=True))
    assert difference(alone[0], alone[1]) > 10 * LEVELS
    assert 4 == raw.metadata["batch_size"]
    assert [0.0, 0.2, 0.4, 0.6, 0.8, 0.85, 0.9, 0.95] == pytest.approx([part for part, _ in log])


@pytest.mark.parametrize("name", ["sdxl", "zimage", pytest.param("qwenimage", marks=pytest.mark.long)])
def test_each_starts_from_the_image_with_noise_of_its_own(weights_dir: Path, tmp_path: Path, name: str) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(tmp_path / "a.png")
    inputs = Inputs({"input_image": tmp_path / "a.png"})
    pipeline = loaded(name, weights_dir, batch=FOUR)

    made = run(pipeline, 3, inputs, num_images=3, strength=0.7).arrays

    alone = [image(pipeline, 3 + number, inputs, strength=0.7) for number in range(3)]
    assert all(difference(one, other) <= LEVELS for one, other in zip(alone, made.values(), strict=True))


def test_a_cancel_within_a_batch_leaves_the_model_as_it_was(weights_dir: Path) -> None:
    pipeline = loaded("zimage", weights_dir, batch=FOUR)
    before = image(pipeline)

    def stop(part: float, stage: Stage) -> None:
        if stage == "step":
            raise JobCancelled

    with pytest.raises(JobCancelled):
        pipeline.run(asked(num_images=4), Inputs(), RunContext(seed=1, progress=stop, warn=print))

    assert np.array_equal(before, image(pipeline))


def test_no_more_at_once_than_there_is_memory_for(weights_dir: Path) -> None:
    pipeline = loaded("zimage", weights_dir, batch=FOUR)
    two = msgspec.structs.replace(context(), batch=2)

    assert 2 == pipeline.run(asked(num_images=4), Inputs(), two).metadata["batch_size"]


def test_images_do_not_share_the_first_blocks_verdict(weights_dir: Path) -> None:
    fast = {"cache": "first-block", "cache_threshold": 0.9}
    pipeline = loaded("qwenimage", weights_dir, batch=FOUR, quality={"fast": fast})
    raw = run(pipeline, quality="fast", num_images=2)

    assert 1 == raw.metadata["batch_size"]
    assert np.array_equal(image(pipeline, 2, quality="fast"), raw.arrays["1"])


def test_a_pipeline_that_makes_one_at_once_does_not_load() -> None:
    with pytest.raises(ModelLoadFailed, match="remove `batch`"):
        _check_batch(Call(accepts=frozenset({"prompt", "generator"})), SimpleNamespace(vae=None))
