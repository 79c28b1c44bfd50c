"""Messages that are about no alert: another version of a model has become the champion."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("outbox") as table:
        table.alter_column("alert_id", existing_type=sa.BigInteger(), nullable=True)
        table.add_column(sa.Column("model", sa.String(), nullable=True))


def downgrade() -> None:
    op.execute("DELETE FROM outbox WHERE alert_id IS NULL")
    with op.batch_alter_table("outbox") as table:
        table.drop_column("model")
        table.alter_column("alert_id", existing_type=sa.BigInteger(), nullable=False)
