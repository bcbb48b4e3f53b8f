"""Which model a submit means, and what is refused because of it."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from core.errors import InvalidRequest, NoModelAvailable, NotThisModel, UnknownServer
from jobs.params.base import Modality
from jobs.params.registry import AnyParams
from jobs.statements.queue.submit import models_of_server, served_models
from pipelines.catalog.loader import Catalog, ModelSpec
from pipelines.catalog.requirements import UnmetRequirement, supports, unmet_requirements


async def choose_model(
    connection: AsyncConnection, catalog: Catalog, params: AnyParams, modality: Modality
) -> ModelSpec:
    """The model that is named, or else the first in catalog order that a live server serves and that can do what is
    asked: of a server that is asked for strictly, alive or not, only its own; of one that is preferred, its own first.

    Raises `UnknownModel`, `UnknownServer`, `NoModelAvailable`, and what `check_model` and `default_model` raise.
    """
    asked = None if params.server_id is None else await _find_server(connection, params.server_id)
    if params.model is not None:
        spec = catalog.resolve(params.model, modality)
        check_model(catalog, spec, params)
        return spec
    if asked is not None and params.pin == "strict":
        return default_model(catalog, modality, asked.serves, params)
    preferred = asked.serves if asked is not None and asked.alive else ()
    served = (await connection.execute(served_models())).scalars().all()
    return default_model(catalog, modality, served, params, preferred)


def default_model(
    catalog: Catalog,
    modality: Modality,
    served: Collection[str],
    params: AnyParams,
    preferred: Collection[str] = (),
) -> ModelSpec:
    """The first served model of the modality that can do what is asked, those that are `preferred` before others.

    Raises `NoModelAvailable` when none is served, and when none of those can do it what the one says that comes
    closest: one that could with a field more, or less of it, rather than one that lacks the ability.
    """
    offered = [spec for spec in catalog.of(modality) if spec.id in served]
    offered.sort(key=lambda spec: spec.id not in preferred)
    for spec in offered:
        if supports(spec, params):
            return spec
    if not offered:
        raise NoModelAvailable
    first_lacks = [next(unmet_requirements(spec, params)) for spec in offered]
    raise _refusal(catalog, min(first_lacks, key=lambda lack: lack.error is NotThisModel), params, modality)


def check_model(catalog: Catalog, spec: ModelSpec, params: AnyParams) -> None:
    """Raise `NotThisModel`, `MissingField` or `OutOfRange` for what the model can not do of the request."""
    lack = next(unmet_requirements(spec, params), None)
    if lack is not None:
        raise _refusal(catalog, lack, params, spec.modality)


def _refusal(catalog: Catalog, lack: UnmetRequirement, params: AnyParams, modality: Modality) -> InvalidRequest:
    """The error of a lack; its sentence also names the models that can do it."""
    others = " or ".join(spec.id for spec in catalog.of(modality) if supports(spec, params))
    return lack.error(lack.sentence + (f", or choose {others}." if others else "."), field=lack.field)


async def _find_server(connection: AsyncConnection, server_id: str) -> Row[Any]:
    """What `models_of_server` says of a server; raises `UnknownServer`."""
    row: Row[Any] | None = (await connection.execute(models_of_server(server_id))).first()
    if row is None:
        raise UnknownServer(
            f"No server called {server_id[:80]!r} was ever registered; GET /servers/v1 lists them.", field="$.server_id"
        )
    return row
