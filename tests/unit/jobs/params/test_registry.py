"""What a caller may ask for: the fields, defaults and ranges of the contract's section C, for every modality."""

import math
from typing import get_args

import msgspec
import pytest

from api.http.spooled_body import decode
from cli.demo.table import JOBS
from core.errors.fields import NulInText
from jobs.params.base import changed_fields, read_params, refuse_nul
from jobs.params.image import ImageParams
from jobs.params.media import LoraChoice
from jobs.params.registry import MODALITIES, PARAMS_OF, AnyParams, Modality
from jobs.params.speech import Pronunciation
from jobs.params.video import VideoParams

URL = "https://example.com/a.png"
REQUIRED = {
    "image": {"prompt": "a red circle"},
    "video": {"input_image": URL},
    "speech": {"text": "Good day."},
    "3d": {"image_path": URL},
    "remove-background": {"image_url": URL},
    "branding": {"input_image": URL},
    "join": {"films": (URL, URL)},
    "vectorize": {"input_image": URL},
    "text": {"prompt": "Three captions for a mug."},
    "upscale": {"input_image": URL},
    "sound": {"prompt": "rain"},
    "music": {"prompt": "a happy tune"},
    "transcript": {"input_audio": URL},
    "avatar": {"input_image": URL, "input_audio": URL},
    "interpolate": {"input_video": URL},
    "embedding": {"texts": ("red shoes",)},
    "segment": {"input_image": URL},
}
SHARED = {
    "model": None,
    "output_format": "webp",
    "callback_url": None,
    "server_id": None,
    "pin": "strict",
    "prefer_seconds": 30.0,
    "priority": 5,
    "deadline_seconds": None,
    "start_within_seconds": None,
    "labels": {},
}
OWN = {
    "image": {
        "watermark": "auto",
        "quality": "standard",
        "num_images": 1,
        "input_image": None,
        "mask": None,
        "padding": None,
        "control_image": None,
        "control_kind": "canny",
        "control_as_given": False,
        "control_scale": None,
        "strength": None,
        "reference_images": (),
        "elements": (),
        "loras": (),
        "negative_prompt": None,
        "width": 1024,
        "height": 1024,
        "resolution": None,
        "num_inference_steps": None,
        "guidance_scale": None,
        "seed": -1,
        "enhance_prompt": False,
        "logo_url": None,
        "logo_position": "bottom_right",
        "palette": (),
        "profile_id": None,
        "palette_mode": None,
        "subject_image": None,
    },
    "video": {
        "watermark": "auto",
        "output_format": "mp4",
        "prompt": "cinematic motion",
        "enhance_prompt": False,
        "last_image": None,
        "reference_images": (),
        "motion_video": None,
        "motion_as_given": False,
        "loras": (),
        "sound": False,
        "negative_prompt": None,
        "quality": "standard",
        "width": 896,
        "height": 512,
        "duration_seconds": 2.0,
        "num_inference_steps": None,
        "guidance_scale": None,
        "seed": 42,
    },
    "speech": {
        "voice": None,
        "replacements": (),
        "speed": 1.0,
        "loudness": -18.0,
        "output_format": "wav",
        "language_id": "en",
        "target_voice_path": None,
        "max_new_tokens": 256,
        "exaggeration": 0.5,
        "temperature": 0.8,
        "cfg_weight": 0.5,
        "seed": -1,
        "stream": False,
        "apply_watermark": True,
    },
    "3d": {
        "output_format": "glb",
        "mode": "generate",
        "max_faces": 100_000,
        "mesh_save_name": None,
        "painted_save_name": None,
        "seed": -1,
        "auto_unload": True,
    },
    "remove-background": {
        "input_video": None,
        "watermark": "auto",
        "output_format": "png",
        "mask_only": False,
        "background_color": None,
        "crop": False,
        "semitransparency": False,
        "keep_cutout": False,
        "drop_shadow": False,
        "shadow_opacity": 0.38,
        "shadow_blur": 0.018,
        "shadow_dy": 0.022,
        "shadow_dx": 0.004,
    },
    "branding": {"output_format": "webp", "logo_url": None, "logo_position": "bottom_right", "palette": ()},
    "join": {"output_format": "mp4", "watermark": "auto"},
    "interpolate": {"output_format": "mp4", "factor": 2, "watermark": "auto"},
    "avatar": {"output_format": "mp4", "face_x": 0.5, "face_y": 0.45, "face_size": 0.5, "watermark": "auto"},
    "vectorize": {
        "output_format": "svg",
        "mode": "spline",
        "color_mode": "color",
        "colors": None,
        "detail": None,
        "filter_speckle": 4,
        "corner_threshold": 60,
        "watermark": "auto",
    },
    "text": {
        "output_format": "txt",
        "messages": (),
        "template": None,
        "variables": {},
        "images": (),
        "input_video": None,
        "max_tokens": 512,
        "temperature": 0.7,
        "top_p": 0.95,
        "stop": (),
        "seed": -1,
    },
    "upscale": {"input_video": None, "output_format": "webp", "scale": 4, "method": "realesrgan", "watermark": "auto"},
    "sound": {
        "output_format": "wav",
        "negative_prompt": None,
        "duration_seconds": 5.0,
        "loop": False,
        "num_inference_steps": None,
        "guidance_scale": None,
        "seed": -1,
    },
    "music": {
        "output_format": "wav",
        "lyrics": None,
        "language_id": "en",
        "instrumental": False,
        "duration_seconds": 30.0,
        "bpm": None,
        "key": None,
        "time_signature": None,
        "num_inference_steps": None,
        "guidance_scale": None,
        "seed": -1,
    },
    "embedding": {"output_format": "json", "input_image": None},
    "segment": {"output_format": "png", "classes": (), "threshold": None},
    "transcript": {
        "output_format": "json",
        "language_id": None,
        "prompt": None,
        "timestamp_granularities": ("segment",),
        "temperature": 0.0,
        "seed": -1,
    },
}


