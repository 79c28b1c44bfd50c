"""The tables of the watch, in the state database."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    true,
)

from monitor.adapters.database import Id, UtcTime

metadata = MetaData()

models = Table(
    "models",
    metadata,
    Column("name", String, primary_key=True),
    Column("registered_at", UtcTime, nullable=False),
    Column("paused", Boolean, nullable=False, default=False),
    Column("last_success_at", UtcTime),
    Column("last_error", Text),
    Column("last_error_at", UtcTime),
    # Revisions of its windows: who shows the newest of them reads them again when there are more.
    Column("n_judged", BigInteger, nullable=False, default=0, server_default="0"),
)

windows = Table(
    "windows",
    metadata,
    Column("model", ForeignKey("models.name"), primary_key=True),
    Column("key", String, primary_key=True),
    Column("start_at", UtcTime, nullable=False),
    Column("end_at", UtcTime, nullable=False),
    Column("first_row", BigInteger),
    Column("end_row", BigInteger),
    Column("revision", Integer, nullable=False),
    Column("n_rows", BigInteger, nullable=False),
    Column("n_labels", BigInteger, nullable=False),
    Column("n_repeated", BigInteger, nullable=False),
    Column("incident", Boolean, nullable=False),
    Column("seen_rows", BigInteger, nullable=False),
    Column("seen_labels", BigInteger, nullable=False),
    # How many labels came by which time after its end, in seconds.
    Column("lags", JSON(none_as_null=True)),
    Column("provisional", Boolean, nullable=False, server_default=true()),
    Index("windows_by_time", "model", "start_at"),
)

revisions = Table(
    "revisions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("model", ForeignKey("models.name"), nullable=False),
    Column("window_key", String, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("judged_at", UtcTime, nullable=False),
    Column("champion", Integer, nullable=False),
    Column("status", String, nullable=False),
    Column("checks", JSON, nullable=False),
    Column("share_drifted", Float),
    Column("provisional", Boolean, nullable=False),
    Column("n_rows", BigInteger, nullable=False),
    Column("n_labels", BigInteger, nullable=False),
    Column("diagnosis", String, nullable=False),
    Column("findings", JSON, nullable=False),
    Column("diagnosis_sentence", Text, nullable=False),
    Column("change", JSON(none_as_null=True)),
    Column("action", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("sentence", Text, nullable=False),
    UniqueConstraint("model", "window_key", "revision"),
)

scores = Table(
    "scores",
    metadata,
    Column("revision_id", ForeignKey("revisions.id"), nullable=False),
    Column("check", String, nullable=False),
    Column("column", String),
    Column("level", String),
    Column("kind", String),
    Column("method", String, nullable=False),
    Column("value", Float),
    Column("threshold", Float),
    Column("breach_when", String, nullable=False),
    Column("status", String, nullable=False),
    Column("n_reference", BigInteger, nullable=False),
    Column("n_current", BigInteger, nullable=False),
    Column("standard_error", Float),
    Column("reference_value", Float),
    Column("detail", Text, nullable=False),
    Column("rank", Integer),
    Index("scores_by_check", "revision_id", "check"),
)

profiles = Table(
    "profiles",
    metadata,
    Column("model", ForeignKey("models.name"), primary_key=True),
    Column("window_key", String, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("model", ForeignKey("models.name"), nullable=False),
    Column("check", String, nullable=False),
    Column("window_key", String, nullable=False),
    Column("window_start", UtcTime, nullable=False),
    Column("opened_at", UtcTime, nullable=False),
    Column("sentence", Text, nullable=False),
    Column("ended_at", UtcTime),
    Column("ended_how", String),
    Index("alerts_open", "model", "ended_at"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Id, primary_key=True),
    # An alert's message; without one it is news of a model.
    Column("alert_id", ForeignKey("alerts.id")),
    Column("model", String),
    Column("change", String, nullable=False),
    Column("channel", String, nullable=False),
    Column("title", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("next_attempt_at", UtcTime),
    Column("delivered_at", UtcTime),
    Column("attempts", Integer, nullable=False, default=0),
    Column("last_error", Text),
    Index("outbox_due", "next_attempt_at"),
)

requests = Table(
    "requests",
    metadata,
    Column("id", Id, primary_key=True),
    Column("model", ForeignKey("models.name"), nullable=False),
    Column("kind", String, nullable=False),
    Column("trigger", String, nullable=False),
    Column("why", Text, nullable=False),
    Column("window_key", String),
    # The version that a rollback is about.
    Column("version", Integer),
    Column("asked_at", UtcTime, nullable=False),
    Column("claimed_at", UtcTime),
    Column("claimed_by", String),
    # By the machine's clock: a lease is about processes, not about the rows' time.
    Column("lease_until", UtcTime),
    Column("n_claims", Integer, nullable=False, default=0, server_default="0"),
    Column("finished_at", UtcTime),
    Index("requests_open", "finished_at"),
)

probations = Table(
    "probations",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("model", String, nullable=False),
    Column("version", Integer, nullable=False),
    Column("predecessor", Integer, nullable=False),
    Column("since", UtcTime, nullable=False),
    Column("n_rows", BigInteger, nullable=False),
    Column("n_windows", Integer, nullable=False),
    Column("harm", Float),
    Column("gain", Float),
    Column("e_value", Float, nullable=False),
    Column("sentence", Text, nullable=False),
    Column("judged_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    Column("ended_how", String),
    Index("probations_by_model", "model", "id"),
)

probation_windows = Table(
    "probation_windows",
    metadata,
    Column("probation_id", ForeignKey("probations.id"), primary_key=True),
    Column("window_key", String, primary_key=True),
    Column("n_rows", BigInteger, nullable=False),
    Column("harm", Float, nullable=False),
    Column("gain", Float, nullable=False),
    Column("log_wealth", JSON, nullable=False),
)

refusals = Table(
    "refusals",
    metadata,
    Column("model", ForeignKey("models.name"), primary_key=True),
    Column("reason", String, primary_key=True),
    Column("minute_at", UtcTime, primary_key=True),
    Column("n_rows", BigInteger, nullable=False),
)

cycle_seconds = Table(
    "cycle_seconds",
    metadata,
    Column("le", Float, primary_key=True),
    Column("n", Integer, nullable=False),
    Column("seconds", Float, nullable=False),
)

cursors = Table(
    "cursors",
    metadata,
    Column("model", ForeignKey("models.name"), primary_key=True),
    Column("kind", String, primary_key=True),
    Column("source", String, primary_key=True),
    Column("place", Text, primary_key=True),
    Column("n_requests", Integer, nullable=False),
    Column("cursor", JSON),
    Column("pending", JSON),
)

collections = Table(
    "collections",
    metadata,
    Column("model", ForeignKey("models.name"), primary_key=True),
    Column("collected_at", UtcTime),
    Column("error", Text),
    Column("error_at", UtcTime),
)
