"""The routes that are called plainly: what Litestar would add is nothing."""

from functools import cache
from inspect import Parameter, signature

from litestar.handlers import HTTPRouteHandler

from api.app import create_app
from core.settings import Settings
from jobs.params.registry import MODALITIES

SETTINGS = Settings(secret_key="a secret of the tests of 32 bytes", storage_url="file:///nowhere")
GIVEN = {"request", "data", "job_id"}


@cache
def app():
    return create_app(SETTINGS)


def plain_routes():
    for route in app().routes:
        for handler in route.route_handlers:
            if isinstance(handler, HTTPRouteHandler) and "plain_call" in handler.opt:
                yield route.path, handler


def test_they_are_the_submits_and_the_polls_of_every_modality():
    paths = [path for path, _ in plain_routes()]
    modalities = len(MODALITIES)
    assert modalities == len([path for path in paths if path.endswith("/v1")])
    assert modalities == len([path for path in paths if "/v1/status/" in path])
    assert 2 * modalities == len(paths)


def test_their_functions_take_nothing_else_without_a_default():
    for path, handler in plain_routes():
        parameters = signature(handler.fn).parameters
        required = {name for name, one in parameters.items() if one.default is Parameter.empty}
        assert required <= GIVEN, path


def test_they_have_no_guard_and_no_hook():
    for path, handler in plain_routes():
        assert not handler.resolve_guards(), path
        assert (None, None) == (handler.resolve_before_request(), handler.resolve_after_response()), path
        assert {None} == {layer.after_request for layer in handler.ownership_layers}, path
        assert handler.media_type in ("application/json", ""), path


def test_the_headers_that_they_take_are_those_that_they_name():
    for route in app().routes:
        for handler, model in getattr(route, "route_handler_map", {}).values():
            named = handler.opt.get("plain_call")
            if named is not None:
                taken = {parameter.field_alias.lower().encode() for parameter in model.expected_header_params}
                assert taken == {name for name, beginning in named if not beginning}, route.path
                assert not model.expected_cookie_params, route.path
