"""The cookie of a session, and the requests that it counts for.

A browser sends the cookie by itself, so it alone says nothing about who asks. SameSite=Strict keeps it from requests of
other sites. Pages of other origins of the same site (another port, another name below the domain) are kept out by a
header that no form can send, and that no origin is granted by CORS (`api.front.cross_origin`).
"""

from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from core.errors.access import CrossSiteRequest
from core.settings import Settings

NAME, SECURE_NAME = "atelier", "__Host-atelier"
"""A browser takes the second over HTTPS from this very host alone, so that no neighbor can set it (RFC 6265bis)."""
MARK = b"x-atelier-console"
"""The header that the console's pages send with each change."""
Headers = Iterable[tuple[bytes, bytes]]


class SessionCookie:
    """The cookie as these settings have it: of HTTPS where the public URL is."""

    def __init__(self, settings: Settings) -> None:
        parts = urlsplit(settings.public_url)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._secure = parts.scheme == "https"
        self._name = SECURE_NAME if self._secure else NAME
        self._seconds = int(settings.session_seconds)

    def read(self, headers: Headers) -> str | None:
        """Return the session of a request; None without one."""
        for name, value in headers:
            if name == b"cookie" and self._name.encode() in value:
                try:
                    found = SimpleCookie(value.decode("latin-1")).get(self._name)
                except CookieError:
                    return None
                return found.value if found is not None and found.value else None
        return None

    def set(self, session: str) -> str:
        """Return the value of Set-Cookie that begins a session."""
        return self._header(session, self._seconds)

    def clear(self) -> str:
        """Return the value of Set-Cookie that ends it."""
        return self._header("", 0)

    def check_own_page(self, headers: Headers) -> None:
        """Raise `CrossSiteRequest` for a request that is not one of the console's own pages."""
        found = {name: value.decode("latin-1") for name, value in headers}
        site, origin = found.get(b"sec-fetch-site"), found.get(b"origin")
        if site is None and origin is not None:  # plain HTTP in a local network, where browsers send no Sec-Fetch-Site
            site = "same-origin" if origin in (self._origin, f"http://{found.get(b'host')}") else "cross-site"
        if found.get(MARK) != "1" or site not in (None, "same-origin"):
            raise CrossSiteRequest

    def _header(self, value: str, seconds: int) -> str:
        secure = "; Secure" if self._secure else ""
        return f"{self._name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
