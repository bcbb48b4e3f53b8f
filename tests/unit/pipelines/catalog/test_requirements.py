"""What models require of requests: the rules that the API checks at submit and families check again."""

import msgspec
import pytest

from core.errors.fields import MissingField, NotThisModel, OutOfRange
from jobs.params.image import ImageParams, Padding
from jobs.params.media import LoraChoice, media_of
from jobs.params.speech import Pronunciation, SpeechParams
from jobs.params.text import TextParams
from jobs.params.video import VideoParams
from pipelines.catalog.loader import load_catalog
from pipelines.catalog.prompts.templates import prompt_templates
from pipelines.catalog.requirements import (
    check_media,
    check_voice_seconds,
    input_counts,
    settle,
    takes_input_as_reference,
    unmet_media,
    unmet_requirements,
)
from tests.support.checkpoints.specs import spec

URL = "https://example.org/a.png"
COUNTS = {"text-to-image": [0, 0], "image-to-image": [1, 1]}
WRITER = spec(id="writer", capabilities=["text-to-image"])
EDITOR = spec(id="editor", capabilities=["references"], limits={"max_references": 2})
BOTH = spec(id="both", capabilities=["image-to-image", "references"], limits={"max_references": 2})
PAINTER = spec(id="painter", capabilities=["text-to-image", "image-to-image", "mask"], limits={"inputs": COUNTS})
CAMERA = spec(id="camera", modality="video", capabilities=["image-to-video"], limits={"max_seconds": 3})
CASTER = spec(
    id="caster",
    modality="video",
    capabilities=["text-to-video", "image-to-video", "references"],
    limits={"max_references": 2},
)
ENDER = spec(id="ender", modality="video", capabilities=["text-to-video", "image-to-video", "first-last-frame"])
BRITON = spec(id="briton", modality="speech", capabilities=[], languages=["en"])
CHOIR = spec(id="choir", modality="speech", capabilities=["phonemes"], voices={"ann": "Ann", "ben": "Ben"})


@pytest.mark.parametrize(
    ("model", "voice", "sentence"),
    [
        (CHOIR, "eve", "`voice` must be one of ann, ben for choir"),
        (BRITON, "ann", "`voice` must be left out for briton"),
        (CHOIR, "ben", None),
        (BRITON, None, None),
    ],
)
def test_a_voice_is_one_of_the_models_own(model, voice, sentence):
    unmet = list(unmet_requirements(model, SpeechParams(text="a", voice=voice)))
    assert [(NotThisModel, "$.voice", sentence)] * bool(sentence) == [(u.error, u.field, u.sentence) for u in unmet]


def test_a_model_of_some_templates_answers_no_other_request():
    label = spec(id="label", modality="text", capabilities=["vision"], templates=["description"])
    asked = {"images": ("a",), "template": "description"}
    assert [] == list(unmet_requirements(label, TextParams(**asked)))
    for others in ({"prompt": "hello"}, asked | {"template": "caption"}):
        (unmet,) = unmet_requirements(label, TextParams(**others))
        assert (NotThisModel, "$.template") == (unmet.error, unmet.field)
        assert "`template` must be description for label, which answers nothing else" == unmet.sentence
    with pytest.raises(msgspec.ValidationError, match="is for texts"):
        spec(templates=["description"])
    for model in load_catalog().models:
        assert {*model.templates} <= prompt_templates().keys()


def test_phonemes_need_a_model_that_reads_them():
    words = (Pronunciation(word="SQL", say="sequel"), Pronunciation(word="Leominster", phonemes="lɛmstə"))
    params = SpeechParams(text="a", replacements=words)
    assert [] == list(unmet_requirements(CHOIR, params))
    assert ["$.replacements[1].phonemes"] == [unmet.field for unmet in unmet_requirements(BRITON, params)]


def test_a_kind_of_control_picture_is_drawn_or_given():
    network = {"source": {"path": "union"}, "file": "union.safetensors"}
    depth = {"depth": {"source": {"path": "depth"}}}
    model = spec(capabilities=["text-to-image", "control"], controlnet=network, preprocessors=depth)
    asked = ImageParams(prompt="a", control_image=URL, control_kind="pose")

    (unmet,) = unmet_requirements(model, asked)
    assert (NotThisModel, "$.control_kind") == (unmet.error, unmet.field)
    for changes in ({"control_kind": "depth"}, {"control_kind": "canny"}, {"control_as_given": True}):
        assert [] == list(unmet_requirements(model, msgspec.structs.replace(asked, **changes)))


