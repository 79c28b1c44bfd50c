"""When each window's labels came, and whether they are still waited for."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("windows") as table:
        table.add_column(sa.Column("lags", sa.JSON(), nullable=True))
        table.add_column(
            sa.Column("provisional", sa.Boolean(), nullable=False, server_default=sa.true())
        )
    op.execute(
        "UPDATE windows SET provisional = (SELECT provisional FROM revisions WHERE "
        "revisions.model = windows.model AND revisions.window_key = windows.key AND "
        "revisions.revision = windows.revision)"
    )


def downgrade() -> None:
    with op.batch_alter_table("windows") as table:
        table.drop_column("provisional")
        table.drop_column("lags")
