"""Pages that may use the tools, by Origin and Host."""

import pytest
from litestar.testing import RequestFactory

from api.dialects.mcp.site import SiteCheck
from core.errors.access import Forbidden
from core.settings import Settings


def is_allowed(host: str, origin: str | None = None, **settings: str) -> bool:
    headers = {"host": host} | ({} if origin is None else {"origin": origin})
    try:
        SiteCheck(Settings(**settings)).check(RequestFactory().post("/mcp", headers=headers))
    except Forbidden:
        return False
    return True


@pytest.mark.parametrize(
    ("host", "origin", "allowed"),
    [
        ("127.0.0.1:8000", None, True),
        ("[::1]:8000", "http://[::1]:8000", True),
        ("192.168.1.5:8000", "http://192.168.1.5:8000", True),
        ("192.168.1.5:8000", "http://192.168.1.6:8000", False),
        ("atelier-api:8000", None, True),
        ("evil.example", "http://evil.example", False),
        ("evil.example", None, False),
        ("127.0.0.1:8000", "http://127.0.0.1.evil.example", False),
        ("127.0.0.1:8000", "null", False),
        ("127.0.0.1:8000", "http://[", False),
    ],
)
def test_a_service_without_a_name(host, origin, allowed):
    assert allowed == is_allowed(host, origin)


@pytest.mark.parametrize(
    ("host", "origin", "allowed"),
    [
        ("studio.example", "https://studio.example", True),
        ("atelier.prod.svc:8000", None, True),
        ("studio.example", "https://shop.example", True),
        ("studio.example", "https://evil.example", False),
        ("studio.example", "http://localhost:6274", True),
    ],
)
def test_a_service_with_a_public_name(host, origin, allowed):
    named = {"public_url": "https://studio.example", "cors_origins": "https://shop.example"}
    assert allowed == is_allowed(host, origin, **named)
