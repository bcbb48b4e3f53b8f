"""Outputs of a worker of the version before become items of the library, once."""

import pytest
from sqlalchemy import delete, func, select, text

from jobs.job import Artifact
from jobs.schema.tables import media
from jobs.statements.media import library_removal
from jobs.statements.queue import tenant_jobs
from workers.cpu.adoption import Adoption

EARLIER = func.now() - text("interval '2 hours'")


@pytest.fixture
def tenant(rows):
    return rows.tenant()


@pytest.fixture
def complete(rows, tenant):
    """A job with two outputs that ended two hours ago, completed as now or `before` the library."""
    server = rows.server()

    def complete(*, before=True, **values):
        job = rows.submit(tenant)
        claimed = rows.claim(server)
        files = [
            Artifact(key=f"{tenant}/{job.id}/{number}.webp", media_type="image/webp", bytes=7, sha256="a")
            for number in range(2)
        ]
        assert rows.complete(claimed, *files) is not None
        rows.set(job, **{"finished_at": EARLIER} | values)
        if before:
            rows.execute(delete(media).where(media.c.job_id == job.id))
        return job

    return complete


def adopt(rows):
    work = Adoption(rows.engine)
    while work.adopt():
        pass


def items(rows):
    return [(row.job_id, row.output_number) for row in rows.execute(media.select().order_by(media.c.id))]


def test_outputs_without_items_are_adopted_once(rows, complete):
    kept, old = complete(before=False), complete()
    wanted = rows.execute(media.select())[0]
    for _ in range(2):
        adopt(rows)
        assert sorted((job.id, number) for job in (kept, old) for number in range(2)) == sorted(items(rows))
    (item,) = rows.execute(media.select().where(media.c.job_id == old.id, media.c.output_number == 0))
    for name in ("tenant", "kind", "status", "source", "prompt", "model", "search", "bytes"):
        assert getattr(wanted, name) == getattr(item, name), name


def test_hours_without_a_job_are_not_looked_through(rows, complete):
    work = Adoption(rows.engine)
    assert [True, False] == [work.adopt(), work.adopt()]
    complete(finished_at=func.now() - text("interval '23 hours'"))
    work = Adoption(rows.engine)
    assert work.adopt()
    assert 2 == len(items(rows))


def test_more_than_a_batch_is_adopted(rows, complete, monkeypatch):
    monkeypatch.setattr("jobs.statements.media.adoption.BATCH", 2)
    monkeypatch.setattr("workers.cpu.adoption.BATCH", 2)
    for _ in range(5):
        complete()
    adopt(rows)
    assert 10 == len(items(rows))


def test_a_later_look_begins_where_the_last_one_ended(rows, complete):
    work = Adoption(rows.engine)
    while work.adopt():
        pass
    complete()  # it ended before that
    late = complete(finished_at=func.now() - text("interval '65 seconds'"))
    work._since = rows.scalar(select(func.now() - text("interval '70 seconds'")))
    while work.adopt():
        pass
    assert {late.id} == {job_id for job_id, _ in items(rows)}


@pytest.mark.long
def test_what_was_deleted_does_not_come_back(rows, complete, tenant):
    complete(before=False)
    for row in rows.execute(media.select()):
        rows.execute(library_removal.erase_media(row.id, tenant))
        rows.execute(library_removal.forget_media(row.id))
    erased, expired = complete(), complete(finished_at=func.now() - text("interval '13 hours'"))
    rows.execute(tenant_jobs.erase(erased.id, tenant))
    rows.set(expired, origin={"temporary": True})
    adopt(rows)
    assert [] == items(rows)
