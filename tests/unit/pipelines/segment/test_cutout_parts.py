"""The demo's parts of a cut-out, on pictures whose parts are known, and the files of segments."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from jobs.params.cutout import SegmentParams
from pipelines.catalog.loader import load_catalog
from pipelines.matting.evaluate import PHOTO, PHOTO_MASK, overlap
from pipelines.runtime.protocol import Inputs, RawOutput, RunContext
from pipelines.segment.cutout_parts import CutoutParts
from pipelines.segment.encode import encode
from pipelines.segment.segments import Found, output_of, palette

DEMO = load_catalog().get("demo-segment")
QUIET = RunContext(seed=1, progress=lambda share, stage: None, warn=lambda text: None)


@pytest.fixture(scope="module")
def demo() -> CutoutParts:
    return CutoutParts(DEMO, DEMO.directory(Path()), "cpu")


def run(demo: CutoutParts, picture: Image.Image, folder: Path, **fields: Any) -> RawOutput:
    picture.save(folder / "in.png")
    return demo.run(SegmentParams(input_image="-", **fields), Inputs(files={"input_image": folder / "in.png"}), QUIET)


def listed(made: RawOutput) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(made.arrays["segments"].tobytes())["segments"]
    return found


def test_the_mug_is_one_thing(demo: CutoutParts, tmp_path: Path) -> None:
    with Image.open(PHOTO) as photo, Image.open(PHOTO_MASK) as drawn:
        made, mask = run(demo, photo.convert("RGB"), tmp_path), np.asarray(drawn, np.float32) / 255
    first = listed(made)[0]
    found = (made.arrays["map"] == first["id"]).astype(np.float32)
    assert 0.9 < overlap(found, mask)
    assert overlap(np.roll(found, 100, axis=1), mask) < 0.8  # a map that is moved fails the measure
    assert ("thing", True) == (first["label"], first["score"] > 0.9)
    assert any("without words" in warning for warning in made.warnings)


def test_two_things_apart_are_two_segments(demo: CutoutParts, tmp_path: Path) -> None:
    picture = Image.new("RGB", (320, 240), "#E8E4DC")
    draw = ImageDraw.Draw(picture)
    boxes = [(40, 80, 120, 160), (200, 80, 280, 160)]
    for box in boxes:
        draw.ellipse(box, fill="#B02020")
    made = run(demo, picture, tmp_path)
    found = listed(made)
    assert 2 == len(found)
    for each, box in zip(sorted(found, key=lambda each: each["box"][0]), boxes, strict=True):
        assert max(abs(a - b) for a, b in zip(each["box"], box, strict=True)) <= 8, (each, box)
        disk = Image.new("L", picture.size)
        ImageDraw.Draw(disk).ellipse(box, fill=1)
        assert 0.85 < overlap((made.arrays["map"] == each["id"]).astype(np.float32), np.asarray(disk, np.float32))


def test_a_class_that_it_has_no_word_for_is_not_found(demo: CutoutParts, tmp_path: Path) -> None:
    with Image.open(PHOTO) as photo:
        made = run(demo, photo.convert("RGB"), tmp_path, classes=("mug",))
    assert ([], 0) == (listed(made), made.arrays["map"].max())


def test_files_are_a_map_of_numbers_and_a_list(tmp_path: Path) -> None:
    parts = np.full((40, 60), -1)
    parts[5:15, 10:30], parts[20:40, 0:60] = 0, 1
    params = SegmentParams(input_image="-", output_format="webp")
    found = [Found("dog", 0.91234), Found("grass", 0.8)]
    made = encode(output_of(Image.new("RGB", (120, 80), "white"), parts, found, params, QUIET), params, tmp_path)
    assert [("0.png", 120, 80), ("1.json", None, None)] == [(one.path, one.width, one.height) for one in made.files]
    assert 1 == len(made.warnings)
    with Image.open(tmp_path / "0.png") as drawn:
        assert "P" == drawn.mode
        numbers, colors = np.asarray(drawn), np.asarray(drawn.convert("RGB"))
    content = json.loads((tmp_path / "1.json").read_text())
    assert {"width": 120, "height": 80} == {side: content[side] for side in ("width", "height")}
    grass, dog = content["segments"]
    assert {"id": 1, "label": "grass", "score": 0.8, "box": [0, 40, 120, 80], "area": 4800, "color": "#F25555"} == grass
    assert {"id": 2, "label": "dog", "score": 0.9123, "box": [20, 10, 60, 30], "area": 800} == {
        name: value for name, value in dog.items() if name != "color"
    }
    assert ({0, 1, 2}, 800) == (set(np.unique(numbers)), (numbers == 2).sum())
    for each in content["segments"]:
        red, green, blue = colors[numbers == each["id"]][0]
        assert each["color"] == f"#{red:02X}{green:02X}{blue:02X}"
    assert not colors[numbers == 0].any()


def test_colors_of_numbers_are_apart() -> None:
    assert 256 == len(np.unique(palette(), axis=0))
