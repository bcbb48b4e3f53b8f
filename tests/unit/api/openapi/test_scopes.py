"""Each route says which scope a key needs for it."""

import pytest

from api.app import create_app
from core.settings import Settings
from jobs.scopes import SCOPES
from tests.support.paths import CATALOG


@pytest.fixture(scope="module")
def options():
    """The options of every route that needs a key, by its path and method."""
    app = create_app(Settings(secret_key="a secret of the tests of 32 bytes", catalog=str(CATALOG)))
    return {
        f"{method} {route.path}": handler.opt
        for route in app.routes
        for handler in getattr(route, "route_handlers", ())
        for method in handler.http_methods - {"OPTIONS"}
        if not handler.opt.get("exclude_from_auth")
    }


def test_every_route_says_what_it_needs(options):
    assert "POST /generate/image/v1" in options
    silent = [route for route, opt in options.items() if "scopes" not in opt]
    assert [] == silent, "give their controller `opt = needs(subject)` of api.http.auth, with a subject of jobs.scopes"


def test_every_scope_of_a_route_is_in_the_table(options):
    needed = {opt["scopes"][not route.startswith("GET ")] for route, opt in options.items() if opt["scopes"]}
    assert needed <= set(SCOPES)
