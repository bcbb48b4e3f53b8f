"""Evaluation of the committed model on the evaluation captions, through DiffusionPipeline as the service loads it."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from pipelines.demo.export import WEIGHTS
from pipelines.demo.heldout import Case, load
from pipelines.demo.model import SIDE
from pipelines.demo.verdict import Verdict, judge_image
from pipelines.runtime import torchaudio_stub

torchaudio_stub.install()  # before diffusers is imported

from diffusers import DiffusionPipeline  # noqa: E402

SCORES = Path(__file__).with_name("SCORES.json")
STEPS, GUIDANCE, SEED = 12, 0.0, 1000


@dataclass(frozen=True, slots=True)
class Share:
    """How many images kept one part of their caption, of those whose caption named it."""

    right: int
    of: int
    percent: float


@dataclass(frozen=True, slots=True)
class DemoScores:
    """The settings of an evaluation and its results."""

    date: str
    command: str
    steps: int
    guidance_scale: float
    seed: int
    threads: int
    seconds_per_picture: float
    bytes: int
    one_object: dict[str, Share]
    two_objects: dict[str, Share]


Painted = tuple[Case, NDArray[np.uint8], Verdict]


def paint(weights: Path, steps: int, guidance: float) -> Callable[[str, int], NDArray[np.uint8]]:
    """Load the pipeline; return a function that draws a prompt from a seed as a (256, 256, 3) image."""
    pipeline = DiffusionPipeline.from_pretrained(weights, dtype=torch.float32)  # type: ignore[no-untyped-call]
    pipeline.set_progress_bar_config(disable=True)

    def run(prompt: str, seed: int) -> NDArray[np.uint8]:
        image = pipeline(
            prompt=prompt,
            width=SIDE,
            height=SIDE,
            num_inference_steps=steps,
            guidance_scale=guidance,
            generator=torch.Generator("cpu").manual_seed(seed),
        ).images[0]
        return np.asarray(image)

    return run


def shares(painted: list[Painted]) -> dict[str, Share]:
    """Return the share per part of the caption; size and place count only where the caption names them."""
    named: dict[str, list[bool]] = {
        part: [] for part in ("whole", "object color", "background color", "shape", "place", "size", "count")
    }
    for case, _, verdict in painted:
        named["whole"].append(verdict.whole)
        named["object color"].append(verdict.color)
        named["background color"].append(verdict.background)
        named["shape"].append(verdict.shape)
        named["count"].append(verdict.count)
        if case.scene.relation or case.scene.things[0].place:
            named["place"].append(verdict.place)
        if any(thing.size for thing in case.scene.things):
            named["size"].append(verdict.size)
    return {
        part: Share(sum(kept), len(kept), round(100 * sum(kept) / max(1, len(kept)), 1)) for part, kept in named.items()
    }


def main() -> None:
    """Run the command line: python -m pipelines.demo.evaluate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--guidance", type=float, default=GUIDANCE)
    parser.add_argument("--seed", type=int, default=SEED, help="caption number n is drawn from seed + n")
    parser.add_argument("--every", type=int, default=1, help="take every n-th caption only; writes no scores")
    parser.add_argument("--sheet", type=Path, help="PNG of the images, the wrong ones first")
    options = parser.parse_args()
    torch.set_num_threads(1)
    run = paint(options.weights, options.steps, options.guidance)
    run("a red circle on a blue background", 0)
    painted: list[Painted] = []
    start = time.time()
    for index, case in list(enumerate(load()))[:: options.every]:
        image = run(case.prompt, options.seed + index)
        painted.append((case, image, judge_image(image, case.scene)))
        if len(painted) % 50 == 0:
            print(f"{len(painted)} images in {time.time() - start:.0f} s", flush=True)
    report = DemoScores(
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
        command="python -m pipelines.demo.evaluate",
        steps=options.steps,
        guidance_scale=options.guidance,
        seed=options.seed,
        threads=1,
        seconds_per_picture=round((time.time() - start) / len(painted), 3),
        bytes=sum(file.stat().st_size for file in options.weights.rglob("*") if file.is_file()),
        one_object=shares([each for each in painted if each[0].scene.relation is None]),
        two_objects=shares([each for each in painted if each[0].scene.relation is not None]),
    )
    _print(report, painted)
    if options.every == 1:
        SCORES.write_text(json.dumps(asdict(report), indent=2) + "\n")
    if options.sheet:
        _sheet(painted, options.sheet)


def _print(report: DemoScores, painted: list[Painted]) -> None:
    for case, _, verdict in painted:
        if not verdict.whole:
            wrong = [part for part, kept in asdict(verdict).items() if not kept]
            print(f"wrong {', '.join(wrong)}: {case.prompt}")
    print(f"{'':20}{'one object':>16}{'two objects':>16}")
    for part, one in report.one_object.items():
        two = report.two_objects[part]
        print(f"{part:20}{one.percent:8.1f} % {one.of:5}{two.percent:8.1f} % {two.of:5}")
    print(f"{report.seconds_per_picture} s an image on one thread, {report.bytes} bytes")


def _sheet(painted: list[Painted], file: Path, columns: int = 8, rows: int = 6) -> None:
    chosen = sorted(painted, key=lambda each: each[2].whole)[: columns * rows]
    blank = np.zeros((SIDE, SIDE, 3), np.uint8)
    tiles = [image for _, image, _ in chosen] + [blank] * (columns * rows - len(chosen))
    lines = [np.concatenate(tiles[row * columns : (row + 1) * columns], 1) for row in range(rows)]
    Image.fromarray(np.concatenate(lines, 0)).save(file)


if __name__ == "__main__":
    main()