def ask(modality, /, **fields):
    """The parameters of a request with these fields, beside the required ones."""
    body = {"modality": modality} | REQUIRED[modality] | fields
    return msgspec.json.decode(msgspec.json.encode(body), type=PARAMS_OF[modality])


@pytest.mark.parametrize("modality", REQUIRED)
class TestEveryModality:
    def test_required_fields_suffice_and_defaults_are_the_contracts(self, modality):
        given = msgspec.structs.asdict(ask(modality))
        assert SHARED | OWN[modality] | REQUIRED[modality] == given

    def test_an_unknown_field_is_refused_and_named(self, modality):
        with pytest.raises(msgspec.ValidationError, match="color"):
            ask(modality, color="red")

    def test_an_unknown_field_in_a_row_is_ignored(self, modality):
        params = ask(modality, priority=9)
        row = msgspec.to_builtins(params) | {"a_field_of_a_newer_version": [1, 2]}
        assert params == read_params(row, PARAMS_OF[modality])

    def test_what_a_row_holds_comes_back_the_same(self, modality):
        params = ask(modality, callback_url=URL, deadline_seconds=60)
        stored = msgspec.json.decode(msgspec.json.encode(params))
        assert modality == stored["modality"]
        assert params == read_params(stored, PARAMS_OF[modality])

    def test_the_tag_tells_the_modality(self, modality):
        assert modality == PARAMS_OF[modality].__struct_config__.tag
        with pytest.raises(msgspec.ValidationError):
            ask(modality, modality="video" if modality == "text" else "text")

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("priority", -1),
            ("priority", 10),
            ("priority", "5"),
            ("priority", 5.5),
            ("priority", True),
            ("deadline_seconds", 0),
            ("deadline_seconds", 7 * 86400 + 1),
            ("callback_url", ""),
            ("callback_url", "h" * 4097),
            ("callback_url", 5),
            ("server_id", "s" * 201),
            ("pin", "always"),
            ("prefer_seconds", -1),
            ("prefer_seconds", 86401),
            ("model", "m" * 201),
            ("model", 1),
            ("output_format", "gif"),
            ("output_format", "PNG"),
        ],
    )
    def test_a_shared_field_out_of_range_is_refused_with_its_path(self, modality, field, value):
        with pytest.raises(msgspec.ValidationError) as caught:
            ask(modality, **{field: value})
        assert f"$.{field}" in str(caught.value)

    def test_parameters_do_not_change(self, modality):
        with pytest.raises(AttributeError):
            ask(modality).priority = 9

    def test_nothing_that_is_left_out_counts_as_changed(self, modality):
        assert set(REQUIRED[modality]) == {name for name, _ in changed_fields(ask(modality))}


