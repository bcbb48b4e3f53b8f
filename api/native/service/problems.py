"""/problems: what every error code means; the `type` of a problem leads here."""

import msgspec
from litestar import Controller, get
from litestar.params import FromPath

from api.http.auth import ANYBODY, OPEN
from api.http.problems import title
from api.openapi.documents import all_subclasses, error_responses
from core.errors import AtelierError, JobFailed, UnknownRoute


class Meaning(msgspec.Struct, frozen=True):
    """A code; `status` is null for one that is stored on a failed job."""

    code: str
    status: int | None
    title: str
    detail: str


class MeaningList(msgspec.Struct, frozen=True):
    """Every code."""

    problems: list[Meaning]


KINDS: tuple[type[AtelierError], ...] = (AtelierError, *all_subclasses(AtelierError))
MEANINGS = {
    kind.code: Meaning(kind.code, None if issubclass(kind, JobFailed) else kind.status, title(kind.code), kind.advice)
    for kind in KINDS
}


class ProblemRoutes(Controller):
    """The list and its entries."""

    path = "/problems"
    tags = ("Service",)
    opt = OPEN
    security = ANYBODY

    @get(summary="Error codes")
    async def index(self) -> MeaningList:
        """Every code that an answer or a failed job can carry. Codes never change."""
        return MeaningList(list(MEANINGS.values()))

    @get("/{code:str}", responses=error_responses(UnknownRoute, key=False), summary="One error code")
    async def show(self, code: FromPath[str]) -> Meaning:
        """What a code means."""
        if code not in MEANINGS:
            raise UnknownRoute
        return MEANINGS[code]
