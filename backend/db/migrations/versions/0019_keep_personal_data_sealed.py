"""keep personal data sealed"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "people",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("mail_index", sa.LargeBinary(length=32), nullable=True),
        sa.Column("keep_until_ms", sa.BigInteger(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_people")),
        sa.UniqueConstraint("mail_index", name=op.f("uq_people_mail_index")),
    )
    with op.batch_alter_table("people", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_people_keep_until_ms"), ["keep_until_ms"], unique=False)

    op.create_table(
        "personal_fields",
        sa.Column("table_name", sa.String(length=40), nullable=False),
        sa.Column("row_id", sa.String(length=40), nullable=False),
        sa.Column("column_name", sa.String(length=40), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_personal_fields_person_id")),
        sa.PrimaryKeyConstraint("table_name", "row_id", "column_name", name=op.f("pk_personal_fields")),
    )
    with op.batch_alter_table("personal_fields", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_personal_fields_person_id"), ["person_id"], unique=False)

    op.create_table(
        "order_consents",
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("terms_version", sa.String(length=20), nullable=False),
        sa.Column("news", sa.Boolean(), nullable=False),
        sa.Column("agreed_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_order_consents_order_id")),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_order_consents")),
    )


def downgrade() -> None:
    op.drop_table("order_consents")
    with op.batch_alter_table("personal_fields", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_personal_fields_person_id"))

    op.drop_table("personal_fields")
    with op.batch_alter_table("people", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_people_keep_until_ms"))

    op.drop_table("people")
