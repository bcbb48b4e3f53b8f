"""Tracing: what it makes of flat art, of holes, of noise and of nearly nothing."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image, ImageOps

from core.errors.failures import EncodeFailed
from core.errors.inputs import PictureTooBusy
from jobs.params.vectorize import VectorizeParams
from pipelines.catalog.limits import MAX_PATHS, MAX_SVG_BYTES
from pipelines.runtime.protocol import Inputs, JobCancelled, Outputs, RawOutput, RunContext
from pipelines.runtime.registry import pipeline_class
from pipelines.vectorize.encode import encode
from pipelines.vectorize.picture import MAX_SIDE
from tests.support.checkpoints.specs import spec
from tests.support.media.drawings import COLORS, LIKE, SHAPES, SIZE, UNLIKE, flat_art, likeness, noise, rendered

MODEL = spec(id="vtracer", family="vtracer", modality="vectorize", capabilities=[])
FILLS = re.compile(rb'fill="(#[0-9A-F]{6})"')
MODES = ["spline", *(pytest.param(mode, marks=pytest.mark.long) for mode in ("polygon", "pixel"))]

ALONE = """
import sys
from pathlib import Path
import msgspec
from core.errors.inputs import PictureTooBusy
from jobs.params.vectorize import VectorizeParams
from pipelines.runtime.protocol import Inputs, RunContext
from pipelines.vectorize.tracer import VTracer

file, params = Path(sys.argv[1]), msgspec.json.decode(sys.argv[2], type=VectorizeParams)
context = RunContext(seed=1, progress=lambda share, stage: None, warn=lambda text: None)
try:
    print(*VTracer(None, file, "cpu").run(params, Inputs({"input_image": file}), context).warnings)
except PictureTooBusy as refused:
    print(refused.code)
