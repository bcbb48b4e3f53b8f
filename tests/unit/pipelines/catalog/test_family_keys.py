"""Keys of catalog entries that only some families read."""

import re
from pathlib import Path

import pytest

from pipelines.catalog.family_keys import FAMILIES_OF, unread_keys
from pipelines.catalog.loader import CatalogError, load_catalog
from pipelines.catalog.spec import ModelSpec
from pipelines.runtime.registry import FAMILIES
from tests.support.checkpoints.specs import spec
from tests.support.paths import ROOT

LORA = 'loras = { few = { source = { path = "lora" }, file = "few.safetensors" } }'
GIVEN = {
    "attention": 'attention = "auto"',
    "batch": "batch = { images = 2 }",
    "compile": "compile = true",
    "cuda_graphs": "cuda_graphs = true",
    "dtype": 'dtype = "float16"',
    "gpus": "gpus = 2",
    "lora_files": f'lora_files = {{ "{"0" * 64}" = {{ licence = {{ name = "MIT", url = "https://example.org" }} }} }}',
    "loras": LORA,
    "offload_blocks": "offload_blocks = true",
    "preprocessors": 'capabilities = ["control"]\ncontrolnet = { source = { path = "union" }, file = "u.bin" }\n'
    'preprocessors = { depth = { source = { path = "depth" } } }',
    "quality": "quality = { fast = { num_inference_steps = 4 } }",
    "quantization": 'quantization = "float8"',
    "schedule": "schedule = { sigmas = [1.0, 0.5] }",
    "variant": 'variant = "fp16"',
    "vocabulary": 'vocabulary = { rain = ["shower"] }',
    "voices": 'voices = { jf_alpha = "Alpha" }',
}
OF_VIDEOS = {
    "preprocessors": 'capabilities = ["motion-control"]\npreprocessors = { pose = { source = { path = "pose" } } }'
}
"""Where those of films are others."""
MODALITIES = {
    "chatterbox": "speech",
    "espeak": "speech",
    "kokoro": "speech",
    "rembg": "remove-background",
    "triposg": "3d",
}
MODALITIES |= {"picture-labels": "text", "picture-words": "text", "transformers-text": "text", "whisper": "transcript"}
MODALITIES |= {"musetalk": "avatar", "demo-avatar": "avatar"}
MODALITIES |= {"eomt": "segment", "grounded-sam": "segment", "cutout-parts": "segment"}
MODALITIES |= {"sentence-embedding": "embedding", "siglip": "embedding"}
MODALITIES |= {"brand-kit": "branding", "film-join": "join", "vtracer": "vectorize", "real-esrgan": "upscale"}
MODALITIES |= {"demo-sound": "sound", "demo-music": "music", "moss-sound": "sound", "diffusers-music": "music"}
MODALITIES |= {"demo-relief": "3d", "diffusers-video": "video", "demo-camera": "video", "demo-morph": "video"}
MODALITIES |= {"diffusers-image": "image", "demo-motion": "video", "wan-animate": "video", "rife": "interpolate"}


def catalog(folder: Path, family: str, line: str) -> Path:
    file = folder / "models.toml"
    file.write_text(
        f"""
[[model]]
id = "one"
title = "One"
family = "{family}"
modality = "{MODALITIES[family]}"
licence = {{ name = "Apache-2.0", url = "https://example.org" }}
{line}
"""
    )
    return file


def test_every_key_is_tried() -> None:
    assert GIVEN.keys() == FAMILIES_OF.keys()
    assert MODALITIES.keys() == FAMILIES.keys()
    assert {family for families in FAMILIES_OF.values() for family in families} <= FAMILIES.keys()
    assert FAMILIES_OF.keys() <= set(ModelSpec.__struct_fields__)


@pytest.mark.parametrize("key", GIVEN)
def test_a_key_that_a_family_does_not_read_is_refused(tmp_path: Path, key: str) -> None:
    for family in FAMILIES:
        given = OF_VIDEOS if MODALITIES[family] == "video" else GIVEN
        file = catalog(tmp_path, family, given.get(key, GIVEN[key]))
        if family in FAMILIES_OF[key]:
            assert "one" == load_catalog(file).models[0].id
        elif key != "gpus" or MODALITIES[family] == "video":  # elsewhere the entry itself refuses it
            with pytest.raises(CatalogError, match="model 'one': ") as refused:
                load_catalog(file)
            assert f"the family '{family}' has no `{key}`" in str(refused.value)


def test_a_family_of_another_package_may_read_any_key() -> None:
    assert [] == list(unread_keys(spec(family="studio.models:Any", batch={"images": 2}, quantization="float8")))


@pytest.mark.parametrize("key", sorted(FAMILIES_OF.keys() - {"quality", "loras", "gpus"}))
def test_a_key_is_read_where_it_is_said_to_be(key: str) -> None:
    """`spec.KEY` stands in the rooms of the families that have the key, and in those of no others."""
    rooms = {"diffusion": "diffusers", "image": "diffusers", "video": "diffusers"}
    rooms |= {"speech/chatterbox": "chatterbox", "mesh/triposg": "triposg", "cutout": "rembg", "text": "transformers"}
    rooms |= {"sound": "demo", "music": "demo", "upscale": "real", "transcript": "whisper", "sound/moss": "moss"}
    rooms |= {"speech": "kokoro", "preprocessors": "diffusers", "description": "picture"}
    rooms |= {"embedding/[!s]*": "none", "embedding/sen*": "sentence", "embedding/sig*": "siglip"}
    rooms |= {"video/animate": "wan"}
    elsewhere = {"wan"} if key in ("attention", "dtype") else set()  # `pipelines.diffusion.acceleration` reads them
    said = {family.partition("-")[0] for family in FAMILIES_OF[key]}
    found = {
        family
        for room, family in rooms.items()
        if any(
            re.search(rf"spec\.{key}\b", file.read_text())
            for file in (ROOT / "pipelines").glob(f"{room}.py" if "*" in room else f"{room}/*.py")
        )
    }
    assert said == found | elsewhere
