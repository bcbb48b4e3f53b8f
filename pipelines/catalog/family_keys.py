"""The keys of an entry that only some families read: any other family would ignore them in silence.

A pipeline of another package (`module:Class`) may read what it likes.
"""

from collections.abc import Iterator

import msgspec

from pipelines.catalog.spec import Capability, ModelSpec

IMAGE, VIDEO, CAMERA, MOTION = "diffusers-image", "diffusers-video", "demo-camera", "demo-motion"
ANIMATE = "wan-animate"
DIFFUSERS = (IMAGE, VIDEO)
DENOISING = (*DIFFUSERS, ANIMATE)
PLAIN = (
    *("chatterbox", "diffusers-music", "moss-sound", "real-esrgan", "transformers-text", "triposg", "whisper"),
    *("picture-labels", "picture-words", "sentence-embedding", "siglip"),
)
"""Families whose weights may have another precision in memory, and that have nothing more to choose."""
FAMILIES_OF: dict[str, tuple[str, ...]] = {
    "attention": DENOISING,
    "batch": (IMAGE,),
    "compile": DENOISING,
    "cuda_graphs": DIFFUSERS,
    "dtype": (*DENOISING, *PLAIN),
    "gpus": (VIDEO,),
    "lora_files": DIFFUSERS,
    "loras": DIFFUSERS,
    "offload_blocks": DENOISING,
    "preprocessors": DIFFUSERS,
    "quality": DENOISING,
    "quantization": DENOISING,
    "schedule": (VIDEO,),
    "variant": (*DIFFUSERS, "rembg"),
    "vocabulary": ("demo-sound", "demo-music", CAMERA),
    "voices": ("kokoro",),
}
"""Keys of an entry, and the families that read them."""

OTHERS_CAPABILITIES: dict[Capability, tuple[str, ...]] = {
    "motion-control": (VIDEO, MOTION, ANIMATE),
    "sound": (CAMERA, VIDEO),
    "word-times": ("whisper",),
}
"""Capabilities that only these families have, beside pipelines of other packages."""


def unknown_capability(spec: ModelSpec) -> str | None:
    """Return a capability of the entry that its family does not have; a pipeline of another package may have any."""
    named = (
        one for one, families in OTHERS_CAPABILITIES.items() if one in spec.capabilities and spec.family not in families
    )
    return None if ":" in spec.family else next(named, None)


def unread_keys(spec: ModelSpec) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each key of an entry that its family does not read, with the families that do."""
    if ":" in spec.family:
        return
    for key in _given(spec, FAMILIES_OF):
        if spec.family not in FAMILIES_OF[key]:
            yield key, FAMILIES_OF[key]


def _given(entry: ModelSpec, keys: dict[str, tuple[str, ...]]) -> Iterator[str]:
    """Yield those of the keys that an entry has another value for than it had without them."""
    for field in msgspec.structs.fields(entry):
        if field.name in keys and getattr(entry, field.name) != _default(field):
            yield field.name


def _default(field: msgspec.structs.FieldInfo) -> object:
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
