"""widen bundle versions"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Versions are as large as the time in seconds, which leaves 31 bits in 2038.
    with op.batch_alter_table("bundles", schema=None) as batch_op:
        batch_op.alter_column("version", existing_type=sa.Integer(), type_=sa.BigInteger())


def downgrade() -> None:
    with op.batch_alter_table("bundles", schema=None) as batch_op:
        batch_op.alter_column("version", existing_type=sa.BigInteger(), type_=sa.Integer())
