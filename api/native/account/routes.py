"""The router of the account."""

from api.account.keys import KeyOperations
from api.account.usage import UsageReports
from api.http.dependencies import Router, provide
from api.native.account.keys import KeyRoutes, change_me, me
from api.native.account.usage import usage


def account_router(keys: KeyOperations, usage_reports: UsageReports) -> Router:
    """Return the router."""
    return Router(
        "/",
        route_handlers=[KeyRoutes, me, change_me, usage],
        dependencies=provide(keys=keys, usage_reports=usage_reports),
    )
