"""The family: what it makes of pictures, how well, in which parts, and what it refuses."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.errors.fields import NotThisModel
from jobs.params.upscale import UpscaleParams
from pipelines.catalog.limits import MOST_SIDE
from pipelines.catalog.loader import load_catalog
from pipelines.runtime.protocol import Inputs, JobCancelled, RawOutput, RunContext
from pipelines.upscale.encode import encode
from pipelines.upscale.real_esrgan import RealESRGAN
from pipelines.upscale.sizes import check_film
from pipelines.video.clips import MOST_BYTES, ClipFacts, read_facts, read_frames
from tests.support.checkpoints.specs import spec
from tests.support.checkpoints.tiny_upscale import compact, save
from tests.support.media.drawings import flat_art, sharpness
from tests.support.media.films import FPS, moving_art, save_film
from tests.support.media.videos import decode_video, psnr, seen

DEMO = load_catalog().get("demo-upscale")
TINY = {"id": "tiny", "family": "real-esrgan", "modality": "upscale", "capabilities": []}


@pytest.fixture(scope="module")
def demo() -> RealESRGAN:
    return RealESRGAN(DEMO, DEMO.directory(Path()), "cpu")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> RealESRGAN:
    folder = tmp_path_factory.mktemp("tiny")
    save(folder, compact(scale=2))
    return RealESRGAN(spec(**TINY, limits={"network_pixels": 1_000_000}), folder, "cpu")


def made(
    family: RealESRGAN, image: Image.Image, folder: Path, reports: list[float] | None = None, **fields: Any
) -> RawOutput:
    image.save(folder / "in.png")
    seen: list[float] = [] if reports is None else reports
    context = RunContext(seed=1, progress=lambda share, stage: seen.append(share), warn=lambda text: None)
    params = UpscaleParams(input_image="a", **fields)
    return family.run(params, Inputs({"input_image": folder / "in.png"}), context)


@pytest.mark.parametrize("scale", [2, 4])
def test_flat_art_is_nearer_to_its_original_than_by_a_filter(demo: RealESRGAN, tmp_path: Path, scale: int) -> None:
    """Mirrored, in other colors, or by a filter alone it would fail; a network in the wrong colors is below 15 dB."""
    whole = np.asarray(flat_art())
    small = flat_art().resize((whole.shape[1] // scale, whole.shape[0] // scale), Image.Resampling.BOX)
    raw = made(demo, small, tmp_path, scale=scale)
    filters = [np.asarray(small.resize(flat_art().size, how)) for how in (Image.Resampling.LANCZOS, 0)]
    assert psnr(whole, raw.arrays["0"]) > max(psnr(whole, one) for one in filters) + 1
    assert sharpness(raw.arrays["0"]) > 1.4 * sharpness(filters[0])
    assert {"seed": 1, "method": "realesrgan", "scale": scale} == raw.metadata
    swapped = raw.arrays["0"][..., ::-1]
    assert psnr(whole, swapped) < 15 < psnr(whole, filters[1])


def test_lanczos_is_the_filter(tiny: RealESRGAN, tmp_path: Path) -> None:
    raw = made(tiny, flat_art(), tmp_path, scale=2, method="lanczos")
    wanted = flat_art().resize((640, 480), Image.Resampling.LANCZOS)
    assert (np.asarray(wanted) == raw.arrays["0"]).all()
    assert ("lanczos", ()) == (raw.metadata["method"], raw.warnings)


def test_a_large_picture_is_enlarged_with_lanczos_and_says_so(tiny: RealESRGAN, tmp_path: Path) -> None:
    raw = made(tiny, Image.new("RGB", (1100, 1000), "teal"), tmp_path, scale=2)
    assert "lanczos" == raw.metadata["method"]
    assert "1.1 million pixels" in raw.warnings[0]
    assert "Lanczos" in raw.warnings[0]
    assert (2000, 2200, 3) == raw.arrays["0"].shape


def test_transparency_is_kept(tiny: RealESRGAN, tmp_path: Path) -> None:
    image = flat_art().crop((0, 0, 40, 30)).convert("RGBA")
    image.paste((0, 0, 0, 0), (10, 10, 20, 20))
    alpha = made(tiny, image, tmp_path, scale=2).arrays["0"][..., 3]
    assert ((60, 80), 255, 0) == (alpha.shape, alpha[2, 2], alpha[30, 30])


def test_progress_and_a_cancel_come_between_tiles(tiny: RealESRGAN, tmp_path: Path) -> None:
    reports: list[float] = []
    made(tiny, Image.new("RGB", (530, 1030)), tmp_path, reports, scale=2)
    assert sorted(set(reports)) == reports
    assert 2 + 6 == len(reports)  # two before, and one after each tile

    def progress(share: float, stage: str) -> None:
        if share > 0.5:
            raise JobCancelled

    context = RunContext(seed=1, progress=progress, warn=lambda text: None)
    with pytest.raises(JobCancelled):
        tiny.run(UpscaleParams(input_image="a", scale=2), Inputs({"input_image": tmp_path / "in.png"}), context)
    assert (60, 80, 3) == made(tiny, Image.new("RGB", (40, 30)), tmp_path, scale=2).arrays["0"].shape


@pytest.mark.long
@pytest.mark.parametrize("size", [(4200, 4000), (MOST_SIDE // 4 + 1, 1)])
def test_a_picture_that_would_be_too_large_is_refused(tiny: RealESRGAN, tmp_path: Path, size: tuple[int, int]) -> None:
    with pytest.raises(NotThisModel, match="send a smaller one") as refused:
        made(tiny, Image.new("RGB", size), tmp_path, scale=4)
    assert "$.input_image" == refused.value.field


@pytest.mark.parametrize("name", ["webp", "png", "jpeg"])
def test_the_formats_of_pictures(tiny: RealESRGAN, tmp_path: Path, name: str) -> None:
    raw = made(tiny, flat_art(), tmp_path, scale=2, method="lanczos")
    params = UpscaleParams(input_image="a", output_format=name)  # type: ignore[arg-type]
    (file,) = encode(raw, params, tmp_path).files
    assert (f"image/{name}", 640, 480) == (file.media_type, file.width, file.height)
    with Image.open(tmp_path / file.path) as image:
        assert psnr(np.asarray(image.convert("RGB")), raw.arrays["0"]) > 30


def enlarged_film(family: RealESRGAN, film: Path, **fields: Any) -> RawOutput:
    context = RunContext(seed=1, progress=lambda share, stage: None, warn=lambda text: None)
    return family.run(UpscaleParams(input_video="a", **fields), Inputs({"input_video": film}), context)


def test_each_frame_of_a_film_is_enlarged(demo: RealESRGAN, tmp_path: Path) -> None:
    whole = moving_art(5)
    small = [one.resize((one.width // 2, one.height // 2), Image.Resampling.BOX) for one in whole]
    film = save_film(small, tmp_path / "in.mp4")
    raw = enlarged_film(demo, film, scale=2)
    assert ("realesrgan", 5, FPS) == tuple(raw.metadata[key] for key in ("method", "frames", "fps"))
    made = seen(raw.arrays["frames"])
    for frame, original, reduced in zip(made, whole, read_frames(read_facts(film)), strict=True):
        by_filter = np.asarray(Image.fromarray(reduced).resize(original.size, Image.Resampling.LANCZOS))
        assert psnr(np.asarray(original), frame) > psnr(np.asarray(original), by_filter) + 0.5
    assert psnr(np.asarray(whole[0]), made[-1]) < psnr(np.asarray(whole[-1]), made[-1]) - 3


def test_a_film_keeps_its_sound(tiny: RealESRGAN, tmp_path: Path) -> None:
    silent, loud = (
        enlarged_film(tiny, save_film(moving_art(6), tmp_path / f"{tone}.mp4", tone=tone), scale=2) for tone in (0, 440)
    )
    assert "sound" not in silent.arrays
    assert (24_000, 2) == loud.arrays["sound"].shape
    assert 5000 < np.abs(loud.arrays["sound"]).max()


def test_a_large_film_is_enlarged_with_lanczos(tiny: RealESRGAN, tmp_path: Path) -> None:
    film = save_film([Image.new("RGB", (640, 480), "teal")] * 4, tmp_path / "in.mp4")
    raw = enlarged_film(tiny, film, scale=2)
    assert "lanczos" == raw.metadata["method"]
    assert "The film has 1.2 million pixels" in raw.warnings[0]
    assert psnr(np.asarray(Image.new("RGB", (1280, 960), "teal")), seen(raw.arrays["frames"])[2]) > 40


@pytest.mark.parametrize(
    ("asked", "made", "warnings"), [("webp", "mp4", 0), ("webm", "webm", 0), ("mp4", "mp4", 0), ("png", "mp4", 1)]
)
def test_the_formats_of_films(tiny: RealESRGAN, tmp_path: Path, asked: str, made: str, warnings: int) -> None:
    film = save_film(moving_art(3), tmp_path / "in.mp4")
    raw = enlarged_film(tiny, film, scale=2)
    params = UpscaleParams(input_video="a", output_format=asked)  # type: ignore[arg-type]
    outputs = encode(raw, params, tmp_path)
    (file,) = outputs.files
    assert (f"video/{made}", warnings) == (file.media_type, len(outputs.warnings))
    decoded = decode_video((tmp_path / file.path).read_bytes(), made)
    assert (3, FPS) == (len(decoded.frames), decoded.fps)
    assert psnr(seen(raw.arrays["frames"])[1], decoded.frames[1]) > 30


def test_a_picture_in_the_format_of_films_is_said(tiny: RealESRGAN, tmp_path: Path) -> None:
    raw = made(tiny, flat_art(), tmp_path, scale=2)
    outputs = encode(raw, UpscaleParams(input_image="a", output_format="mp4"), tmp_path)
    assert ("image/webp", 1) == (outputs.files[0].media_type, len(outputs.warnings))


@pytest.mark.parametrize(("size", "frames"), [((1280, 720), 1), ((1024, 576), MOST_BYTES // (4096 * 2304) + 1)])
def test_a_film_that_would_be_too_large_is_refused(size: tuple[int, int], frames: int) -> None:
    with pytest.raises(NotThisModel, match="less `scale`") as refused:
        check_film(ClipFacts(Path("in.mp4"), frames, 24, size), 4)
    assert "$.input_video" == refused.value.field
