"""keep the freeze of contracts"""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.add_column(sa.Column("chain_freeze_ms", sa.BigInteger(), nullable=True))
    # Who was never moved has the freeze of its contract still, or gets it when that is made.
    op.execute("UPDATE events SET chain_freeze_ms = freeze_ms WHERE moved_ms IS NULL")


def downgrade() -> None:
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.drop_column("chain_freeze_ms")
