"""Budgets that cannot be overspent: the price of a job, and what a tenant's unfinished jobs may still cost it.

Safe while the service runs: the columns are changes of the catalog only, and the check reads the few rows of `tenants`.
Jobs of before, and those of an API of before, have no price (null) and reserve nothing.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

MONEY = sa.Numeric(14, 6)
ADMIT = """
CREATE FUNCTION admit_v1(a_tenant text, price numeric, cap integer, dry boolean DEFAULT false) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    quota tenants%ROWTYPE;
    active bigint;
BEGIN
    -- Each query of this function sees what was committed before it, and so, after a lock, what others did under it.
    SELECT * INTO STRICT quota FROM tenants WHERE id = a_tenant;
    SELECT count(*) INTO active FROM jobs
        WHERE tenant = a_tenant AND status IN ('pending', 'queued', 'processing') AND cap IS NOT NULL;
    -- Submits of one tenant wait for each other only where two of them could exceed a limit together.
    IF NOT dry AND (quota.budget_usd IS NOT NULL OR cap - active <= greatest(100, cap / 10)) THEN
        SELECT * INTO STRICT quota FROM tenants WHERE id = a_tenant FOR NO KEY UPDATE;
        SELECT count(*) INTO active FROM jobs
            WHERE tenant = a_tenant AND status IN ('pending', 'queued', 'processing') AND cap IS NOT NULL;
    END IF;
    IF quota.spent_usd >= quota.budget_usd OR quota.spent_usd + quota.reserved_usd + price > quota.budget_usd THEN
        RAISE EXCEPTION 'the budget is spent or reserved' USING ERRCODE = 'AT402';
    END IF;
    IF active >= cap THEN
        RAISE EXCEPTION '%', cap USING ERRCODE = 'AT429';
    END IF;
    IF price > 0 AND NOT dry THEN
        UPDATE tenants SET reserved_usd = reserved_usd + price WHERE id = a_tenant;
    END IF;
    RETURN true;
END
$$
"""
"""Lets a job of a tenant in and reserves its price, in US dollars; `cap` is how many unfinished jobs the tenant may
have, null for any number. With `dry` it only asks.

FOR NO KEY UPDATE: the foreign keys of rows that the transaction has added hold the tenant FOR KEY SHARE, with which a
plain FOR UPDATE of another submit would deadlock.
"""


def upgrade() -> None:
    op.add_column("tenants", sa.Column("reserved_usd", MONEY, nullable=False, server_default="0"))
    op.create_check_constraint("reserved_usd", "tenants", "reserved_usd >= 0")
    op.add_column("jobs", sa.Column("price_usd", MONEY, nullable=True))
    op.execute(ADMIT)


def downgrade() -> None:
    op.execute("DROP FUNCTION admit_v1(text, numeric, integer, boolean)")
    op.drop_column("jobs", "price_usd")
    op.drop_column("tenants", "reserved_usd")
