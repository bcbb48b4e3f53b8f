"""How large a body each route takes, and what an Idempotency-Key belongs to.

tests/integration/api/submit/test_bad_input.py shows that the limits hold.
"""

from litestar.handlers import HTTPRouteHandler

from api.app import create_app
from api.http.received_file import ENVELOPE
from api.http.spooled_body import digest
from core.settings import Settings

SETTINGS = Settings(
    secret_key="a secret of the tests of 32 bytes", storage_url="file:///nowhere", body_limit=1, media_body_limit=2
)


def limits():
    """Method and path of every route that may have a body, with its limit."""
    for route in create_app(SETTINGS).routes:
        for handler in route.route_handlers:
            if isinstance(handler, HTTPRouteHandler):
                limit = handler.resolve_request_max_body_size()
                yield from ((f"{method} {route.path}", limit) for method in handler.http_methods & {"POST", "PUT"})


def test_only_routes_that_take_media_take_large_bodies():
    by_route = dict(limits())
    for route in ("POST /inputs/v1", "POST /imagepipeline/upload/image/v1"):
        assert SETTINGS.input_max_bytes + ENVELOPE == by_route.pop(route)
    stores = [f"{base}/v1/{place}media" for base in ("", "/whaletools") for place in ("", "stores/{store_id:str}/")]
    for path in ("/media/v1", *stores):
        assert SETTINGS.library_file_bytes + ENVELOPE == by_route.pop(f"POST {path}")
    large = {f"POST /generate/{modality}/v1" for modality in ("image", "video", "remove-background", "speech", "3d")}
    assert large <= {route for route, limit in by_route.items() if limit == 2}
    media = "/voices/v1", "/jobs/v1", "/generate/", "/v1/", "/openai/v1/", "/whaletools/v1/", "/imagepipeline/"
    assert all(
        route.startswith(tuple(f"POST {path}" for path in media)) for route, limit in by_route.items() if limit == 2
    )
    forms = ("images/edits", "images/variations", "videos", "audio/voices", "audio/transcriptions")
    counting = {f"POST {base}/v1/{form}" for base in ("", "/openai") for form in forms} | {"POST /openai/v1/files"}
    assert counting | {"PUT /files/{key:path}"} == {route for route, limit in by_route.items() if limit is None}
    assert {1, 2, None} == set(by_route.values())


def test_a_digest_stands_for_path_and_body():
    assert digest("/a", b"x") == digest("/a/", b"x")
    assert digest("/a", b"x") != digest("/b", b"x")
    assert digest("/a", b"x") != digest("/a", b"y")
    assert "116c030b6a2f0d4adf9c65706c7d3839811be75ea5a62c3db51ed8aa5c3836a7" == digest(
        "/a", b"x"
    )  # of rows that are stored
