"""The evaluation captions: 300 of one object, 100 of two; their scenes never enter training."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from pipelines.demo.captions import caption
from pipelines.demo.scene import Rng, Scene, Thing, sample_one, sample_two

FILE = Path(__file__).with_name("eval_captions.json")
DEFAULT = Scene("blue", (Thing("red", "circle"),))


@dataclass(frozen=True, slots=True)
class Case:
    """A caption and the scene that it describes."""

    prompt: str
    scene: Scene


def load() -> list[Case]:
    """Return the committed cases, those of one object first."""
    cases = []
    for entry in json.loads(FILE.read_text()):
        scene = entry["scene"]
        things = tuple(Thing(**thing) for thing in scene["things"])
        cases.append(Case(entry["prompt"], Scene(scene["background"], things, scene["relation"])))
    return cases


def key(scene: Scene) -> Scene:
    """Return the scene as it is drawn.

    Omitted parts are filled in, and a pair is ordered left to right or top to bottom.
    """
    things = tuple(
        Thing(thing.color, thing.shape, thing.size or "medium", thing.place or "center") for thing in scene.things
    )
    if scene.relation in ("right of", "below"):
        return Scene(scene.background, things[::-1], "left of" if scene.relation == "right of" else "above")
    return Scene(scene.background, things, scene.relation)


def make(rng: Rng, ones: int, twos: int) -> list[Case]:
    """Return new cases of different scenes.

    A quarter begins with a capital, a quarter ends in a period, and some are in capitals.
    """
    seen = {key(DEFAULT)}
    cases: list[Case] = []
    while len(cases) < ones + twos:
        scene = sample_one(rng) if len(cases) < ones else sample_two(rng)
        if key(scene) not in seen:
            seen.add(key(scene))
            cases.append(Case(_dress(caption(scene, rng, strict=True), rng), scene))
    return cases


def _dress(words: str, rng: Rng) -> str:
    if rng.random() < 0.25:
        words = words.capitalize()
    elif rng.random() < 0.06:
        words = words.upper()
    return f"{words}." if rng.random() < 0.25 else words


def main() -> None:
    """Run the command line: write eval_captions.json anew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=20261121)
    options = parser.parse_args()
    cases = [asdict(case) for case in make(np.random.default_rng(options.seed), 300, 100)]
    FILE.write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")


if __name__ == "__main__":
    main()