@pytest.mark.parametrize(
    "modality", sorted(set(REQUIRED) - {"video", "text", "embedding", "remove-background", "upscale"})
)
def test_without_a_required_field_it_is_refused(modality):
    name, *_ = REQUIRED[modality]
    with pytest.raises(msgspec.ValidationError, match=name):
        msgspec.convert({"modality": modality}, PARAMS_OF[modality])


def test_a_video_without_an_image_is_accepted():
    assert VideoParams() == msgspec.convert({"modality": "video"}, VideoParams)
    assert VideoParams().input_image is None


@pytest.mark.parametrize("modality", ["remove-background", "upscale"])
def test_a_film_may_be_there_for_a_picture(modality):
    """`check` of `api.submit.validation` says that a request must have one of them."""
    params = msgspec.convert({"modality": modality, "input_video": URL}, PARAMS_OF[modality])
    assert URL == params.input_video
    assert {"input_video"} == {name for name, _ in changed_fields(params)}


def test_a_text_may_have_a_chat_or_a_template_for_a_prompt():
    """`check_conversation` of `pipelines.catalog.prompts` says which of them a request must have."""
    message = {"role": "user", "content": "hello"}
    chat = msgspec.convert({"modality": "text", "messages": [message]}, PARAMS_OF["text"])
    assert (None, "hello", 5) == (chat.prompt, chat.messages[0].content, chat.characters)
    assert 100 == len(msgspec.convert({"modality": "text", "messages": [message] * 100}, PARAMS_OF["text"]).messages)
    changes: list[dict[str, str]] = [{"role": "tool"}, {"content": " "}, {"name": "a"}]
    for wrong in ([message] * 101, *([message | change] for change in changes)):
        with pytest.raises(msgspec.ValidationError, match="messages"):
            msgspec.convert({"modality": "text", "messages": wrong}, PARAMS_OF["text"])
    filled = msgspec.convert({"modality": "text", "template": "caption", "variables": {"a": "mug"}}, PARAMS_OF["text"])
    assert ("caption", 3) == (filled.template, filled.characters)


