"""What a model accepts of the files of its inputs, by its entry: they are looked at when they are fetched."""

import msgspec

from jobs.params.media import ELEMENTS, MediaKind
from pipelines.catalog.spec import ModelSpec


class FileRules(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of one input, as its row has them (`jobs.statements.queue.submit.InputSource`)."""

    min_seconds: float = 0.0
    max_bytes: int | None = None
    types: tuple[str, ...] = ()
    max_seconds: float | None = None
    min_side: int = 0


ELEMENT_PICTURE = FileRules(max_bytes=10_000_000, types=("image/jpeg", "image/png"), min_side=300)
ELEMENT_FILM = FileRules(max_bytes=50_000_000, types=("video/mp4", "video/quicktime"))
"""The rules of elements, whatever the model (contract B66, B67)."""


def file_rules(spec: ModelSpec, name: str, kind: MediaKind) -> FileRules:
    """Return the rules of the input of this name and kind."""
    limits = spec.limits
    if name.startswith(f"{ELEMENTS}."):
        return ELEMENT_FILM if name.split(".")[2] == "film" else ELEMENT_PICTURE
    if kind == "video":
        films = limits.films
        return FileRules(max_bytes=films.max_bytes, types=films.types, max_seconds=films.max_seconds)
    if kind == "audio":
        return FileRules(max_bytes=limits.max_input_bytes, min_seconds=limits.min_voice_seconds)
    if kind == "recording":
        return FileRules(max_bytes=limits.max_input_bytes)
    if kind == "lora":
        return FileRules()  # the entry says which files (`pipelines.catalog.licenses.check_lora_file`)
    return FileRules(max_bytes=limits.max_input_bytes, types=limits.input_types)
