"""Fields that take media: a URL, a `data:` URL or the id of an uploaded input or of a stored voice."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, Protocol, TypeVar

import msgspec
from msgspec import Meta

from jobs.params.base import Params

MediaKind = Literal["image", "audio", "video"]

Source = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=28_000_000,
        description="A public http(s) URL, a `data:` URL, or the `input_id` of POST /inputs/v1.",
    ),
]

P = TypeVar("P", bound=Params)


class Medium(msgspec.Struct, frozen=True):
    """One input that a request names: its field (`input_image`, `reference_images.0`), its kind and its source."""

    name: str
    kind: MediaKind
    source: str

    @property
    def field(self) -> str:
        """The path of the field in the body, as problems name it."""
        return f"$.{field_of(self.name)}"


def field_of(name: str) -> str:
    """Return an input's name as callers write it: `reference_images[0]` for `reference_images.0`."""
    field, dot, number = name.partition(".")
    return f"{field}[{number}]" if dot else field


class NamesMedia(Protocol):
    """A struct of which some fields take media: `media` has their names, with what each must be."""

    media: ClassVar[dict[str, MediaKind]]


def media_of(params: NamesMedia) -> Iterator[Medium]:
    """Return every input that these parameters name, in the order of the fields."""
    for name, kind in params.media.items():
        value = getattr(params, name)
        if isinstance(value, tuple):
            yield from (Medium(f"{name}.{number}", kind, source) for number, source in enumerate(value))
        elif value is not None:
            yield Medium(name, kind, value)


def with_sources(params: P, sources: Mapping[str, str]) -> P:
    """Return the parameters with other sources, by the names of `media_of`; other fields stay."""
    changes: dict[str, Any] = {}
    for name in params.media:
        value = getattr(params, name)
        if isinstance(value, tuple):
            changes[name] = tuple(sources.get(f"{name}.{n}", source) for n, source in enumerate(value))
        elif name in sources:
            changes[name] = sources[name]
    return msgspec.structs.replace(params, **changes)


def drop_data_urls(params: Params) -> None:
    """Take the `data:` URLs out of parameters that are not used any more, so that their memory is free.

    The framework refers to the parameters of a request until it is answered, and an answer may be held for minutes.
    """
    for name in params.media:
        value = getattr(params, name)
        for source in value if isinstance(value, tuple) else (value or "",):
            if source[:5].lower() == "data:":
                msgspec.structs.force_setattr(params, name, None)
