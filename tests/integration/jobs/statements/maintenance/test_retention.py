"""Statements of retention, as far as the CPU worker's tests do not show them: what a page of the sweep reads."""

import pytest
from sqlalchemy import text

from jobs.statements.maintenance import retention
from tests.support.rows.plans import rows_read, scans

NUMBER = 3000
FILL = """
    INSERT INTO jobs (id, tenant, modality, model, params, status, max_attempts, priority, deadline_at, finished_at,
                      artifacts)
    SELECT 'job_' || number, :tenant, 'image', 'chaos', '{}', 'completed', 3, 5, now(), now(),
           jsonb_build_array(jsonb_build_object('key', :tenant || '/job_' || number || '/1/ab.webp'))
    FROM generate_series(1, :number) AS number;
    INSERT INTO inputs (job_id, name, tenant, kind, source_key, status, key)
    SELECT id, 'input_image', tenant, 'image', tenant || '/inputs/inp_' || id, 'ready',
           tenant || '/' || id || '/inputs/cd.png'
    FROM jobs;
    INSERT INTO uploads (id, tenant, key)
    SELECT 'inp_' || number, :tenant, :tenant || '/inputs/inp_' || number FROM generate_series(1, :number) AS number;
    INSERT INTO voices (id, tenant, name, key, media_type, bytes)
    SELECT 'voi_' || number, :tenant, 'a', :tenant || '/voices/voi_' || number, 'audio/wav', 1
    FROM generate_series(1, :number) AS number
"""
TABLES = ("jobs", "inputs", "uploads", "voices")


@pytest.fixture
def tenant(rows):
    tenant = rows.tenant()
    for statement in FILL.split(";"):
        bound = {"tenant": tenant, "number": NUMBER}
        used = {name: value for name, value in bound.items() if f":{name}" in statement}
        rows.execute(text(statement).bindparams(**used))
    rows.execute(text(f"ANALYZE {', '.join(TABLES)}"))
    return tenant


def test_31_a_page_of_the_sweep_is_look_ups_in_indexes(rows, tenant):
    """A key is looked up in each table once at most, and no table is read."""
    used = ("job_{}/1/ab.webp", "job_{}/inputs/cd.png", "inputs/inp_{}", "inputs/inp_job_{}", "voices/voi_{}")
    gone = ("job_{}/0/ab.webp", "inputs/inp_gone_{}", "voices/voi_gone_{}")
    keys = [f"{tenant}/{key.format(number)}" for number in range(1, 101) for key in (*used, *gone)]
    statement = retention.orphans(keys)
    found = [row.key for row in rows.execute(statement)]
    assert sorted(f"{tenant}/{key.format(number)}" for number in range(1, 101) for key in gone) == sorted(found)
    read = scans(rows.engine, statement, *TABLES)
    assert set(TABLES) == {scan["Relation Name"] for scan in read}
    for scan in read:
        assert "Index" in scan["Node Type"], scan
        assert rows_read(scan) <= len(keys)


def test_keys_of_other_installations_are_not_of_a_tenant(rows):
    tenant = rows.tenant()
    keys = [f"{tenant}/job_1/1/ab.webp", "ten_unknown/job_1/1/ab.webp", "backups/2026.tar"]
    assert keys[:1] == [row.key for row in rows.execute(retention.of_tenants(keys))]
