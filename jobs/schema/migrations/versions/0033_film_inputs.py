"""Rules of films and pictures that are inputs: most seconds, least side, and a frame of a film.

Safe while the service runs: the columns have defaults. A worker of the version before refuses films, as it did.
"""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("inputs", sa.Column("max_seconds", sa.Double(), nullable=True))
    op.add_column("inputs", sa.Column("min_side", sa.Integer(), server_default="0", nullable=False))
    op.add_column("inputs", sa.Column("frame", sa.Text(), nullable=True))


def downgrade() -> None:
    for name in ("frame", "min_side", "max_seconds"):
        op.drop_column("inputs", name)
