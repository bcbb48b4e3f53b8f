"""The options of `atelier generate`, from the parameters of each modality."""

import re
from typing import Any

import msgspec
import pytest
import rich_click as click

from cli.commands.client.request_options import request_body, request_options
from jobs.params.cutout import CUTOUT
from jobs.params.image import IMAGE
from jobs.params.mesh import MESH
from jobs.params.modality import ModalitySpec
from jobs.params.registry import MODALITIES
from jobs.params.speech import SPEECH
from jobs.params.video import VIDEO


def parsed(modality: ModalitySpec, *words: str) -> dict[str, Any]:
    command = click.Command(modality.word, params=request_options(modality), callback=lambda **values: values)
    return request_body(command.main(list(words), standalone_mode=False))


@pytest.mark.parametrize(
    ("modality", "words", "body"),
    [
        (IMAGE, ["a cat"], {"prompt": "a cat"}),
        (
            IMAGE,
            ["a cat", "-n", "2", "--steps", "4", "--guidance", "1.5", "--reference", "a.png", "--reference", "b.png"],
            {
                "prompt": "a cat",
                "num_images": 2,
                "num_inference_steps": 4,
                "guidance_scale": 1.5,
                "reference_images": ("a.png", "b.png"),
            },
        ),
        (
            IMAGE,
            ["a cat", "--lora", "style:0.8", "--lora", "brand"],
            {"prompt": "a cat", "loras": [{"lora": "style", "weight": 0.8}, {"lora": "brand"}]},
        ),
        (
            IMAGE,
            ["a cat", "--input", "a.png", "--padding", "left:64", "--padding", "top:8"],
            {"prompt": "a cat", "input_image": "a.png", "padding": {"left": 64, "top": 8}},
        ),
        (VIDEO, ["--input", "a.png", "--duration", "2"], {"input_image": "a.png", "duration_seconds": 2.0}),
        (CUTOUT, ["a.png", "--mask-only"], {"image_url": "a.png", "mask_only": True}),
        (CUTOUT, ["a.png", "--semitransparency"], {"image_url": "a.png", "semitransparency": True}),
        (SPEECH, ["Hello", "--no-apply-watermark"], {"text": "Hello", "apply_watermark": False}),
        (
            SPEECH,
            ["Hi", "--replace", "SQL:sequel", "--replace", "Leominster:/ˈlɛmstər/", "--replace", "or://"],
            {
                "text": "Hi",
                "replacements": [
                    {"word": "SQL", "say": "sequel"},
                    {"word": "Leominster", "phonemes": "ˈlɛmstər"},
                    {"word": "or", "say": "//"},
                ],
            },
        ),
        (MESH, ["a.png", "--paint"], {"image_path": "a.png", "mode": "paint"}),
    ],
)
def test_only_what_was_typed_is_sent(modality, words, body):
    assert body == parsed(modality, *words)


def test_prefer_makes_the_server_a_preference():
    words = ["a cat", "--server-id", "b", "--prefer", "5"]
    assert {"prompt": "a cat", "server_id": "b", "prefer_seconds": 5.0, "pin": "prefer"} == parsed(IMAGE, *words)
    assert "pin" not in parsed(IMAGE, *words[:3])


@pytest.mark.parametrize("modality", MODALITIES, ids=lambda modality: modality.name)
def test_helps_name_options_where_the_api_names_fields(modality):
    names = {field.name for field in msgspec.structs.fields(modality.params)} | {"image_path", "voice_id"}
    said = " ".join(option.help for option in request_options(modality) if isinstance(option, click.Option))
    assert not names & set(re.findall(r"`(\w+)`", said))


@pytest.mark.parametrize(("modality", "is_fixed"), [(VIDEO, True), (IMAGE, False), (SPEECH, False)])
def test_a_seed_that_is_not_drawn_is_said(modality, is_fixed):
    (seed,) = (option for option in request_options(modality) if option.name == "seed")
    assert is_fixed == ("Default: 42, so that the same request repeats itself." in seed.help)


@pytest.mark.parametrize("modality", MODALITIES, ids=lambda modality: modality.name)
def test_the_options_of_before_are_still_there(modality):
    shared = {"--model", "--server-id", "--prefer"}
    denoising = {"--width", "--height", "--steps", "--guidance", "--negative-prompt", "--quality", "--seed"}
    of = {
        "image": {"--input", "--strength", "--reference", "-n", "--num-images"} | denoising,
        "video": {"--input", "--last", "--duration"} | denoising,
        "remove-background": {"--mask-only", "--background", "--crop"},
        "speech": {"--language", "--voice", "--max-tokens", "--exaggeration", "--seed"},
        "3d": {"--paint", "--max-faces", "--seed"},
        "branding": {"--logo", "--logo-position", "--palette"},
        "join": {"--watermark"},
        "sound": {"--duration", "--loop", "--steps", "--guidance", "--seed"},
        "music": {
            "--duration",
            "--lyrics",
            "--language",
            "--instrumental",
            "--bpm",
            "--musical-key",
            "--time-signature",
            "--seed",
        },
        "vectorize": {"--mode", "--color-mode", "--colors", "--detail", "--filter-speckle", "--corner-threshold"},
        "text": {"--max-tokens", "--temperature", "--top-p", "--stop", "--template", "--variable", "--seed"},
        "transcript": {"--language", "--prompt", "--temperature", "--seed"},
        "embedding": {"--input"},
        "segment": {"--class", "--threshold"},
        "upscale": {"--scale", "--method", "--watermark"},
        "interpolate": {"--factor", "--watermark"},
        "avatar": {"--audio", "--face-x", "--face-y", "--face-size", "--watermark"},
    }
    assert shared | of[modality.name] <= {flag for option in request_options(modality) for flag in option.opts}
