"""What elements mean to a model: further references, and words in the prompt."""

import pytest

from jobs.params.image import ImageParams
from jobs.params.media import Element, media_of, with_sources
from pipelines.catalog.elements import resolve_elements
from tests.support.checkpoints.specs import spec

URL = "https://example.org/a.png"
EDITOR = spec(id="editor", capabilities=["references"], limits={"max_references": 16})
STARTER = spec(id="starter", capabilities=["image-to-image", "references"], limits={"max_references": 16})
MUG = Element(name="mug", description="a blue mug.", element_input_urls=(URL, URL))
HAND = Element(name="hand-2", description="a hand", element_input_video_urls=(URL,))


def resolved(prompt, model=EDITOR, elements=(MUG, HAND), **fields):
    return resolve_elements(model, ImageParams(prompt=prompt, elements=elements, **fields))


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("@hand-2 lifts @mug", "a hand (image 3) lifts a blue mug (images 1 and 2)"),
        ("@mug, @mug", "a blue mug (images 1 and 2), a blue mug (images 1 and 2) hand-2: a hand (image 3)."),
        ("me@mugshot.example", "me@mugshot.example mug: a blue mug (images 1 and 2). hand-2: a hand (image 3)."),
    ],
)
def test_a_name_becomes_what_it_is(prompt, said):
    assert said == resolved(prompt).params.prompt


@pytest.mark.parametrize(
    ("model", "fields", "words", "first"),
    [
        (EDITOR, {}, "images 1 to 3", 0),
        (EDITOR, {"input_image": URL}, "images 2 to 4", 0),
        (EDITOR, {"input_image": URL, "reference_images": (URL,)}, "images 3 to 5", 1),
        (STARTER, {"input_image": URL, "reference_images": (URL,)}, "images 2 to 4", 1),
    ],
)
def test_images_are_counted_as_the_model_gets_them(model, fields, words, first):
    three = Element(name="mug", description="a mug", element_input_urls=(URL,) * 3)
    made = resolved("@mug", model, (three,), **fields)
    assert words in made.params.prompt
    assert [f"reference_images.{first + n}" for n in range(3)] == list(made.names.values())
    files = {"input_image": 1, "elements.0.picture.0": 2}
    assert {"input_image": 1, f"reference_images.{first}": 2} == made.renamed(files)
    assert first + 3 == len(made.params.reference_images)


def test_their_media_have_names_and_fields():
    asked = ImageParams(prompt="a", elements=(MUG, HAND))
    media = {medium.name: medium for medium in media_of(asked)}
    assert ["elements.0.picture.0", "elements.0.picture.1", "elements.1.film.0"] == list(media)
    film = media["elements.1.film.0"]
    assert ("image", "video", "middle") == (film.kind, film.file_kind, film.frame)
    assert "$.elements[1].element_input_video_urls[0]" == film.field
    changed = with_sources(asked, {"elements.0.picture.1": "stored:b"})
    assert (URL, "stored:b") == changed.elements[0].element_input_urls
    assert HAND == changed.elements[1]
