"""The OpenAPI document beyond the types: texts, security, errors. Its page loads nothing from other hosts."""

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from litestar.openapi import OpenAPIConfig, ResponseSpec
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, License, OpenAPI, SecurityScheme, Server, Tag

from api.http.auth import PUBLIC
from api.http.dependencies import Router
from api.http.problems import MEDIA_TYPE
from api.openapi.dialects import DialectDocuments
from api.openapi.fixes import correct_document
from api.openapi.page import PAGE_HEADERS, SchemaPage, script
from core.errors.access import Forbidden, Unauthenticated
from core.errors.base import AtelierError
from core.errors.fields import UnknownField
from core.errors.limits import RateLimited, TooManyUnknownKeys
from core.errors.unavailable import DatabaseUnavailable
from jobs.wire.problems import ProblemDetails

DESCRIPTION = """\
Media made on your own GPUs. Submit a job and receive its `job_id` with 202; then poll its status, follow its events,
hold the request open with `?wait=30`, or name a `callback_url`.

A field for an image, audio or a video accepts a public http(s) URL, a `data:` URL of at most 20 MB, or the `input_id`
of a file that you uploaded with `POST /inputs/v1`, the `media_id` of an item of your media library (`GET /media/v1`) or
`output:<job_id>/<number>`; a reference voice may also be the `voice_id` of a recording that you
stored with `POST /voices/v1`. Such a job is `pending` until its inputs are fetched and checked, then `queued`.

Every route but health, downloads and this page requires a key: `X-API-Key: atl_…` or `Authorization: Bearer atl_…`
(`atelier keys create` makes one). A job of another tenant is answered exactly as one that does not exist.

Errors are RFC 9457 problems with a stable `code`, the path of the `field` at fault (`$.width` in the body,
`query.limit`, `header.Idempotency-Key`), a sentence that says what to do, and the `request_id`: the `X-Request-Id` that
you sent, or a new one. A field or a parameter that a route does not have is refused. `GET /problems` lists every code.
Any request may be answered 400 `malformed_request`, 408 `request_timed_out`, 431 `head_too_large` or 503
`too_many_connections`, before its route is known.
"""


def error_responses(*errors: type[AtelierError], key: bool = True) -> dict[int, ResponseSpec]:
    """Return the `responses` of a route: its own errors, and those of every route that requires a key."""
    if key:
        errors = (*errors, Unauthenticated, Forbidden, RateLimited, TooManyUnknownKeys, DatabaseUnavailable)
        errors += () if UnknownField in errors else (UnknownField,)
    by_status: dict[int, list[str]] = {}
    for error in errors:
        by_status.setdefault(error.status, []).append(f"`{error.code}`: {error.advice}")
    return {
        status: ResponseSpec(
            ProblemDetails, generate_examples=False, description="\n\n".join(texts), media_type=MEDIA_TYPE
        )
        for status, texts in sorted(by_status.items())
    }


def extra_response(status: int, description: str) -> dict[int, ResponseSpec]:
    """Return a further response of a route, without a body that would need a schema."""
    return {status: ResponseSpec(None, generate_examples=False, description=description)}


class CorrectedDocument(OpenAPI):
    """Litestar's document, corrected when it is first asked for: that takes as long as the rest of an API's start."""

    def __init__(self, plain: OpenAPI, dialects: DialectDocuments) -> None:
        super().__init__(**{field.name: getattr(plain, field.name) for field in fields(plain)})
        self._dialects = dialects

    def to_schema(self) -> dict[str, Any]:
        """Return the document as JSON has it; `api.serve` asks for it before the first request."""
        return self._corrected

    @cached_property
    def _corrected(self) -> dict[str, Any]:
        correct_document(self, self._dialects)
        return super().to_schema()


@dataclass(kw_only=True)
class DocumentConfig(OpenAPIConfig):
    """Litestar's configuration, for that document; `dialects` gets the part of the wire formats."""

    dialects: DialectDocuments

    def to_openapi_schema(self) -> OpenAPI:
        """Return the document, without its paths."""
        return CorrectedDocument(super().to_openapi_schema(), self.dialects)


def openapi_config(version: str, prefix: str, dialects: DialectDocuments) -> OpenAPIConfig:
    """Return the configuration of the document at /schema/openapi.json and its page at /schema.

    `prefix` is the path of the public URL, below which a browser finds them; `dialects` gets the wire formats' part.
    """
    return DocumentConfig(
        dialects=dialects,
        title="Atelier",
        version=version,
        description=DESCRIPTION,
        license=License(name="Apache-2.0", identifier="Apache-2.0"),
        security=[{"key": []}, {"bearer": []}],
        components=Components(
            security_schemes={
                "key": SecurityScheme(type="apiKey", name="X-API-Key", security_scheme_in="header"),
                "bearer": SecurityScheme(type="http", scheme="bearer"),
            }
        ),
        tags=[
            Tag("Generate", "Submit a job, upload its inputs, store voices."),
            Tag("Media", "The library of everything that you made or brought: find it, tag it, link it, publish it."),
            Tag("Jobs", "List, follow, cancel and delete your jobs."),
            Tag("Chains", "Jobs of which one's output is another's input, submitted, followed and paid as one."),
            Tag("Webhooks", "Endpoints that receive the events of your jobs and chains, and the log of deliveries."),
            Tag("Account", "Your keys, and what your tenant may do and has used."),
            Tag("Service", "Models, servers, and the health of the service."),
            Tag("Servers", "Commands of an operator to a server; these require a key with the admin scope."),
            Tag("Downloads", "Outputs and uploads, by signed links."),
        ],
        use_handler_docstrings=True,
        servers=[Server(url=prefix or "/")],
        render_plugins=[SchemaPage(prefix), JsonRenderPlugin(path="/openapi.json")],
        openapi_router=Router(
            "/schema", route_handlers=[script], opt=PUBLIC, include_in_schema=False, response_headers=PAGE_HEADERS
        ),
    )
