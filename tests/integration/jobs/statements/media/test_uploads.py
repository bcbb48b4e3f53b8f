"""Statements about uploads."""

import pytest
from sqlalchemy import func, text, update

from jobs.schema.tables import uploads
from jobs.statements.media.uploads import (
    add_upload,
    find_uploads,
    forget_upload,
    measured,
    old_uploads,
    open_upload,
    unmeasured,
)

LIMITS = {"max_uploads": 3, "max_bytes": 100, "bytes_each": 20}


def test_a_tenant_finds_its_own_uploads_only(rows):
    tenant, another = rows.tenant(), rows.tenant("another")
    for upload_id, owner in (("inp_1", tenant), ("inp_2", tenant), ("inp_3", another)):
        rows.execute(add_upload(upload_id, owner, f"{owner}/inputs/{upload_id}"))
    found = rows.execute(find_uploads({"inp_1", "inp_3", "inp_4"}, tenant))
    assert [("inp_1", f"{tenant}/inputs/inp_1")] == [tuple(row) for row in found]
    assert [] == rows.execute(find_uploads(set(), tenant))


@pytest.fixture
def opened(rows):
    """Whether a further upload is opened under these limits."""
    numbers = iter(range(100))

    def opened(tenant, **limits):
        upload_id = f"inp_{next(numbers)}"
        return bool(rows.execute(open_upload(upload_id, tenant, f"{tenant}/inputs/{upload_id}", **(LIMITS | limits))))

    return opened


def test_a_tenant_has_so_many_uploads(rows, opened):
    tenant, another = rows.tenant(), rows.tenant("another")
    assert [True, True, True, False] == [opened(tenant) for _ in range(4)]
    assert opened(another)


def test_uploads_count_as_the_largest_until_they_are_measured(rows, opened):
    tenant = rows.tenant()
    assert [True, True, False] == [opened(tenant, max_bytes=40) for _ in range(3)]
    rows.execute(measured("inp_0", 19))
    assert not opened(tenant, max_bytes=58)
    assert opened(tenant, max_bytes=59)


def test_an_upload_is_measured_once_and_when_it_is_old(rows, opened):
    tenant = rows.tenant()
    opened(tenant), opened(tenant)
    rows.execute(uploads.update().where(uploads.c.id == "inp_1").values(created_at=func.now() - text("interval '2 h'")))
    assert ["inp_1"] == [row.id for row in rows.execute(unmeasured(3600.0))]
    rows.execute(measured("inp_1", 0))
    assert [] == rows.execute(unmeasured(3600.0))


def test_an_upload_stays_while_a_job_waits_for_it(rows):
    tenant = rows.tenant()
    for name in ("used", "unused", "young"):
        rows.execute(uploads.insert().values(id=name, tenant=tenant, key=f"t/uploads/{name}"))
    rows.execute(
        update(uploads).where(uploads.c.id != "young").values(created_at=func.now() - text("interval '3 days'"))
    )
    job = rows.pending(tenant)
    rows.input(job, "input_image", source_key="t/uploads/used")
    assert ["unused"] == [row.id for row in rows.execute(old_uploads(172_800.0))]
    rows.cancel(job)
    assert {"used", "unused"} == {row.id for row in rows.execute(old_uploads(172_800.0))}
    rows.execute(forget_upload("unused"))
    assert ["used"] == [row.id for row in rows.execute(old_uploads(172_800.0))]
