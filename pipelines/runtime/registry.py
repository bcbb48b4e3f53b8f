"""The class that runs a family and the function that encodes a modality, by name: neither is imported before use."""

from importlib import import_module

import msgspec

from core.errors.failures import ModelLoadFailed
from jobs.params.registry import modality_named
from pipelines.catalog.backends import REMOTE
from pipelines.catalog.spec import ModelSpec
from pipelines.runtime import torchaudio_stub
from pipelines.runtime.protocol import Encode, Pipeline


class Family(msgspec.Struct, frozen=True):
    """Module and class of a pipeline."""

    module: str
    class_name: str


FAMILIES: dict[str, Family] = {
    "diffusers-image": Family("pipelines.image.diffusers_image", "DiffusersImage"),
    "diffusers-video": Family("pipelines.video.diffusers_video", "DiffusersVideo"),
    "wan-animate": Family("pipelines.video.animate.family", "WanAnimate"),
    "demo-camera": Family("pipelines.video.camera", "CameraMove"),
    "demo-morph": Family("pipelines.video.morph", "Morph"),
    "demo-motion": Family("pipelines.video.motion", "FollowedMotion"),
    "rembg": Family("pipelines.cutout.rembg_cutout", "RembgCutout"),
    "chatterbox": Family("pipelines.speech.chatterbox.family", "Chatterbox"),
    "espeak": Family("pipelines.speech.espeak", "EspeakVoice"),
    "kokoro": Family("pipelines.speech.kokoro", "Kokoro"),
    "demo-sound": Family("pipelines.sound.drawn", "DrawnSound"),
    "moss-sound": Family("pipelines.sound.moss.family", "MossSound"),
    "diffusers-music": Family("pipelines.music.diffusers_music", "DiffusersMusic"),
    "demo-avatar": Family("pipelines.avatar.drawn", "DrawnAvatar"),
    "musetalk": Family("pipelines.avatar.musetalk", "MuseTalk"),
    "demo-music": Family("pipelines.music.drawn", "DrawnMusic"),
    "brand-kit": Family("pipelines.branding.brand_kit", "BrandKit"),
    "film-join": Family("pipelines.join.film_join", "FilmJoin"),
    "vtracer": Family("pipelines.vectorize.tracer", "VTracer"),
    "picture-labels": Family("pipelines.description.picture_labels", "PictureLabels"),
    "picture-words": Family("pipelines.description.picture_words", "PictureWords"),
    "rife": Family("pipelines.interpolate.rife", "Rife"),
    "real-esrgan": Family("pipelines.upscale.real_esrgan", "RealESRGAN"),
    "eomt": Family("pipelines.segment.eomt", "Eomt"),
    "grounded-sam": Family("pipelines.segment.grounded_sam", "GroundedSam"),
    "cutout-parts": Family("pipelines.segment.cutout_parts", "CutoutParts"),
    "demo-relief": Family("pipelines.mesh.relief", "Relief"),
    "transformers-text": Family("pipelines.text.transformers_text", "TransformersText"),
    "sentence-embedding": Family("pipelines.embedding.sentence_model", "SentenceModel"),
    "siglip": Family("pipelines.embedding.siglip", "Siglip"),
    "whisper": Family("pipelines.transcript.whisper", "Whisper"),
    "triposg": Family("pipelines.mesh.triposg.family", "TripoSG"),
}
"""All families by name; a new one is one more line."""


def pipeline_class(spec: ModelSpec) -> type[Pipeline]:
    """Return the class that runs this model; imports its module, and with it usually torch.

    Raises `ModelLoadFailed`.
    """
    family = _family_of(spec)
    try:
        found: type[Pipeline] = getattr(import_module(family.module), family.class_name)
    except (ImportError, AttributeError, OSError) as error:  # the last is a shared library that does not load
        raise ModelLoadFailed(f"{spec.id}: the family {spec.family!r} could not be imported: {error}") from error
    return found


def encoder(spec: ModelSpec) -> Encode:
    """Return the function that encodes what this model makes: `encode` of `pipelines.<word>.encode` of its modality.

    A family that is named as `module:Class` may have an `encode` of its own in that module. The encoders of modalities
    import no torch before they need it, for a watermark. Raises `ModelLoadFailed`.
    """
    own = None if spec.family in FAMILIES or spec.family == REMOTE else _family_of(spec).module
    try:
        found: Encode | None = getattr(import_module(own), "encode", None) if own else None
        if found is None:
            found = import_module(f"pipelines.{modality_named(spec.modality).word}.encode").encode
        return found
    except (ImportError, OSError) as error:
        raise ModelLoadFailed(f"{spec.id}: its encoder could not be imported: {error}") from error


def _family_of(spec: ModelSpec) -> Family:
    torchaudio_stub.install()  # before the family imports diffusers or transformers
    family = FAMILIES.get(spec.family)
    if family is not None:
        return family
    module, colon, class_name = spec.family.partition(":")
    if not (module and colon and class_name):
        known = ", ".join(FAMILIES)
        raise ModelLoadFailed(f"{spec.id}: no family {spec.family!r}: write one of {known}, or module:Class")
    return Family(module, class_name)
