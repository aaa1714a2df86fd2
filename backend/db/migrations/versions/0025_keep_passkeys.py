"""keep passkeys"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "desk_challenges",
        sa.Column("nonce", sa.LargeBinary(length=16), nullable=False),
        sa.Column("used_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("nonce", name=op.f("pk_desk_challenges")),
    )
    op.create_table(
        "desk_passkeys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("credential_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("credential_id", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("label", sa.String(length=40), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("used_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["desk_accounts.id"], name=op.f("fk_desk_passkeys_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_desk_passkeys")),
        sa.UniqueConstraint("credential_hash", name=op.f("uq_desk_passkeys_credential_hash")),
    )
    with op.batch_alter_table("desk_passkeys", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_desk_passkeys_account_id"), ["account_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("desk_passkeys", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_desk_passkeys_account_id"))

    op.drop_table("desk_passkeys")
    op.drop_table("desk_challenges")
