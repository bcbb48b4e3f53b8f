"""Jobs that need another model beside their own: the server that makes one must have all of them."""

import secrets
from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from core.errors.fields import InvalidRequest, NoCapableModel, NotSupportedYet
from jobs.params.registry import AnyParams, Modality
from jobs.params.requests.origin import IGNORE_UNSUPPORTED
from jobs.statements.queue.redrive import ServerChoice
from jobs.statements.queue.submit import NewJob
from jobs.statements.servers import open_to, serving
from pipelines.catalog.helpers.needs import HelperNeed, may_need_helpers, needs_of
from pipelines.catalog.loader import Catalog
from pipelines.catalog.requirements import supports
from pipelines.catalog.spec import ModelSpec

SILENT = "{model} makes no sound, and no running server has a model beside it that makes this one; `sound` was ignored"


async def beside_helpers(connection: AsyncConnection, catalog: Catalog, job: NewJob) -> NewJob:
    """Return the job, bound to a server that has what it needs where another one that could take it has not.

    A job that needs no other model is returned as it is. In a wire format that ignores what a model does not do, a film
    becomes silent instead of refused, with a warning. Raises what `choose_server` raises.
    """
    spec = catalog.get(job.models[0])
    if not needs_of(spec, job.params):
        return job
    found = (await connection.execute(serving(spec.id, job.tenant))).all()
    choice = ServerChoice(server=job.server, spill=job.spill)
    if job.origin.dialect in IGNORE_UNSUPPORTED:
        job = _silent_if_need_be(job, spec, catalog, _offered(choice, found))
    chosen = choose_server(choice, found, catalog, spec, job.params)
    return msgspec.structs.replace(job, server=chosen.server, spill=chosen.spill)


def model_with_needs(catalog: Catalog, model: str, params: AnyParams) -> ModelSpec | None:
    """Return the model of a job that needs another one beside it; None for any other, and for one that has left."""
    found = (spec for spec in catalog.models if spec.id == model and needs_of(spec, params))
    return next(found, None)


def asked_server(params: AnyParams) -> ServerChoice:
    """Return the server that a request names."""
    return ServerChoice(server=params.server_id, spill=params.prefer_seconds if params.pin == "prefer" else None)


def choose_server(
    choice: ServerChoice, found: Sequence[Row[Any]], catalog: Catalog, spec: ModelSpec, params: AnyParams
) -> ServerChoice:
    """Return where a job of this model runs, of the servers of `serving`: as chosen where all have what it needs.

    Raises `NoCapableModel` where no running server that may take the job has its model and those, and another
    `InvalidRequest` where those that are there do not make what it asks for.
    """
    needs, offered = needs_of(spec, params), _offered(choice, found)
    able = [each for each in offered if _has(each, catalog, needs)]
    if needs and not able:
        raise _refusal(catalog, spec, params, needs, offered)
    if _is_bound(choice) or len(able) == len(offered):
        return choice
    preferred = [each for each in able if each.server_id == choice.server]
    preferred = preferred or [each for each in able if each.desired == "active"] or able
    return ServerChoice(server=secrets.choice(preferred).server_id)


def without_helpers(catalog: Catalog, job: NewJob) -> NewJob:
    """Return the job for those of its models that need no other one, where no server is chosen for it.

    Raises `NotSupportedYet` where all of them do.
    """
    needs = {model: needs_of(catalog.get(model), job.params) for model in job.models}
    alone = [(model, price) for model, price in zip(job.models, job.prices, strict=True) if not needs[model]]
    if not alone:
        model, need = next((model, each) for model, found in needs.items() for each in found)
        raise NotSupportedYet(
            f"`{need.field}` is not supported in batches yet, since {model} needs a model of `{need.modality}` for "
            "it; leave it out.",
            field=f"$.{need.field}",
        )
    return msgspec.structs.replace(job, models=[each for each, _ in alone], prices=[price for _, price in alone])


