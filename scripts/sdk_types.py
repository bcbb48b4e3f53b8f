"""Write the types of the TypeScript SDK from the structs of the API: `src/types.ts`, and what tsc makes of it.

`scripts/sdk_models.py` calls it. What the structs leave open, as `Any`, is `unknown`; a field of a request that may be
null may also be left out, and is shown as that alone.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import inspect as types

from jobs.chains.answer import ChainAnswer, ChainPage
from jobs.manifests.manifest import Manifest
from jobs.params.base import Params
from jobs.params.media import field_of
from jobs.params.registry import MODALITIES
from jobs.params.requests.storyboard import StoryboardParams
from jobs.step_previews import StepPreview
from jobs.wire import jobs, media, models, status, uploads, voices, webhooks
from jobs.wire.account import keys
from jobs.wire.estimates.estimate import ChainEstimate, EstimateAnswer
from scripts.sdk_structs import base_of, description, fields_of, ordered, own_fields, parts_of_requests

FOLDER = Path(__file__).parents[1] / "sdk/typescript"
ANSWERS: tuple[type[msgspec.Struct], ...] = (
    *(jobs.Accepted, status.StatusAnswer, jobs.JobPage, jobs.ProgressEvent, uploads.StoredUpload, EstimateAnswer),
    *(jobs.AcceptedJobs, jobs.QueueState, StepPreview, Manifest, ChainAnswer, ChainPage, ChainEstimate),
    *(keys.KeyPage, keys.KeyWithSecret, keys.MeAnswer),
    *(voices.VoiceAnswer, models.ModelAnswer),
    *(media.MediaItem, media.MediaPage, media.MediaMatches, media.LinkedMedia),
    *(webhooks.WebhookEvent, webhooks.WebhookTest),
)
"""The answers that the SDK reads; what they are made of follows."""
NAMES = {
    "StatusAnswer": "Job",
    "OutputAnswer": "Output",
    "PreviewAnswer": "Preview",
    "JobError": "JobFailure",
    "ProgressEvent": "Progress",
    "EstimateAnswer": "Estimate",
    "StoredUpload": "StoredInput",
    "VoiceAnswer": "Voice",
    "ModelAnswer": "Model",
    "ChainAnswer": "Chain",
    "KeyAnswer": "Key",
    "MeAnswer": "Me",
    "MediaItem": "Media",
}
"""The names of structs here, where they differ."""
HEADER = "/** What the native routes take and answer; `scripts/sdk_models.py` writes it from the API. */\n"
PLAIN: dict[type[types.Type], str] = {
    types.AnyType: "unknown",
    types.NoneType: "null",
    types.BoolType: "boolean",
    types.IntType: "number",
    types.FloatType: "number",
    types.StrType: "string",
    types.DateTimeType: "string",
}


def modules() -> dict[str, str]:
    """Return the text of each file that is written, by its path in the SDK."""
    source = types_module()
    lines = [line for line in source.splitlines() if line]
    declarations = [" " * (len(line) - len(line.lstrip())) + line for line in lines]  # tsc indents by four
    return {
        "src/types.ts": source,
        "dist/types.d.ts": "\n".join(declarations) + "\n",
        "dist/types.js": HEADER + "export {};\n",
    }


def types_module() -> str:
    """Return the source of `types.ts`."""
    names = " | ".join(f'"{modality.name}"' for modality in MODALITIES)
    parts = [
        f"export type Modality = {names};\n",
        *(_enumeration(cls) for cls in _enumerations()),
        "/** Fields of every submit. */\nexport interface CommonParams " + _braces(_common()),
        *(_part(struct) for struct in parts_of_requests()),
        *(_request(params) for params in (*(modality.params for modality in MODALITIES), StoryboardParams)),
        "/** The fields of a submit, by modality. */\nexport interface ParamsOf "
        + _braces(f'"{modality.name}": {modality.params.__name__};' for modality in MODALITIES),
        *(_answer(cls) for cls in ordered(ANSWERS)),
    ]
    return HEADER + "\n" + "\n".join(parts)


def _enumerations() -> list[type]:
    """Return the enumerations that the answers have, each once."""
    found: dict[type, None] = {}
    for cls in ordered(ANSWERS):
        for field in fields_of(cls):
            for part in _parts(field.type):
                if isinstance(part, types.EnumType):
                    found.setdefault(part.cls)
    return list(found)


def _parts(type_: types.Type) -> Iterator[types.Type]:
    yield type_
    match type_:
        case types.Metadata(type=inner):
            yield from _parts(inner)
        case types.UnionType(types=inner):
            for one in inner:
                yield from _parts(one)


def _enumeration(cls: type) -> str:
    values = " | ".join(f'"{member.value}"' for member in cls)  # type: ignore[attr-defined]
    return f"export type {cls.__name__} = {values};\n"


def _common() -> Iterator[str]:
    yield from (_request_field(field) for field in fields_of(Params) if field.name != "output_format")


def _request(params: type[Params]) -> str:
    shared = {field.name for field in fields_of(Params)} - {"output_format"}
    own = (_request_field(field) for field in fields_of(params) if field.name not in shared)
    head = f"export interface {params.__name__} extends CommonParams "
    return _comment(params.__doc__ or "") + head + _braces(own)


def _part(struct: type[msgspec.Struct]) -> str:
    fields = (_request_field(field) for field in fields_of(struct))
    return _comment(struct.__doc__ or "") + f"export interface {_name(struct)} " + _braces(fields)


def _request_field(field: types.Field) -> str:
    text = description(field.type)
    optional = "" if field.required else "?"
    shown = f"{field_of(field.name)}{optional}: {_annotation(field.type, nullable=False)};"
    return shown if not text else f"/** {text} */\n{shown}"


def _answer(cls: type[msgspec.Struct]) -> str:
    base = base_of(cls, ANSWERS)
    shown = (f"{field.name}: {_annotation(field.type)};" for field in own_fields(cls, ANSWERS))
    extends = f" extends {_name(base)}" if base else ""
    return _comment(cls.__doc__ or "") + f"export interface {_name(cls)}{extends} " + _braces(shown)


def _name(cls: type) -> str:
    return NAMES.get(cls.__name__, cls.__name__)


def _comment(docstring: str) -> str:
    first = re.sub(r" \(contract [^)]*\)", "", docstring.strip().splitlines()[0])
    return f"/** {first} */\n"


def _braces(lines: Iterator[str]) -> str:
    indented = "".join(f"  {line}\n" for text in lines for line in text.splitlines())
    return f"{{\n{indented}}}\n"


def _annotation(type_: types.Type, *, nullable: bool = True) -> str:
    """Return a type as source; one of a request is not nullable."""
    match type_:
        case types.Metadata(type=inner):
            return _annotation(inner, nullable=nullable)
        case types.UnionType(types=inner):
            shown = [_annotation(one) for one in inner if nullable or not isinstance(one, types.NoneType)]
            return " | ".join(dict.fromkeys(shown))
        case types.ListType(item_type=item) | types.VarTupleType(item_type=item):
            shown_item = _annotation(item)
            return f"({shown_item})[]" if " | " in shown_item else f"{shown_item}[]"
        case types.TupleType(item_types=items):
            return f"[{', '.join(map(_annotation, items))}]"
        case types.DictType(value_type=value):
            return f"Record<string, {_annotation(value)}>"
        case types.LiteralType(values=values):
            return " | ".join(f'"{value}"' for value in values)
        case types.StructType(cls=cls) | types.EnumType(cls=cls):
            return _name(cls)
    return PLAIN[type(type_)]
