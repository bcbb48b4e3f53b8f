"""Write the modules of the SDKs that follow from others: models, requests and blocking client, and TypeScript's types.

    python scripts/sdk_models.py

Answers become frozen structs that read what an API of another version sends: fields that they do not know are ignored,
and enumerations are read as text. Requests become typed dictionaries, whose keys are the fields of the submit. The
blocking client is the asynchronous one without its awaits.
"""

import inspect
import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import msgspec
from msgspec import NODEFAULT
from msgspec import inspect as types

from jobs.chains import answer as chains
from jobs.manifests.manifest import Manifest
from jobs.params.media import ELEMENTS, LORAS
from jobs.params.modality import ModalitySpec
from jobs.params.registry import MODALITIES
from jobs.step_previews import StepPreview
from jobs.wire import jobs, media, models, problems, servers, status, uploads, voices, webhooks
from jobs.wire.account import keys, usage
from jobs.wire.estimates.estimate import ChainEstimate, EstimateAnswer
from jobs.wire.job_request import JobRequest
from scripts import sdk_types
from scripts.sdk_structs import base_of, description, fields_of, ordered, own_fields, parts_of_requests

FOLDER = Path(__file__).parents[1] / "sdk/python/atelier_client"
ANSWERS: tuple[type[msgspec.Struct], ...] = (
    *(
        jobs.Accepted,
        jobs.AcceptedJobs,
        jobs.QueueState,
        status.StatusAnswer,
        jobs.JobPage,
        jobs.ProgressEvent,
        StepPreview,
        JobRequest,
        EstimateAnswer,
        Manifest,
        chains.ChainAnswer,
        chains.ChainPage,
        ChainEstimate,
    ),
    *(uploads.Upload, uploads.StoredUpload, voices.VoiceList),
    *(media.MediaItem, media.MediaPage, media.MediaMatches),
    *(models.ModelList, servers.ServerList),
    *(keys.KeyPage, keys.KeyWithSecret, keys.MeAnswer, usage.UsageAnswer),
    *(webhooks.WebhookList, webhooks.WebhookWithSecret, webhooks.DeliveryPage, webhooks.Replayed),
    *(webhooks.WebhookEvent, webhooks.WebhookTest, problems.ProblemDetails),
)
"""The answers that the SDK reads; what they are made of follows."""
HEADER = '"""{title}\n\nWritten by `scripts/sdk_models.py`: change the API, not this file.\n"""\n\n'

BLOCKING = (
    (r'^""".*?"""', '"""The blocking client, written from `aio.py` by `scripts/sdk_models.py`."""'),
    (r"import asyncio\n", ""),
    (r"await asyncio\.to_thread\(([\w.]+), ", r"\1("),
    (r"asyncio\.sleep", "time.sleep"),
    (r"\basync (def|with|for)\b", r"\1"),
    (r"\(await ([^\n]*)\)\.", r"\1."),
    (r"\bawait ", ""),
    (r"\bAsync(Atelier|Iterator)\b|\bAsyncClient\b", lambda match: match[1] or "Client"),
    (r"\ban asynchronous ", "a "),
    (r"__a(enter|exit)__", r"__\1__"),
    (r"\ba(close|read|iter_bytes|iter_sse)\(", r"\1("),
)
"""What makes the blocking client of the asynchronous one, in order."""


def main() -> None:
    """Write the modules."""
    for name, text in modules().items():
        (FOLDER / name).write_text(text)
        tidy(FOLDER / name)
    for name, text in sdk_types.modules().items():
        (sdk_types.FOLDER / name).write_text(text)


def tidy(file: Path) -> None:
    """Sort the imports of a module and format it as the rest of the source."""
    settings = Path(__file__).parents[1] / "pyproject.toml"
    for verb in (["check", "-q", "--fix", "--unsafe-fixes"], ["format", "-q"]):
        subprocess.run([sys.executable, "-m", "ruff", *verb, "--config", settings, file], check=True)


def modules() -> dict[str, str]:
    """Return the source of each module that is written, before it is formatted, by the name of its file."""
    return {
        "models.py": answers_module(),
        "requests.py": requests_module(),
        "client.py": blocking((FOLDER / "aio.py").read_text()),
    }


def blocking(source: str) -> str:
    """Return the source of the blocking client for that of the asynchronous one."""
    for pattern, replacement in BLOCKING:
        source = re.sub(pattern, replacement, source)
    return source


