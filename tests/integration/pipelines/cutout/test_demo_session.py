"""The committed matting network, loaded from its locked file, on composites of families that it never saw."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from jobs.params.cutout import CutoutParams
from pipelines.catalog.loader import load_catalog
from pipelines.cutout.sessions import DEMO
from pipelines.matting import evaluate
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


def test_the_matte_overlaps_by_nine_tenths_on_unseen_images(cutter: evaluate.Cutter, full: bool) -> None:
    """120 composites, of which the usual run looks at the first 30."""
    count = 120 if full else 30
    overlaps = np.array([one.overlap for one in evaluate.score(cutter, count=count, side=256)])

    assert count == len(overlaps)
    assert 0.9 <= overlaps.mean()


def test_the_scores_that_are_committed_are_of_this_network() -> None:
    scores = msgspec.json.decode(evaluate.SCORES.read_bytes())

    assert scores["bytes"] == evaluate.MODEL.stat().st_size
    assert 100 <= scores["composites"]
    assert 0.9 <= scores["mean_overlap"]


def test_the_mug_of_the_product_photo(cutter: evaluate.Cutter) -> None:
    assert 0.93 <= evaluate.photo_overlap(cutter)


def test_its_shadow_stays_behind(cutter: evaluate.Cutter) -> None:
    with Image.open(evaluate.PHOTO) as photo, Image.open(evaluate.PHOTO_MASK) as mask:
        found, wanted = cutter.matte(photo.convert("RGB")), np.asarray(mask) > 0
    beside = found[400:520, 740:1000]

    assert not wanted[400:520, 740:1000].any()
    assert 0.05 > beside.mean()


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
