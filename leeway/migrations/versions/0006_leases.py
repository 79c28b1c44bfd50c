"""Leases: how long a worker's claim holds without a word from it."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("requests") as table:
        table.add_column(sa.Column("lease_until", sa.DateTime(), nullable=True))
        table.add_column(sa.Column("n_claims", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    with op.batch_alter_table("requests") as table:
        table.drop_column("n_claims")
        table.drop_column("lease_until")
