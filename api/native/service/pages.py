"""Documentation as text, for agents and for readers without a browser: /llms.txt (https://llmstxt.org), /docs/….md.

The pages are those of the checkout that the service runs from; an installation without them has the reference alone.
"""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from litestar import Controller, Litestar, Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from api.http.auth import PUBLIC
from api.openapi.reference import outline, reference
from core.errors.http import UnknownRoute
from core.settings import Settings
from jobs.wire.links import public_link

AnyRequest = Request[Any, Any, Any]

ROOT = Path(__file__).parents[3]
"""The checkout."""
MARKDOWN = "text/markdown"
REFERENCE, CHANGELOG = "api", "changelog"
INTERNAL = ("contract", "dependencies", "glossary", "licences", "releasing")
"""Pages about work on the service itself."""
SUMMARY = (
    "A self-hosted service for generated media: images, films, speech, 3D and cut-outs on your own GPUs, over HTTP. A"
    " submit answers with a job; its status, its events, a webhook or `?wait=30` tell when it has ended."
)


class Pages:
    """The text of each page by its name: the references, the guides, then the changelog; made at the first look."""

    def __init__(self) -> None:
        self._document: dict[str, Any] = {}
        self._pages: dict[str, str] = {}

    def document(self, app: Litestar) -> dict[str, Any]:
        """Return the OpenAPI document."""
        self._document = self._document or app.openapi_schema.to_schema()
        return self._document

    def all(self, app: Litestar) -> dict[str, str]:
        """Return every page."""
        if not self._pages:
            dialects: dict[str, dict[str, Any]] = app.state.dialect_documents.all()
            references = {f"{REFERENCE}-{name}": reference(document) for name, document in dialects.items()}
            self._pages = {REFERENCE: reference(self.document(app)), **references, **guides(ROOT)}
        return self._pages


class PageRoutes(Controller):
    """The pages, each under its name, all in one, and their list."""

    opt = PUBLIC
    include_in_schema = False

    @get("/llms.txt", media_type="text/plain")
    async def index(
        self, request: AnyRequest, pages: NamedDependency[Pages], settings: NamedDependency[Settings]
    ) -> str:
        """Return the list of the pages and of the routes."""
        app = request.app
        links = [
            f"- [{title(text)}]({public_link(settings, f'/docs/{name}.md')})" for name, text in pages.all(app).items()
        ]
        parts = ["# Atelier", f"> {SUMMARY}", "## Pages", "\n".join(links), "## Routes", outline(pages.document(app))]
        return "\n\n".join(parts) + "\n"

    @get("/llms-full.txt", media_type="text/plain")
    async def full(self, request: AnyRequest, pages: NamedDependency[Pages]) -> str:
        """Return every page in one text."""
        return "\n\n".join(pages.all(request.app).values())

    @get("/docs/{name:str}", media_type=MARKDOWN)
    async def page(self, request: AnyRequest, pages: NamedDependency[Pages], name: FromPath[str]) -> str:
        """Return one page."""
        stem, dot, ending = name.rpartition(".")
        found = pages.all(request.app)
        if (dot, ending) != (".", "md") or stem not in found:
            raise UnknownRoute(f"No page is called {name[:80]!r}; GET /llms.txt lists the pages.")
        return found[stem]

    @get("/changelog")
    async def changelog(self, request: AnyRequest, pages: NamedDependency[Pages]) -> Response[str]:
        """Return the changes of each version, as a browser shows them."""
        found = pages.all(request.app)
        if CHANGELOG not in found:
            raise UnknownRoute("This installation has no changelog; it lies in the source, as CHANGELOG.md.")
        return Response(found[CHANGELOG], media_type="text/plain")


def guides(root: Path) -> dict[str, str]:
    """Return the guides and the changelog of a checkout, with links only to each other."""
    files = [file for file in sorted((root / "docs").glob("*.md")) if file.stem not in INTERNAL]
    files += [file for file in (root / "CHANGELOG.md",) if file.exists()]
    names = {file.stem.lower(): file for file in files}
    return {name: _with_live_links(file.read_text(), names) for name, file in names.items()}


def title(text: str) -> str:
    """Return the title of a page, which is its first line."""
    return text.partition("\n")[0].removeprefix("# ")


def _with_live_links(text: str, names: Collection[str]) -> str:
    """Return a page in which a link that leads to no page is its text alone; the fences' comments are left out."""

    def link(match: re.Match[str]) -> str:
        image, words, target = match[1], match[2], match[3]
        if image:
            return ""
        stays = "://" in target or target.startswith("#") or re.split(r"\.md\b", target)[0].lower() in names
        return match[0] if stays else words

    text = re.sub(r"^<!-- not run: .*? -->\n", "", text, flags=re.MULTILINE)
    return re.sub(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)", link, text)