@pytest.mark.parametrize(
    ("model", "media", "error", "message"),
    [
        (WRITER, ["input_image"], NotThisModel, "`input_image` is not supported by writer; remove it."),
        (WRITER, ["reference_images.0"], NotThisModel, "`reference_images` is not supported by writer; remove it."),
        (EDITOR, [], NotThisModel, "`input_image` is required by editor; add it."),
        (BOTH, ["input_image", "mask"], NotThisModel, "`mask` is not supported by both; remove it."),
        (BOTH, ["input_image", "padding"], NotThisModel, "`padding` is not supported by both; remove it."),
        (PAINTER, ["control_image"], NotThisModel, "`control_image` is not supported by painter; remove it."),
        (PAINTER, ["padding"], NotThisModel, "`input_image` is required by painter; add it."),
        (PAINTER, ["mask"], NotThisModel, "`input_image` is required by painter; add it."),
        (
            *(EDITOR, ["input_image", "reference_images.0", "reference_images.1"], OutOfRange),
            "`reference_images` must have at most 2 entries, `input_image` counted as one, for editor.",
        ),
        (CAMERA, [], NotThisModel, "`input_image` is required by camera; add it."),
        (CAMERA, ["input_image", "last_image"], NotThisModel, "`last_image` is not supported by camera; remove it."),
        (ENDER, ["last_image"], NotThisModel, "`input_image` is required by ender; add it."),
        (ENDER, ["reference_images.0"], NotThisModel, "`reference_images` is not supported by ender; remove it."),
        (
            *(CASTER, [f"reference_images.{n}" for n in range(3)], OutOfRange),
            "`reference_images` must have at most 2 entries for caster.",
        ),
        (
            *(BRITON, ["target_voice_path"], NotThisModel),
            "Voice cloning is not supported by briton; remove `target_voice_path`.",
        ),
    ],
)
def test_media_without_support_are_refused(model, media, error, message):
    with pytest.raises(error) as caught:
        check_media(model, media)
    assert (error, message) == (type(caught.value), caught.value.detail)
    assert caught.value.field.removeprefix("$.") in message


@pytest.mark.parametrize(
    ("model", "media"),
    [
        (WRITER, []),
        (EDITOR, ["input_image", "reference_images.0"]),
        (BOTH, ["input_image", "reference_images.0", "reference_images.1"]),
        (CAMERA, ["input_image"]),
        (ENDER, ["input_image", "last_image"]),
        (ENDER, []),
        (CASTER, ["input_image", "reference_images.0", "reference_images.1"]),
        (BRITON, []),
    ],
)
def test_supported_media_are_accepted(model, media):
    assert [] == list(unmet_media(model, media))


@pytest.mark.contract("F2")
def test_a_padding_is_no_picture_and_needs_a_painter():
    params = ImageParams(prompt="a", input_image=URL, padding=Padding(left=8))
    assert [] == list(unmet_requirements(PAINTER, params))
    assert ["$.padding"] == [unmet.field for unmet in unmet_requirements(BOTH, params)]


def test_an_editor_takes_its_input_as_a_reference():
    assert takes_input_as_reference(EDITOR)
    assert not takes_input_as_reference(BOTH)
    assert not takes_input_as_reference(WRITER)


def test_strength_says_how_much_an_editor_repaints():
    editor = spec(capabilities=["references", "mask"], limits={"max_references": 2})
    params = ImageParams(prompt="a", input_image=URL, strength=0.5)
    assert ["$.strength"] == [unmet.field for unmet in unmet_requirements(editor, params)]
    for changes in ({"mask": URL}, {"padding": Padding(left=8)}):
        assert [] == list(unmet_requirements(editor, msgspec.structs.replace(params, **changes)))


def test_strength_is_refused_where_the_input_is_a_reference():
    params = ImageParams(prompt="a", input_image=URL, strength=0.5)
    assert ["$.strength"] == [unmet.field for unmet in unmet_requirements(EDITOR, params)]
    assert [] == list(unmet_requirements(BOTH, params))


def test_a_family_does_not_refuse_what_it_can_shorten():
    params = VideoParams(input_image=URL, duration_seconds=4.0)
    assert ["$.duration_seconds"] == [unmet.field for unmet in unmet_requirements(CAMERA, params)]
    check_media(CAMERA, [medium.name for medium in media_of(params)])