class HelperRanks:
    """How well models can make one request, by what their servers have beside them."""

    def __init__(self, catalog: Catalog, params: AnyParams, found: Sequence[Row[Any]]) -> None:
        self._catalog = catalog
        self._params = params
        self._offered = _offered(asked_server(params), found)

    def is_short(self, spec: ModelSpec) -> bool:
        """Return whether no server that may take the job has the model and what it needs beside it."""
        needs = needs_of(spec, self._params)
        servers = (each for each in self._offered if spec.id in each.serves)
        return bool(needs) and not any(_has(each, self._catalog, needs) for each in servers)

    def is_second(self, spec: ModelSpec) -> tuple[bool, bool]:
        """Return the order of models that can: those that make it all themselves first, those of the demo last."""
        return spec.tier == "demo", bool(needs_of(spec, self._params))


async def rank_helpers(
    connection: AsyncConnection, catalog: Catalog, params: AnyParams, tenant: str
) -> HelperRanks | None:
    """Return how models are ranked for a request; None where none needs another one for it."""
    if not may_need_helpers(params):
        return None
    return HelperRanks(catalog, params, (await connection.execute(open_to(tenant))).all())


def models_beside(spec: ModelSpec, found: Sequence[Row[Any]], catalog: Catalog, modality: Modality) -> Collection[str]:
    """Return the models of a modality that a server of this model has as well, of those of `open_to`."""
    able = {one.id for one in catalog.of(modality)}
    return {one for each in found if not each.remote and spec.id in each.serves for one in each.serves if one in able}


def _is_bound(choice: ServerChoice) -> bool:
    return choice.server is not None and choice.spill is None


def _offered(choice: ServerChoice, found: Sequence[Row[Any]]) -> list[Row[Any]]:
    """Return the servers that may take the job."""
    return [each for each in found if each.server_id == choice.server or not (_is_bound(choice) or each.dedicated)]


def _has(server: Row[Any], catalog: Catalog, needs: Sequence[HelperNeed]) -> bool:
    """Return whether a server has a model for every need; a remote backend is asked for none."""
    return not server.remote and all(_served_for(need, catalog, [server]) for need in needs)


def _served_for(
    need: HelperNeed, catalog: Catalog, servers: Sequence[Row[Any]], *, fit: bool = True
) -> list[ModelSpec]:
    """Return the models for a need that the servers have: those that do what it asks for, or the others."""
    served = {model for each in servers for model in each.serves}
    offered = (spec for spec in catalog.of(need.modality) if spec.id in served and not spec.templates)
    return [spec for spec in offered if (need.unmet(spec) is None) == fit]


def _silent_if_need_be(job: NewJob, spec: ModelSpec, catalog: Catalog, offered: Sequence[Row[Any]]) -> NewJob:
    """Return the job without its sound, where that is what no server has a model for."""
    needs = [need for need in needs_of(spec, job.params) if need.modality == "sound"]
    if not needs or any(_has(each, catalog, needs) for each in offered):
        return job
    params: Any = job.params
    origin = msgspec.structs.replace(job.origin, warnings=(*job.origin.warnings, SILENT.format(model=spec.id)))
    return msgspec.structs.replace(job, params=msgspec.structs.replace(params, sound=False), origin=origin)


def _refusal(
    catalog: Catalog, spec: ModelSpec, params: AnyParams, needs: Sequence[HelperNeed], offered: Sequence[Row[Any]]
) -> InvalidRequest:
    """Return why no server can make a job that needs other models than its own."""
    local = [each for each in offered if not each.remote]
    need = next((each for each in needs if not _served_for(each, catalog, local)), needs[-1])
    alone = [
        each.id for each in catalog.of(spec.modality) if need not in needs_of(each, params) and supports(each, params)
    ]
    choice = f", choose {' or '.join(alone)}" if alone else ""
    unfit = _served_for(need, catalog, local, fit=False)
    if unfit and not _served_for(need, catalog, local):
        unmet = need.unmet(unfit[0])
        assert unmet is not None, "it is one that does not do what is asked for"
        return unmet.error(
            f"For `{need.field}`: {unmet.sentence}. Correct it{choice}, or leave `{need.field}` out.", field=unmet.field
        )
    return NoCapableModel(
        f"`{need.field}` needs a model of `{need.modality}` on a server of {spec.id}, and no running one has both; "
        f"leave it out{choice}, or ask the operator for one.",
        capability=need.modality,
        field=f"$.{need.field}",
    )
