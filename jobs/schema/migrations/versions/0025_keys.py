"""Keys that expire, when each was last used, and budgets of keys.

Safe while the service runs: the columns are changes of the catalog only, and the check reads the few rows of the table.
A process of the version before lets an expired key in, and notes no use.
"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

MONEY = sa.Numeric(14, 6)


def upgrade() -> None:
    for name in ("expires_at", "last_used_at"):
        op.add_column("api_keys", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    op.add_column("api_keys", sa.Column("budget_usd", MONEY, nullable=True))
    for name in ("spent_usd", "reserved_usd"):
        op.add_column("api_keys", sa.Column(name, MONEY, nullable=False, server_default="0"))
    op.create_check_constraint("reserved_usd", "api_keys", "reserved_usd >= 0")


def downgrade() -> None:
    for name in ("reserved_usd", "spent_usd", "budget_usd", "last_used_at", "expires_at"):
        op.drop_column("api_keys", name)