def test_a_reference_voice_must_be_longer_than_the_minimum():
    check_voice_seconds(5.1, 5.0)
    with pytest.raises(NotThisModel, match=r"more than 5 s; this one has 5\.0 s\.") as caught:
        check_voice_seconds(5.0, 5.0)
    assert "$.target_voice_path" == caught.value.field


def test_a_missing_image_is_a_missing_field_only_at_submit():
    (unmet,) = unmet_media(EDITOR, [])
    assert (MissingField, "$.input_image") == (unmet.error, unmet.field)
    with pytest.raises(NotThisModel):
        check_media(EDITOR, [])


FILM = {"modality": "video", "capabilities": ["text-to-video", "image-to-video", "first-last-frame"]}
STEPPED = spec(id="stepped", **FILM, limits={"durations": [5, 10]})
RANGED = spec(id="ranged", **FILM, limits={"min_seconds": 3, "max_seconds": 8})
FIXED = spec(id="fixed", **FILM, limits={"durations": [6]}, unsupported={"duration": "adapt"})


@pytest.mark.parametrize(
    ("model", "asked", "rule"),
    [
        (STEPPED, 5.0, None),
        (STEPPED, 7.0, "`duration_seconds` must be 5 or 10 for stepped"),
        (RANGED, 3.0, None),
        (RANGED, 2.5, "`duration_seconds` must be at least 3 for ranged"),
        (RANGED, 8.5, "`duration_seconds` must be at most 8 for ranged"),
        (FIXED, 9.0, None),
    ],
)
def test_a_duration_is_refused_with_the_rule(model, asked, rule):
    unmet = list(unmet_requirements(model, VideoParams(duration_seconds=asked)))
    assert ([] if rule is None else [(OutOfRange, "$.duration_seconds", rule)]) == [
        (each.error, each.field, each.sentence) for each in unmet
    ]


@pytest.mark.parametrize(("model", "made"), [(STEPPED, 5.0), (RANGED, 3.0), (FIXED, 6.0)])
def test_a_duration_left_out_is_the_nearest(model, made):
    assert [] == list(unmet_requirements(model, VideoParams()))
    settled = settle(model, VideoParams())
    assert (made, 1) == (settled.params.duration_seconds, len(settled.warnings))


def test_what_is_adapted_is_said():
    settled = settle(FIXED, VideoParams(duration_seconds=9.0, negative_prompt="blur", quality="pro"))
    assert (6.0, None, "standard") == (
        *(settled.params.duration_seconds, settled.params.negative_prompt, settled.params.quality),
    )
    assert (
        "fixed does not use `negative_prompt`; it was ignored",
        "fixed has no preset 'pro'; its standard one was used",
        "fixed makes videos of 6 s; this one has 6 s",
    ) == settled.warnings


def test_what_a_model_does_is_left_alone():
    params = ImageParams(prompt="a", negative_prompt="blur", quality="fast", width=640)
    able = spec(capabilities=["text-to-image", "negative-prompt"], quality={"fast": {"num_inference_steps": 2}})
    settled = settle(able, params)
    assert settled.params is params
    assert () == settled.warnings


STRICT = spec(
    id="strict",
    limits={"max_prompt_chars": 10, "native_sizes": [[512, 512], [512, 1024]]},
    unsupported={"size": "refuse", "negative_prompt": "refuse", "quality": "refuse"},
    quality={"fast": {"num_inference_steps": 2}},
)
LENIENT = spec(id="lenient", limits={"max_prompt_chars": 10}, unsupported={"prompt": "adapt"})


@pytest.mark.parametrize(
    ("fields", "field", "rule"),
    [
        ({"prompt": "eleven char"}, "$.prompt", "`prompt` must have at most 10 characters for strict"),
        ({"negative_prompt": "b"}, "$.negative_prompt", "`negative_prompt` is not supported by strict; remove it"),
        ({"quality": "ultra"}, "$.quality", "`quality` must be standard or fast for strict"),
        (
            *({"width": 512, "height": 768}, "$.width"),
            "The size must be one of 512x512, 512x1024 (the nearest is 512x1024) for strict, and `width` and `height` "
            "are 512x768",
        ),
    ],
)
def test_an_entry_may_refuse_what_others_adapt(fields, field, rule):
    (unmet,) = unmet_requirements(STRICT, ImageParams(**{"prompt": "a"} | fields))
    assert (field, rule) == (unmet.field, unmet.sentence)


