"""keep refused refunds"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "failed_refunds",
        sa.Column("refund_id", sa.Uuid(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("reason", sa.String(length=60), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("settled_how", sa.String(length=16), nullable=True),
        sa.Column("failed_ms", sa.BigInteger(), nullable=False),
        sa.Column("changed_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_failed_refunds_order_id")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_failed_refunds_payment_id")),
        sa.PrimaryKeyConstraint("refund_id", name=op.f("pk_failed_refunds")),
    )
    with op.batch_alter_table("failed_refunds", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_failed_refunds_order_id"), ["order_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_failed_refunds_state"), ["state"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("failed_refunds", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_failed_refunds_state"))
        batch_op.drop_index(batch_op.f("ix_failed_refunds_order_id"))

    op.drop_table("failed_refunds")
