"""remember when events were to start"""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.add_column(sa.Column("moved_from_ms", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("moved_ms", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.drop_column("moved_ms")
        batch_op.drop_column("moved_from_ms")
