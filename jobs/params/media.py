"""Fields that take media: a URL, a `data:` URL, or the name of something stored.

That is an uploaded input, a stored voice, an item of the media library or an output of a job.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, Protocol, TypeVar

import msgspec
from msgspec import Meta

from jobs.params.base import Params

MediaKind = Literal["image", "audio", "video", "recording", "lora"]
"""What an input must be; a recording may also be a film, of which the sound is taken."""
FilmFrame = Literal["middle", "last"]
"""Which picture of a film is an input that is an image."""

Source = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=28_000_000,
        description="A public http(s) URL, a `data:` URL, the `input_id` of POST /inputs/v1, the `media_id` of an item "
        "of GET /media/v1, or `output:<job_id>/<number>`.",
    ),
]

PICTURE = "input_image"
"""The name of the picture that a job starts from, the same for every modality."""
PICTURE_NAMES = (PICTURE, "image_path", "image_url")
"""All names that a body may have it under, for ever: clients of single modalities send the others. Some parameters have
it under one of those, and so do their rows, which workers of an older version read."""
NAMED = "Read as `image_path` and `image_url`, too."

P = TypeVar("P", bound=Params)
ELEMENTS = "elements"
ELEMENT_FIELDS = {"picture": "element_input_urls", "film": "element_input_video_urls"}
"""The fields of an element, by what is in them; `elements.0.picture.1` is the name of an input."""


class Element(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that a request refers to by its name: a person, a product, a place."""

    name: Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,39}(?!\n)$", description="`@name` in a prompt is it.")]
    description: Annotated[str, Meta(min_length=1, max_length=500, description="What it is, in plain words.")]
    element_input_urls: Annotated[
        tuple[Source, ...],
        Meta(max_length=4, description="2 to 4 pictures of it: JPEG or PNG of at least 300x300 pixels, at most 10 MB."),
    ] = ()
    element_input_video_urls: Annotated[
        tuple[Source, ...],
        Meta(max_length=1, description="Or one film of it: MP4 or MOV, at most 50 MB; its middle frame is used."),
    ] = ()


LORAS = "loras"
STORED_LORAS = ("inp_", "med_")
"""What a LoRA begins with that was uploaded, or is in the media library; names in the catalog have no underscore."""


class LoraChoice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A LoRA that a request puts on the model, `weight` times as strong as it was made."""

    lora: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=4096,
            description="A name of the model's `loras`, or an `input_id`, `media_id` or URL of a file of your own.",
        ),
    ]
    weight: Annotated[float, Meta(ge=0, le=2, description="How strong it is; 1 is as it was made.")] = 1.0

    @property
    def is_file(self) -> bool:
        """Whether it is a file of the caller's, and not a name of the catalog."""
        return ":" in self.lora or self.lora.startswith(STORED_LORAS)


MAX_LORAS = 4
"""Most LoRAs of one job."""
Loras = Annotated[
    tuple[LoraChoice, ...], Meta(max_length=MAX_LORAS, description="LoRAs to put on the model, together.")
]
Elements = Annotated[
    tuple[Element, ...],
    Meta(max_length=8, description="What `@name` in the prompt means, with pictures that the model follows."),
]


class Medium(msgspec.Struct, frozen=True):
    """One input that a request names: its field (`input_image`, `reference_images.0`), its kind and its source.

    With a `frame` the source is a film, and the input that picture of it.
    """

    name: str
    kind: MediaKind
    source: str
    frame: FilmFrame | None = None

    @property
    def field(self) -> str:
        """The path of the field in the parameters, as problems name it."""
        return f"$.{_path(self.name)}"

    @property
    def file_kind(self) -> MediaKind:
        """What the file at the source must be."""
        return "video" if self.frame is not None else self.kind


def is_lora(name: str) -> bool:
    """Return whether the input of this name is a LoRA, and no medium."""
    return name.startswith(f"{LORAS}.")


def field_of(name: str) -> str:
    """Return an input's name as it is documented: `reference_images[0]` for `reference_images.0`."""
    return PICTURE if name in PICTURE_NAMES else _path(name)


@cache
def picture_field(type_: Any) -> str | None:
    """Return the name that a type of parameters has for its picture; None for one without a picture."""
    if not (isinstance(type_, type) and issubclass(type_, Params)):
        return None
    return next((name for name in PICTURE_NAMES if name in type_.__struct_fields__), None)


def _path(name: str) -> str:
    field, *numbers = name.split(".")
    if field == ELEMENTS and numbers:
        element, kind, number = numbers
        return f"{ELEMENTS}[{element}].{ELEMENT_FIELDS[kind]}[{number}]"
    if field == LORAS and numbers:
        return f"{LORAS}[{numbers[0]}].lora"
    return f"{field}[{numbers[0]}]" if numbers else field


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
    for number, element in enumerate(getattr(params, ELEMENTS, ())):
        yield from _of_element(number, element)
    for number, choice in enumerate(getattr(params, LORAS, ())):
        if choice.is_file:
            yield Medium(f"{LORAS}.{number}", "lora", choice.lora)


def _of_element(number: int, element: Element) -> Iterator[Medium]:
    for kind, field in ELEMENT_FIELDS.items():
        frame: FilmFrame | None = "middle" if kind == "film" else None
        for place, source in enumerate(getattr(element, field)):
            yield Medium(f"{ELEMENTS}.{number}.{kind}.{place}", "image", source, frame)


def with_sources(params: P, sources: Mapping[str, str]) -> P:
    """Return the parameters with other sources, by the names of `media_of`; other fields stay."""
    changes: dict[str, Any] = {}
    for name in params.media:
        value = getattr(params, name)
        if isinstance(value, tuple):
            changes[name] = tuple(sources.get(f"{name}.{n}", source) for n, source in enumerate(value))
        elif name in sources:
            changes[name] = sources[name]
    elements = getattr(params, ELEMENTS, ())
    if elements:
        changes[ELEMENTS] = tuple(_with_sources(number, each, sources) for number, each in enumerate(elements))
    loras = getattr(params, LORAS, ())
    if loras:
        changes[LORAS] = tuple(
            msgspec.structs.replace(choice, lora=sources.get(f"{LORAS}.{number}", choice.lora))
            for number, choice in enumerate(loras)
        )
    return msgspec.structs.replace(params, **changes)


def _with_sources(number: int, element: Element, sources: Mapping[str, str]) -> Element:
    changes = {
        field: tuple(
            sources.get(f"{ELEMENTS}.{number}.{kind}.{place}", source)
            for place, source in enumerate(getattr(element, field))
        )
        for kind, field in ELEMENT_FIELDS.items()
    }
    return msgspec.structs.replace(element, **changes)


def drop_data_urls(params: Params) -> None:
    """Take the `data:` URLs out of parameters that are not used any more, so that their memory is free.

    The framework refers to the parameters of a request until it is answered, and an answer may be held for minutes.
    """
    for name in params.media:
        value = getattr(params, name)
        for source in value if isinstance(value, tuple) else (value or "",):
            if source[:5].lower() == "data:":
                msgspec.structs.force_setattr(params, name, None)
    if getattr(params, ELEMENTS, ()):
        msgspec.structs.force_setattr(params, ELEMENTS, ())
