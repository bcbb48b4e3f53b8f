import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from jobs.params.cutout import CutoutParams
from pipelines.cutout.encode import JPEG_WARNING, encode
from pipelines.runtime.protocol import RawOutput


def params(**changes: Any) -> CutoutParams:
    return CutoutParams(image_url="https://example.org/a.png", **changes)


def cutout() -> RawOutput:
    y, x = np.mgrid[:40, :60]
    planes = [y * 6, x * 4, (x + y) * 2, np.random.default_rng(0).integers(0, 256, (40, 60))]
    return RawOutput(arrays={"0": np.stack(planes, 2).astype(np.uint8)})


def test_png_keeps_every_value(tmp_path: Path) -> None:
    raw = cutout()
    made = encode(raw, params(), tmp_path)
    assert ("0.png", "image/png", 60, 40) == (
        made.files[0].path,
        made.files[0].media_type,
        made.files[0].width,
        made.files[0].height,
    )
    with Image.open(tmp_path / "0.png") as image:
        assert np.array_equal(raw.arrays["0"], np.asarray(image))


def test_webp_keeps_the_matte_lossless(tmp_path: Path) -> None:
    raw = cutout()
    made = encode(raw, params(output_format="webp"), tmp_path)
    assert "image/webp" == made.files[0].media_type
    with Image.open(tmp_path / "0.webp") as image:
        assert np.array_equal(raw.arrays["0"][..., 3], np.asarray(image)[..., 3])


def test_jpeg_gives_a_png_and_a_warning(tmp_path: Path) -> None:
    made = encode(cutout(), params(output_format="jpeg"), tmp_path)
    assert ("0.png", "image/png") == (made.files[0].path, made.files[0].media_type)
    assert (JPEG_WARNING,) == made.warnings
    with Image.open(tmp_path / "0.png") as image:
        assert "RGBA" == image.mode


def test_the_encoder_imports_neither_torch_nor_onnxruntime() -> None:
    heavy = ("torch", "onnxruntime", "scipy")
    code = f"import sys, pipelines.cutout.encode; sys.exit(any(name in sys.modules for name in {heavy}))"
    assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode
