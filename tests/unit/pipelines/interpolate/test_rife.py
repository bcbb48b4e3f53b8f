"""More frames of a film: what is drawn, what stays, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from safetensors.torch import load_file, save_file

from core.errors.failures import ModelLoadFailed
from core.errors.fields import NotThisModel
from jobs.params.upscale import InterpolateParams
from pipelines.catalog.loader import load_catalog
from pipelines.interpolate.rife import Rife
from pipelines.runtime.protocol import Inputs, JobCancelled, RawOutput, RunContext
from pipelines.video.clips import ClipFacts, read_facts, read_planes
from tests.support.media.films import FPS, save_film
from tests.support.media.videos import psnr, seen

SPEC = load_catalog().get("rife-v4.0")
SIZE, STEP = (192, 128), 16


@pytest.fixture(scope="module")
def rife() -> Rife:
    return Rife(SPEC, SPEC.directory(Path()), "cpu")


def disc(x: float) -> Image.Image:
    """A disc at `x`, drawn without jagged edges."""
    large = Image.new("RGB", (SIZE[0] * 4, SIZE[1] * 4), "#2040a0")
    ImageDraw.Draw(large).circle((4 * x, 256), 96, fill="#f04020")
    return large.resize(SIZE, Image.Resampling.LANCZOS)


def middle(frame: np.ndarray) -> float:
    """Where the disc is, from left to right."""
    red = np.clip(frame[..., 0].astype(float) - frame[..., 2], 0, None)
    return float((red.sum(0) * np.arange(red.shape[1])).sum() / red.sum())


def run(rife: Rife, film: Path, reports: list[float] | None = None, factor: int = 2) -> RawOutput:
    log: list[float] = [] if reports is None else reports
    context = RunContext(seed=1, progress=lambda share, stage: log.append(share), warn=lambda text: None)
    params = InterpolateParams(input_video="a", factor=factor)
    return rife.run(params, Inputs({"input_video": film}), context)


@pytest.mark.matrix
@pytest.mark.parametrize("factor", [2, 4])
def test_a_disc_is_where_it_would_have_been(rife: Rife, tmp_path: Path, factor: int) -> None:
    """The average of two frames has two pale discs, and so has the right middle; its pixels are wrong."""
    reports: list[float] = []
    film = save_film([disc(60 + STEP * number) for number in range(4)], tmp_path / "film.mp4", tone=440)
    raw = run(rife, film, reports, factor)
    frames, own = raw.arrays["frames"], np.stack([*read_planes(read_facts(film))])
    shown = seen(frames)

    assert len(own) * factor == len(frames)
    assert (FPS * factor, 3 * (factor - 1)) == (raw.metadata["fps"], raw.metadata["drawn_frames"])
    assert np.array_equal(own, frames[::factor])
    assert np.array_equal(frames[-1], frames[-factor])
    for place in range(3 * factor + 1):
        truth, first = np.asarray(disc(60 + STEP * place / factor)), place // factor * factor
        assert 60 + STEP * place / factor == pytest.approx(middle(shown[place]), abs=1.5)
        if place % factor:
            share = place % factor / factor
            average = shown[first] * (1 - share) + shown[first + factor] * share
            assert psnr(truth, shown[place]) > psnr(truth, average.round().astype(np.uint8)) + 8
    assert len(own) / FPS == pytest.approx(len(raw.arrays["sound"]) / 48_000)
    assert sorted(reports) == reports
    assert len(reports) == 2 + 3 * (factor - 1)


def test_nothing_is_drawn_between_shots(rife: Rife, tmp_path: Path) -> None:
    frames = [Image.new("RGB", SIZE, color) for color in ("black", "black", "white", "white")]

    raw = run(rife, save_film(frames, tmp_path / "film.mp4"))

    light = seen(raw.arrays["frames"]).mean(axis=(1, 2, 3))
    assert 0 == raw.metadata["drawn_frames"]
    assert all(light[:4] < 5)
    assert all(light[4:] > 250)


@pytest.mark.long
def test_the_same_film_gives_the_same_bytes(rife: Rife, tmp_path: Path) -> None:
    film = save_film([disc(60), disc(76)], tmp_path / "film.mp4")
    assert run(rife, film).arrays["frames"].tobytes() == run(rife, film).arrays["frames"].tobytes()


def test_it_ends_when_its_job_is_cancelled(rife: Rife, tmp_path: Path) -> None:
    reports: list[float] = []

    def stop(share: float, stage: str) -> None:
        reports.append(share)
        if len(reports) == 2:
            raise JobCancelled

    film = save_film([disc(60), disc(76), disc(92)], tmp_path / "film.mp4")
    with pytest.raises(JobCancelled):
        rife.run(
            InterpolateParams(input_video="a", factor=4),
            Inputs({"input_video": film}),
            RunContext(seed=1, progress=stop, warn=print),
        )
    assert 2 == len(reports)


def waves(aside: float, height: int, width: int) -> torch.Tensor:
    down, right = torch.meshgrid(torch.arange(float(height)), torch.arange(float(width)) - aside, indexing="ij")
    colors = [
        0.5
        + 0.25 * torch.sin(right / 9 + color) * torch.sin(down / 13 + color)
        + 0.2 * torch.sin(right / 101 + down / 71 + color)
        for color in (0.0, 1.0, 2.0)
    ]
    return torch.stack(colors)[None]


PLACES = ((0, 20, 30), (1, 64, 128), (2, 100, 200), (0, 5, 250), (1, 120, 8), (2, 60, 60))
NEAR = [0.6099, 0.4455, 0.3998, 0.67, 0.3979, 0.5109]
FAR = [0.5415, 0.5778, 0.3813, 0.8304, 0.6383, 0.6498]


@pytest.mark.parametrize(
    ("aside", "time", "size", "wanted"), [(6, 0.25, (128, 256), NEAR), (180, 0.5, (256, 512), FAR)], ids=["near", "far"]
)
def test_pixels_are_those_of_the_published_code(
    rife: Rife, aside: float, time: float, size: tuple[int, int], wanted: list[float]
) -> None:
    """Written down from the code of the wheel, with the same tensors; what is far takes its second, coarser pass."""
    with torch.inference_mode():
        made = rife.net(waves(0, *size), waves(aside, *size), time)
    assert wanted == pytest.approx([float(made[0][place]) for place in PLACES], abs=2e-3)


@pytest.mark.parametrize("change", ["missing", "more"])
def test_other_tensors_are_refused(tmp_path: Path, change: str) -> None:
    (file,) = SPEC.directory(Path()).glob("*.safetensors")
    tensors = load_file(file)
    if change == "missing":
        del tensors["block3.lastconv.bias"]
    else:
        tensors["block4.lastconv.bias"] = torch.zeros(5)
    save_file(tensors, tmp_path / "rife.safetensors")
    with pytest.raises(ModelLoadFailed, match=r"block\d\.lastconv\.bias"):
        Rife(SPEC, tmp_path, "cpu")


@pytest.mark.parametrize(
    ("facts", "field", "said"),
    [
        ({"fps": 60, "frames": 60, "size": (64, 64)}, "$.factor", "would have 180; one has at most 120"),
        ({"fps": 30, "frames": 900, "size": (1920, 1080)}, "$.input_video", "2700 frames of 1920x1080 are too many"),
    ],
)
def test_too_many_frames_are_refused(
    rife: Rife, monkeypatch: pytest.MonkeyPatch, facts: dict[str, object], field: str, said: str
) -> None:
    monkeypatch.setattr("pipelines.interpolate.rife.read_facts", lambda file: ClipFacts(file, **facts))  # type: ignore[arg-type]
    with pytest.raises(NotThisModel, match=said) as refused:
        run(rife, Path("film.mp4"), factor=3)
    assert field == refused.value.field
