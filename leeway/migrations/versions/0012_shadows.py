"""What versions that do not serve have made of live rows."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "shadows",
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("champion", sa.Integer(), nullable=False),
        sa.Column("n_rows", sa.BigInteger(), nullable=False),
        sa.Column("n_failed", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("n_other", sa.BigInteger()),
        sa.Column("difference", sa.Float()),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("champion_seconds", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("model", "version", "champion"),
    )


def downgrade() -> None:
    op.drop_table("shadows")
