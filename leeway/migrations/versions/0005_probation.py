"""Probation: what speaks for or against a new champion, and which version a rollback is about."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "probations",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("predecessor", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(), nullable=False),
        sa.Column("n_rows", sa.BigInteger(), nullable=False),
        sa.Column("n_windows", sa.Integer(), nullable=False),
        sa.Column("harm", sa.Float(), nullable=True),
        sa.Column("gain", sa.Float(), nullable=True),
        sa.Column("e_value", sa.Float(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("judged_at", sa.DateTime(), nullable=False),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.Column("ended_how", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("probations_by_model", "probations", ["model", "id"])
    op.create_table(
        "probation_windows",
        sa.Column("probation_id", sa.BigInteger(), nullable=False),
        sa.Column("window_key", sa.String(), nullable=False),
        sa.Column("n_rows", sa.BigInteger(), nullable=False),
        sa.Column("harm", sa.Float(), nullable=False),
        sa.Column("gain", sa.Float(), nullable=False),
        sa.Column("log_wealth", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["probation_id"],
            ["probations.id"],
        ),
        sa.PrimaryKeyConstraint("probation_id", "window_key"),
    )
    with op.batch_alter_table("requests") as table:
        table.add_column(sa.Column("version", sa.Integer(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("requests") as table:
        table.drop_column("version")
    op.drop_table("probation_windows")
    op.drop_table("probations")
