"""HTTP to addresses that the guard has judged, never to a name."""

import ssl
from typing import Any

import certifi
import httpx

from core.net.url_guard import ResolvedUrl
from core.settings import Settings

NO_HTTP = (httpx.RemoteProtocolError, httpx.InvalidURL, UnicodeError)
"""What an answer that is none may end with; the last two come of a Location that is no URL."""
BROKEN = (httpx.HTTPError, ssl.SSLError, *NO_HTTP)
"""What a connection may break with: httpx lets the errors of TLS through once the handshake is done."""


def open_client(settings: Settings, *, connect_timeout: float) -> httpx.AsyncClient:
    """No proxy, no redirect, no cookie, and a connection of its own for every request: a pooled one would be shared
    between names on one address, after a certificate check of only the first. The caller bounds the total time.
    """
    return httpx.AsyncClient(
        verify=ssl.create_default_context(cafile=settings.ca_bundle or certifi.where()),
        timeout=httpx.Timeout(None, connect=connect_timeout),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        trust_env=False,
        follow_redirects=False,
    )


def aimed(judged: ResolvedUrl, number: int) -> dict[str, Any]:
    """Arguments of a request to the judged address `number`; retries go round the addresses."""
    return {"url": judged.at(number), "extensions": {"sni_hostname": judged.host}}
