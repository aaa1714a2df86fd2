"""limit buyers and renew secrets"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "used_passes",
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("nonce", sa.LargeBinary(length=16), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_used_passes_event_id")),
        sa.PrimaryKeyConstraint("event_id", "nonce", name=op.f("pk_used_passes")),
    )
    op.create_table(
        "buyer_marks",
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("mark", sa.LargeBinary(length=32), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_buyer_marks_event_id")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_buyer_marks_order_id")),
        sa.PrimaryKeyConstraint("order_id", "mark", name=op.f("pk_buyer_marks")),
    )
    with op.batch_alter_table("buyer_marks", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_buyer_marks_event_id_mark"), ["event_id", "mark"], unique=False)

    with op.batch_alter_table("orders", schema=None) as batch_op:
        batch_op.add_column(sa.Column("terms_version", sa.String(length=20), nullable=True))
        batch_op.add_column(sa.Column("secret_number", sa.Integer(), server_default="0", nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("orders", schema=None) as batch_op:
        batch_op.drop_column("secret_number")
        batch_op.drop_column("terms_version")

    with op.batch_alter_table("buyer_marks", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_buyer_marks_event_id_mark"))

    op.drop_table("buyer_marks")
    op.drop_table("used_passes")
