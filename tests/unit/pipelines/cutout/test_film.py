"""Films without their background: where the mug is, how little the edge flickers, and the files."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from core.errors.fields import NotThisModel
from jobs.params.cutout import CutoutParams
from pipelines.catalog.loader import load_catalog
from pipelines.cutout.encode import MP4_WARNING, encode
from pipelines.cutout.film import NO_COLOR, cut_out_film
from pipelines.cutout.rembg_cutout import RembgCutout
from pipelines.cutout.steady import KEPT, SteadyMatte, kept_shares
from pipelines.runtime.protocol import Inputs, JobCancelled, RawOutput, RunContext
from pipelines.video.clips import ClipFacts, read_facts, read_frames
from tests.support.media.films import FPS, save_film
from tests.support.media.mug_film import flicker, mug_film, overlaps
from tests.support.media.videos import psnr, seen

DEMO = load_catalog().get("demo-cutout")
STILL = 8
QUIET = RunContext(seed=1, progress=lambda share, stage: None, warn=lambda text: None)


@pytest.fixture(scope="module")
def demo() -> RembgCutout:
    return RembgCutout(DEMO, DEMO.directory(Path()), "cpu")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_film(mug_film(still=STILL).frames, tmp_path_factory.mktemp("film") / "in.mp4", tone=440)


@pytest.fixture(scope="module")
def cut(demo: RembgCutout, film: Path) -> RawOutput:
    return demo.run(CutoutParams(input_video="a"), Inputs({"input_video": film}), QUIET)


def bright(image: Image.Image) -> np.ndarray:
    """A matte for tests of everything else: what is light is foreground."""
    return np.where(np.asarray(image.convert("L")) > 128, 255, 0).astype(np.uint8)


def test_the_mug_is_found_in_each_frame(cut: RawOutput) -> None:
    wanted = mug_film(still=STILL)
    found = overlaps(wanted, list(cut.arrays["alpha"]))
    assert min(found) > 0.9, found
    late = overlaps(wanted, [*cut.arrays["alpha"][1:], cut.arrays["alpha"][-1]])
    assert min(late[STILL - 1 : -1]) < min(found)  # the alpha of another frame fails the measure


@pytest.mark.long
def test_the_edge_flickers_less_than_frame_by_frame(demo: RembgCutout, film: Path, cut: RawOutput) -> None:
    alone = [demo._matte(Image.fromarray(frame)) for frame in list(read_frames(read_facts(film)))[:STILL]]
    assert flicker(cut.arrays["alpha"][:STILL]) < 0.4 * flicker(alone)


def test_what_stays_keeps_its_matte_and_what_changes_does_not() -> None:
    frame = np.full((40, 60, 3), 120, np.uint8)
    after = frame.copy()
    after[:, 30:] = 200
    shares = kept_shares(frame, after)
    assert pytest.approx(KEPT) == shares[20, 10]
    assert shares[20, 50] < 1e-6
    steady = SteadyMatte()
    assert (steady.follow(frame, np.full((40, 60), 200, np.uint8)) == 200).all()
    matte = steady.follow(after, np.full((40, 60), 100, np.uint8))
    assert (185, 100) == (matte[20, 10], matte[20, 50])


def test_the_colors_stay_and_nothing_of_the_wall_does(cut: RawOutput) -> None:
    frames, alpha = seen(cut.arrays["frames"]), cut.arrays["alpha"]
    original = np.asarray(mug_film(still=STILL).frames[2])
    solid, empty = alpha[2] == 255, alpha[2] == 0
    assert psnr(original[solid], frames[2][solid]) > 30
    assert frames[2][empty].std(axis=0).max() < 12  # one color, but for the mixing at the edge


def decoded(file: Path) -> tuple[list[np.ndarray], int]:
    """The frames as RGBA, and how many samples of sound there are."""
    with av.open(str(file)) as container:
        stream = container.streams.video[0]
        decoder = av.CodecContext.create("libvpx-vp9", "r") if file.suffix == ".webm" else stream.codec_context
        frames = [
            frame for packet in container.demux(stream) for frame in decoder.decode(packet if packet.size else None)
        ]
    with av.open(str(file)) as container:
        samples = sum(frame.samples for frame in container.decode(audio=0)) if container.streams.audio else 0
    return [frame.reformat(format="rgba").to_ndarray() for frame in frames], samples


@pytest.mark.parametrize(("asked", "name", "most"), [("png", "webm", 4.0), ("webm", "webm", 4.0), ("mov", "mov", 0.5)])
def test_the_file_has_the_transparency(cut: RawOutput, tmp_path: Path, asked: str, name: str, most: float) -> None:
    outputs = encode(cut, params(output_format=asked), tmp_path)
    (file,) = outputs.files
    types = {"webm": "video/webm", "mov": "video/quicktime"}
    assert ((), types[name], 1.0) == (outputs.warnings, file.media_type, file.duration)
    frames, samples = decoded(tmp_path / file.path)
    assert (12, 48_000) == (len(frames), pytest.approx(samples, abs=1_000))
    for frame, alpha in zip(frames, cut.arrays["alpha"], strict=True):
        assert np.abs(frame[..., 3].astype(int) - alpha).mean() < most


@pytest.mark.parametrize(
    ("asked", "name", "warning"), [("mp4", "webm", MP4_WARNING), ("webp", "webm", "is for images")]
)
def test_a_format_without_transparency_is_said(
    cut: RawOutput, tmp_path: Path, asked: str, name: str, warning: str
) -> None:
    outputs = encode(cut, params(output_format=asked), tmp_path)
    assert f"0.{name}" == outputs.files[0].path
    assert warning in outputs.warnings[0]


@pytest.mark.matrix
@pytest.mark.parametrize(("asked", "name"), [("png", "mp4"), ("mp4", "mp4"), ("webm", "webm"), ("mov", "mov")])
def test_the_matte_is_a_film(film: Path, tmp_path: Path, asked: str, name: str) -> None:
    raw = cut_out_film(bright, params(mask_only=True), read_facts(film), QUIET)
    assert "alpha" not in raw.arrays
    outputs = encode(raw, params(output_format=asked, mask_only=True), tmp_path)
    assert (f"0.{name}", ()) == (outputs.files[0].path, outputs.warnings)
    frames, _ = decoded(tmp_path / outputs.files[0].path)
    wanted = bright(mug_film(still=STILL).frames[-1])
    assert np.abs(frames[-1][..., 0].astype(int) - wanted).mean() < 8
    assert np.abs(frames[-1][..., :3].astype(int) - frames[-1][..., :1]).max() <= 3


def test_a_color_of_a_matte_is_said_to_be_ignored(film: Path) -> None:
    raw = cut_out_film(bright, params(mask_only=True, background_color="#00FF00"), read_facts(film), QUIET)
    assert (NO_COLOR,) == raw.warnings


def test_a_color_is_behind_it(film: Path) -> None:
    raw = cut_out_film(bright, params(background_color="#00FF00"), read_facts(film), QUIET)
    shown, dark = seen(raw.arrays["frames"])[0], bright(mug_film(still=STILL).frames[0]) == 0
    assert np.median(shown[dark], axis=0) == pytest.approx([0, 255, 0], abs=4)


def test_the_visible_mark_is_opaque(cut: RawOutput, tmp_path: Path) -> None:
    (plain,), (marked,) = (
        encode(cut, params(output_format="mov", watermark=mark), folder).files
        for mark in ("never", "always")
        if (folder := tmp_path / mark).mkdir() is None
    )
    sides = [
        decoded(tmp_path / mark / file.path)[0][0][-24:, :80, 3]
        for mark, file in (("never", plain), ("always", marked))
    ]
    assert sides[0].mean() + 20 < sides[1].mean()


def test_progress_and_a_cancel_come_between_frames(film: Path) -> None:
    shares: list[float] = []

    def progress(share: float, stage: str) -> None:
        shares.append(share)
        if len(shares) == 5:
            raise JobCancelled

    context = RunContext(seed=1, progress=progress, warn=lambda text: None)
    with pytest.raises(JobCancelled):
        cut_out_film(bright, params(), read_facts(film), context)
    assert sorted(set(shares)) == shares


def test_an_empty_film_says_so(tmp_path: Path) -> None:
    file = save_film([Image.new("RGB", (64, 48))] * 3, tmp_path / "in.mp4")
    raw = cut_out_film(bright, params(), read_facts(file), QUIET)
    assert "No foreground was found" in raw.warnings[0]
    assert {"seed": 1, "foreground": 0.0, "fps": FPS, "frames": 3} == raw.metadata


def test_a_film_of_too_many_pixels_is_refused() -> None:
    with pytest.raises(NotThisModel) as refused:
        cut_out_film(bright, params(), ClipFacts(Path("in.mp4"), 1800, 60, (1920, 1080)), QUIET)
    assert "$.input_video" == refused.value.field


def params(**fields: Any) -> CutoutParams:
    return CutoutParams(input_video="a", **fields)
