from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from transformers import Dinov2Model

from core.errors.inputs import InputUnreadable
from pipelines.memory.weight_loader import WeightLoader
from pipelines.mesh.triposg.conditioning import WHOLE, image_tokens, object_on_white
from pipelines.mesh.triposg.load import load_image_encoder, load_processor

RED = (200, 30, 60)


def saved(image: Image.Image, tmp_path: Path) -> Path:
    image.save(tmp_path / "picture.png")
    return tmp_path / "picture.png"


def cutout(width: int, height: int, box: tuple[int, int, int, int]) -> Image.Image:
    """A red box on transparency, which is green below."""
    image = Image.new("RGBA", (width, height), (0, 255, 0, 0))
    ImageDraw.Draw(image).rectangle((box[0], box[1], box[2] - 1, box[3] - 1), fill=(*RED, 255))
    return image


@pytest.mark.parametrize(
    ("box", "side", "expected"),
    [
        ((10, 20, 110, 120), 120, (10, 10, 110, 110)),
        ((10, 20, 110, 60), 120, (10, 40, 110, 80)),
        ((50, 0, 70, 200), 240, (110, 20, 130, 220)),
        ((0, 0, 1, 1), 1, (0, 0, 1, 1)),
    ],
)
def test_the_object_spans_five_sixths_of_a_white_square(
    tmp_path: Path, box: tuple[int, int, int, int], side: int, expected: tuple[int, int, int, int]
) -> None:
    image, warnings = object_on_white(saved(cutout(200, 200, box), tmp_path))

    pixels = np.asarray(image)
    is_object = (pixels == RED).all(axis=-1)
    assert (side, side, 3) == pixels.shape
    assert expected == Image.fromarray(is_object).getbbox()
    assert (pixels[~is_object] == 255).all()
    assert () == warnings


def test_margins_are_truncated_as_the_reference_does(tmp_path: Path) -> None:
    """37 x 20: 3 on the longer side, int(3 + 17 / 2) = 11 on the shorter, a pixel off a square."""
    image, _ = object_on_white(saved(cutout(60, 60, (10, 10, 47, 30)), tmp_path))

    assert (43, 42) == image.size


def test_soft_edges_lie_over_white(tmp_path: Path) -> None:
    image = cutout(60, 60, (10, 10, 50, 50))
    image.putpixel((30, 30), (0, 0, 0, 128))

    pixels = np.asarray(object_on_white(saved(image, tmp_path))[0])

    assert [127, 127, 127] == pixels[24, 24].tolist()


def test_dust_of_a_matte_is_no_part_of_the_object(tmp_path: Path) -> None:
    image = cutout(200, 200, (80, 80, 120, 120))
    image.putpixel((0, 0), (0, 0, 0, 3))

    assert (48, 48) == object_on_white(saved(image, tmp_path))[0].size


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P"])
def test_an_opaque_image_is_the_object_with_a_warning(tmp_path: Path, mode: str) -> None:
    image, warnings = object_on_white(saved(Image.new("RGB", (100, 50), "black").convert(mode), tmp_path))

    assert (WHOLE,) == warnings
    assert (120, 120) == image.size
    assert (10, 35, 110, 85) == Image.fromarray(255 - np.asarray(image)).getbbox()


@pytest.mark.parametrize("alpha", [0, 3])
def test_an_image_of_nothing_is_refused_by_field(tmp_path: Path, alpha: int) -> None:
    with pytest.raises(InputUnreadable, match="fully transparent") as caught:
        object_on_white(saved(Image.new("RGBA", (50, 50), (255, 0, 0, alpha)), tmp_path))
    assert "$.image_path" == caught.value.field


@pytest.mark.long
def test_a_large_image_is_reduced_first(tmp_path: Path) -> None:
    image, _ = object_on_white(saved(cutout(5000, 1000, (0, 0, 5000, 1000)), tmp_path))

    assert (2400, 2400) == image.size


@pytest.fixture(scope="module")
def encoder(checkpoint: Path) -> Dinov2Model:
    return load_image_encoder(checkpoint / "image_encoder_dinov2", WeightLoader("cpu"), torch.float32)


def test_tokens_are_dinov2s_last_hidden_state(checkpoint: Path, encoder: Dinov2Model) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (90, 90, 3), dtype=np.uint8)
    image = Image.fromarray(noise)

    tokens = image_tokens(encoder, load_processor(checkpoint / "feature_extractor_dinov2"), image)

    small = np.asarray(image.resize((64, 64), Image.Resampling.BICUBIC))[4:60, 4:60] / 255.0
    normal = (small - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    pixels = torch.from_numpy(normal).permute(2, 0, 1)[None].float()
    with torch.inference_mode():
        expected = encoder(pixels).last_hidden_state
    assert (1, 1 + 4 * 4, 24) == tokens.shape
    assert torch.allclose(expected, tokens, atol=1e-5)


def test_the_image_matters(checkpoint: Path, encoder: Dinov2Model) -> None:
    processor = load_processor(checkpoint / "feature_extractor_dinov2")
    black, white = (image_tokens(encoder, processor, Image.new("RGB", (90, 90), c)) for c in ("black", "white"))

    assert not torch.allclose(black, white, atol=0.01)
