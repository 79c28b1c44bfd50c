"""Scores are found by their check: a window has hundreds, and few of them are looked for."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("scores_by_check", "scores", ["revision_id", "check"])
    op.drop_index("ix_scores_revision_id", "scores")


def downgrade() -> None:
    op.create_index("ix_scores_revision_id", "scores", ["revision_id"])
    op.drop_index("scores_by_check", "scores")
