"""Images that are computed at once, of one job and of several, with tiny checkpoints: each is the one made alone."""

from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image

from core.errors.failures import ModelLoadFailed
from jobs.params.image import ImageParams
from pipelines.catalog.spec import Stage
from pipelines.image.arguments import Call
from pipelines.image.diffusers_image import _check_batch
from pipelines.runtime.protocol import Inputs, JobCancelled, RunContext, empty_array, load_raw, save_raw
from tests.support.checkpoints import tiny_checkpoints
from tests.support.checkpoints.image_runs import CHANGES, asked, context, image, loaded, run

FOUR = {"images": 4}
MARKS = dict.fromkeys(("flux", "flux2klein", "qwenimage", "qwenedit"), pytest.mark.long)
EDITS = "qwenedit"
"""Takes references only, so that its jobs cannot share a run."""
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


@pytest.mark.long
@pytest.mark.parametrize("name", ["sdxl", "zimage", pytest.param("qwenimage", marks=pytest.mark.long)])
def test_each_starts_from_the_image_with_noise_of_its_own(weights_dir: Path, tmp_path: Path, name: str) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(tmp_path / "a.png")
    inputs = Inputs({"input_image": tmp_path / "a.png"})
    pipeline = loaded(name, weights_dir, batch=FOUR)

    made = run(pipeline, 3, inputs, num_images=3, strength=0.7).arrays

    alone = [image(pipeline, 3 + number, inputs, strength=0.7) for number in range(3)]
    assert all(difference(one, other) <= LEVELS for one, other in zip(alone, made.values(), strict=True))


PROMPTS = ("a red apple", "x", "a red apple", "a longer prompt than all others, of which a part may be padding to them")


SCOPE = {"check": "pipelines.demo.captions:unread", "makes": "shapes", "alternative": "zimage"}


class TestShared:
    """Jobs of several callers in one run."""

    @pytest.mark.long
    @pytest.mark.matrix
    @pytest.mark.parametrize(
        "name", [pytest.param(name, marks=MARKS.get(name, ())) for name in tiny_checkpoints.BUILDERS if name != EDITS]
    )
    def test_each_image_is_the_one_made_alone(self, weights_dir: Path, name: str) -> None:
        negative = (
            {"negative_prompt": "blur"} if "negative-prompt" in CHANGES.get(name, {}).get("capabilities", []) else {}
        )
        pipeline, log = loaded(name, weights_dir, batch={"jobs": 3}), list[tuple[float, Stage]]()
        jobs = [(prompted(prompt, **negative), shared(3 + number, log)) for number, prompt in enumerate(PROMPTS)]

        made = pipeline.run_shared(jobs)  # type: ignore[attr-defined]

        alone = [pipeline.run(params, Inputs(), context(ctx.seed)) for params, ctx in jobs]
        pairs = list(zip(alone, made, strict=True))
        assert all(difference(one.arrays["0"], other.arrays["0"]) <= LEVELS for one, other in pairs)
        assert difference(alone[0].arrays["0"], alone[1].arrays["0"]) > 10 * LEVELS
        assert [3, 4, 5, 6] == [raw.metadata["seed"] for raw in made]
        assert all({**one.metadata, "batch_size": 3} == other.metadata for one, other in pairs)
        assert [0.0, 0.1875, 0.375, 0.5625, 0.75, 0.8125, 0.875, 0.9375] == pytest.approx([part for part, _ in log])

    def test_each_has_the_warnings_of_its_own_prompt(self, weights_dir: Path) -> None:
        pipeline = loaded("zimage", weights_dir, batch={"jobs": 3}, scope=SCOPE)
        warned: list[list[str]] = [[], []]
        jobs = [
            (prompted(prompt), msgspec.structs.replace(shared(1), warn=each.append))
            for prompt, each in zip(("a red circle on a blue background", "a horse"), warned, strict=True)
        ]

        made = pipeline.run_shared(jobs)  # type: ignore[attr-defined]

        assert [[], [1]] == [[1] * len(each) for each in warned]
        assert [tuple(each) for each in warned] == [raw.warnings for raw in made]

    def test_pixels_lie_where_each_job_has_them(self, weights_dir: Path, tmp_path: Path) -> None:
        pipeline = loaded("zimage", weights_dir, batch={"jobs": 2})
        jobs = [
            (
                prompted(str(number)),
                msgspec.structs.replace(shared(1), empty=partial(empty_array, tmp_path / str(number))),
            )
            for number in range(2)
        ]
        for number, raw in enumerate(pipeline.run_shared(jobs)):  # type: ignore[attr-defined]
            save_raw(raw, tmp_path / str(number))
            assert np.array_equal(load_raw(tmp_path / str(number)).arrays["0"], raw.arrays["0"])

    def test_a_pipeline_that_was_not_shown_equal_does_not_load(self, weights_dir: Path) -> None:
        with pytest.raises(ModelLoadFailed, match=r"remove `batch\.jobs`"):
            loaded(EDITS, weights_dir, batch={"jobs": 2})


def prompted(prompt: str, **params: Any) -> ImageParams:
    return msgspec.structs.replace(asked(**params), prompt=prompt)


def shared(seed: int, log: list[tuple[float, Stage]] | None = None) -> RunContext:
    """Return the context of a job in a run of up to three at once."""
    return msgspec.structs.replace(context(seed, log), batch=3)


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
