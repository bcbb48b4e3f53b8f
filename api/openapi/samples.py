"""Samples of a request in cURL, JavaScript, Python and Java, made of the OpenAPI document.

The address and the key are those of the environment, `ATELIER_URL` and `ATELIER_API_KEY`. A word in capitals stands for
an id or a value of the caller's.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

import msgspec

FORM = "multipart/form-data"
LANGUAGES = {"cURL": "bash", "JavaScript": "js", "Python": "python", "Java": "java"}
"""The name of each language, and what a fenced block calls it."""

PICTURE = "https://shop.example/chair.jpg"
EXAMPLES = {
    "url": "https://example.org/hook",
    "prompt": "a red circle on a blue background",
    "text": "Good morning.",
    "ttsText": "Good morning.",
    "query": "circle",
    **dict.fromkeys(
        ("input_image", "image_path", "image_url", "input_face", "person_image", "clothing_image"), PICTURE
    ),
    "events": "tool_execution.succeeded",
    "audio_url": "data:audio/wav;base64,UklGRiQAAABXQVZF…",
    "logo_url": "https://shop.example/logo.png",
    "reference_voice_url": "https://shop.example/anna.wav",
}
"""Examples of texts, by the names of their fields; of another field its name stands for one."""


class SampleRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request to show: `path` begins with a slash, `body` is JSON, `file` the name of a file to send in its place.

    With `is_form` the file is the field `file` of a form.
    """

    method: str
    path: str
    body: Any = None
    file: str | None = None
    is_form: bool = False
    needs_key: bool = True


