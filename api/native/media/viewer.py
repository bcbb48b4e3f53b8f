"""/p/<token>/view: a page that shows a published item: a picture, a player, or a link to download the rest.

It has no script, and loads nothing but the item from this service and from the object store that its link leads to.
Other sites may show it in a frame: that is what it is for.
"""

import asyncio
import base64
import hashlib
from html import escape
from urllib.parse import urlsplit

from litestar import Controller, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, SkipValidation

from api.http.auth import PUBLIC
from api.http.database import Database
from api.native.media.library_files import find_published, redirect
from core.errors.unknown import UnknownOutput
from core.settings import Settings
from core.storage.store import Store
from jobs.media import Media
from jobs.wire.links import public_path

STYLE = """
:root { color-scheme: light dark; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; font: 16px/1.5 system-ui, sans-serif; }
img, video { display: block; max-width: 100vw; max-height: 100vh; }
audio { width: min(40rem, 90vw); }
figure { margin: 0; text-align: center; }
"""
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>{body}</body>
</html>
"""
STILLS = ("poster", "thumbnail")
"""Previews that the page shows of an item other than a picture; the first it has."""
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()


class ViewerRoutes(Controller):
    """The page of a published item."""

    path = "/p"
    opt = PUBLIC
    include_in_schema = False

    @get("/{token:str}/view", media_type="text/html")
    async def view(
        self,
        token: FromPath[str],
        database: NamedDependency[Database],
        store: NamedDependency[SkipValidation[Store]],
        settings: NamedDependency[Settings],
    ) -> Response[str]:
        """Return the page, as long as the item is published."""
        media = await find_published(database, token)
        link = await asyncio.to_thread(store.link, media.key, seconds=1, media_type=media.media_type or "")
        page = PAGE.format(title=escape(media.file_name), style=STYLE, body=shown(media, settings))
        return Response(page, media_type="text/html", headers={"Content-Security-Policy": policy(link)})

    @get("/{token:str}/previews/{name:str}", status_code=302)
    async def still(
        self,
        token: FromPath[str],
        name: FromPath[str],
        database: NamedDependency[Database],
        store: NamedDependency[SkipValidation[Store]],
        settings: NamedDependency[Settings],
    ) -> Response[None]:
        """Redirect to a preview that the page shows; its own signed link would outlive the publication."""
        media = await find_published(database, token)
        for preview in media.previews:
            if preview.name == name and name in STILLS:
                return await redirect(store, settings, media, preview.key, preview.media_type, name)
        raise UnknownOutput


def policy(link: str) -> str:
    """Return the content security policy of the page; `link` is where the object store has an item."""
    parts = urlsplit(link)
    places = f"'self' {parts.scheme}://{parts.netloc}"
    return (
        f"default-src 'none'; img-src {places}; media-src {places}; style-src 'sha256-{_HASH}'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors *"
    )


def shown(media: Media, settings: Settings) -> str:
    """Return the HTML of an item."""
    file, name = escape(public_path(settings, f"/p/{media.public_token}")), escape(media.file_name)
    names = {preview.name for preview in media.previews}
    still_url = next((f"{file}/previews/{one}" for one in STILLS if one in names), None)
    if media.kind == "image":
        return f'<img src="{file}" alt="{name}">'
    if media.kind == "video":
        still = f' poster="{still_url}"' if still_url else ""
        return f'<video src="{file}" controls playsinline preload="metadata"{still}></video>'
    if media.kind == "audio":
        return f'<audio src="{file}" controls preload="metadata"></audio>'
    still = f'<img src="{still_url}" alt="{name}">' if still_url else ""
    return f'<figure>{still}<figcaption><a href="{file}" download>{name}</a></figcaption></figure>'
