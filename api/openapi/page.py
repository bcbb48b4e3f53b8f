"""The page that shows the OpenAPI document: Swagger UI, without a script or a style in the page itself."""

from collections.abc import Mapping
from functools import cache
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from litestar import Request, Response, get
from litestar.datastructures import CacheControlHeader
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.params import FromPath

from core.errors.http import UnknownRoute

SCRIPTS = "/schema/scripts"
OWN = "page.js"
MEDIA_TYPES = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui-standalone-preset.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon-32x32.png": "image/png",
    OWN: "text/javascript",
}
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' blob:; font-src data:; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
"""Only scripts from here run, and they talk to this service alone. Swagger UI puts styles into elements."""
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" type="image/png" href="{scripts}/favicon-32x32.png">
<link rel="stylesheet" href="{scripts}/swagger-ui.css">
<script defer src="{scripts}/swagger-ui-bundle.js"></script>
<script defer src="{scripts}/swagger-ui-standalone-preset.js"></script>
</head>
<body>
<div id="swagger-container"></div>
<script defer src="{scripts}/{own}?v={version}" data-document="{document}"></script>
</body>
</html>
"""


class SchemaPage(OpenAPIRenderPlugin):
    """The page, below the path of the public URL."""

    def __init__(self, prefix: str) -> None:
        super().__init__(path="/")
        self._prefix = prefix

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """Return the page; its script fetches the document."""
        return page(openapi_schema["info"], self._prefix, "/schema/openapi.json")


def page(info: Mapping[str, str], prefix: str, document: str) -> bytes:
    """Return the page of a document, which is at the path `document`; `prefix` is the path of the public URL."""
    prefix = escape(prefix)
    return PAGE.format(
        title=escape(info["title"]),
        scripts=prefix + SCRIPTS,
        own=OWN,
        version=escape(info["version"]),
        document=f"{prefix}{document}",
    ).encode()


@get("/scripts/{name:str}", cache_control=CacheControlHeader(max_age=86_400, public=True), sync_to_thread=True)
def script(name: FromPath[str]) -> Response[bytes]:
    """Return one of the files that the page loads."""
    if name not in MEDIA_TYPES:
        raise UnknownRoute
    return Response(_asset(name), media_type=MEDIA_TYPES[name])


@cache
def _asset(name: str) -> bytes:
    """Return the bytes of a file, the same ones to every client, however slowly each takes them."""
    if name == OWN:
        return Path(__file__).with_name(OWN).read_bytes()
    return (files("swagger_ui") / "static" / name).read_bytes()
