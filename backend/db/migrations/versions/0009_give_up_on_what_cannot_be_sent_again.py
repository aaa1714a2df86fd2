"""give up on what cannot be sent again"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("chain_transactions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("given_up", sa.String(length=80), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("chain_transactions", schema=None) as batch_op:
        batch_op.drop_column("given_up")
