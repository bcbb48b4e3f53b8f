"""Images from images: references and image to image, against the same calls of diffusers."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from core.errors.failures import ModelLoadFailed
from core.errors.fields import NotThisModel
from pipelines.catalog.spec import Stage
from pipelines.image.diffusers_image import DiffusersImage
from pipelines.runtime.protocol import Inputs
from tests.support.checkpoints.image_runs import (
    SIZE,
    STEPS,
    asked,
    context,
    directly,
    from_image,
    image,
    loaded,
    run,
    save_image,
)

STARTERS = ("sdxl", "zimage", "qwenimage")


def files(folder: Path, count: int) -> list[Path]:
    """Images of several shapes."""
    shapes = [(96, 64), (64, 80), (66, 66), (64, 64)]
    return [save_image(folder / f"{n}.png", *shapes[n], seed=n) for n in range(count)]


def as_references(found: list[Path]) -> Inputs:
    return Inputs({f"reference_images.{n}": file for n, file in enumerate(found)})


class TestReferences:
    @pytest.mark.matrix
    @pytest.mark.parametrize(
        ("name", "count"), [pytest.param("flux2klein", 1, marks=pytest.mark.long), ("flux2klein", 4), ("qwenedit", 2)]
    )
    def test_pixels_are_those_of_diffusers_called_directly(
        self, weights_dir: Path, tmp_path: Path, name: str, count: int
    ) -> None:
        found = files(tmp_path, count)

        made = image(loaded(name, weights_dir), 5, as_references(found), width=128)

        images = [Image.open(file) for file in found]
        assert np.array_equal(directly(weights_dir / name, 5, width=128, image=images), made)

    @pytest.mark.long
    @pytest.mark.matrix
    @pytest.mark.parametrize("name", ["flux2klein", "qwenedit"])
    def test_they_and_their_order_change_the_image(self, weights_dir: Path, tmp_path: Path, name: str) -> None:
        pipeline = loaded(name, weights_dir)
        one, two = files(tmp_path, 2)

        made = [image(pipeline, 1, as_references(found)) for found in ([one], [two], [one, two], [two, one])]

        assert all(not np.array_equal(a, b) for n, a in enumerate(made) for b in made[:n])

    @pytest.mark.long
    def test_without_any_it_is_the_image_of_the_words(self, weights_dir: Path, reference: Inputs) -> None:
        pipeline = loaded("flux2klein", weights_dir)

        assert not np.array_equal(image(pipeline), image(pipeline, inputs=reference))
        assert np.array_equal(directly(weights_dir / "flux2klein"), image(pipeline))

    @pytest.mark.long
    def test_an_input_image_is_the_first_of_them(self, weights_dir: Path, tmp_path: Path) -> None:
        pipeline = loaded("flux2klein", weights_dir)
        one, two = files(tmp_path, 2)

        made = image(pipeline, 1, Inputs({"reference_images.0": two, "input_image": one}))

        assert np.array_equal(image(pipeline, 1, as_references([one, two])), made)

    @pytest.mark.matrix
    @pytest.mark.parametrize("size", [(1, 1), (130, 1), (2, 100)])
    def test_every_shape_is_taken(self, weights_dir: Path, tmp_path: Path, size: tuple[int, int]) -> None:
        strange = as_references([save_image(tmp_path / "a.png", *size)])

        assert (64, 64, 3) == image(loaded("flux2klein", weights_dir), 1, strange).shape

    def test_an_editor_without_an_image_says_so(self, weights_dir: Path) -> None:
        with pytest.raises(NotThisModel, match="`input_image` is required by qwenedit"):
            run(loaded("qwenedit", weights_dir))

    def test_a_pipeline_that_takes_none_does_not_load(self, weights_dir: Path) -> None:
        with pytest.raises(ModelLoadFailed, match="takes no references"):
            loaded("zimage", weights_dir, capabilities=["references"])


@pytest.mark.matrix
@pytest.mark.parametrize("name", STARTERS)
class TestImageToImage:
    @pytest.mark.matrix
    @pytest.mark.parametrize(("width", "height", "seed", "strength"), [(64, 64, 1, None), (64, 128, 9, 0.34)])
    def test_pixels_are_those_of_diffusers_called_directly(
        self, weights_dir: Path, tmp_path: Path, name: str, width: int, height: int, seed: int, strength: float | None
    ) -> None:
        start = save_image(tmp_path / "a.png", 100, 70)
        size = {"width": width, "height": height}

        raw = run(loaded(name, weights_dir), seed, Inputs({"input_image": start}), strength=strength, **size)

        covering = ImageOps.fit(Image.open(start), (width, height), Image.Resampling.LANCZOS)
        call = {"image": covering, "strength": strength or 0.6} | ({} if name == "sdxl" else size)
        assert np.array_equal(from_image(weights_dir / name, seed, **call), raw.arrays["0"])
        assert () == raw.warnings
        assert (strength or 0.6) == raw.metadata["strength"]

    @pytest.mark.long
    def test_in_bfloat16_too_as_on_a_gpu(self, weights_dir: Path, tmp_path: Path, name: str) -> None:
        start = save_image(tmp_path / "a.png", 64, 64)

        made = image(loaded(name, weights_dir, dtype="bfloat16"), 1, Inputs({"input_image": start}))

        call = {"image": Image.open(start), "strength": 0.6} | ({} if name == "sdxl" else SIZE)
        assert np.array_equal(from_image(weights_dir / name, 1, torch.bfloat16, **call), made)

    @pytest.mark.long
    def test_the_next_image_of_words_is_as_ever(self, weights_dir: Path, tmp_path: Path, name: str) -> None:
        pipeline = loaded(name, weights_dir)
        before = image(pipeline)

        changed = image(pipeline, inputs=Inputs({"input_image": save_image(tmp_path / "a.png", 64, 64)}))

        assert not np.array_equal(before, changed)
        assert np.array_equal(before, image(pipeline))

    def test_no_weight_is_in_memory_twice(self, weights_dir: Path, name: str) -> None:
        pipeline = loaded(name, weights_dir)

        assert isinstance(pipeline, DiffusersImage)
        assert all(part is pipeline.pipe.components[name] for name, part in pipeline.image_to_image.components.items())

    def test_steps_are_those_that_strength_leaves(self, weights_dir: Path, tmp_path: Path, name: str) -> None:
        log: list[tuple[float, Stage]] = []
        start = Inputs({"input_image": save_image(tmp_path / "a.png", 64, 64)})

        loaded(name, weights_dir).run(asked(num_inference_steps=10, strength=0.5), start, context(log=log))

        assert 1 + 5 == len(log)
        assert sorted(log) == log

    def test_less_than_a_step_is_one(self, weights_dir: Path, tmp_path: Path, name: str) -> None:
        start = Inputs({"input_image": save_image(tmp_path / "a.png", 64, 64)})

        raw = run(loaded(name, weights_dir), 1, start, strength=0.001)

        assert (f"`strength` 0.001 of {STEPS} steps is less than one step; one was made",) == raw.warnings


def test_what_is_transparent_is_white(weights_dir: Path, tmp_path: Path) -> None:
    pipeline = loaded("zimage", weights_dir)
    Image.new("RGBA", (64, 64), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    Image.new("RGB", (64, 64), "white").save(tmp_path / "white.png")

    clear, white = (image(pipeline, 1, Inputs({"input_image": tmp_path / f"{n}.png"})) for n in ("clear", "white"))

    assert np.array_equal(clear, white)


@pytest.mark.parametrize("name", ["flux2klein", "qwenedit"])
def test_a_pipeline_without_image_to_image_does_not_load(weights_dir: Path, name: str) -> None:
    with pytest.raises(ModelLoadFailed, match="cannot start from an image"):
        loaded(name, weights_dir, capabilities=["text-to-image", "image-to-image"])
