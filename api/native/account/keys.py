"""/keys/v1 and /me/v1: the keys of a tenant, and the account behind the key of a request."""

from typing import Annotated

from litestar import Controller, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import Body, FromPath, JSONBody, QueryParameter

from api.account.keys import KeyOperations
from api.http.auth import ANY_KEY, Caller, needs
from api.http.pagination import pack, unpack
from api.http.strict_json import BODY_ERRORS
from api.openapi.documents import error_responses
from core.errors.access import NotEntitled
from core.errors.fields import InvalidRequest, NulInText
from core.errors.limits import TooManyKeys
from core.errors.unknown import MalformedId, UnknownKey
from jobs.wire.account.keys import KeyAnswer, KeyChange, KeyPage, KeyWithSecret, MeAnswer, NewKey, TenantChange

FOUND = (MalformedId, UnknownKey)
NOT_MADE = (*BODY_ERRORS, NulInText, NotEntitled, TooManyKeys)
EXAMPLES = [
    Example(summary="For a web shop, for a year", value={"name": "Shop", "expires_in_seconds": 31536000}),
    Example(summary="To look only", value={"name": "Dashboard", "scopes": ["read"]}),
]
Limit = Annotated[int, QueryParameter(ge=1, le=100, description="Keys on a page, at most.")]
Cursor = Annotated[str | None, QueryParameter(description="`next_cursor` of the page before.")]
TenantName = Annotated[
    str | None, QueryParameter(name="tenant", max_length=200, description="The name of a tenant, for operators.")
]


class KeyRoutes(Controller):
    """Routes that make, list, show and revoke keys."""

    path = "/keys/v1"
    tags = ("Account",)
    opt = needs("keys")

    @post(
        status_code=201,
        responses=error_responses(*NOT_MADE),
        summary="Make a key",
    )
    async def create(
        self,
        data: Annotated[NewKey, Body(examples=EXAMPLES)],
        caller: NamedDependency[Caller],
        keys: NamedDependency[KeyOperations],
    ) -> KeyWithSecret:
        """Make a key of your tenant. What requests send is in this answer alone. It takes the scope `keys:write`."""
        return await keys.add(caller, data)

    @get(responses=error_responses(NotEntitled, InvalidRequest, NulInText), summary="Keys")
    async def index(
        self,
        caller: NamedDependency[Caller],
        keys: NamedDependency[KeyOperations],
        tenant: TenantName = None,
        limit: Limit = 20,
        cursor: Cursor = None,
    ) -> KeyPage:
        """Return the keys of your tenant, newest first, also those that are no longer valid."""
        if tenant is not None and "\0" in tenant:
            raise NulInText(field="query.tenant")
        before = None if cursor is None else unpack(cursor)
        found, last = await keys.page(caller, tenant, limit=limit, before=before)
        return KeyPage(found, None if last is None else pack(last))

    @get("/{key_id:str}", responses=error_responses(*FOUND), summary="One key")
    async def show(
        self, key_id: FromPath[str], caller: NamedDependency[Caller], keys: NamedDependency[KeyOperations]
    ) -> KeyAnswer:
        """Return a key, without what requests send."""
        return await keys.find(caller, key_id)

    @patch("/{key_id:str}", responses=error_responses(*BODY_ERRORS, NulInText, *FOUND), summary="Change a key")
    async def change(
        self,
        key_id: FromPath[str],
        data: JSONBody[KeyChange],
        caller: NamedDependency[Caller],
        keys: NamedDependency[KeyOperations],
    ) -> KeyAnswer:
        """Change the name or the budget of a key. A budget below what is spent and reserved lets no further job in."""
        return await keys.change(caller, key_id, data)

    @delete("/{key_id:str}", responses=error_responses(*FOUND), summary="Revoke a key")
    async def revoke(
        self, key_id: FromPath[str], caller: NamedDependency[Caller], keys: NamedDependency[KeyOperations]
    ) -> None:
        """Revoke a key for good: requests with it are refused from now on, and its open streams end. Repeatable."""
        await keys.revoke(caller, key_id)


@get("/me/v1", tags=("Account",), opt=ANY_KEY, responses=error_responses(), summary="Your key and its tenant")
async def me(caller: NamedDependency[Caller], keys: NamedDependency[KeyOperations]) -> MeAnswer:
    """Return what your key is and may do, and what its tenant may do and spend."""
    return await keys.account(caller)


@patch(
    "/me/v1",
    tags=("Account",),
    opt=needs("jobs"),
    responses=error_responses(*BODY_ERRORS),
    summary="Change your tenant",
)
async def change_me(
    data: JSONBody[TenantChange], caller: NamedDependency[Caller], keys: NamedDependency[KeyOperations]
) -> MeAnswer:
    """Keep the jobs of your tenant on this installation's own servers, or let remote backends have them, too.

    Jobs that a backend has already go on there. It takes the scope `jobs:write`.
    """
    return await keys.change_tenant(caller, data)
