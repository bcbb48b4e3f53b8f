"""What a model's entry says of the files of inputs: most bytes, and media types.

Safe while the service runs: the columns are changes of the catalog only. A worker of the version before fetches what
the settings allow.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("inputs", sa.Column("max_bytes", sa.BigInteger(), nullable=True))
    op.add_column("inputs", sa.Column("types", JSONB(), server_default="[]", nullable=False))


def downgrade() -> None:
    op.drop_column("inputs", "types")
    op.drop_column("inputs", "max_bytes")
