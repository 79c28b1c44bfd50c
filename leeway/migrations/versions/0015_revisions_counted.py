"""Each model's revisions are counted: a scrape reads the windows of those that have new ones."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    n_judged = sa.Column("n_judged", sa.BigInteger(), nullable=False, server_default="0")
    op.add_column("models", n_judged)


def downgrade() -> None:
    op.drop_column("models", "n_judged")
