"""HTTP to addresses that the URL guard has checked, never to a name."""

import ssl
from functools import cache
from typing import Any

import certifi
import httpx

from core.net.url_guard import ResolvedUrl
from core.settings import Settings

NO_HTTP = (httpx.RemoteProtocolError, httpx.InvalidURL, UnicodeError)
"""Errors of an answer that is not HTTP; the last two come from a Location that is not a URL."""
BROKEN = (httpx.HTTPError, ssl.SSLError, *NO_HTTP)
"""Errors of a broken connection: httpx passes on the errors of TLS after the handshake."""


def open_client(settings: Settings, *, connect_timeout: float) -> httpx.AsyncClient:
    """Return a client without proxy, redirects and cookies, and with a new connection for each request.

    A pooled connection would be shared between names on one address, after a certificate check of the first name
    only. The caller bounds the total time.
    """
    return httpx.AsyncClient(
        verify=_authorities(settings.ca_bundle or certifi.where()),
        timeout=httpx.Timeout(None, connect=connect_timeout),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        trust_env=False,
        follow_redirects=False,
    )


def request_arguments(target: ResolvedUrl, number: int) -> dict[str, Any]:
    """Return the arguments of a request to the checked address `number`; retries go round the addresses."""
    return {"url": target.at(number), "extensions": {"sni_hostname": target.host}}


@cache
def _authorities(path: str) -> ssl.SSLContext:
    """Return the context that trusts the certificates of a file, read once: it takes 40 ms, and three parts need it."""
    return ssl.create_default_context(cafile=path)
