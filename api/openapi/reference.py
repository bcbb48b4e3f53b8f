"""The reference of the API as Markdown, made of the OpenAPI document: for readers without a browser, and for agents."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from api.openapi.samples import LANGUAGES, resolved, sample_request, samples

METHODS = ("get", "post", "put", "patch", "delete")


def reference(document: Mapping[str, Any]) -> str:
    """Return every route: what it does, its parameters, the fields of its body, its answers, and samples."""
    info = document["info"]
    parts = [f"# {info['title']} {info['version']}: the API", info["description"].strip()]
    for path, method, operation in _operations(document):
        parts += _route(method, path, operation, document["components"]["schemas"])
    return "\n\n".join(parts) + "\n"


def outline(document: Mapping[str, Any]) -> str:
    """Return one line for each route: its method, its path and what it does."""
    lines = [f"- `{method.upper()} {path}`: {one['summary']}" for path, method, one in _operations(document)]
    return "\n".join(lines)


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def _route(method: str, path: str, operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[str]:
    yield f"## {method.upper()} {path}"
    yield f"{operation['summary']}. {operation.get('description', '')}".strip()
    parameters = operation.get("parameters", ())
    if parameters:
        yield "\n".join(
            f"- `{one['name']}` ({one['in']}{', required' if one.get('required') else ''}):"
            f" {one.get('description', '')}".rstrip(": ")
            for one in parameters
        )
    fields = list(_fields(operation, schemas))
    if fields:
        yield "Fields of the body:\n\n" + "\n".join(fields)
    yield "\n".join(_answers(operation["responses"]))
    for language, code in samples(sample_request(method, path, operation, schemas)).items():
        yield f"{language}:\n\n```{LANGUAGES[language]}\n{code}\n```"


def _answers(responses: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield a line for each answer that is a success, and one with the codes of all refusals."""
    codes: list[str] = []
    for status, response in responses.items():
        text = " ".join(response.get("description", "").split())
        if status.startswith(("2", "3")):
            yield f"- {status}: {text}"
        else:
            codes += [f"`{code}` ({status})" for code in re.findall(r"`(\w+)`: ", text)]
    if codes:
        yield f"- Refusals, which GET /problems explains: {', '.join(codes)}"


def _fields(operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[str]:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    schema = resolved(content.get("schema", {}), schemas)
    for name, field in schema.get("properties", {}).items():
        required = ", required" if name in schema.get("required", ()) else ""
        yield f"- `{name}` ({_kind(field)}{required}): {_description(field)}".rstrip(": ")


def _kind(field: Mapping[str, Any]) -> str:
    kinds = [_kind(one) for one in field.get("anyOf", field.get("oneOf", ()))]
    if kinds:
        return " or ".join(dict.fromkeys(kinds))
    if field.get("enum"):
        return " or ".join(f"`{value}`" for value in field["enum"])
    kind = str(field.get("type", "value"))
    limits = [f"{word} {field[key]:g}" for key, word in (("minimum", "from"), ("maximum", "to")) if key in field]
    return " ".join([kind, *limits])


def _description(field: Mapping[str, Any]) -> str:
    own: str = field.get("description", "")
    return own or next((one["description"] for one in field.get("anyOf", ()) if one.get("description")), "")
