"""say what is wrong with a sensor"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sensor_readings", sa.Column("fault", sa.String(length=10), nullable=True))
    op.execute("UPDATE sensor_readings SET fault = 'quiet' WHERE value IS NULL")


def downgrade() -> None:
    op.drop_column("sensor_readings", "fault")
