"""An index of the bytes of clean copies by tenant.

Safe while the service runs, and to run again after a stop: an index that a stop left invalid is dropped first.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

NAME = "ix_inputs_ready"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        _drop()
        op.create_index(
            NAME,
            "inputs",
            ["tenant"],
            postgresql_include=["bytes"],
            postgresql_where=sa.text("status = 'ready'"),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        _drop()


def _drop() -> None:
    op.drop_index(NAME, table_name="inputs", if_exists=True, postgresql_concurrently=True)
