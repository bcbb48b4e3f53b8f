"""The arguments and options of a command, from the fields of a modality's parameters."""

from collections.abc import Sequence
from typing import Any

import msgspec
import rich_click as click
from msgspec import inspect

from cli.choices import show_values
from cli.http.problems import in_commands
from jobs.params.base import Params
from jobs.params.media import NAMED
from jobs.params.modality import ModalitySpec

HIDDEN = {"output_format", "pin", "elements", "messages"}
"""The extension of the file and `--prefer` set the first two, and elements and chats take more than an option; fields
whose feature is not built are hidden too."""
SHARED_FLAGS = {
    "prefer_seconds": ("--prefer",),
    "deadline_seconds": ("--deadline",),
    "start_within_seconds": ("--start-within",),
    "labels": ("--label",),
}
"""Spellings of the fields that every modality has."""
HELP = {
    "model": "A model of `atelier models`; default: the service chooses.",
    "labels": "A pair of your own, as key:value, to filter by; may be repeated.",
    "loras": "A LoRA of the model, or a local file of one, as name:weight (0 to 2, else 1); may be repeated.",
    "prefer_seconds": "With --server-id: on any server after this many seconds.",
    "target_voice_path": "The voice to speak with: a recording as file or URL, or an id of `atelier voices list`.",
    "apply_watermark": "Leave out the inaudible mark that identifies generated audio.",
    "auto_unload": "Keep the model in memory after the job.",
    "stream": "Speak it in parts, to be heard while it is made; `-o -` does so by itself.",
    "padding": "Paint beyond a side of the input image, as side:pixels, such as left:256; may be repeated.",
    "variables": "What stands in a place of the template, as place:words; may be repeated.",
    "replacements": "A word and how to say it, as word:spelling or, in the IPA, word:/phonemes/; may be repeated.",
}
"""Texts of options that the API's own description does not fit."""
DRAWN = -1
"""The seed that stands for a fresh one."""
PAIRS = {"labels": "--label", "variables": "--variable", "padding": "--padding"}
"""Options of pairs, by the field that they make."""
SHARED = {field.name for field in msgspec.structs.fields(Params)}


def request_options(modality: ModalitySpec) -> list[click.Parameter]:
    """Return the positional argument, then an option per field: those of the modality before the shared ones."""
    fields = {field.name: field for field in _struct(modality).fields}
    argument = fields.pop(modality.argument)
    ordered = sorted(fields.values(), key=lambda field: field.name in SHARED)
    return [
        _argument(argument),
        *(_option(modality, field) for field in ordered if field.name not in HIDDEN),
    ]


def request_body(values: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that were typed, as the API takes them; `prefer_seconds` makes the server a preference."""
    body = {name: value for name, value in values.items() if value not in (None, ())}
    for name, flag in PAIRS.items():
        if name in body:
            body[name] = read_pairs(body[name], flag)
    if "replacements" in body:
        pairs = read_pairs(body["replacements"], "--replace")
        body["replacements"] = [_pronounced(word, sound) for word, sound in pairs.items()]
    if "loras" in body:
        body["loras"] = [read_lora(text) for text in body["loras"]]
    if "padding" in body:
        body["padding"] = _pixels(body["padding"])
    return body | ({"pin": "prefer"} if "prefer_seconds" in body else {})


def read_pairs(texts: Sequence[str], flag: str = "--label") -> dict[str, str]:
    """Return the pairs of texts `key:value` of a flag. Raises `UsageError`."""
    pairs = [text.partition(":") for text in texts]
    for key, colon, _ in pairs:
        if not (key and colon):
            raise click.UsageError(f"{flag} {key}: write a key, a colon and a value: season:spring")
    return {key: value for key, _, value in pairs}


def read_lora(text: str) -> dict[str, Any]:
    """Return the LoRA of a text `name` or `name:weight`."""
    name, _, weight = text.rpartition(":")
    try:
        return {"lora": name, "weight": float(weight)} if name else {"lora": text}
    except ValueError:  # the colon is part of the name
        return {"lora": text}


def _pronounced(word: str, sound: str) -> dict[str, str]:
    """Return how a word is spoken: between slashes, as dictionaries write it, is the IPA."""
    is_ipa = len(sound) > 2 and sound.startswith("/") and sound.endswith("/")
    return {"word": word} | ({"phonemes": sound[1:-1]} if is_ipa else {"say": sound})


def _pixels(padding: dict[str, str]) -> dict[str, int]:
    """Return the sides with their pixels as numbers. Raises `UsageError`."""
    for side, pixels in padding.items():
        if not pixels.isdecimal():
            raise click.UsageError(f"--padding {side}:{pixels}: write a side, a colon and pixels: left:256")
    return {side: int(pixels) for side, pixels in padding.items()}


def _struct(modality: ModalitySpec) -> inspect.StructType:
    struct = inspect.type_info(modality.params)
    assert isinstance(struct, inspect.StructType)
    return struct


def _argument(field: inspect.Field) -> click.Argument:
    """Return the positional argument, of several values where the field takes them."""
    is_list = isinstance(_unwrapped(field.type)[0], inspect.VarTupleType)
    metavar = field.name.split("_")[0].upper() + ("..." if is_list else "")
    return click.Argument([field.name], required=field.required, nargs=-1 if is_list else 1, metavar=metavar)


def _option(modality: ModalitySpec, field: inspect.Field) -> click.Option:
    """Return the option of a field."""
    flags = _flags(modality, field.name)
    type_, description = _unwrapped(field.type)
    if field.name == "seed" and field.default != DRAWN:
        description = f"{description} Default: {field.default}, so that the same request repeats itself."
    if field.name in modality.params.media:
        description = f"File or URL. {description}"
    settings: dict[str, Any] = {"help": HELP.get(field.name) or _in_options(modality, description)}
    match type_:
        case inspect.BoolType():
            flags = (f"--no-{flags[0].removeprefix('--')}",) if field.default else flags
            settings |= {"is_flag": True, "flag_value": not field.default, "default": None}
        case inspect.LiteralType() if field.name in modality.switches:
            settings["flag_value"] = modality.switches[field.name]
        case inspect.LiteralType():
            settings["metavar"] = show_values(type_.values)
        case inspect.IntType():
            settings["type"] = int
        case inspect.FloatType():
            settings["type"] = float
        case inspect.VarTupleType() | inspect.DictType() | inspect.StructType():
            settings["multiple"] = True
    return click.Option([*flags, field.name], **settings)


def _flags(modality: ModalitySpec, name: str) -> tuple[str, ...]:
    return modality.flags.get(name) or SHARED_FLAGS.get(name) or (f"--{name.replace('_', '-')}",)


def _in_options(modality: ModalitySpec, description: str) -> str:
    """Return the API's description of a field, with options and commands in the place of fields and routes."""
    text = in_commands(description.replace(NAMED, "").strip())
    for field in _struct(modality).fields:
        text = text.replace(f"`{field.name}`", max(_flags(modality, field.name), key=len))
    return text


def _unwrapped(type_: inspect.Type) -> tuple[inspect.Type, str]:
    """Return the type without its description and without None, and the description."""
    description = ""
    while isinstance(type_, inspect.Metadata | inspect.UnionType):
        if isinstance(type_, inspect.Metadata):
            description = description or (type_.extra_json_schema or {}).get("description", "")
            type_ = type_.type
        else:
            (type_,) = (one for one in type_.types if not isinstance(one, inspect.NoneType))
    return type_, description