EDGES = [
    ("image", "prompt", "p" * 4000, "p" * 4001),
    ("image", "prompt", "p", ""),
    ("image", "negative_prompt", "", "n" * 4001),
    ("image", "width", 64, 63),
    ("image", "width", 2048, 2049),
    ("image", "height", 64, 63),
    ("image", "height", 2048, 2049),
    ("image", "num_inference_steps", 1, 0),
    ("image", "num_inference_steps", 200, 201),
    ("image", "guidance_scale", 0, -0.1),
    ("image", "guidance_scale", 30, 30.1),
    ("image", "seed", -1, -2),
    ("image", "seed", 2**53 - 1, 2**53),
    ("image", "palette", ["#FF5733"] * 16, ["#FF5733"] * 17),
    ("image", "palette", ["#ff5733"], ["#FF573"]),
    ("image", "palette", [], ["FF5733"]),
    ("image", "palette", ["#000000"], ["#00000G"]),
    ("image", "palette", ["#000000"], ["#000000\n"]),
    ("image", "output_format", "jpeg", "mp4"),
    ("image", "loras", (LoraChoice(lora="a", weight=2),) * 4, ({"lora": "a"},) * 5),
    ("image", "loras", (LoraChoice(lora="a", weight=0),), ({"lora": "a", "weight": 2.1},)),
    ("video", "loras", (LoraChoice(lora="a", weight=2),) * 4, ({"lora": "a"},) * 5),
    ("video", "prompt", "p", ""),
    ("video", "width", 64, 32),
    ("video", "width", 1536, 1568),
    ("video", "width", 96, 100),
    ("video", "height", 1536, 1537),
    ("video", "height", 512, 500),
    ("video", "duration_seconds", 0.1, 0.09),
    ("video", "duration_seconds", 10, 10.01),
    ("video", "input_image", URL, ""),
    ("speech", "text", "t" * 10000, "t" * 10001),
    ("speech", "text", "t", ""),
    ("speech", "text", " t\n", " \n\u3000"),
    ("speech", "replacements", (Pronunciation(word="SQL", say="s"),) * 50, ({"word": "SQL", "say": "s"},) * 51),
    ("speech", "replacements", (Pronunciation(word="w" * 100, say="s" * 200),), ({"word": "w" * 101, "say": "s"},)),
    ("speech", "replacements", (), ({"word": "SQL", "say": " "},)),
    ("speech", "replacements", (), ({"word": " ", "say": "s"},)),
    ("speech", "replacements", (), ({"word": "SQL", "phonemes": "s" * 201},)),
    ("speech", "voice", "jm_kumo", "../x"),
    ("speech", "voice", "a" * 60, "a" * 61),
    ("speech", "loudness", -36, -36.1),
    ("speech", "loudness", -10, -9.9),
    ("speech", "loudness", None, "loud"),
    ("speech", "output_format", "ogg", "mp4"),
    ("speech", "output_format", "jpeg", "m4a"),
    ("speech", "temperature", 0.05, 0.04),
    ("speech", "temperature", 2, 2.01),
    ("speech", "cfg_weight", 0, -0.01),
    ("speech", "cfg_weight", 1, 1.01),
    ("speech", "seed", -1, -2),
    ("speech", "language_id", "de", "d"),
    ("speech", "max_new_tokens", 1, 0),
    ("speech", "max_new_tokens", 4096, 4097),
    ("speech", "exaggeration", 0, -0.01),
    ("speech", "exaggeration", 1, 1.01),
    ("speech", "apply_watermark", False, "no"),
    ("speech", "stream", True, 1),
    ("speech", "target_voice_path", URL, ""),
    ("3d", "mode", "paint", "carve"),
    ("3d", "output_format", "stl", "usdz"),
    ("3d", "output_format", "webp", "GLB"),
    ("3d", "max_faces", 500, 499),
    ("3d", "max_faces", 500_000, 500_001),
    ("3d", "mesh_save_name", "model.glb", "../model.glb"),
    ("3d", "mesh_save_name", "a", "../../x"),
    ("3d", "mesh_save_name", "a", "a\0"),
    ("3d", "mesh_save_name", "a", "a" * 300),
    ("3d", "painted_save_name", "a", "..\\a"),
    ("3d", "mesh_save_name", "a" * 100, "a" * 101),
    ("3d", "mesh_save_name", "A-1_b.glb", ".glb"),
    ("3d", "mesh_save_name", "a", ""),
    ("3d", "mesh_save_name", "a", "a\n"),
    ("3d", "painted_save_name", "painted.glb", "a/b.glb"),
    ("3d", "auto_unload", False, 0),
    ("remove-background", "output_format", "mp4", "gif"),
    ("remove-background", "background_color", "#FFFFFF", "white"),
    ("remove-background", "background_color", "#ffffff", "#FFFFFF\n"),
    ("remove-background", "mask_only", True, 1),
    ("remove-background", "crop", True, "yes"),
    ("remove-background", "semitransparency", True, 1),
    ("remove-background", "shadow_opacity", 1, 1.01),
    ("remove-background", "shadow_blur", 0.2, 0.21),
    ("remove-background", "shadow_dy", -0.5, 0.51),
    ("3d", "mode", "generate_and_paint", "paint_and_generate"),
    ("branding", "logo_position", "top_left", "center"),
    ("image", "palette_mode", "radical", "loud"),
    ("join", "films", [URL] * 16, [URL] * 17),
    ("join", "films", [URL] * 2, [URL]),
    ("vectorize", "mode", "pixel", "none"),
    ("vectorize", "color_mode", "binary", "gray"),
    ("vectorize", "colors", 2, 1),
    ("vectorize", "colors", 64, 65),
    ("vectorize", "detail", "high", "most"),
    ("vectorize", "filter_speckle", 128, 129),
    ("vectorize", "corner_threshold", 180, 181),
    ("text", "prompt", "p" * 32_000, "p" * 32_001),
    ("text", "prompt", "p", " "),
    ("text", "template", "a-name_1", "A name"),
    ("text", "variables", {"product": "p" * 8000}, {"product": "p" * 8001}),
    ("text", "variables", {"product": "p"}, {"Product": "p"}),
    ("text", "max_tokens", 1, 0),
    ("text", "max_tokens", 8192, 8193),
    ("text", "temperature", 0, -0.1),
    ("text", "temperature", 2, 2.1),
    ("text", "top_p", 1, 0),
    ("text", "stop", ["."] * 4, ["."] * 5),
    ("text", "stop", ["s" * 100], [""]),
    ("interpolate", "factor", 2, 1),
    ("interpolate", "factor", 4, 5),
    ("avatar", "face_x", 0, -0.1),
    ("avatar", "face_y", 1, 1.1),
    ("avatar", "face_size", 0.02, 0.01),
    ("upscale", "scale", 2, 1),
    ("upscale", "scale", 4, 3),
    ("upscale", "scale", 4, 8),
    ("upscale", "method", "lanczos", "bicubic"),
    ("sound", "prompt", "x" * 4000, "x" * 4001),
    ("sound", "prompt", "rain", "  "),
    ("sound", "duration_seconds", 0.2, 0.1),
    ("sound", "duration_seconds", 30, 30.1),
    ("sound", "output_format", "flac", "pcm"),
    ("music", "lyrics", "x" * 10_000, "x" * 10_001),
    ("music", "lyrics", "la la", " \n"),
    ("music", "duration_seconds", 1, 0.9),
    ("music", "duration_seconds", 600, 601),
    ("music", "bpm", 30, 29),
    ("music", "bpm", 300, 301),
    ("music", "key", "F# minor", "H major"),
    ("music", "key", "Bb major", "C major\n"),
    ("music", "time_signature", "6/8", "5/4"),
    ("embedding", "texts", ["p"] * 256, ["p"] * 257),
    ("embedding", "texts", ["p" * 32_000], [" "]),
    ("segment", "classes", ["dog"] * 50, ["dog"] * 51),
    ("segment", "classes", ["traffic light"], [" "]),
    ("segment", "threshold", 0, -0.1),
    ("segment", "threshold", 1, 1.1),
    ("transcript", "language_id", "pt-BR", "p"),
    ("transcript", "prompt", "Atelier\nand Valkey", "a <|en|> mark"),
    ("transcript", "prompt", "p" * 1000, "p" * 1001),
    ("transcript", "output_format", "vtt", "docx"),
    ("transcript", "timestamp_granularities", ("word", "segment"), ("token",)),
    ("transcript", "temperature", 1, 1.1),
]


