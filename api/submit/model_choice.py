"""Choosing the model of a submission, and refusing what that model does not support."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from api.submit.helper_models import HelperRanks, rank_helpers
from core.errors.fields import InvalidRequest, NoCapableModel, NotThisModel
from core.errors.unavailable import NoModelAvailable
from core.errors.unknown import UnknownServer
from jobs.params.image import ImageParams
from jobs.params.registry import AnyParams, Modality
from jobs.params.requests.origin import IGNORE_UNSUPPORTED
from jobs.statements.queue.submit import models_of_server, served_models
from pipelines.catalog.loader import Catalog, ModelSpec
from pipelines.catalog.requirements import UnmetRequirement, supports, unmet_requirements

UNSERVED = "no running server serves yet"
"""What is true of a model that a caller can wait for, or fetch."""


async def choose_model(
    connection: AsyncConnection, catalog: Catalog, params: AnyParams, dialect: str, tenant: str
) -> ModelSpec:
    """Return the model that `params` name in `dialect`, or else the default model; a tenant's servers alone count.

    The default is the first one in catalog order that a live server serves and that supports the request. For a strict
    `server_id` only the models of that server count, alive or not; for a preferred one its models come first. Where
    some models need another one for the request, those whose servers have it come first, as `HelperRanks` says.

    Raises `UnknownModel`, `UnknownServer`, `NoModelAvailable`, `NoCapableModel`, and what `check_model` and
    `default_model` raise.
    """
    await _check_subject(connection, catalog, params, tenant)
    modality, ignores = modality_of(params), dialect in IGNORE_UNSUPPORTED
    server = None if params.server_id is None else await _find_server(connection, params.server_id, tenant)
    if params.model is not None:
        spec = catalog.resolve(params.model, modality, dialect)
        unmet = next(unmet_requirements(spec, params, ignores_unsupported=ignores), None)
        if unmet is None:
            return spec
        served = (await connection.execute(served_models(tenant))).scalars().all()
        raise _refusal(catalog, unmet, params, modality, served, named=spec)
    ranks = await rank_helpers(connection, catalog, params, tenant)
    if server is not None and params.pin == "strict":
        others_are = "this server does not serve"
        return default_model(
            catalog, modality, server.serves, params, ranks=ranks, ignores_unsupported=ignores, others_are=others_are
        )
    preferred = server.serves if server is not None and server.alive else ()
    served = (await connection.execute(served_models(tenant))).scalars().all()
    return default_model(catalog, modality, served, params, preferred, ranks=ranks, ignores_unsupported=ignores)


def models_without_server(catalog: Catalog, params: AnyParams, dialect: str) -> list[ModelSpec]:
    """Return the models of which `choose_model` chooses for a request that names no server.

    One where `params` name it; else those that support the request, in catalog order, of which a live server must
    serve the chosen one. Raises `UnknownModel` and what `check_model` raises.
    """
    modality, ignores = modality_of(params), dialect in IGNORE_UNSUPPORTED
    if params.model is None:
        return [spec for spec in catalog.of(modality) if supports(spec, params, ignores_unsupported=ignores)]
    spec = catalog.resolve(params.model, modality, dialect)
    check_model(catalog, spec, params, ignores_unsupported=ignores)
    return [spec]


def default_model(
    catalog: Catalog,
    modality: Modality,
    served: Collection[str],
    params: AnyParams,
    preferred: Collection[str] = (),
    *,
    ranks: HelperRanks | None = None,
    ignores_unsupported: bool = False,
    others_are: str = UNSERVED,
) -> ModelSpec:
    """Return the first served model of the modality that supports the request, the `preferred` ones before others.

    Raises `NoModelAvailable` when none is served. When none of those served supports the request, raises the refusal
    of the closest one: a model that needs another value of a field is closer than one that lacks the feature. Its
    sentence names the models that would do, and says by `others_are` what is true of each.
    """
    offered = [spec for spec in catalog.of(modality) if spec.id in served]
    offered.sort(key=lambda spec: spec.id not in preferred)
    if ranks is not None:
        offered.sort(key=lambda spec: (ranks.is_short(spec), spec.id not in preferred, ranks.is_second(spec)))
    for spec in offered:
        if supports(spec, params, ignores_unsupported=ignores_unsupported):
            return spec
    if not offered:
        raise NoModelAvailable
    first_unmet = [next(unmet_requirements(spec, params, ignores_unsupported=ignores_unsupported)) for spec in offered]
    closest = min(first_unmet, key=lambda unmet: unmet.error is NotThisModel)
    raise _refusal(catalog, closest, params, modality, served, others_are=others_are)


def check_model(catalog: Catalog, spec: ModelSpec, params: AnyParams, *, ignores_unsupported: bool = False) -> None:
    """Raise `NotThisModel`, `MissingField` or `OutOfRange` for what the model does not support of the request."""
    unmet = next(unmet_requirements(spec, params, ignores_unsupported=ignores_unsupported), None)
    if unmet is not None:
        raise _refusal(catalog, unmet, params, spec.modality)


def modality_of(params: AnyParams) -> Modality:
    """Return the modality of the parameters, which is the tag of their struct."""
    tag: Any = type(params).__struct_config__.tag
    modality: Modality = tag
    return modality


def _refusal(
    catalog: Catalog,
    unmet: UnmetRequirement,
    params: AnyParams,
    modality: Modality,
    served: Collection[str] | None = None,
    *,
    others_are: str = UNSERVED,
    named: ModelSpec | None = None,
) -> InvalidRequest:
    """Return the error of an unmet requirement; its sentence also names the models that support the request.

    Those that are `served` come first; `others_are` says what is true of the others. Of the model that the request has
    `named` it says how it comes to a server, where none serves it. None for `served` stands for not asked.
    """
    able = [spec.id for spec in catalog.of(modality) if supports(spec, params)]
    here = " or ".join(model for model in able if served is None or model in served)
    elsewhere = " or ".join(model for model in able if served is not None and model not in served)
    choice = f", or choose {here or elsewhere}" if able else ""
    if elsewhere:
        choice += f" (or {elsewhere}, which {others_are})" if here else f", which {others_are}"
    advice = ""
    if named is not None and served is not None and named.id not in served:
        fetch = f"; `atelier weights fetch {named.id}` on a server gets it" if named.is_fetched else ""
        advice = f" No running server serves {named.id} yet{fetch}."
    return unmet.error(f"{unmet.sentence}{choice}.{advice}", field=unmet.field)


async def _check_subject(connection: AsyncConnection, catalog: Catalog, params: AnyParams, tenant: str) -> None:
    """Raise `NoCapableModel` for a subject that no served model can cut out."""
    if not isinstance(params, ImageParams) or params.subject_image is None:
        return
    served = set((await connection.execute(served_models(tenant))).scalars())
    if not any(spec.id in served for spec in catalog.of("remove-background")):
        raise NoCapableModel(
            "`subject_image` needs a model of `remove-background` to cut the subject out, and no running server has "
            "one; leave it out, or ask the operator for one.",
            capability="remove-background",
            field="$.subject_image",
        )


async def _find_server(connection: AsyncConnection, server_id: str, tenant: str) -> Row[Any]:
    """Return the row of `models_of_server` for a server. Raises `UnknownServer`."""
    row: Row[Any] | None = (await connection.execute(models_of_server(server_id, tenant))).first()
    if row is None:
        raise UnknownServer(
            f"No server called {server_id[:80]!r} was ever registered; GET /servers/v1 lists them.", field="$.server_id"
        )
    return row
