"""Which pages may use the tools: those of the service and of this machine, and those that an operator names."""

import ipaddress
from typing import Any
from urllib.parse import urlsplit

from litestar import Request

from api.front.cross_origin import ANY, allowed_origins
from api.http.request_ids import find_header
from core.errors.access import Forbidden
from core.settings import Settings

FOREIGN_ORIGIN = "Pages of this origin may not use the tools; an operator can allow it with ATELIER_CORS_ORIGINS."
FOREIGN_HOST = "This service has another name; use the host of ATELIER_PUBLIC_URL."


class SiteCheck:
    """The check of Origin and Host, against pages that have a browser call a service on its own machine or network.

    Such a page can have a name of its own lead here (DNS rebinding). So a service that is known by an address alone
    answers to addresses and to plain names; behind a public name the proxy has checked it.
    """

    def __init__(self, settings: Settings) -> None:
        public = urlsplit(settings.public_url.lower())
        self._origins = allowed_origins(settings.cors_origins) | {f"{public.scheme}://{public.netloc}"}
        self._has_name = not is_address(public.hostname or "")

    def check(self, request: Request[Any, Any, Any]) -> None:
        """Raise `Forbidden` for a page of a foreign origin, and for a foreign name of this service."""
        headers = request.scope["headers"]
        origin, netloc = ((find_header(headers, name) or "").lower() for name in (b"origin", b"host"))
        host = host_of(netloc)
        if origin and not self._is_allowed(origin, netloc):
            raise Forbidden(FOREIGN_ORIGIN)
        if "." in host and not self._has_name and not is_address(host):
            raise Forbidden(FOREIGN_HOST)

    def _is_allowed(self, origin: str, netloc: str) -> bool:
        """Return whether a page of this origin may call: a named one, one of this machine, or of this very address."""
        if ANY in self._origins or origin in self._origins:
            return True
        site = origin.partition("://")[2]
        host = host_of(site)
        return is_address(host) and (site == netloc or host == "localhost" or ipaddress.ip_address(host).is_loopback)


def host_of(netloc: str) -> str:
    """Return the host of a Host header or of what follows the scheme of an origin; empty for another text."""
    try:
        return urlsplit(f"//{netloc}").hostname or ""
    except ValueError:
        return ""


def is_address(host: str) -> bool:
    """Return whether a host is an address, or this machine, rather than a name that may lead elsewhere tomorrow."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return True
