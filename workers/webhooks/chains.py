"""The webhook of a chain's end, for its callback and for endpoints."""

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from core.settings import Settings
from jobs.chains.answer import ChainEvent, chain_answer
from jobs.chains.chain import chain_from_row, step_from_row
from jobs.job import job_from_row
from jobs.statements.chains import chains
from jobs.statements.queue.tenant_jobs import all_visible
from workers.webhooks.dialects.facts import DialectWebhook, LeasedDelivery


async def chain_webhook(
    connection: AsyncConnection, delivery: LeasedDelivery, settings: Settings
) -> DialectWebhook | None:
    """Return the webhook, whose data is what the chain answers now; None when the chain is gone."""
    assert delivery.job_id is not None
    row = (await connection.execute(chains.find_chain(delivery.job_id, delivery.tenant))).first()
    if row is None:
        return None
    chain = chain_from_row(row)
    steps = [step_from_row(one) for one in await connection.execute(chains.steps_of([chain.id]))]
    found = await connection.execute(all_visible([step.job_id for step in steps], chain.tenant))
    jobs = {job.id: job for job in map(job_from_row, found)}
    event = ChainEvent(delivery.type, chain.ended_at or delivery.created_at, chain_answer(chain, steps, jobs, settings))
    return DialectWebhook(body=msgspec.json.encode(event))
