"""Jobs whose prompt a text model writes anew: the server that makes one must have both models."""

import secrets

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from core.errors.fields import NoCapableModel
from jobs.params.registry import AnyParams
from jobs.statements.queue.submit import NewJob
from jobs.statements.servers import serving
from pipelines.catalog.loader import Catalog


def enhances_prompt(params: AnyParams) -> bool:
    """Return whether a text model is to write the prompt anew."""
    return bool(getattr(params, "enhance_prompt", False))


async def beside_text(connection: AsyncConnection, catalog: Catalog, job: NewJob) -> NewJob:
    """Return the job, bound to a server that has a text model where another one that could take it has none.

    A job that does not enhance its prompt is returned as it is. Raises `NoCapableModel` where no running server that
    may take the job has its model and one of texts.
    """
    if not enhances_prompt(job.params):
        return job
    model, texts = job.models[0], {spec.id for spec in catalog.of("text") if not spec.templates}
    is_bound = job.server is not None and job.spill is None
    found = (await connection.execute(serving(model, job.tenant))).all()
    offered = [each for each in found if each.server_id == job.server or not (is_bound or each.dedicated)]
    able = [each for each in offered if not each.remote and not texts.isdisjoint(each.serves)]
    if not able:
        raise NoCapableModel(
            f"`enhance_prompt` needs a model of `text` on a server of {model}, and no running one has both; leave it "
            "out, or ask the operator for one.",
            capability="text",
            field="$.enhance_prompt",
        )
    if is_bound or len(able) == len(offered):
        return job
    chosen = [each for each in able if each.server_id == job.server]
    chosen = chosen or [each for each in able if each.desired == "active"] or able
    return msgspec.structs.replace(job, server=secrets.choice(chosen).server_id, spill=None)