def test_a_size_left_out_is_never_refused():
    assert [] == list(unmet_requirements(STRICT, ImageParams(prompt="a")))


def test_a_dialect_ignores_fields_and_not_limits():
    params = ImageParams(prompt="eleven char", negative_prompt="blur", quality="ultra")
    (unmet,) = unmet_requirements(STRICT, params, ignores_unsupported=True)
    assert "$.prompt" == unmet.field


@pytest.mark.parametrize(
    ("prompt", "cut"), [("a red circle", "a red"), ("a redd circ le", "a redd"), ("abcdefghijkl", "abcdefghij")]
)
def test_a_prompt_is_cut_behind_a_word(prompt, cut):
    assert [] == list(unmet_requirements(LENIENT, ImageParams(prompt=prompt)))
    settled = settle(LENIENT, ImageParams(prompt=prompt))
    assert (cut, ("lenient reads 10 characters of a prompt; the rest was cut off",)) == (
        *(settled.params.prompt, settled.warnings),
    )


def test_a_caveat_comes_first():
    model = spec(
        id="lenient", caveat="lenient guesses", limits={"max_prompt_chars": 10}, unsupported={"prompt": "adapt"}
    )
    first, *others = settle(model, ImageParams(prompt="a redd circ le")).warnings
    assert ("lenient guesses", 1) == (first, len(others))
    assert () == settle(spec(), ImageParams(prompt="a")).warnings


def test_a_preset_has_a_size_for_a_request_that_names_none():
    model = spec(quality={"fast": {"width": 512, "height": 384}})
    for fields, size in (({}, (512, 384)), ({"width": 640}, (640, 1024)), ({"quality": "standard"}, (1024, 1024))):
        params = ImageParams(**{"prompt": "a", "quality": "fast"} | fields)
        settled = settle(model, params).params
        assert size == (settled.width, settled.height) == model.size_of(params)


LARGE = spec(id="large", limits={"resolutions": ["2K"], "max_side": 2048, "side_multiple": 16})


@pytest.mark.parametrize(
    ("fields", "size", "warnings"),
    [
        ({"resolution": "2K"}, (2048, 2048), 0),
        ({"resolution": "2K", "width": 1024, "height": 432}, (2048, 864), 0),
        ({"resolution": "1K", "width": 512, "height": 288}, (1024, 576), 0),
        ({"resolution": "4K", "width": 1024, "height": 768}, (2048, 1536), 1),
    ],
)
def test_a_resolution_is_the_longest_side(fields, size, warnings):
    params = ImageParams(prompt="a", **fields)
    settled = settle(LARGE, params)
    assert (size, warnings) == ((settled.params.width, settled.params.height), len(settled.warnings))
    assert size == LARGE.size_of(params) == LARGE.size_of(settled.params)


def test_a_resolution_that_is_not_made_may_be_refused():
    model = spec(id="one", unsupported={"size": "refuse"})
    (unmet,) = unmet_requirements(model, ImageParams(prompt="a", resolution="2K"))
    assert ("$.resolution", "`resolution` must be 1K for one") == (unmet.field, unmet.sentence)


ENDS = spec(id="ends", **FILM, limits={"inputs": {"image-to-video": [2, 2]}})
CHOICE = spec(id="choice", **FILM, limits={"inputs": {"text-to-video": [0, 1], "image-to-video": [2, 2]}})
PAIR = spec(id="pair", capabilities=["references"], limits={"max_references": 4, "inputs": {"image-to-image": [2, 4]}})


@pytest.mark.parametrize(
    ("model", "media", "error", "field"),
    [
        (ENDS, [], None, None),
        (ENDS, ["input_image"], MissingField, "$.last_image"),
        (ENDS, ["input_image", "last_image"], None, None),
        (CHOICE, ["input_image"], None, None),
        (PAIR, ["reference_images.0"], MissingField, "$.reference_images"),
        (PAIR, ["input_image", "reference_images.0"], None, None),
    ],
)
def test_an_entry_says_how_many_pictures_it_takes(model, media, error, field):
    unmet = next(unmet_media(model, media), None)
    assert (error, field) == ((None, None) if unmet is None else (unmet.error, unmet.field))


def test_the_rule_of_the_pictures_is_said():
    (unmet,) = unmet_media(ENDS, ["input_image"])
    assert (
        "ends takes no pictures for text-to-video and exactly 2 pictures for image-to-video; this request has 1: add "
        "`last_image`"
    ) == unmet.sentence


