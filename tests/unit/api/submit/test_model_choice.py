"""The default model, and the refusals of models."""

import pytest
from msgspec.structs import replace

from api.submit.model_choice import check_model, default_model, models_without_server
from core.errors.fields import MissingField, NotThisModel, OutOfRange, UnknownModel
from core.errors.unavailable import NoModelAvailable
from jobs.params.cutout import CutoutParams
from jobs.params.image import ImageParams
from jobs.params.speech import SpeechParams
from jobs.params.video import VideoParams
from pipelines.catalog.loader import Catalog, load_catalog
from pipelines.catalog.requirements import supports
from tests.support.checkpoints.specs import spec

CATALOG = load_catalog()
URL = "https://example.org/a.png"
WORDS = ImageParams(prompt="a")

WRITER = spec(id="writer", capabilities=["text-to-image"])
PAINTER = spec(id="painter", capabilities=["text-to-image", "image-to-image"])
EDITOR = spec(id="editor", capabilities=["references"], limits={"max_references": 3})
KLEIN = spec(id="klein", capabilities=["text-to-image", "references"], limits={"max_references": 4})
BOTH = spec(id="both", capabilities=["image-to-image", "references"], limits={"max_references": 2})
CAMERA = spec(id="camera", modality="video", capabilities=["image-to-video"], limits={"max_seconds": 5})
TELLER = spec(id="teller", modality="video", capabilities=["text-to-video"])
ENDER = spec(
    id="ender", modality="video", capabilities=["text-to-video", "image-to-video", "first-last-frame"], limits={}
)
CUTTER = spec(id="cutter", modality="remove-background", capabilities=[])
BRITON = spec(id="briton", modality="speech", capabilities=[], languages=["en"])
POLYGLOT = spec(id="polyglot", modality="speech", capabilities=[], languages=["de", "en", "pt-br"])
MIMIC = spec(id="mimic", modality="speech", capabilities=["reference-voice"], languages=["en"])
SPEAKERS = (BRITON, POLYGLOT, MIMIC)
EVERY = Catalog((WRITER, PAINTER, EDITOR, KLEIN, BOTH, CAMERA, TELLER, ENDER, CUTTER, *SPEAKERS))


def image(references=0, **fields):
    return ImageParams(prompt="a", reference_images=(URL,) * references, **fields)


def test_the_default_is_the_first_served_model_in_catalog_order():
    assert "z-image-turbo" == default_model(CATALOG, "image", {"demo-shapes", "sdxl", "z-image-turbo"}, WORDS).id
    assert "demo-shapes" == default_model(CATALOG, "image", {"demo-shapes", "foreign-model"}, WORDS).id


@pytest.mark.parametrize("served", [set(), {"foreign-model"}])
def test_there_is_no_default_when_the_modality_is_not_served(served):
    with pytest.raises(NoModelAvailable):
        default_model(CATALOG, "image", served, WORDS)


@pytest.mark.parametrize(
    ("params", "able"),
    [
        (image(), {"writer", "painter", "klein"}),
        (image(input_image=URL), {"painter", "editor", "klein", "both"}),
        (image(input_image=URL, strength=0.5), {"painter", "both"}),
        (image(1), {"editor", "klein", "both"}),
        (image(2, input_image=URL), {"editor", "klein", "both"}),
        (image(3, input_image=URL), {"klein"}),
        (image(3), {"editor", "klein"}),
        (image(4, input_image=URL), set()),
        (image(2, input_image=URL, strength=0.5), {"both"}),
        (VideoParams(), {"teller", "ender"}),
        (VideoParams(input_image=URL), {"camera", "ender"}),
        (VideoParams(input_image=URL, last_image=URL), {"ender"}),
        (VideoParams(input_image=URL, duration_seconds=5.0), {"camera", "ender"}),
        (VideoParams(input_image=URL, duration_seconds=5.1), {"ender"}),
        (CutoutParams(image_url=URL), {"cutter"}),
        (SpeechParams(text="a"), {"briton", "polyglot", "mimic"}),
        (SpeechParams(text="a", target_voice_path=URL), {"mimic"}),
        (SpeechParams(text="a", language_id="de", target_voice_path=URL), set()),
        (SpeechParams(text="a", language_id="en-GB"), {"briton", "polyglot", "mimic"}),
        (SpeechParams(text="a", language_id="de_AT"), {"polyglot"}),
        (SpeechParams(text="a", language_id="fr"), set()),
    ],
)
def test_each_model_supports_what_its_entry_lists(params, able):
    modality = type(params).__struct_config__.tag
    assert able == {spec.id for spec in EVERY.of(modality) if supports(spec, params)}
    if able:
        first = next(spec.id for spec in EVERY.of(modality) if spec.id in able)
        assert first == default_model(EVERY, modality, {spec.id for spec in EVERY.models}, params).id


