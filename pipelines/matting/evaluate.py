"""Evaluation of the committed networks on the held-out composites, through the pipeline that the service runs.

`python -m pipelines.matting.evaluate` writes SCORES.json.
"""

import argparse
import json
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from PIL import Image

from jobs.params.cutout import CutoutParams
from pipelines.catalog.loader import load_catalog
from pipelines.cutout.rembg_cutout import RembgCutout
from pipelines.cutout.sessions import DEMO
from pipelines.matting import partial
from pipelines.matting.composite import Composite, held_out
from pipelines.matting.export import CLOSE_MODEL, MODEL, OPACITY_MODEL
from pipelines.matting.shapes import Floats
from pipelines.runtime.protocol import Inputs, RunContext

COUNT, SIDE = 120, 512
PARTIAL_COUNT = 24
CONSTANTS = np.linspace(0.1, 0.9, 17)
"""Opacities that a blind guess would say everywhere; the best of them is in the scores, to compare with."""
GOOD = 0.9
SCORES = Path(__file__).with_name("SCORES.json")
PHOTO = Path(__file__).parents[2] / "docs" / "images" / "product.jpg"
PHOTO_MASK = PHOTO.with_name("product_mask.png")


@dataclass(frozen=True, slots=True)
class Scored:
    """A held-out composite, the predicted matte (0 to 1), and their overlap."""

    made: Composite
    found: Floats
    overlap: float


@dataclass(frozen=True, slots=True)
class PartialScores:
    """Scores of the held-out composites of hair, or of clear things.

    Errors are mean absolute ones of the opacity (0 to 1), where the true one lies strictly between 0 and 1;
    `error_without` is that of the default, all others of `semitransparency`.
    """

    composites: int
    error_without: float
    error: float
    worst_error: float
    error_of_a_constant: float
    by_family: dict[str, float]
    by_ground: dict[str, float]


@dataclass(frozen=True, slots=True)
class MattingScores:
    """SCORES.json; overlaps are intersection over union at one half."""

    date: str
    command: str
    composites: int
    side: int
    mean_overlap: float
    share_good: float
    worst_overlap: float
    mean_error: float
    by_shape: dict[str, float]
    by_ground: dict[str, float]
    product_photo: float
    hair: PartialScores
    glass: PartialScores
    overlap_with_semitransparency: float
    """Of the first `PARTIAL_COUNT` opaque things, what it costs to ask for it in vain."""
    overlap_without: float
    """The same of the default."""
    seconds_per_picture: float
    bytes: int
    bytes_of_opacity: int
    bytes_of_close_look: int


class Cutter:
    """The demo model as the service loads it."""

    def __init__(self, weights: Path = MODEL.parent) -> None:
        self.pipeline = RembgCutout(load_catalog().get(DEMO), weights, "cpu")
        self.context = RunContext(seed=0, progress=lambda fraction, stage: None, warn=lambda text: None)

    def matte(self, image: Image.Image, *, semitransparency: bool = False) -> Floats:
        """Return the matte of an image: (height, width), 0 to 1."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "image.png"
            image.save(file, compress_level=1)
            params = CutoutParams(
                image_url="https://example.org/image.png", mask_only=True, semitransparency=semitransparency
            )
            raw = self.pipeline.run(params, Inputs({"image_url": file}), self.context)
        return np.asarray(raw.arrays["0"][..., 0], np.float32) / np.float32(255)


def overlap(found: Floats, wanted: Floats) -> float:
    """Return the intersection over union at one half; 1 where both are empty."""
    a, b = found > 0.5, wanted > 0.5
    either = int((a | b).sum())
    return int((a & b).sum()) / either if either else 1.0


def score(cutter: Cutter, count: int = COUNT, side: int = SIDE, *, semitransparency: bool = False) -> list[Scored]:
    """Score the first `count` held-out composites."""
    scored = []
    for number in range(count):
        made = held_out(number, side)
        found = cutter.matte(Image.fromarray(made.image), semitransparency=semitransparency)
        scored.append(Scored(made, found, overlap(found, made.matte)))
    return scored


def photo_overlap(cutter: Cutter) -> float:
    """Return the overlap of the product photo's matte with the mask that its renderer wrote."""
    with Image.open(PHOTO) as photo, Image.open(PHOTO_MASK) as mask:
        return overlap(cutter.matte(photo.convert("RGB")), np.asarray(mask, np.float32) / np.float32(255))


