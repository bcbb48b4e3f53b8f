"""Submits that come together: one statement for those of a tenant, and an answer of its own for each."""

import asyncio
from types import SimpleNamespace

import msgspec
import psycopg
import pytest
from sqlalchemy.exc import DBAPIError

from api.submit.batches import SubmitBatches
from core.errors.unavailable import DatabaseUnavailable
from jobs.params.image import ImageParams
from jobs.statements.queue.submit import Offer, new_job


class Statements:
    """A database that writes down the jobs of each statement, and refuses those that have a bad one among them."""

    def __init__(self):
        self.seen = []
        self.began, self.gate = asyncio.Event(), asyncio.Event()
        self.away = False

    async def fetch(self, query):
        ids = [each["job"] for each in msgspec.json.decode(query.values[0])]
        self.seen.append(ids)
        self.began.set()
        await self.gate.wait()
        if self.away:
            raise DatabaseUnavailable
        if any(job_id.startswith("bad") for job_id in ids):
            raise DBAPIError("", None, psycopg.Error())
        return [SimpleNamespace(id=job_id) for job_id in ids if not job_id.startswith("taken")]


def job(job_id, tenant="studio"):
    facts = {"offers": [Offer("chaos")], "params": ImageParams(prompt="a"), "seed": 1, "max_attempts": 3}
    return new_job(job_id=job_id, tenant=tenant, deadline_seconds=60.0, **facts)


async def together(database, *jobs):
    """Outcomes of the jobs: the first is under way when the others come."""
    batches = SubmitBatches(database)
    first = asyncio.create_task(batches.add(jobs[0]))
    await database.began.wait()
    others = [asyncio.create_task(batches.add(each)) for each in jobs[1:]]
    for _ in range(3):
        await asyncio.sleep(0)
    database.gate.set()
    outcomes = await asyncio.gather(first, *others, return_exceptions=True)
    return [getattr(outcome, "id", type(outcome).__name__) for outcome in outcomes]


async def test_submits_that_come_together_share_a_statement():
    database = Statements()
    assert ["a", "b", "c"] == await together(database, job("a"), job("b"), job("c"))
    assert [["a"], ["b", "c"]] == database.seen


async def test_tenants_share_none():
    database = Statements()
    jobs = job("a"), job("b"), job("c", "other"), job("d")
    assert ["a", "b", "c", "d"] == await together(database, *jobs)
    assert [["a"], ["c"], ["b", "d"]] == database.seen


async def test_a_refusal_is_that_of_its_own_job():
    database = Statements()
    jobs = job("a"), job("b"), job("bad"), job("taken"), job("c")
    assert ["a", "b", "DBAPIError", "NoneType", "c"] == await together(database, *jobs)
    assert [["a"], ["b", "bad", "taken", "c"], ["b"], ["bad"], ["taken"], ["c"]] == database.seen


async def test_a_database_that_is_away_is_so_for_all():
    """And asked once: whether the jobs were added is not known."""
    database = Statements()
    database.away = True
    assert 3 * ["DatabaseUnavailable"] == await together(database, job("a"), job("b"), job("c"))
    assert 2 == len(database.seen)


@pytest.mark.parametrize("number", [33, 64])
async def test_a_statement_has_a_bound(number):
    database = Statements()
    await together(database, *(job(f"{each}") for each in range(number)))
    assert 32 == max(map(len, database.seen))
