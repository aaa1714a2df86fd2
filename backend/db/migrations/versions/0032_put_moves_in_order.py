"""put moves in order"""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "chain_moves",
        sa.Column("job_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ticket_id", sa.Uuid(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("from_owner", sa.LargeBinary(length=20), nullable=False),
        sa.Column("to_owner", sa.LargeBinary(length=20), nullable=False),
        sa.Column("deadline", sa.BigInteger(), nullable=False),
        sa.Column("signature", sa.LargeBinary(length=65), nullable=False),
        sa.Column("taken_back", sa.String(length=40), nullable=True),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["chain_jobs.id"], name=op.f("fk_chain_moves_job_id")),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_chain_moves_ticket_id")),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_chain_moves")),
    )
    with op.batch_alter_table("chain_moves", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_chain_moves_ticket_id_epoch"), ["ticket_id", "epoch"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("chain_moves", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_chain_moves_ticket_id_epoch"))

    op.drop_table("chain_moves")