@pytest.mark.parametrize(("modality", "field", "inside", "outside"), EDGES)
def test_a_field_takes_its_range_and_nothing_outside(modality, field, inside, outside):
    taken = getattr(ask(modality, **{field: inside}), field)
    assert inside == (list(taken) if isinstance(inside, list) else taken)
    with pytest.raises(msgspec.ValidationError) as caught:
        ask(modality, **{field: outside})
    assert f"$.{field}" in str(caught.value)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_json_has_no_endless_numbers(value):
    body = b'{"modality":"image","prompt":"p","guidance_scale":%s}' % str(value).encode()
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(body, type=ImageParams)


@pytest.mark.parametrize(
    ("modality", "fields", "named"),
    [
        ("image", {"prompt": "a\0b"}, "prompt"),
        ("image", {"negative_prompt": "\0"}, "negative_prompt"),
        ("image", {"callback_url": "http://x/\0"}, "callback_url"),
        ("image", {"server_id": "\0"}, "server_id"),
        ("image", {"model": "a\0"}, "model"),
        ("speech", {"text": "a\0"}, "text"),
        ("video", {"input_image": "http://x/\0"}, "input_image"),
    ],
)
def test_a_nul_character_is_refused_wherever_it_is(modality, fields, named):
    with pytest.raises(NulInText) as caught:
        refuse_nul(ask(modality, **fields))
    assert f"$.{named}" == caught.value.field


def test_other_characters_are_welcome():
    refuse_nul(ask("image", prompt="größer 🦊 \u200f العربية \x01\n\t"))


def test_every_modality_is_registered_everywhere():
    names = {modality.name for modality in MODALITIES}
    assert names == set(get_args(Modality))
    assert {modality.params for modality in MODALITIES} == set(get_args(AnyParams))


@pytest.mark.parametrize("modality", MODALITIES, ids=lambda modality: modality.name)
def test_a_modality_describes_its_parameters(modality):
    fields = {field.name: field for field in msgspec.inspect.type_info(modality.params).fields}
    assert modality.name == msgspec.structs.asdict(msgspec.inspect.type_info(modality.params))["tag"]
    assert {modality.argument, *modality.flags} <= fields.keys()
    formats = fields["output_format"].type
    assert set(modality.formats.values()) <= set(getattr(formats, "type", formats).values)
    for _, body in modality.examples:
        decode(msgspec.json.encode(body), modality.params)  # as routes do: under the names that callers use


def test_make_demo_shows_every_modality():
    assert PARAMS_OF.keys() == {job.modality for job in JOBS}, "add a row to cli/demo/table.py"
