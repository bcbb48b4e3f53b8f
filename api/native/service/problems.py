"""/problems: the meaning of every error code; the `type` of a problem leads here."""

from litestar import Controller, get
from litestar.params import FromPath

from api.http.auth import NO_SECURITY, PUBLIC
from api.http.problems import title
from api.openapi.documents import error_responses
from core.errors.failures import JobFailed
from core.errors.http import UnknownRoute
from core.errors.tree import all_errors
from jobs.wire.problems import ErrorCode, ErrorCodeList

MEANINGS = {
    kind.code: ErrorCode(kind.code, None if issubclass(kind, JobFailed) else kind.status, title(kind.code), kind.advice)
    for kind in all_errors()
}


class ProblemRoutes(Controller):
    """Routes that list and show error codes."""

    path = "/problems"
    tags = ("Service",)
    opt = PUBLIC
    security = NO_SECURITY

    @get(summary="Error codes")
    async def index(self) -> ErrorCodeList:
        """Return every code of a response or a failed job. Codes never change."""
        return ErrorCodeList(list(MEANINGS.values()))

    @get("/{code:str}", responses=error_responses(UnknownRoute, key=False), summary="One error code")
    async def show(self, code: FromPath[str]) -> ErrorCode:
        """Return the meaning of a code."""
        if code not in MEANINGS:
            raise UnknownRoute
        return MEANINGS[code]
