"""The committed matting network, loaded from its locked file, on composites of families that it never saw."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from jobs.params.cutout import CutoutParams
from pipelines.catalog.loader import load_catalog
from pipelines.cutout.cues import cues
from pipelines.cutout.refine import enlarge, keep_main_parts, weigh_by_color
from pipelines.cutout.sessions import DEMO
from pipelines.matting import evaluate, partial
from pipelines.runtime.device import load
from pipelines.runtime.protocol import Inputs, RunContext
from pipelines.weights.lockfile import read_lock
from pipelines.weights.verify import verify

SPEC = load_catalog().get(DEMO)


@pytest.fixture(scope="module")
def cutter() -> evaluate.Cutter:
    return evaluate.Cutter()


def test_the_committed_network_is_the_locked_one(tmp_path: Path) -> None:
    verify(SPEC, read_lock(), tmp_path)


@pytest.mark.long
def test_the_matte_overlaps_by_nine_tenths_on_unseen_images(cutter: evaluate.Cutter, full: bool) -> None:
    """120 composites, of which the usual run looks at the first 30."""
    count = 120 if full else 30
    overlaps = np.array([one.overlap for one in evaluate.score(cutter, count=count, side=256)])

    assert count == len(overlaps)
    assert 0.9 <= overlaps.mean()


@pytest.mark.contract("A61")
@pytest.mark.matrix
@pytest.mark.parametrize(("kind", "bar"), [("hair", 0.15), ("glass", 0.17)])
def test_semitransparency_finds_unseen_hair_and_glass(
    cutter: evaluate.Cutter, kind: str, bar: float, full: bool
) -> None:
    """The mean error where the opacity is partial, over 24 composites, of which the usual run looks at a few."""
    scores = evaluate.score_partial(cutter, kind, count=24 if full else 4)

    assert bar >= scores.error
    assert 0.7 * scores.error_without > scores.error


@pytest.mark.long
def test_the_default_matte_is_the_first_networks_alone() -> None:
    """To the bit, and the other networks are not even opened; `semitransparency` changes it."""
    session = evaluate.Cutter().pipeline.session
    picture = Image.fromarray(partial.held_out("glass", 0, 300).image)
    seen = np.asarray(picture.resize((256, 256), Image.Resampling.LANCZOS))
    colors = (seen / seen.max() - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    planes = np.concatenate([colors.transpose(2, 0, 1), cues(seen)])[None].astype(np.float32)
    ahead, mirrored = (
        session.inner_session.run(None, {"planes": np.ascontiguousarray(side)})[0][0, 0]
        for side in (planes, planes[..., ::-1])
    )
    expected = enlarge(keep_main_parts(weigh_by_color(seen, (ahead + mirrored[:, ::-1]) / 2)), picture)

    (found,) = session.predict(picture)
    assert np.array_equal(expected, found)
    assert "opacity_sessions" not in vars(session)
    assert not np.array_equal(expected, session.predict(picture, semitransparency=True)[0])


def test_the_scores_that_are_committed_are_of_this_network() -> None:
    scores = msgspec.json.decode(evaluate.SCORES.read_bytes())

    assert scores["bytes"] == evaluate.MODEL.stat().st_size
    assert 100 <= scores["composites"]
    assert 0.9 <= scores["mean_overlap"]
    assert scores["bytes_of_opacity"] == evaluate.OPACITY_MODEL.stat().st_size
    assert scores["bytes_of_close_look"] == evaluate.CLOSE_MODEL.stat().st_size
    assert 0.15 >= scores["hair"]["error"]
    assert 0.17 >= scores["glass"]["error"]


def test_the_mug_of_the_product_photo(cutter: evaluate.Cutter) -> None:
    assert 0.93 <= evaluate.photo_overlap(cutter)


def test_its_shadow_stays_behind(cutter: evaluate.Cutter) -> None:
    with Image.open(evaluate.PHOTO) as photo, Image.open(evaluate.PHOTO_MASK) as mask:
        found, wanted = cutter.matte(photo.convert("RGB")), np.asarray(mask) > 0
    beside = found[400:520, 740:1000]

    assert not wanted[400:520, 740:1000].any()
    assert 0.05 > beside.mean()


@pytest.mark.matrix
@pytest.mark.parametrize(
    "draw",
    [
        lambda x, y: np.full_like(x, 0.5),
        lambda x, y: x,
        lambda x, y: 0.3 + 0.4 * y,
    ],
)
def test_an_empty_image_gives_an_empty_cutout_and_a_warning(
    tmp_path: Path, draw: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> None:
    y, x = np.mgrid[:300, :400] / 400
    file = tmp_path / "nothing.png"
    Image.fromarray((draw(x, y)[..., None] * (255, 250, 240)).astype(np.uint8)).save(file)
    context = RunContext(seed=1, progress=lambda part, stage: None, warn=lambda text: None)

    raw = load(SPEC, tmp_path, read_lock(), "cpu").run(
        CutoutParams(image_url="https://example.org/a.png", crop=True), Inputs({"image_url": file}), context
    )

    assert (300, 400, 4) == raw.arrays["0"].shape
    assert "No foreground" in raw.warnings[0]