# not ru_maxrss, in which is also what the process that started this one had
print(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
"""
"""Traces a file, and prints the warning or code and the most memory that the process had, in kilobytes."""


def traced(folder: Path, image: Image.Image, *, reports: list[float] | None = None, **fields: Any) -> RawOutput:
    image.save(folder / "input.png")
    seen: list[float] = [] if reports is None else reports
    context = RunContext(seed=1, progress=lambda share, stage: seen.append(share), warn=lambda text: None)
    params = VectorizeParams(input_image="a", **fields)
    return pipeline_class(MODEL)(MODEL, folder, "cpu").run(
        params, Inputs({"input_image": folder / "input.png"}), context
    )


def drawn(folder: Path, image: Image.Image, **fields: Any) -> bytes:
    outputs = written(traced(folder, image, **fields), folder)
    return (folder / outputs.files[0].path).read_bytes()


def written(raw: RawOutput, folder: Path, **fields: Any) -> Outputs:
    return encode(raw, VectorizeParams(input_image="a", **fields), folder)


@pytest.mark.parametrize("mode", MODES)
def test_flat_art_looks_like_its_picture(tmp_path, mode):
    svg = drawn(tmp_path, flat_art(), mode=mode)
    assert likeness(svg, flat_art()) > LIKE
    assert len(svg) < 20_000


def test_wrong_drawings_fail_the_measure(tmp_path):
    svg, art = drawn(tmp_path, flat_art()), flat_art()
    moved = Image.fromarray(np.roll(np.asarray(art), SIZE[0] // 16, axis=1))
    wrong = [ImageOps.mirror(art), ImageOps.invert(art), moved, Image.new("RGB", SIZE, "white")]
    for picture in (*wrong, *(flat_art(without=shape) for shape in SHAPES)):
        assert likeness(svg, picture) < UNLIKE


def test_the_same_picture_gives_the_same_bytes(tmp_path):
    assert drawn(tmp_path, flat_art(), colors=4) == drawn(tmp_path, flat_art(), colors=4)


def test_no_other_colors_than_asked_for(tmp_path):
    svg = drawn(tmp_path, flat_art(), colors=4)
    fills = {fill.decode() for fill in FILLS.findall(svg)}
    assert 4 == len(fills)
    for fill, color in zip(sorted(fills), sorted(COLORS), strict=True):
        assert max(abs(a - b) for a, b in zip(bytes.fromhex(fill[1:]), bytes.fromhex(color[1:]), strict=True)) <= 3
    assert likeness(svg, flat_art()) > LIKE


def test_binary_is_black_where_the_picture_is_dark(tmp_path):
    svg = drawn(tmp_path, flat_art(), color_mode="binary")
    assert {b"#000000"} == set(FILLS.findall(svg))
    black = flat_art().convert("L").point(lambda value: 255 if value >= 128 else 0)
    assert likeness(svg, black) > LIKE - 4  # edges of black and white are as far apart as can be


def test_holes_stay_transparent(tmp_path):
    image = flat_art().convert("RGBA")
    image.paste((0, 0, 0, 0), (60, 60, 90, 90))
    image.paste((0, 0, 0, 100), (10, 200, 22, 212))
    shown = rendered(drawn(tmp_path, image))
    assert SIZE == shown.shape[1::-1]
    assert (0, 0, 255) == (shown[75, 75, 3], shown[206, 16, 3], shown[40, 200, 3])
    assert ([254, 254, 254] <= shown[5, 300, :3]).all()


def test_noise_becomes_a_smaller_drawing_with_a_warning(tmp_path):
    reports: list[float] = []
    raw = traced(tmp_path, noise(80), filter_speckle=0, mode="pixel", reports=reports)
    assert "traced at 40x40" in raw.warnings[0]
    assert 1000 < raw.metadata["paths"] <= MAX_PATHS
    assert len(raw.arrays["svg"]) <= MAX_SVG_BYTES
    assert sorted(reports) == reports
    (output,) = written(raw, tmp_path).files
    assert (80, 80) == (output.width, output.height)
    assert (80, 80) == rendered((tmp_path / "0.svg").read_bytes()).shape[:2]


def test_a_named_detail_is_kept_or_refused(tmp_path):
    raw = traced(tmp_path, noise(40), filter_speckle=0, mode="pixel", detail="high")
    assert ((), (40, 40)) == (raw.warnings, raw.arrays["0"].shape[:2])
    reports: list[float] = []
    for busy, tracings in ((noise(80), 1), (noise(600), 0)):
        reports.clear()
        with pytest.raises(PictureTooBusy, match=r"With `detail` high .* leave `detail` out") as refused:
            traced(tmp_path, busy, filter_speckle=0, mode="pixel", detail="high", reports=reports)
        assert ("picture_too_busy", "$.detail") == (refused.value.code, refused.value.field)
        assert tracings == len(reports) - 1, "what cannot be within bounds is not traced"


@pytest.mark.long
@pytest.mark.parametrize("fields", [{}, {"colors": 64}, {"filter_speckle": 0, "mode": "pixel"}])
def test_the_largest_noise_is_within_bounds(tmp_path, fields):
    raw = traced(tmp_path, noise(3000), **fields)
    assert raw.metadata["paths"] <= MAX_PATHS
    assert raw.warnings
    assert (3000, 3000) == rendered((tmp_path / written(raw, tmp_path).files[0].path).read_bytes()).shape[:2]


@pytest.mark.long
@pytest.mark.parametrize(("detail", "end"), [(None, "it was traced at 512x512"), ("high", "picture_too_busy")])
def test_noise_ends_in_bounded_time_and_memory(tmp_path, detail, end):
    noise(4096).save(tmp_path / "input.png", compress_level=0)
    spent = subprocess.run(  # a process of its own: the peak of this one is that of other tests
        [
            sys.executable,
            "-c",
            ALONE,
            tmp_path / "input.png",
            msgspec.json.encode({"input_image": "a", "detail": detail}),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout.splitlines()
    assert end in spent[0]
    assert int(spent[1]) < 1_000_000, "kilobytes; the pixels are 67 megabytes, and three copies of them are held"


def test_a_large_picture_keeps_its_size(tmp_path):
    large = flat_art().resize((MAX_SIDE + 100, 80), Image.Resampling.NEAREST)
    raw = traced(tmp_path, large)
    assert () == raw.warnings
    assert MAX_SIDE == raw.arrays["0"].shape[1]
    (output,) = written(raw, tmp_path).files
    assert ("image/svg+xml", large.size) == (output.media_type, (output.width, output.height))


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (3, 2)])
def test_the_smallest_pictures_are_traced(tmp_path, size):
    raw = traced(tmp_path, Image.new("RGB", size, "#336699"))
    assert (1, ()) == (raw.metadata["paths"], raw.warnings)
    assert [b"#336699"] == FILLS.findall(raw.arrays["svg"].tobytes())


def test_a_transparent_picture_is_an_empty_drawing(tmp_path):
    raw = traced(tmp_path, Image.new("RGBA", (20, 10)))
    assert 0 == raw.metadata["paths"]
    assert ("There is nothing in the picture that could be traced; the SVG is empty.",) == raw.warnings
    assert not rendered(raw.arrays["svg"].tobytes()).any()


def test_the_visible_mark_is_traced_too(tmp_path):
    plain, marked = (drawn(tmp_path, flat_art(), watermark=asked) for asked in ("never", "always"))
    assert len(marked) > len(plain)


def test_a_cancel_comes_before_the_tracing(tmp_path):
    flat_art().save(tmp_path / "input.png")

    def progress(share: float, stage: str) -> None:
        if stage == "step":
            raise JobCancelled

    context = RunContext(seed=1, progress=progress, warn=lambda text: None)
    with pytest.raises(JobCancelled):
        pipeline_class(MODEL)(MODEL, tmp_path, "cpu").run(
            VectorizeParams(input_image="a"), Inputs({"input_image": tmp_path / "input.png"}), context
        )


class TestEncode:
    def test_a_format_of_pixels_gives_svg_with_a_warning(self, tmp_path):
        outputs = written(traced(tmp_path, flat_art()), tmp_path, output_format="png")
        assert ("`output_format` png is for images; this drawing is svg",) == outputs.warnings
        assert "0.svg" == outputs.files[0].path

    @pytest.mark.parametrize(
        ("svg", "said"),
        [
            (b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", "'script' may not be there"),
            (b" " * (MAX_SVG_BYTES + 1), f"{MAX_SVG_BYTES + 1} bytes"),
            (b"<svg>" + b"<path/>" * (MAX_PATHS + 1) + b"</svg>", f"{MAX_PATHS + 1} paths"),
        ],
    )
    def test_more_than_shapes_is_not_kept(self, tmp_path, svg, said):
        raw = RawOutput(arrays={"svg": np.frombuffer(svg, np.uint8)}, metadata={"seed": 1, "width": 1, "height": 1})
        with pytest.raises(EncodeFailed, match=said):
            written(raw, tmp_path)
        assert not (tmp_path / "0.svg").exists()
