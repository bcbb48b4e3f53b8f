"""The policies under which browsers show the console: what its pages may load, and what they may not do."""

import asyncio
from urllib.parse import urlsplit

from core.errors.unavailable import StorageUnavailable
from core.settings import Settings
from core.storage.store import Store

VIEWER_STYLE = "sha256-PXtZZkJMMyc18o/DN1ZEFOJ2qEGq95IQbVaJFMOXOb0="
"""The inline style of model-viewer, which changes with its version (`tests/console`)."""
SHARED_HEADERS = {
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class ConsolePolicy:
    """The Content-Security-Policy of the pages, with the origins that results are loaded from."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._public = _origin(settings.public_url)
        self._stored: str | None = None

    async def page(self) -> str:
        """Return the policy of the shell.

        No script or style but our own files, none inline, and no text that becomes HTML or a script (Trusted Types).
        """
        places = " ".join(dict.fromkeys(("'self'", self._public, await self._store_origin()))).strip()
        return (
            "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; frame-src 'self'; "
            f"img-src {places} data: blob:; media-src {places} blob:; connect-src {places}; base-uri 'none'; "
            "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
        )

    async def _store_origin(self) -> str:
        """Return where the object store has its files, "" while that is not known."""
        if self._stored is None:
            try:
                link = await asyncio.to_thread(self._store.link, "console", seconds=1, media_type="")
            except StorageUnavailable:
                return ""
            self._stored = _origin(link)
        return self._stored


def frame_policy() -> str:
    """Return the policy of the frame that shows meshes: an origin of its own, without the cookie.

    Its viewer makes its parts of text, so there are no Trusted Types; it decodes with WebAssembly.
    """
    return (
        f"default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' '{VIEWER_STYLE}'; "
        "img-src blob: data:; connect-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; "
        "sandbox allow-scripts"
    )


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