def sample_request(method: str, path: str, operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> SampleRequest:
    """Return the request that shows an operation: its required parameters, and the first example of its body."""
    required = [
        f"{one['name']}={_value(one['name'], one.get('schema', {}), schemas)}"
        for one in operation.get("parameters", ())
        if one["in"] == "query" and one.get("required")
    ]
    filled = re.sub(r"\{(\w+)(?::\w+)?\}", lambda match: match[1].upper(), path)
    content = operation.get("requestBody", {}).get("content", {})
    return SampleRequest(
        method=method.upper(),
        path=filled + ("?" + "&".join(required) if required else ""),
        body=_body(content["application/json"]["schema"], schemas) if "application/json" in content else None,
        file="photo.jpg" if content and "application/json" not in content else None,
        is_form=list(content) == [FORM],
        needs_key=operation.get("security") != [{}],
    )


def samples(request: SampleRequest) -> dict[str, str]:
    """Return the sample of a request in each of `LANGUAGES`, as a program or command that prints the answer."""
    return {
        "cURL": _curl(request),
        "JavaScript": _javascript(request),
        "Python": _python(request),
        "Java": _java(request),
    }


def _curl(request: SampleRequest) -> str:
    parts = [f'curl -fsS -L -X {request.method} "$ATELIER_URL{request.path}"']
    if request.needs_key:
        parts.append('-H "X-API-Key: $ATELIER_API_KEY"')
    if request.body is not None:
        text = json.dumps(request.body, ensure_ascii=False).replace("'", "'\\''")
        parts += ['-H "Content-Type: application/json"', f"-d '{text}'"]
    if request.file is not None:
        parts.append(f"-F file=@{request.file}" if request.is_form else f"--data-binary @{request.file}")
    return " \\\n  ".join(parts)


def _javascript(request: SampleRequest) -> str:
    headers = ['"X-API-Key": process.env.ATELIER_API_KEY'] if request.needs_key else []
    lines = [f'  method: "{request.method}",']
    if request.body is not None:
        headers.append('"Content-Type": "application/json"')
        lines.append(f"  body: JSON.stringify({_indented(request.body)}),")
    before = ""
    if request.file is not None:
        read = f'await (await import("node:fs/promises")).readFile("{request.file}")'
        lines.append("  body: form," if request.is_form else f"  body: {read},")
        if request.is_form:
            before = f'const form = new FormData();\nform.append("file", new Blob([{read}]), "{request.file}");\n'
    if headers:
        lines.insert(1, f"  headers: {{ {', '.join(headers)} }},")
    options = "\n".join(lines)
    return (
        f"{before}const answer = await fetch(`${{process.env.ATELIER_URL}}{request.path}`, {{\n{options}\n}});\n"
        "if (!answer.ok) throw new Error(await answer.text());\nconsole.log(await answer.text());"
    )


def _python(request: SampleRequest) -> str:
    lines = [f'    "{request.method}",', f'    os.environ["ATELIER_URL"] + "{request.path}",']
    if request.needs_key:
        lines.append('    headers={"X-API-Key": os.environ["ATELIER_API_KEY"]},')
    if request.body is not None:
        lines.append(f"    json={_python_literal(request.body)},")
    if request.file is not None:
        content = f'open("{request.file}", "rb")'
        lines.append(f'    files={{"file": {content}}},' if request.is_form else f"    content={content}.read(),")
    call = "\n".join(lines)
    return (
        f"import os\n\nimport httpx\n\nanswer = httpx.request(\n{call}\n    follow_redirects=True,\n)\n"
        "answer.raise_for_status()\nprint(answer.text)"
    )


def _java(request: SampleRequest) -> str:
    publisher = 'HttpRequest.BodyPublishers.ofString("")'
    lines = [f'HttpRequest.newBuilder(URI.create(System.getenv("ATELIER_URL") + "{request.path}"))']
    if request.needs_key:
        lines.append('    .header("X-API-Key", System.getenv("ATELIER_API_KEY"))')
    if request.body is not None:
        lines.append('    .header("Content-Type", "application/json")')
        publisher = f"HttpRequest.BodyPublishers.ofString({json.dumps(json.dumps(request.body))})"
    if request.file is not None:
        publisher = f'HttpRequest.BodyPublishers.ofFile(java.nio.file.Path.of("{request.file}"))'
    if request.is_form:
        lines.append('    .header("Content-Type", "multipart/form-data; boundary=edge")')
        part = f'--edge\\r\\nContent-Disposition: form-data; name=\\"file\\"; filename=\\"{request.file}\\"\\r\\n\\r\\n'
        publisher = (
            f'HttpRequest.BodyPublishers.concat(HttpRequest.BodyPublishers.ofString("{part}"),\n        {publisher},'
            '\n        HttpRequest.BodyPublishers.ofString("\\r\\n--edge--\\r\\n"))'
        )
    lines.append("    .GET()" if request.method == "GET" else f'    .method("{request.method}", {publisher})')
    built = "\n    ".join([*lines, "    .build();"])
    return (
        "import java.net.URI;\nimport java.net.http.HttpClient;\nimport java.net.http.HttpRequest;\n"
        "import java.net.http.HttpResponse.BodyHandlers;\n\nclass Sample {\n"
        "  public static void main(String[] args) throws Exception {\n"
        f"    var request = {built}\n"
        "    var client = HttpClient.newBuilder().followRedirects(HttpClient.Redirect.NORMAL).build();\n"
        "    var answer = client.send(request, BodyHandlers.ofString());\n"
        "    if (answer.statusCode() >= 400) throw new RuntimeException(answer.body());\n"
        "    System.out.println(answer.body());\n  }\n}"
    )


def _body(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Any:
    """Return an example of a body: the first that the schema has, else its required fields."""
    if schema.get("examples"):
        return schema["examples"][0]
    whole = resolved(schema, schemas)
    if whole.get("examples"):
        return whole["examples"][0]
    return _object(whole, schemas)


def _object(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> dict[str, Any]:
    """Return the required fields of an object; without any one that there is an example of, or the first."""
    properties = schema.get("properties", {})
    named = schema.get("required") or [name for name in properties if name in EXAMPLES][:1] or list(properties)[:1]
    return {name: _value(name, resolved(properties[name], schemas), schemas) for name in named}


def resolved(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a schema without the references that it is made of."""
    for part in schema.get("allOf", ()):
        schema = part
    if "$ref" in schema:
        found: Mapping[str, Any] = schemas[schema["$ref"].rpartition("/")[2]]
        return found
    return schema


def _value(name: str, schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Any:
    """Return an example of a field."""
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "array":
        return [_value(name, resolved(schema.get("items", {}), schemas), schemas)]
    if kind == "object":
        return _object(schema, schemas)
    if kind == "boolean":
        return True
    if kind in ("integer", "number"):
        return schema.get("minimum", 1)
    if schema.get("format") == "date-time":
        return "2026-01-31T00:00:00Z"
    return EXAMPLES.get(name, name.upper())


def _indented(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2).replace("\n", "\n  ")


def _python_literal(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)}: {_python_literal(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_python_literal, value)) + "]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
