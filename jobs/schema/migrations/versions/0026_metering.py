"""What a job took of the device, the key that submitted it, and admission by the key's budget beside the tenant's.

Safe while the service runs: columns that are null or have a constant default are changes of the catalog only. An API
of the version before submits jobs without a key, by the function that it knows; those count for their tenant alone.
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

ADMIT = """
CREATE FUNCTION admit_v3(
    a_tenant text, a_key text, price numeric, usual_cap integer, dry boolean DEFAULT false
) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    uncommitted CONSTANT integer := 2000;
    quota tenants%ROWTYPE;
    own api_keys%ROWTYPE;
    cap integer;
    drawn bigint;
    near boolean;
    active bigint;
BEGIN
    -- Each query of this function sees what was committed before it, and so, after a lock, what others did under it.
    SELECT * INTO STRICT quota FROM tenants WHERE id = a_tenant;
    SELECT * INTO own FROM api_keys WHERE id = a_key;
    cap := CASE WHEN usual_cap IS NOT NULL THEN coalesce(quota.max_waiting_jobs, usual_cap) END;
    -- Every new job draws a number, so no more were added since the count than numbers were drawn. Beside those there
    -- are the jobs that others have not committed yet: all API processes together add fewer than `uncommitted` at once.
    SELECT last_value INTO drawn FROM jobs_seq;
    near := cap IS NOT NULL
        AND coalesce(quota.counted_jobs + drawn - quota.counted_at >= cap - uncommitted, true);
    IF near AND (dry OR cap > uncommitted) THEN  -- a lower cap is always near: it is counted once, under the lock
        SELECT count(*) INTO active FROM jobs
            WHERE tenant = a_tenant AND status IN ('pending', 'queued', 'processing');
        near := active >= cap - uncommitted;
        IF NOT near AND NOT dry THEN
            UPDATE tenants SET counted_jobs = active, counted_at = drawn
                WHERE id = (SELECT id FROM tenants WHERE id = a_tenant FOR NO KEY UPDATE SKIP LOCKED);
        END IF;
    END IF;
    -- Submits of one tenant wait for each other only where two of them could exceed a limit together. The lock is also
    -- that of its keys: whatever reserves or settles a price has it.
    IF NOT dry AND (near OR quota.budget_usd IS NOT NULL OR own.budget_usd IS NOT NULL) THEN
        SELECT * INTO STRICT quota FROM tenants WHERE id = a_tenant FOR NO KEY UPDATE;
        SELECT * INTO own FROM api_keys WHERE id = a_key;
        IF near THEN
            SELECT count(*) INTO active FROM jobs
                WHERE tenant = a_tenant AND status IN ('pending', 'queued', 'processing');
        END IF;
    END IF;
    IF quota.spent_usd >= quota.budget_usd OR quota.spent_usd + quota.reserved_usd + price > quota.budget_usd THEN
        RAISE EXCEPTION 'tenant' USING ERRCODE = 'AT402';
    END IF;
    IF own.spent_usd >= own.budget_usd OR own.spent_usd + own.reserved_usd + price > own.budget_usd THEN
        RAISE EXCEPTION 'key' USING ERRCODE = 'AT402';
    END IF;
    IF near AND active >= cap THEN
        RAISE EXCEPTION '%', cap USING ERRCODE = 'AT429';
    END IF;
    IF price > 0 AND NOT dry THEN
        UPDATE tenants SET reserved_usd = reserved_usd + price WHERE id = a_tenant;
        UPDATE api_keys SET reserved_usd = reserved_usd + price WHERE id = a_key;
    END IF;
    RETURN true;
END
$$
"""
"""Lets a job of a tenant in and reserves its price, in US dollars, of the tenant's budget and of the key's; a null key
has none. A tenant without a number of its own may have `usual_cap` unfinished jobs; null stands for any number, also
where it has one. With `dry` it only asks.

FOR NO KEY UPDATE: the foreign keys of rows that the transaction has added hold the tenant FOR KEY SHARE, with which a
plain FOR UPDATE of another submit would deadlock.
"""


def upgrade() -> None:
    for name in ("gpu_seconds", "load_seconds"):
        op.add_column("jobs", sa.Column(name, sa.Double(), nullable=False, server_default="0"))
    op.add_column("jobs", sa.Column("key_id", sa.Text(), nullable=True))
    op.execute(ADMIT)


def downgrade() -> None:
    op.execute("DROP FUNCTION admit_v3(text, text, numeric, integer, boolean)")
    for name in ("key_id", "load_seconds", "gpu_seconds"):
        op.drop_column("jobs", name)