def partial_error(found: Floats, wanted: Floats) -> float:
    """Return the mean absolute error of `found` where `wanted` is partial; `wanted` has at least one such pixel."""
    unknown = (wanted > 1 / 255) & (wanted < 254 / 255)
    return float(np.abs(found - wanted)[unknown].mean())


def score_partial(cutter: Cutter, kind: str, count: int = PARTIAL_COUNT, side: int = SIDE) -> PartialScores:
    """Score the first `count` held-out composites of `kind`, "hair" or "glass"."""
    errors, without, constants, families, kinds = [], [], [], [], []
    for number in range(count):
        made = partial.held_out(kind, number, side)
        image = Image.fromarray(made.image)
        errors.append(partial_error(cutter.matte(image, semitransparency=True), made.matte))
        without.append(partial_error(cutter.matte(image), made.matte))
        constants.append([partial_error(np.full_like(made.matte, share), made.matte) for share in CONSTANTS])
        families.append(made.shape)
        kinds.append(made.ground)
    return PartialScores(
        composites=count,
        error_without=round(float(np.mean(without)), 4),
        error=round(float(np.mean(errors)), 4),
        worst_error=round(max(errors), 4),
        error_of_a_constant=round(float(np.mean(constants, 0).min()), 4),
        by_family=_means(set(families), list(zip(families, errors, strict=True))),
        by_ground=_means(set(kinds), list(zip(kinds, errors, strict=True))),
    )


def report(
    scored: list[Scored],
    photo: float,
    hair: PartialScores,
    glass: PartialScores,
    in_vain: list[Scored],
    seconds: float,
) -> MattingScores:
    """Return the scores; `in_vain` are the first of the composites again, with `semitransparency`."""
    overlaps = np.array([one.overlap for one in scored])
    return MattingScores(
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
        command="python -m pipelines.matting.evaluate",
        composites=len(scored),
        side=scored[0].made.matte.shape[0],
        mean_overlap=round(float(overlaps.mean()), 4),
        share_good=round(float((overlaps >= GOOD).mean()), 4),
        worst_overlap=round(float(overlaps.min()), 4),
        mean_error=round(float(np.mean([np.abs(one.found - one.made.matte).mean() for one in scored])), 5),
        by_shape=_means({one.made.shape for one in scored}, [(one.made.shape, one.overlap) for one in scored]),
        by_ground=_means({one.made.ground for one in scored}, [(one.made.ground, one.overlap) for one in scored]),
        product_photo=round(photo, 4),
        hair=hair,
        glass=glass,
        overlap_with_semitransparency=round(float(np.mean([one.overlap for one in in_vain])), 4),
        overlap_without=round(float(overlaps[: len(in_vain)].mean()), 4),
        seconds_per_picture=round(seconds, 3),
        bytes=MODEL.stat().st_size,
        bytes_of_opacity=OPACITY_MODEL.stat().st_size,
        bytes_of_close_look=CLOSE_MODEL.stat().st_size,
    )


def _means(names: set[str], pairs: list[tuple[str, float]]) -> dict[str, float]:
    return {name: round(float(np.mean([value for of, value in pairs if of == name])), 4) for name in sorted(names)}


def sheet(scored: list[Scored], file: Path, columns: int = 6, rows: int = 6) -> None:
    """Write the worst composites to `file`, each above its predicted matte."""
    lines = []
    worst = sorted(scored, key=lambda one: one.overlap)
    for row in range(rows // 2):
        chosen = worst[row * columns : (row + 1) * columns]
        lines.append(np.concatenate([one.made.image[::2, ::2] for one in chosen], 1))
        mattes = np.concatenate([one.found[::2, ::2] for one in chosen], 1)
        lines.append(np.repeat((mattes * 255).astype(np.uint8)[..., None], 3, axis=2))
    Image.fromarray(np.concatenate(lines, 0)).save(file)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, default=MODEL.parent)
    parser.add_argument("--sheet", type=Path, help="PNG of the worst")
    parser.add_argument("--dry", action="store_true", help="write no scores")
    options = parser.parse_args()
    cutter = Cutter(options.weights)
    photo = photo_overlap(cutter)
    started = time.perf_counter()
    cutter.matte(Image.fromarray(held_out(0, SIDE).image))
    seconds = time.perf_counter() - started
    scored = score(cutter)
    hair, glass = (score_partial(cutter, kind) for kind in ("hair", "glass"))
    in_vain = score(cutter, PARTIAL_COUNT, semitransparency=True)
    figures = asdict(report(scored, photo, hair, glass, in_vain, seconds))
    print(json.dumps(figures, indent=2))
    if options.sheet:
        sheet(scored, options.sheet)
    if not options.dry:
        SCORES.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