@pytest.mark.parametrize(
    ("model", "params", "kind", "field", "sentence"),
    [
        (EDITOR, image(), MissingField, "$.input_image", "`input_image` is required by editor; add it"),
        (
            WRITER,
            image(input_image=URL),
            NotThisModel,
            "$.input_image",
            "`input_image` is not supported by writer; remove it",
        ),
        (
            KLEIN,
            image(input_image=URL, strength=0.5),
            NotThisModel,
            "$.strength",
            "`strength` is not supported by klein; remove it",
        ),
        (
            WRITER,
            image(1),
            NotThisModel,
            "$.reference_images",
            "`reference_images` is not supported by writer; remove it",
        ),
        (
            *(EDITOR, image(3, input_image=URL), OutOfRange, "$.reference_images"),
            "must have at most 3 entries, `input_image` counted as one, for editor, or choose klein.",
        ),
        (KLEIN, image(5), OutOfRange, "$.reference_images", "must have at most 4 entries for klein."),
        (
            *(CAMERA, VideoParams(), MissingField, "$.input_image"),
            "`input_image` is required by camera; add it, or choose teller or ender.",
        ),
        (
            TELLER,
            VideoParams(input_image=URL),
            NotThisModel,
            "$.input_image",
            "`input_image` is not supported by teller; remove it",
        ),
        (
            *(CAMERA, VideoParams(input_image=URL, last_image=URL), NotThisModel, "$.last_image"),
            "`last_image` is not supported by camera; remove it, or choose ender.",
        ),
        (
            *(CAMERA, VideoParams(input_image=URL, duration_seconds=10.0), OutOfRange, "$.duration_seconds"),
            "`duration_seconds` must be at most 5 for camera, or choose ender.",
        ),
        (
            *(BRITON, SpeechParams(text="a", language_id="de"), NotThisModel, "$.language_id"),
            "briton does not speak 'de': ask for en, or choose polyglot.",
        ),
        (
            *(BRITON, SpeechParams(text="a", target_voice_path=URL), NotThisModel, "$.target_voice_path"),
            "Voice cloning is not supported by briton; remove `target_voice_path`, or choose mimic.",
        ),
        (
            *(POLYGLOT, SpeechParams(text="a", language_id="tlh"), NotThisModel, "$.language_id"),
            "polyglot does not speak 'tlh': ask for de, en or pt-br.",
        ),
    ],
)
def test_a_refusal_names_the_change_and_other_models(model, params, kind, field, sentence):
    with pytest.raises(kind) as caught:
        check_model(EVERY, model, params)
    assert (kind, field) == (type(caught.value), caught.value.field)
    assert sentence in caught.value.detail
    assert "." == caught.value.detail[-1]


@pytest.mark.parametrize(
    ("served", "params", "kind", "field"),
    [
        ({"camera"}, VideoParams(), MissingField, "$.input_image"),
        ({"camera"}, VideoParams(input_image=URL, duration_seconds=10.0), OutOfRange, "$.duration_seconds"),
        ({"camera", "teller"}, VideoParams(input_image=URL, last_image=URL), NotThisModel, "$.last_image"),
        ({"writer", "painter"}, image(1), NotThisModel, "$.reference_images"),
        ({"writer", "klein"}, image(5), OutOfRange, "$.reference_images"),  # klein comes closer
        ({"briton"}, SpeechParams(text="a", language_id="de"), NotThisModel, "$.language_id"),
    ],
)
def test_without_a_fitting_model_the_closest_one_refuses(served, params, kind, field):
    with pytest.raises(kind) as caught:
        default_model(EVERY, type(params).__struct_config__.tag, served, params)
    assert (kind, field) == (type(caught.value), caught.value.field)


@pytest.mark.parametrize("others_are", ["no running server serves yet", "this server does not serve"])
def test_models_that_would_do_are_named_as_not_served(others_are):
    with pytest.raises(NotThisModel, match=rf"remove it, or choose editor or klein or both, which {others_are}\.$"):
        default_model(EVERY, "image", {"writer"}, image(1), others_are=others_are)


def test_a_model_without_languages_accepts_any_language():
    silent = spec(id="silent", modality="speech", capabilities=[])
    assert supports(silent, SpeechParams(text="a", language_id="tlh"))


@pytest.mark.parametrize(
    ("language_id", "model"),
    [("en", "chatterbox-multilingual-v3"), ("nb", "chatterbox-multilingual-v3"), ("cy", "demo-espeak")],
)
def test_the_first_shipped_model_of_a_language_is_its_default(language_id, model):
    served = {spec.id for spec in CATALOG.models}
    assert model == default_model(CATALOG, "speech", served, SpeechParams(text="a", language_id=language_id)).id


def test_a_preferred_model_goes_before_the_catalogs_first():
    served = {"writer", "painter", "klein"}
    assert "klein" == default_model(EVERY, "image", served, WORDS, preferred={"klein"}).id
    assert "painter" == default_model(EVERY, "image", served, image(input_image=URL, strength=0.5), {"klein"}).id


def test_without_a_server_the_choice_is_by_catalog_order():
    def ids(params):
        return [spec.id for spec in models_without_server(EVERY, params, "native")]

    assert ["writer", "painter", "klein"] == ids(WORDS)
    assert ["klein"] == ids(ImageParams(prompt="a", model="klein"))
    assert [] == ids(image(4, input_image=URL))
    for model, kind in (("editor", MissingField), ("nonsense", UnknownModel)):
        with pytest.raises(kind):
            ids(ImageParams(prompt="a", model=model))


def test_a_prompt_longer_than_the_model_takes():
    short = replace(WRITER, limits=replace(WRITER.limits, max_prompt_chars=10))
    alone = Catalog((short,))
    check_model(alone, short, ImageParams(prompt="a" * 10))
    with pytest.raises(OutOfRange) as caught:
        check_model(alone, short, ImageParams(prompt="a" * 11))
    assert "$.prompt" == caught.value.field
    assert "`prompt` must have at most 10 characters for writer." == caught.value.detail