def test_capabilities_say_how_many_pictures_a_model_takes():
    counts = [input_counts(model) for model in (WRITER, EDITOR, BOTH, CAMERA, ENDER, CASTER, BRITON)]
    assert [
        {"text-to-image": (0, 0)},
        {"image-to-image": (1, 2)},
        {"image-to-image": (1, 3)},
        {"image-to-video": (1, 1)},
        {"text-to-video": (0, 0), "image-to-video": (1, 2)},
        {"image-to-video": (1, 1), "text-to-video": (0, 2)},
        {},
    ] == counts


FLOAT8 = {"fast": {"quantization": "float8"}}
LORAS = {"style": {"source": {"path": "style"}, "file": "style.safetensors"}}


@pytest.mark.contract("F1")
@pytest.mark.parametrize(
    ("model", "fields", "field", "sentence"),
    [
        (spec(), {}, "$.loras[0].lora", "tiny has no LoRA 'style'; it has none"),
        (
            *(spec(loras={"brand": LORAS["style"]}), {}, "$.loras[0].lora"),
            "tiny has no LoRA 'style'; its LoRAs are brand",
        ),
        (
            *(spec(loras=LORAS, quality=FLOAT8), {"quality": "fast"}, "$.quality"),
            "`loras` are not for `quality` fast of tiny; choose another one or remove them",
        ),
        (
            *(spec(loras=LORAS, compile=True), {}, "$.loras"),
            "`loras` are not supported by tiny, which is compiled; remove them",
        ),
        (
            *(spec(loras=LORAS, backends=[{"name": "local"}, {"name": "partner"}]), {}, "$.loras"),
            "`loras` are not supported by tiny, which other services make, too; remove them",
        ),
    ],
)
def test_a_lora_that_the_model_does_not_take_is_refused(model, fields, field, sentence):
    asked = ImageParams(prompt="a cat", loras=(LoraChoice(lora="style"),), **fields)
    (unmet,) = unmet_requirements(model, asked)
    assert (NotThisModel, field, sentence) == (unmet.error, unmet.field, unmet.sentence)


def test_a_lora_as_a_file_needs_a_model_that_takes_some():
    takes = spec(loras=LORAS, lora_files={"0" * 64: {"licence": {"name": "MIT", "url": "https://example.org"}}})
    asked = ImageParams(prompt="a cat", loras=(LoraChoice(lora="style"), LoraChoice(lora="med_1")))
    assert [] == list(unmet_requirements(takes, asked))
    check_media(takes, [medium.name for medium in media_of(asked)])
    (unmet,) = unmet_requirements(spec(loras=LORAS), asked)
    assert (NotThisModel, "$.loras[1].lora") == (unmet.error, unmet.field)


def test_a_lora_of_the_model_is_taken():
    asked = ImageParams(prompt="a cat", loras=(LoraChoice(lora="style"),))
    assert [] == list(unmet_requirements(spec(loras=LORAS, quality=FLOAT8), asked))


def test_a_still_alone_needs_a_model_that_begins_with_one():
    model = spec(modality="video", capabilities=["text-to-video", "motion-control"])
    (unmet,) = unmet_requirements(model, VideoParams(prompt="x", input_image="a"))
    assert (NotThisModel, "$.input_image") == (unmet.error, unmet.field)
    assert [] == list(unmet_requirements(model, VideoParams(prompt="x", input_image="a", motion_video="b")))
    driven = spec(modality="video", capabilities=["motion-control"])
    (unmet,) = unmet_requirements(driven, VideoParams(prompt="x", input_image="a"))
    assert "$.motion_video" == unmet.field


def test_a_film_with_sound_names_one():
    model = spec(
        id="foley",
        family="demo-camera",
        modality="video",
        capabilities=["text-to-video", "sound"],
        vocabulary={"rain": ["shower"], "sea": []},
    )
    (unmet,) = unmet_requirements(model, VideoParams(prompt="a lamp", sound=True))
    assert (NotThisModel, "$.prompt") == (unmet.error, unmet.field)
    assert "`prompt` must name for `sound` a sound that foley makes: rain or sea" == unmet.sentence
    for params in (VideoParams(prompt="a lamp"), VideoParams(prompt="a lamp in showers", sound=True)):
        assert [] == list(unmet_requirements(model, params))
    assert [] == list(unmet_requirements(model, VideoParams(prompt="a lamp", sound=True), ignores_unsupported=True))
    assert not settle(model, VideoParams(prompt="a lamp", sound=True)).params.sound
