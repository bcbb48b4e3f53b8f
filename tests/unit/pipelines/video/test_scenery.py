import numpy as np
import pytest

from pipelines.demo.scene import COLORS, SHAPES, Scene, Thing
from pipelines.video.scenery import draw_still, read_scene, unread


@pytest.mark.parametrize(
    ("prompt", "scene"),
    [
        ("a red circle on a white background", Scene("white", (Thing("red", "circle"),))),
        ("Zoom in: black background, a big GREEN star", Scene("black", (Thing("green", "star"),))),
        ("a blue ring on yellow, orbit", Scene("yellow", (Thing("blue", "ring"),))),
        (
            "a red disc beside a blue box on a black background",
            Scene("black", (Thing("red", "circle"), Thing("blue", "square")), "left of"),
        ),
    ],
)
def test_a_prompt_names_shapes_colors_and_the_background(prompt, scene):
    assert scene == read_scene(prompt, np.random.default_rng(1))


def test_the_seed_decides_what_the_prompt_leaves_open():
    prompt = "sneakers on a dark background"
    scenes = [read_scene(prompt, np.random.default_rng(seed)) for seed in range(30)]
    assert scenes[3] == read_scene(prompt, np.random.default_rng(3))
    assert set(SHAPES) == {scene.things[0].shape for scene in scenes}
    assert all(scene.background in COLORS and scene.things[0].color != scene.background for scene in scenes)


def test_the_scene_is_in_the_middle_of_any_size():
    still = np.asarray(draw_still("a red circle on a white background", 1, (320, 64)))
    assert (64, 320, 3) == still.shape
    assert [215, 35, 35] == still[32, 160].tolist()
    assert [248, 248, 248] == still[32, 8].tolist()


def test_what_is_not_drawn_is_said():
    assert () == unread("a red circle on white, slow zoom in")
    assert ("found no shape in the prompt",) == unread("white sneakers")
    assert ("draws two shapes at most",) == unread("a circle, a star and a ring")
