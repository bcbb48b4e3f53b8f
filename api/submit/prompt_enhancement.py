"""Jobs whose prompt a text model writes anew: the server that makes one must have both models."""

import secrets
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from core.errors.fields import NoCapableModel
from jobs.params.registry import AnyParams
from jobs.statements.queue.redrive import ServerChoice
from jobs.statements.queue.submit import NewJob
from jobs.statements.servers import serving
from pipelines.catalog.loader import Catalog


def enhances_prompt(params: AnyParams) -> bool:
    """Return whether a text model is to write the prompt anew."""
    return bool(getattr(params, "enhance_prompt", False))


async def beside_text(connection: AsyncConnection, catalog: Catalog, job: NewJob) -> NewJob:
    """Return the job, bound to a server that has a text model where another one that could take it has none.

    A job that does not enhance its prompt is returned as it is. Raises `NoCapableModel` as `choose_beside_text` does.
    """
    if not enhances_prompt(job.params):
        return job
    model = job.models[0]
    found = (await connection.execute(serving(model, job.tenant))).all()
    chosen = choose_beside_text(ServerChoice(server=job.server, spill=job.spill), found, catalog, model)
    return msgspec.structs.replace(job, server=chosen.server, spill=chosen.spill)


def asked_server(params: AnyParams) -> ServerChoice:
    """Return the server that a request names."""
    return ServerChoice(server=params.server_id, spill=params.prefer_seconds if params.pin == "prefer" else None)


def choose_beside_text(choice: ServerChoice, found: Sequence[Row[Any]], catalog: Catalog, model: str) -> ServerChoice:
    """Return where a job of this model enhances its prompt, of the servers of `serving`: as chosen where all can.

    Raises `NoCapableModel` where no running server that may take the job has its model and one of texts.
    """
    texts = {spec.id for spec in catalog.of("text") if not spec.templates}
    is_bound = choice.server is not None and choice.spill is None
    offered = [each for each in found if each.server_id == choice.server or not (is_bound or each.dedicated)]
    able = [each for each in offered if not each.remote and not texts.isdisjoint(each.serves)]
    if not able:
        raise NoCapableModel(
            f"`enhance_prompt` needs a model of `text` on a server of {model}, and no running one has both; leave it "
            "out, or ask the operator for one.",
            capability="text",
            field="$.enhance_prompt",
        )
    if is_bound or len(able) == len(offered):
        return choice
    preferred = [each for each in able if each.server_id == choice.server]
    preferred = preferred or [each for each in able if each.desired == "active"] or able
    return ServerChoice(server=secrets.choice(preferred).server_id)
