"""Which model a submit means, and what that model itself refuses."""

from collections.abc import Collection, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from jobs.errors import NoModelAvailable, OutOfRange, UnknownServer
from jobs.params import AnyParams, Modality
from jobs.statements.submit import models_of_server, served_models
from pipelines.catalog import Catalog, ModelSpec


async def choose_model(
    connection: AsyncConnection, catalog: Catalog, params: AnyParams, modality: Modality
) -> ModelSpec:
    """The model that is named, or else the first in catalogue order that a live server (the named one) serves.

    Raises `UnknownModel`, `UnknownServer`, `NoModelAvailable`, `OutOfRange`.
    """
    served: Sequence[str] | None = None
    if params.server_id is not None:
        served = await _served_by(connection, params.server_id)
    if params.model is not None:
        spec = catalog.resolve(params.model, modality)
    else:
        if served is None:
            served = (await connection.execute(served_models())).scalars().all()
        spec = default_model(catalog, modality, served)
    check_limits(spec, params)
    return spec


def default_model(catalog: Catalog, modality: Modality, served: Collection[str]) -> ModelSpec:
    """The first model of the modality that is served; raises `NoModelAvailable`."""
    for spec in catalog.of(modality):
        if spec.id in served:
            return spec
    raise NoModelAvailable


def check_limits(spec: ModelSpec, params: AnyParams) -> None:
    """Raise `OutOfRange` for a prompt longer than this model takes; a size it can not make is no error, but resized."""
    prompt: str = getattr(params, "prompt", "")
    limit = spec.limits.max_prompt_chars
    if len(prompt) > limit:
        raise OutOfRange(f"`prompt` must have at most {limit} characters for {spec.id}.", field="$.prompt")


async def _served_by(connection: AsyncConnection, server_id: str) -> Sequence[str]:
    row = (await connection.execute(models_of_server(server_id))).first()
    if row is None:
        raise UnknownServer(
            f"No server called {server_id[:80]!r} was ever registered; GET /servers/v1 lists them.", field="$.server_id"
        )
    served: Sequence[str] = row.serves
    return served
