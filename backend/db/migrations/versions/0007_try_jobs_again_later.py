"""try jobs again later; keep a mint's transfers in one row"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("chain_jobs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("tries", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("due_ms", sa.BigInteger(), server_default="0", nullable=False))
    with op.batch_alter_table("chain_logs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("count", sa.Integer(), server_default="1", nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("chain_logs", schema=None) as batch_op:
        batch_op.drop_column("count")
    with op.batch_alter_table("chain_jobs", schema=None) as batch_op:
        batch_op.drop_column("due_ms")
        batch_op.drop_column("tries")
