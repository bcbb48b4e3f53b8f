"""A router of this service's own."""

from typing import Any, Self

import litestar


class Router(litestar.Router):
    """A router that is registered once, as it is.

    Litestar registers a copy with copies of all handlers, at each level again, which is a third of an API's start.
    """

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self
