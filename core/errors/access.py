"""Keys and signatures that do not give access."""

from core.errors.base import RequestRefused


class Unauthenticated(RequestRefused):
    """A request without a valid API key."""

    code, status = "unauthenticated", 401
    advice = (
        "The API key is missing or not valid; send one as X-API-Key or Authorization: Bearer. "
        "`atelier keys create` makes one."
    )


class Forbidden(RequestRefused):
    """A valid key without the scope of the route."""

    code, status = "forbidden", 403
    advice = (
        "This key lacks the scope that the route needs; use a key that has it. `atelier keys create --admin` makes an "
        "operator's."
    )


class CrossSiteRequest(RequestRefused):
    """A change that a browser's session asks for, and that does not come from the console's own pages."""

    code, status = "cross_site_request", 403
    advice = "A session of the console only counts for the console itself; send an API key as X-API-Key instead."


class StoreMismatch(RequestRefused):
    """A path with a store that is not the key's."""

    code, status = "store_mismatch", 403
    advice = "This key belongs to another store; use a key of the store in the path, or the path without one."


class BadSignature(RequestRefused):
    """A download or upload link whose signature is wrong or has expired."""

    code, status = "bad_signature", 403
    advice = "Use a fresh link: from the job's status, or from POST /inputs/v1 for an upload."


class NotEntitled(RequestRefused):
    """A request for what the key may not have; `needs` is the scope that it would take."""

    code, status = "not_entitled", 403
    advice = "This key may not ask for this; an operator can make one that may."

    def __init__(self, detail: str | None = None, *, needs: str = "", field: str | None = None) -> None:
        super().__init__(detail, field=field)
        self.needs = needs
