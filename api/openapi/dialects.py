"""The documents of other services' wire formats, which are taken out of the one that the framework makes of all routes.

Each is at `<base path>/schema/openapi.json`, with its page at `<base path>/schema`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec
from litestar import Litestar, get
from litestar.openapi.spec import (
    Components,
    OpenAPI,
    OpenAPIMediaType,
    OpenAPIResponse,
    Operation,
    PathItem,
    Reference,
)
from litestar.openapi.spec.base import BaseSchemaObject

from api.http.auth import PUBLIC
from api.http.dependencies import Router
from api.openapi.page import PAGE_HEADERS, page
from api.openapi.schemas import REF

METHODS = ("get", "head", "post", "put", "patch", "delete")
DOCUMENT = "/schema/openapi.json"
MEDIA_TYPE = "application/vnd.oai.openapi+json"
DESCRIPTION = """\
The wire format of {title}, for programs that were written for it: their base URL here is `https://your-host{base}`.
`/docs/clients.md` says what each call needs and what differs; `/docs/api.md` is the service's own API.

Every route requires a key: `X-API-Key: atl_…` or `Authorization: Bearer atl_…`.
"""


class DocumentedFormat(msgspec.Struct, frozen=True, kw_only=True):
    """A wire format that has a document: its name, its title, its base path, and the body of its errors."""

    name: str
    title: str
    base: str
    error: type[msgspec.Struct]


class DialectDocuments:
    """The document of each wire format, by its name; they are made with that of the application."""

    def __init__(self, formats: Sequence[DocumentedFormat]) -> None:
        self.formats = formats
        self._made: dict[str, OpenAPI] = {}
        self._shown: dict[str, dict[str, Any]] = {}
        self._app: Litestar | None = None

    def made_by(self, app: Litestar) -> None:
        """Say which application's document they are taken out of."""
        self._app = app

    def take_out(self, document: OpenAPI) -> None:
        """Take the routes of the formats out of the document of all routes, and what they alone refer to."""
        for format_ in self.formats:
            self._made[format_.name] = _document_of(format_, document)
        bases = tuple(f"{format_.base}/" for format_ in self.formats)
        document.paths = {path: item for path, item in (document.paths or {}).items() if not path.startswith(bases)}
        parts = [*document.paths.values(), *(document.webhooks or {}).values()]
        document.components = _components(document, parts)

    def of(self, name: str) -> dict[str, Any]:
        """Return the document of a format."""
        if name not in self._shown:
            if self._app is not None:
                self._app.openapi_schema.to_schema()
            self._shown[name] = self._made[name].to_schema()
        return self._shown[name]

    def all(self) -> dict[str, dict[str, Any]]:
        """Return every document."""
        return {format_.name: self.of(format_.name) for format_ in self.formats}


def document_router(format_: DocumentedFormat, documents: DialectDocuments, prefix: str) -> Router:
    """Return the router of a document and its page; `prefix` is the path of the public URL."""

    @get("/openapi.json", media_type=MEDIA_TYPE, sync_to_thread=False)
    def document() -> bytes:
        return msgspec.json.encode(documents.of(format_.name))

    @get(media_type="text/html", sync_to_thread=False)
    def show() -> bytes:
        return page(documents.of(format_.name)["info"], prefix, format_.base + DOCUMENT)

    return Router(
        f"{format_.base}/schema",
        route_handlers=[document, show],
        opt=PUBLIC,
        include_in_schema=False,
        response_headers=PAGE_HEADERS,
    )


def _document_of(format_: DocumentedFormat, document: OpenAPI) -> OpenAPI:
    """Return the document of a format."""
    own = (entry for entry in (document.paths or {}).items() if entry[0].startswith(f"{format_.base}/"))
    paths = dict(sorted(own, key=lambda entry: entry[0]))
    refusal = OpenAPIResponse(
        description="Refused: the code says why.",
        content={"application/json": OpenAPIMediaType(Reference(REF.format(name=format_.error.__name__)))},
    )
    for item in paths.values():
        for operation in _operations(item):
            _describe(operation)
            operation.responses = {**(operation.responses or {}), "default": refusal}
    info = replace(
        document.info,
        title=f"{format_.title}'s wire format",
        description=DESCRIPTION.format(title=format_.title, base=format_.base),
    )
    components = _components(document, paths.values())
    return OpenAPI(
        info=info,
        paths=paths,
        components=components,
        openapi=document.openapi,
        security=document.security,
        servers=document.servers,
    )


def _operations(item: PathItem) -> list[Operation]:
    return [operation for method in METHODS if (operation := getattr(item, method)) is not None]


def _describe(operation: Operation) -> None:
    """Make the first sentence of an operation's description its summary."""
    first, _, rest = " ".join((operation.description or "").split()).partition(". ")
    operation.summary = first.rstrip(".") or operation.summary
    operation.description = rest or None


def _components(document: OpenAPI, parts: Iterable[BaseSchemaObject]) -> Components:
    """Return the components that these parts of a document need."""
    schemas: Mapping[str, Any] = document.components.schemas
    needed: set[str] = set()
    waiting = {name for part in parts for name in _names(part)}
    while waiting:
        name = waiting.pop()
        needed.add(name)
        waiting |= {*_names(schemas[name])} - needed
    return replace(document.components, schemas={name: one for name, one in schemas.items() if name in needed})


def _names(part: Any) -> list[str]:
    """Return the names of the schemas that a part of a document refers to."""
    written = msgspec.json.encode(part.to_schema()).decode()
    return _REFERENCE.findall(written)


_REFERENCE = re.compile(REF.format(name='([^"]+)'))
