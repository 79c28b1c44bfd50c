"""The prediction log's tables, on PostgreSQL; on SQLite they have a file of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = (
    "log_counters", "log_requests", "log_inbox", "log_files", "log_schema_changes", "log_touched"
)  # fmt: skip
RANGES = ("row", "event_at", "received_at")


def upgrade() -> None:
    if not on_postgresql():
        return
    op.create_table(
        "log_counters",
        *stream(),
        number("n_rows"),
        number("first_event_at"),
        number("last_event_at"),
        sa.PrimaryKeyConstraint("model", "kind"),
    )
    op.create_table(
        "log_requests",
        *stream(),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        number("received_at"),
        sa.PrimaryKeyConstraint("model", "kind", "request_id"),
    )
    op.create_index("log_requests_received", "log_requests", ["model", "received_at"])
    op.create_table(
        "log_inbox",
        *described(),
        sa.Column("place", sa.Text(), nullable=False),
        number("n_searched"),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("log_inbox_stream", "log_inbox", ["model", "kind", "id"])
    op.create_table(
        "log_files",
        *described(),
        sa.Column("path", sa.Text(), nullable=False),
        number("bytes"),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("path"),
    )
    op.create_index("log_files_stream", "log_files", ["model", "kind", "last_event_at"])
    op.create_table(
        "log_schema_changes",
        *described(),
        sa.Column("column_name", sa.Text(), nullable=False),
        sa.Column("change", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("log_schema_changes_stream", "log_schema_changes", ["model", "kind"])
    op.create_table(
        "log_touched",
        *stream(),
        sa.Column("column_name", sa.Text(), nullable=False),
        number("bucket"),
        number("end_row"),
        sa.PrimaryKeyConstraint("model", "kind", "column_name", "bucket"),
    )


def downgrade() -> None:
    if on_postgresql():
        for name in TABLES:
            op.drop_table(name)


def on_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def stream() -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in ("model", "kind")]


def described() -> list[sa.Column[int] | sa.Column[str]]:
    bounds = [number(f"{bound}_{name}") for name in RANGES for bound in ("first", "last")]
    return [number("id"), *stream(), *bounds, number("n_rows")]
