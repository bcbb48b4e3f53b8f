"""The parameters that all modalities share."""

from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, TypeVar

import msgspec
from msgspec import Meta

from core.errors.fields import NulInText

OutputFormat = Literal["webp", "jpeg", "png"]
Quality = Literal["fast", "standard", "pro", "ultra"]
Resolution = Literal["1K", "2K", "4K"]

Watermark = Annotated[
    Literal["auto", "always", "never"],
    Meta(description="A visible `Made with AI` at the bottom left; `auto`: where the operator wants it."),
]
Prompt = Annotated[str, Meta(min_length=1, max_length=4000, description="What to make, in plain words.")]
HexColor = Annotated[str, Meta(pattern=r"^#[0-9A-Fa-f]{6}(?!\n)$", description="For example #FF5733.")]
Url = Annotated[str, Meta(min_length=1, max_length=4096, description="A public http(s) URL.")]
Palette = Annotated[tuple[HexColor, ...], Meta(max_length=16, description="Brand colors, as hex codes.")]
Corner = Annotated[
    Literal["bottom_right", "bottom_left", "top_right", "top_left"], Meta(description="The corner of the logo.")
]
EnhancePrompt = Annotated[
    bool, Meta(description="A text model writes a better prompt first; the output's `revised_prompt` is what was made.")
]
Seed = Annotated[int, Meta(ge=-1, le=2**53 - 1, description="-1 draws a fresh seed; any other value repeats itself.")]

MAX_LABELS = 16
Label = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}(?!\n)$")]
Labels = Annotated[
    dict[Label, Annotated[str, Meta(max_length=256)]],
    Meta(
        max_length=MAX_LABELS,
        description="Up to 16 pairs of your own, to filter by. A key has at most 63 letters, digits and ._/-",
    ),
]


class Params(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fields that every submit route takes (contract C4-C6 and the native extras).

    A submit refuses unknown fields; `read_params` ignores them, since a newer API may have written the row.
    """

    media: ClassVar[dict[str, Literal["image", "audio", "video", "recording", "lora"]]] = {}
    """Fields that name inputs, with what each must be (`jobs.params.media`)."""

    model: Annotated[str, Meta(max_length=200, description="A model of GET /models/v1.")] | None = None
    output_format: Annotated[str, Meta(description="File format of the output.")] = "webp"
    callback_url: Annotated[Url, Meta(description="Receives one signed webhook when the job ends.")] | None = None
    server_id: Annotated[str, Meta(max_length=200, description="Run on this server.")] | None = None
    pin: Annotated[
        Literal["strict", "prefer"],
        Meta(description="`strict` waits for `server_id` however long it takes, `prefer` only for `prefer_seconds`."),
    ] = "strict"
    prefer_seconds: Annotated[
        float,
        Meta(
            ge=0,
            le=86400,
            description="With `pin: prefer`, seconds after which a job that still waits may run on any server.",
        ),
    ] = 30.0
    priority: Annotated[int, Meta(ge=0, le=9, description="0 lowest, 9 highest.")] = 5
    deadline_seconds: (
        Annotated[int, Meta(ge=1, le=7 * 86400, description="Seconds after which an unfinished job fails.")] | None
    ) = None
    start_within_seconds: (
        Annotated[int, Meta(ge=1, le=7 * 86400, description="Seconds after which it fails unless it has started.")]
        | None
    ) = None
    labels: Labels = {}


P = TypeVar("P", bound=Params)


def read_params(row: dict[str, Any], type_: type[P]) -> P:
    """Return the parameters in a row, without the fields that this version does not know."""
    known = {field.encode_name for field in msgspec.structs.fields(type_)}
    return msgspec.convert({name: value for name, value in row.items() if name in known}, type_)


def changed_fields(params: Params) -> Iterator[tuple[str, Any]]:
    """Return name and value of every field that differs from its default; required fields always do."""
    for name, default in _defaults(type(params)).items():
        value = getattr(params, name)
        if value != default:
            yield name, value


@cache
def _defaults(type_: type[Params]) -> dict[str, Any]:
    """Return the default of each field; msgspec reads the annotations anew at each call."""
    return {
        field.name: field.default_factory() if callable(field.default_factory) else field.default
        for field in msgspec.structs.fields(type_)
    }


def refuse_nul(params: Params) -> None:
    """Raise `NulInText` for the first text with U+0000 in it, which PostgreSQL cannot store."""
    for name, value in changed_fields(params):
        if any("\0" in text for text in _texts(value)):
            raise NulInText(f"Remove the NUL character (U+0000) from `{name}`.", field=f"$.{name}")


def _texts(value: object) -> Iterator[str]:
    """Yield every text in the value of a field."""
    match value:
        case str():
            yield value
        case list() | tuple():
            for one in value:
                yield from _texts(one)
        case dict():
            yield from _texts(list(value.values()))
        case msgspec.Struct():
            yield from _texts(msgspec.structs.astuple(value))
