"""Captions: many phrasings, every part said, every word known; the evaluation captions are apart from training."""

import numpy as np
import pytest

from pipelines.demo import heldout
from pipelines.demo.captions import ROW_WORDS, SHAPE_WORDS, SIZE_WORDS, caption, unread, vocabulary
from pipelines.demo.latents import training_scenes
from pipelines.demo.scene import Scene, Thing, sample_scene


def test_a_scene_is_said_in_many_ways() -> None:
    rng = np.random.default_rng(0)
    scene = Scene("black", (Thing("green", "star", "small", "top left"),))
    assert 150 < len({caption(scene, rng) for _ in range(400)})


def test_a_strict_caption_names_all_parts_in_known_words() -> None:
    rng, known = np.random.default_rng(1), set(vocabulary())
    for _ in range(500):
        scene = sample_scene(rng, 0.4)
        assert set(caption(scene, rng).replace(",", " ").split()) <= known
        words = set(caption(scene, rng, strict=True).replace(",", " ").split())
        assert scene.background in words
        for thing in scene.things:
            assert thing.color in words
            assert any(set(phrase.split()) <= words for phrase in SHAPE_WORDS[thing.shape])
            if thing.size:
                assert any(set(phrase.split()) <= words for phrase in SIZE_WORDS[thing.size])
            for half in (thing.place or "").split():
                options = {half, *ROW_WORDS.get(half, ()), "middle", "centre", "centered"}  # codespell:ignore
                assert options & words


def test_a_caption_fits_the_slots_of_the_transformer() -> None:
    rng = np.random.default_rng(2)
    assert 30 >= max(len(caption(sample_scene(rng, 0.8), rng).split()) for _ in range(3000))


@pytest.mark.parametrize("strict", [True, False])
def test_loose_relations_only_where_allowed(strict: bool) -> None:
    rng = np.random.default_rng(3)
    scene = Scene("white", (Thing("red", "ring"), Thing("blue", "star")), "left of")
    loose = [words for words in (caption(scene, rng, strict) for _ in range(300)) if "left" not in words]
    assert bool(loose) is not strict


def test_evaluation_captions_are_300_and_100_and_all_different() -> None:
    cases = heldout.load()
    assert 300 == sum(case.scene.relation is None for case in cases)
    assert 100 == sum(case.scene.relation is not None for case in cases)
    assert 400 == len({heldout.key(case.scene) for case in cases})
    assert 390 < len({case.prompt for case in cases})


def test_evaluation_scenes_never_enter_training() -> None:
    kept = {heldout.key(case.scene) for case in heldout.load()}
    assert not kept & {heldout.key(scene) for scene in training_scenes(3000, seed=100)}


def test_a_pair_told_from_either_side_is_the_same_scene() -> None:
    ring, star = Thing("red", "ring"), Thing("blue", "star")
    assert heldout.key(Scene("white", (ring, star), "above")) == heldout.key(Scene("white", (star, ring), "below"))
    assert heldout.key(Scene("white", (ring,))) == heldout.key(
        Scene("white", (Thing("red", "ring", "medium", "center"),))
    )


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("A small red circle, on the LEFT of a blue background.", ()),
        ("a medium-sized plus sign in red on white", ()),
        ("a red circle above a blue star on green", ()),
        ("a cat", ('does not know "cat"', "found no shape in the prompt")),
        ("a red circle in a hat, on blue", ('does not know "hat"',)),
        ("größe, a red circle on blue", ('does not know "größe"',)),
        ("a red circle", ("needs a color for each shape and one for the background",)),
        ("a red circle, a blue star and a green ring on white", ("draws two shapes at most",)),
    ],
)
def test_what_a_prompt_asks_in_vain_is_said(prompt: str, said: tuple[str, ...]) -> None:
    assert said == unread(prompt)


def test_every_evaluation_caption_is_within_the_world() -> None:
    assert [] == [case.prompt for case in heldout.load() if unread(case.prompt)]