def answers_module() -> str:
    """Return the source of `models.py`."""
    imports = "from datetime import datetime\nfrom typing import Any\n\nimport msgspec\n"
    structs = "".join(_struct(cls) for cls in ordered(ANSWERS))
    return HEADER.format(title="The answers of the API.") + imports + structs


def requests_module() -> str:
    """Return the source of `requests.py`."""
    imports = "from collections.abc import Sequence\nfrom typing import Literal, Required, TypedDict\n"
    nested = "".join(_dictionary(struct.__name__, struct) for struct in parts_of_requests())
    dictionaries = nested + "".join(_dictionary(request_name(modality), modality.params) for modality in MODALITIES)
    paths = "".join(f'    "{modality.name}": "{modality.path}",\n' for modality in MODALITIES)
    media = "".join(f'    "{modality.name}": {json.dumps(_media(modality), indent=0)},\n' for modality in MODALITIES)
    tables = (
        f'\n\nPATHS = {{\n{paths}}}\n"""The route of each modality."""\n\nMEDIA = {{\n{media}}}\n'
        '"""The fields of each modality that take files, or have them within."""\n'
    )
    return HEADER.format(title="The fields of a submit, by modality.") + imports + dictionaries + tables


def _media(modality: ModalitySpec) -> list[str]:
    return sorted({*modality.params.media, *({ELEMENTS, LORAS} & {*modality.params.__struct_fields__})})


def request_name(modality: ModalitySpec) -> str:
    """Return the name of the typed dictionary of a modality."""
    return f"{modality.params.__name__.removesuffix('Params')}Request"


def _struct(cls: type[msgspec.Struct]) -> str:
    base, own = base_of(cls, ANSWERS), own_fields(cls, ANSWERS)
    fields = [f"    {field.name}: {_annotation(field.type)}{_default(field)}\n" for field in own]
    head = f"class {cls.__name__}({base.__name__ if base else 'msgspec.Struct'}, frozen=True, kw_only=True):"
    return f"\n\n{head}\n{_docstring(cls)}\n{''.join(fields)}"


def _dictionary(name: str, struct: type[msgspec.Struct]) -> str:
    lines = []
    for field in fields_of(struct):
        annotation = _annotation(field.type, request=True)
        lines.append(f"    {field.name}: {f'Required[{annotation}]' if field.required else annotation}\n")
        text = description(field.type)
        lines.append(f'    """{text}"""\n' if text else "")
    head = f"\n\nclass {name}(TypedDict, total=False):\n{_docstring(struct)}\n"
    return head + "".join(lines)


def _docstring(cls: type) -> str:
    text = inspect.getdoc(cls) or ""
    end = "" if "\n" not in text else "\n"
    return textwrap.indent(f'"""{text}{end}"""\n', "    ")


def _annotation(type_: types.Type, *, request: bool = False) -> str:
    """Return a type as source; of a request, where more than a list may be given, as what is accepted."""
    match type_:
        case types.Metadata(type=inner):
            return _annotation(inner, request=request)
        case types.UnionType(types=inner):
            return " | ".join(dict.fromkeys(_annotation(one, request=request) for one in inner))
        case types.ListType(item_type=item) | types.VarTupleType(item_type=item):
            name = "Sequence" if request else "list"
            return f"{name}[{_annotation(item, request=request)}]"
        case types.TupleType(item_types=items):
            return f"tuple[{', '.join(_annotation(item, request=request) for item in items)}]"
        case types.DictType(key_type=key, value_type=value):
            return f"dict[{_annotation(key, request=request)}, {_annotation(value, request=request)}]"
        case types.LiteralType(values=values):
            return f"Literal[{', '.join(map(repr, values))}]" if request else "str"
        case types.StructType(cls=cls):
            return cls.__name__
    return _NAMES[type(type_)]


_NAMES: dict[type[types.Type], str] = {
    types.AnyType: "Any",
    types.NoneType: "None",
    types.BoolType: "bool",
    types.IntType: "int",
    types.FloatType: "float",
    types.StrType: "str",
    types.EnumType: "str",
    types.DateTimeType: "datetime",
}


def _default(field: types.Field) -> str:
    if field.default_factory is not NODEFAULT:
        return f" = {field.default_factory()!r}"
    if field.default is NODEFAULT:
        return ""
    value: Any = [] if field.default == () else field.default
    if isinstance(value, msgspec.Struct) and value == type(value)():
        return f" = {type(value).__name__}()"
    return f' = "{value}"' if isinstance(value, str) else f" = {value!r}"


if __name__ == "__main__":
    main()
