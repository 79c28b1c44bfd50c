"""The tables of retraining, in the state database."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)

from monitor.adapters.database import Id, UtcTime

metadata = MetaData()

versions = Table(
    "versions",
    metadata,
    Column("model", String, nullable=False),
    Column("number", Integer, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("folder", String, nullable=False),
    Column("sha256", String, nullable=False),
    Column("has_model", Boolean, nullable=False),
    Column("trained_until", UtcTime),
    Column("metrics", JSON, nullable=False),
    Column("recipe", JSON, nullable=False),
    Column("lineage", JSON, nullable=False),
    PrimaryKeyConstraint("model", "number"),
)

withdrawn = Table(
    "withdrawn",
    metadata,
    Column("model", String, nullable=False),
    Column("number", Integer, nullable=False),
    PrimaryKeyConstraint("model", "number"),
)
"""Numbers of versions that failed runs had registered: no other version gets them."""

aliases = Table(
    "aliases",
    metadata,
    Column("model", String, primary_key=True),
    Column("alias", String, primary_key=True),
    Column("version", Integer, nullable=False),
)

moves = Table(
    "moves",
    metadata,
    Column("id", Id, primary_key=True),
    Column("model", String, nullable=False),
    Column("version", Integer, nullable=False),
    Column("previous", Integer),
    Column("kind", String, nullable=False),
    Column("why", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Index("moves_by_time", "model", "at"),
)

gates = Table(
    "gates",
    metadata,
    Column("model", String, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("champion", Integer, nullable=False),
    Column("run", BigInteger, nullable=False),
    Column("looks", Integer, nullable=False),
    Column("entered_at", UtcTime, nullable=False),
)

shadows = Table(
    "shadows",
    metadata,
    Column("model", String, nullable=False),
    Column("version", Integer, nullable=False),
    Column("champion", Integer, nullable=False),
    Column("n_rows", BigInteger, nullable=False),
    Column("n_failed", BigInteger, nullable=False),
    Column("error", Text, nullable=False),
    Column("n_other", BigInteger),
    Column("difference", Float),
    Column("seconds", Float, nullable=False),
    Column("champion_seconds", Float, nullable=False),
    PrimaryKeyConstraint("model", "version", "champion"),
)

trials = Table(
    "trials",
    metadata,
    Column("request_id", BigInteger, primary_key=True, autoincrement=False),
    Column("model", String, nullable=False),
    Column("champion", Integer, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("pays", Boolean, nullable=False),
    Column("n_fits", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("details", JSON, nullable=False),
    Index("trials_by_model", "model", "request_id"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Id, primary_key=True),
    Column("model", String, nullable=False),
    Column("request_id", BigInteger, nullable=False, unique=True),
    Column("trigger", String, nullable=False),
    Column("why", Text, nullable=False),
    Column("champion", Integer, nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    Column("progress", Float, nullable=False, default=0.0),
    Column("doing", Text, nullable=False, default=""),
    Column("outcome", String),
    Column("reason", Text),
    Column("details", JSON),
    Index("runs_by_model", "model", "id"),
)
