"""Which class runs a family and which function encodes it; resolved by name, so nothing is imported before
use.
"""

from importlib import import_module

import msgspec

from core.errors import ModelLoadFailed
from pipelines.catalog.spec import ModelSpec
from pipelines.runtime import torchaudio_stub
from pipelines.runtime.protocol import Encode, Pipeline

_IMAGE_ENCODER = "pipelines.image.encode"
_VIDEO_ENCODER = "pipelines.video.encode"
_MESH_ENCODER = "pipelines.mesh.encode"
_SPEECH_ENCODER = "pipelines.speech.encode"


class Family(msgspec.Struct, frozen=True):
    """Module and class of a pipeline, and the module whose `encode` writes its files."""

    module: str
    class_name: str
    encode_module: str


FAMILIES: dict[str, Family] = {
    "diffusers-image": Family("pipelines.image.diffusers_image", "DiffusersImage", _IMAGE_ENCODER),
    "diffusers-video": Family("pipelines.video.diffusers_video", "DiffusersVideo", _VIDEO_ENCODER),
    "demo-camera": Family("pipelines.video.camera", "CameraMove", _VIDEO_ENCODER),
    "rembg": Family("pipelines.cutout.rembg_cutout", "RembgCutout", "pipelines.cutout.encode"),
    "chatterbox": Family("pipelines.speech.chatterbox", "Chatterbox", _SPEECH_ENCODER),
    "espeak": Family("pipelines.speech.espeak", "EspeakVoice", _SPEECH_ENCODER),
    "demo-relief": Family("pipelines.mesh.relief", "Relief", _MESH_ENCODER),
    "triposg": Family("pipelines.mesh.triposg.family", "TripoSG", _MESH_ENCODER),
}
"""A new family is one more line."""


def pipeline_class(spec: ModelSpec) -> type[Pipeline]:
    """The class that runs this model; imports its module, and with it usually torch. Raises
    `ModelLoadFailed`.
    """
    family = _family_of(spec)
    try:
        found: type[Pipeline] = getattr(import_module(family.module), family.class_name)
    except (ImportError, AttributeError) as error:
        raise ModelLoadFailed(f"{spec.id}: the family {spec.family!r} could not be imported: {error}") from error
    return found


def encoder(spec: ModelSpec) -> Encode:
    """The function that encodes what this model makes; imports no torch for any family named here.

    For `module:Class` it is `encode` in that module, else the picture encoder. Raises `ModelLoadFailed`.
    """
    family = _family_of(spec)
    try:
        module = import_module(family.encode_module)
    except ImportError as error:
        raise ModelLoadFailed(f"{spec.id}: its encoder could not be imported: {error}") from error
    found: Encode = getattr(module, "encode", None) or import_module(_IMAGE_ENCODER).encode
    return found


def _family_of(spec: ModelSpec) -> Family:
    torchaudio_stub.install()  # before the family imports diffusers or transformers
    return FAMILIES.get(spec.family) or _extension(spec)


def _extension(spec: ModelSpec) -> Family:
    module, colon, class_name = spec.family.partition(":")
    if not (module and colon and class_name):
        known = ", ".join(FAMILIES)
        raise ModelLoadFailed(f"{spec.id}: no family {spec.family!r}: write one of {known}, or module:Class")
    return Family(module, class_name, encode_module=module)
