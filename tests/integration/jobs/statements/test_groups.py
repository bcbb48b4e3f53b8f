"""What VideoGen's lists ask of a tenant with many executions: each question is one that an index answers."""

import pytest
from sqlalchemy import select, text

from jobs.schema.tables import jobs
from jobs.statements.groups import dialect_page, find_grouped, makers, members
from tests.support.rows.plans import rows_read, scans

FILL = """
INSERT INTO jobs (id, tenant, modality, model, params, status, max_attempts, priority, deadline_at, created_at,
                  finished_at, origin)
SELECT :prefix || lpad(n::text, 8, '0'), :tenant, 'image', 'one', '{}', 'completed', 3, 5, now(),
    now() - n * interval '1 minute', now(),
    CASE WHEN n % 3 = 0 THEN '{}' ELSE jsonb_build_object('dialect', 'videogen') || CASE WHEN n % 2 = 0 THEN '{}'
        ELSE jsonb_build_object('group', :prefix || lpad((n / 20 * 20 + 19)::text, 8, '0')) END END
FROM generate_series(1, :number) AS n ORDER BY n DESC
"""
"""Every third job is a native one; those of odd numbers are in groups of up to ten, named like the oldest of them."""
NUMBER, LIMIT = 6_000, 51


@pytest.fixture(scope="module")
def tenant(module_rows):
    """A tenant with so many jobs, beside another one with as many."""
    own, other = module_rows.tenant(), module_rows.tenant("another")
    for prefix, one in (("job_a", own), ("job_b", other)):
        module_rows.execute(text(FILL).bindparams(prefix=prefix, tenant=one, number=NUMBER))
    module_rows.execute(text("ANALYZE jobs"))
    return own


def read_by_index(rows, statement, most, *indexes):
    """The rows of a statement, which reads at most so many rows of the table, by indexes, these if they are named."""
    read = scans(rows.engine, statement)
    assert "Seq Scan" not in {scan["Node Type"] for scan in read}, read
    assert not indexes or {*indexes} == {scan.get("Index Name") for scan in read}, read
    assert sum(rows_read(scan) for scan in read) <= most, read
    return rows.execute(statement)


def test_a_page_of_executions_is_read_by_its_index(module_rows, tenant):
    expected = 4 * LIMIT, "ix_jobs_dialect", "ix_jobs_group"
    first = read_by_index(module_rows, dialect_page(tenant, "videogen", limit=LIMIT), *expected)
    last = first[-1]
    second = dialect_page(tenant, "videogen", limit=LIMIT, before=(last.created_at, last.id))
    assert LIMIT == len(first) == len(read_by_index(module_rows, second, *expected))


def test_the_jobs_of_executions_are_read_by_indexes(module_rows, tenant):
    group = module_rows.scalar(select(jobs.c.origin["group"].astext).where(jobs.c.id == "job_a00003001"))
    grouped = read_by_index(module_rows, find_grouped(group, tenant), 30)
    assert {group} == {row.origin["group"] for row in grouped}
    assert len(grouped) == len(read_by_index(module_rows, members([group], tenant), 30)) > 3
    ids = [row.id for row in grouped]
    assert {(one, group) for one in ids} == {
        (row.id, row.group) for row in read_by_index(module_rows, makers(ids, tenant), 30)
    }
