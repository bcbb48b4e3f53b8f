"""Storyboards as chains: which jobs a storyboard becomes, and what is refused."""

import pytest

from core.errors.fields import InvalidRequest, NotThisModel, OutOfRange
from jobs.params.image import ImageParams
from jobs.params.join import JoinParams
from jobs.params.media import Element
from jobs.params.requests.storyboard import Shot, StoryboardParams
from jobs.params.video import VideoParams
from pipelines.catalog.storyboard import plan_storyboard
from tests.support.checkpoints.specs import spec

URL = "https://example.org/a.png"
CAMERA = spec(id="camera", modality="video", capabilities=["image-to-video"])
WORDS = spec(id="words", modality="video", capabilities=["text-to-video"])
SINGLE = spec(id="single", modality="video", capabilities=["text-to-video"], limits={"max_shots": 1})
MUG = Element(name="mug", description="a mug", element_input_urls=(URL, URL))
FIRST, SECOND = Shot(prompt="zoom in"), Shot(prompt="zoom out", duration_seconds=3.0)


def plan(model=CAMERA, *shots, **fields):
    return plan_storyboard(model, StoryboardParams(shots=shots or (FIRST, SECOND), **fields))


def steps(planned):
    return {step.name: step.params for step in planned.steps}


def test_each_shot_begins_with_a_picture_of_its_own():
    made = plan(CAMERA, prompt="a boat,", image_model="painter", width=1536, height=768)
    found = steps(made)
    assert ["picture-1", "shot-1", "picture-2", "shot-2", "film"] == list(found)
    assert (
        ImageParams(prompt="a boat, zoom in", model="painter", width=1024, height=512, seed=42, output_format="png")
        == found["picture-1"]
    )
    assert (
        VideoParams(
            prompt="a boat, zoom out",
            model="camera",
            input_image="step:picture-2",
            width=1536,
            height=768,
            duration_seconds=3.0,
        )
        == found["shot-2"]
    )
    assert JoinParams(films=("step:shot-1", "step:shot-2")) == found["film"]
    assert ("camera makes one shot from its first frame: 2 shots are a chain of 5 jobs",) == made.warnings
    assert [0, 0, 1, 1, None] == [step.shot for step in made.steps]


def test_a_shot_begins_where_it_is_told():
    goes_on, own = Shot(prompt="on", continues=True), Shot(prompt="other", image=URL)
    found = steps(plan(CAMERA, FIRST, goes_on, own, input_image="inp_1"))
    assert ["shot-1", "shot-2", "shot-3", "film"] == list(found)
    assert ["inp_1", "step:shot-1/last", URL] == [found[f"shot-{n}"].input_image for n in (1, 2, 3)]


def test_a_model_of_words_makes_shots_of_words():
    found = steps(plan(WORDS))
    assert (["shot-1", "shot-2", "film"], None) == (list(found), found["shot-1"].input_image)
    assert (1, ()) == (len(plan(WORDS, FIRST).steps), plan(WORDS, FIRST).warnings)


def test_elements_are_of_the_first_frames():
    found = steps(plan(CAMERA, FIRST, elements=(MUG,), input_image=URL))
    assert ["picture-1", "shot-1"] == list(found)
    assert ((MUG,), (URL,)) == (found["picture-1"].elements, found["picture-1"].reference_images)


def test_every_job_has_the_controls_of_the_storyboard():
    made = plan(CAMERA, priority=3, labels={"a": "b"}, deadline_seconds=60, server_id="gpu0")
    assert {(3, 60)} == {(step.params.priority, step.params.deadline_seconds) for step in made.steps}
    assert [None, "gpu0", None, "gpu0", None] == [step.params.server_id for step in made.steps]


@pytest.mark.contract("B56")
@pytest.mark.parametrize(
    ("model", "shots", "fields", "error", "field", "words"),
    [
        (SINGLE, (), {}, OutOfRange, "$.shots", "single makes a single shot, and `shots` has 2"),
        (CAMERA, (Shot(prompt="a", continues=True),), {}, InvalidRequest, "$.shots[0].continues", "none before it"),
        (
            *(CAMERA, (FIRST, Shot(prompt="a", continues=True, image=URL)), {}),
            *(InvalidRequest, "$.shots[1].continues", "`image` is its first frame"),
        ),
        (WORDS, (), {"input_image": URL}, NotThisModel, "$.input_image", "remove `input_image`"),
        (WORDS, (Shot(prompt="a", image=URL),), {}, NotThisModel, "$.shots[0].image", "remove `image`"),
        (WORDS, (FIRST, Shot(prompt="a", continues=True)), {}, NotThisModel, "$.shots[1].continues", "`continues`"),
        (WORDS, (), {"elements": (MUG,)}, NotThisModel, "$.elements", "follows no `elements`"),
    ],
)
def test_what_cannot_be_made_is_refused_with_the_rule(model, shots, fields, error, field, words):
    with pytest.raises(error, match=words) as caught:
        plan(model, *shots, **fields)
    assert field == caught.value.field


@pytest.mark.contract("B56")
def test_a_model_of_a_single_shot_makes_one():
    assert [SECOND.prompt] == [step.params.prompt for step in plan(SINGLE, SECOND).steps]
