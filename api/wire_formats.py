"""The wire formats of other services: the paths of each, how it renders errors, and its routers."""

from collections.abc import Callable, Sequence

import msgspec
from litestar import Router

from api.http.problems import Renderer
from api.services import Services


class WireFormat(msgspec.Struct, frozen=True, kw_only=True):
    """One dialect of `api.dialects`.

    Every error below one of `prefixes` is rendered by `render`: the dialect's base path, and the plain paths that it
    has to itself.
    """

    prefixes: tuple[str, ...]
    render: Renderer
    routers: Callable[[Services], Sequence[Router]]


WIRE_FORMATS: tuple[WireFormat, ...] = ()
