"""The demo's morph: from one still to another."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from core.errors.fields import InvalidRequest
from jobs.params.video import VideoParams
from pipelines.catalog.loader import load_catalog
from pipelines.catalog.spec import Stage
from pipelines.runtime.device import load
from pipelines.runtime.protocol import Inputs, JobCancelled, RawOutput, RunContext
from pipelines.weights.lockfile import Lock
from tests.support.media.videos import psnr, seen

SPEC = load_catalog().get("demo-morph")
SIZE = (192, 128)


def disc(x: float, color: str = "red") -> Image.Image:
    """A disc, at `x` of the width, drawn without jagged edges."""
    large = Image.new("RGB", (SIZE[0] * 4, SIZE[1] * 4), "#2040a0")
    middle = x * large.width, large.height / 2
    ImageDraw.Draw(large).circle(middle, 120, fill=color)
    return large.resize(SIZE, Image.Resampling.LANCZOS)


@pytest.fixture
def ends(tmp_path: Path) -> Inputs:
    files = {"input_image": tmp_path / "first.png", "last_image": tmp_path / "last.png"}
    disc(0.42).save(files["input_image"])
    disc(0.58).save(files["last_image"])
    return Inputs(files)


def run(inputs: Inputs, log: list[tuple[float, Stage]] | None = None) -> RawOutput:
    reports = [] if log is None else log
    context = RunContext(seed=1, progress=lambda part, stage: reports.append((part, stage)), warn=lambda text: None)
    return load(SPEC, Path(), Lock(), "cpu").run(
        VideoParams(width=SIZE[0], height=SIZE[1], duration_seconds=0.4), inputs, context
    )


@pytest.mark.contract("B49")
def test_it_begins_and_ends_at_the_pictures_and_moves_between(ends: Inputs) -> None:
    log: list[tuple[float, Stage]] = []
    raw = run(ends, log)
    made = seen(raw.arrays["frames"])
    count, middle = len(made), np.asarray(disc(0.5))
    between = made[count // 2]
    faded = np.asarray(Image.blend(disc(0.42), disc(0.58), 0.5))

    assert psnr(np.asarray(disc(0.42)), made[0]) > 30
    assert psnr(np.asarray(disc(0.58)), made[-1]) > 30
    assert psnr(middle, between) > psnr(middle, faded) + 3
    assert (count + 1, "encode") == (len(log), log[-1][1])
    assert raw.warnings[0].startswith("interpolated: ")


@pytest.mark.long
def test_the_same_pictures_give_the_same_bytes(ends: Inputs) -> None:
    assert run(ends).arrays["frames"].tobytes() == run(ends).arrays["frames"].tobytes()


def test_it_needs_both_pictures(ends: Inputs) -> None:
    with pytest.raises(InvalidRequest, match="exactly 2 pictures"):
        run(Inputs({"input_image": ends.files["input_image"]}))


@pytest.mark.long
def test_it_ends_when_its_job_is_cancelled(ends: Inputs) -> None:
    def stop(part: float, stage: Stage) -> None:
        if part > 0.2:
            raise JobCancelled

    with pytest.raises(JobCancelled):
        load(SPEC, Path(), Lock(), "cpu").run(VideoParams(), ends, RunContext(seed=1, progress=stop, warn=print))
