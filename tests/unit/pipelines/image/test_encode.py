import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors.failures import EncodeFailed
from jobs.params.image import ImageParams
from pipelines.image.encode import encode
from pipelines.runtime.protocol import Output, RawOutput

PARAMS = {name: ImageParams(prompt="x", output_format=name) for name in ("png", "webp", "jpeg")}


def smooth(height: int, width: int, channels: int = 3) -> np.ndarray:
    """An image that lossy formats keep well: gradients, no noise."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [y * 255 // height, x * 255 // width, (x + y) * 255 // (height + width), np.full_like(x, 128)]
    return np.stack(planes[:channels], axis=2).astype(np.uint8)


def test_png_is_lossless(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)

    outputs = encode(RawOutput(arrays={"0": noise}), PARAMS["png"], tmp_path)

    assert (Output(path="0.png", media_type="image/png", width=64, height=48),) == outputs.files
    with Image.open(tmp_path / "0.png") as image:
        assert np.array_equal(noise, np.asarray(image))


@pytest.mark.parametrize("name", ["webp", "jpeg"])
def test_lossy_formats_stay_close(tmp_path: Path, name: str) -> None:
    made = smooth(96, 128)

    output = encode(RawOutput(arrays={"0": made}), PARAMS[name], tmp_path).files[0]

    assert (f"0.{name}", f"image/{name}", 128, 96) == (output.path, output.media_type, output.width, output.height)
    with Image.open(tmp_path / output.path) as image:
        assert name.upper() == image.format
        assert {} == {key: value for key, value in image.info.items() if key in ("exif", "icc_profile", "comment")}
        assert 3 > np.abs(np.asarray(image.convert("RGB")).astype(int) - made).mean()


def test_several_images_are_numbered_in_order(tmp_path: Path) -> None:
    raw = RawOutput(arrays={str(n): smooth(8, 8 + n) for n in range(11)})

    outputs = encode(raw, PARAMS["png"], tmp_path)

    assert [f"{n}.png" for n in range(11)] == [output.path for output in outputs.files]
    assert list(range(8, 19)) == [output.width for output in outputs.files]


def test_alpha_goes_onto_white_where_the_format_has_none(tmp_path: Path) -> None:
    clear = smooth(16, 16, 4)
    clear[:, :, 3] = 0
    raw = RawOutput(arrays={"0": clear})

    for name in ("png", "webp"):
        encode(raw, PARAMS[name], tmp_path)
        with Image.open(tmp_path / f"0.{name}") as image:
            assert "RGBA" == image.mode
    encode(raw, PARAMS["jpeg"], tmp_path)
    with Image.open(tmp_path / "0.jpeg") as image:
        assert 250 < np.asarray(image).min()


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((8, 8, 3), np.float32),
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 2), np.uint8),
        np.zeros((0, 8, 3), np.uint8),
    ],
)
def test_what_is_no_image_is_refused(tmp_path: Path, array: np.ndarray) -> None:
    with pytest.raises(EncodeFailed):
        encode(RawOutput(arrays={"0": array}), PARAMS["png"], tmp_path)


def test_a_folder_that_is_not_there_stays_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        encode(RawOutput(arrays={"0": smooth(8, 8)}), PARAMS["png"], tmp_path / "none")


def test_no_torch_is_imported() -> None:
    code = (
        "import sys; from pipelines.catalog.loader import load_catalog; from pipelines.runtime.registry import encoder;"
        "[encoder(model) for model in load_catalog().models]; sys.exit('torch' in sys.modules)"
    )

    assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode
