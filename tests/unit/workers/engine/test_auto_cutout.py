"""The pictures of a job lose their background, and what was transparent before stays as it is."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from jobs.params.cutout import CutoutParams
from pipelines.catalog.spec import Stage
from pipelines.runtime.protocol import Inputs, JobCancelled, RawOutput, RunContext
from workers.engine.auto_cutout import SHARE, after_cutting, cut_out, opaque


class Remover:
    """Makes the left half transparent."""

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
        picture = Image.new(mode, (8, 6), "red")
        if name == "cutout":
            picture.putpixel((0, 0), (0, 0, 0, 0))
        picture.save(tmp_path / f"{name}.png")
    (tmp_path / "voice.wav").write_bytes(b"RIFF")
    return Inputs({**{name: tmp_path / f"{name}.png" for name in files}, "voice": tmp_path / "voice.wav"})


def test_only_pictures_in_which_nothing_is_transparent_are_cut_out(inputs: Inputs) -> None:
    assert {"photo", "covered"} == opaque(inputs).keys()


def test_the_cutouts_are_files_of_their_own(inputs: Inputs, tmp_path: Path) -> None:
    log: list[tuple[float, Stage]] = []
    remover: Any = Remover()
    made = cut_out(remover, opaque(inputs), tmp_path / "made", context(log))

    assert {"photo", "covered"} == made.keys()
    with Image.open(made["photo"]) as picture:
        assert ("RGBA", (0, 255)) == (picture.mode, picture.getchannel("A").getextrema())
    with Image.open(inputs.files["photo"]) as picture:
        assert "RGB" == picture.mode
    assert [(SHARE / 2, "prepare")] * 2 == log


def test_a_cancel_ends_it(inputs: Inputs, tmp_path: Path) -> None:
    remover: Any = Remover()
    with pytest.raises(JobCancelled):
        cut_out(remover, opaque(inputs), tmp_path / "made", context([], JobCancelled()))


def test_the_progress_of_what_follows_is_the_rest() -> None:
    log: list[tuple[float, Stage]] = []
    after = after_cutting(context(log))
    for fraction in (0.0, 0.5, 1.0):
        after.progress(fraction, "step")

    assert [SHARE, (1 + SHARE) / 2, 1.0] == pytest.approx([fraction for fraction, _ in log])
