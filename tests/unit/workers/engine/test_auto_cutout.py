"""Images of a job lose their background; transparent ones stay as they are."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from jobs.params.cutout import CutoutParams
from pipelines.catalog.spec import Stage
from pipelines.runtime.protocol import Inputs, JobCancelled, RawOutput, RunContext
from workers.engine.auto_cutout import SHARE, after_cutouts, cut_out, find_opaque


class Remover:
    """A background remover that makes the left half transparent."""

    def run(self, params: CutoutParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        ctx.progress(0.5, "step")
        pixels = np.asarray(Image.open(inputs.files["image_url"]).convert("RGBA")).copy()
        pixels[:, : pixels.shape[1] // 2, 3] = 0
        return RawOutput(arrays={"0": pixels})


def context(log: list[tuple[float, Stage]], error: Exception | None = None) -> RunContext:
    def progress(fraction: float, stage: Stage) -> None:
        log.append((fraction, stage))
        if error is not None:
            raise error

    return RunContext(seed=1, progress=progress, warn=lambda text: None)


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    files = {"photo": "RGB", "cutout": "RGBA", "covered": "RGBA"}
    for name, mode in files.items():
        image = Image.new(mode, (8, 6), "red")
        if name == "cutout":
            image.putpixel((0, 0), (0, 0, 0, 0))
        image.save(tmp_path / f"{name}.png")
    (tmp_path / "voice.wav").write_bytes(b"RIFF")
    return Inputs({**{name: tmp_path / f"{name}.png" for name in files}, "voice": tmp_path / "voice.wav"})


def test_only_opaque_images_are_cut_out(inputs: Inputs) -> None:
    assert {"photo", "covered"} == find_opaque(inputs).keys()


def test_cutouts_are_separate_files(inputs: Inputs, tmp_path: Path) -> None:
    log: list[tuple[float, Stage]] = []
    remover: Any = Remover()
    made = cut_out(remover, find_opaque(inputs), tmp_path / "made", context(log))

    assert {"photo", "covered"} == made.keys()
    with Image.open(made["photo"]) as image:
        assert ("RGBA", (0, 255)) == (image.mode, image.getchannel("A").getextrema())
    with Image.open(inputs.files["photo"]) as image:
        assert "RGB" == image.mode
    assert [(SHARE / 2, "prepare")] * 2 == log


def test_a_cancel_ends_the_cutouts(inputs: Inputs, tmp_path: Path) -> None:
    remover: Any = Remover()
    with pytest.raises(JobCancelled):
        cut_out(remover, find_opaque(inputs), tmp_path / "made", context([], JobCancelled()))


def test_progress_after_the_cutouts_is_the_rest() -> None:
    log: list[tuple[float, Stage]] = []
    after = after_cutouts(context(log))
    for fraction in (0.0, 0.5, 1.0):
        after.progress(fraction, "step")

    assert [SHARE, (1 + SHARE) / 2, 1.0] == pytest.approx([fraction for fraction, _ in log])
