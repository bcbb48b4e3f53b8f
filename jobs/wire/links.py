"""Links to this service, all made here: below the path of `ATELIER_PUBLIC_URL`, where a proxy strips one."""

from urllib.parse import urlsplit

from core.settings import Settings
from core.signing import sign_link


def public_path(settings: Settings, path: str) -> str:
    """Return the path by which callers reach `path`; it leads there from any URL of the service (RFC 3986)."""
    return urlsplit(settings.public_url).path.rstrip("/") + path


def public_link(settings: Settings, path: str) -> str:
    """Return the whole URL, for links that are followed from elsewhere."""
    return settings.public_url.rstrip("/") + path


def signed_link(settings: Settings, path: str) -> str:
    """Return the whole URL of a path that its signature opens, without a key."""
    return public_link(settings, f"{path}?signature={sign_link(settings.secret_key, path)}")
