"""Config: leeway.yaml as one frozen value."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, FiniteFloat, PositiveInt, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from leeway.config_values import Duration, Off, Stretch, Strict
from leeway.retrain_config import RetrainConfig
from leeway.source_config import LogSourceConfig, SourceConfig
from monitor.schema import Roles, Task
from monitor.window import MONDAY


class Environment(BaseSettings):
    """What comes from the environment alone.

    Parameters
    ----------
    api_key : str or None
        ``LEEWAY_API_KEY``; guards everything but health.
    clock_file : Path or None
        ``LEEWAY_CLOCK_FILE``; a file that holds the present, to replay a history.
    supervisor : int or None
        ``LEEWAY_SUPERVISOR``; set by a server for its worker: the process to end with.
    """

    model_config = SettingsConfigDict(env_prefix="LEEWAY_", frozen=True)

    api_key: str | None = None
    clock_file: Path | None = None
    supervisor: int | None = None


class ColumnsConfig(Strict):
    """Which column is what; features that are not listed are inferred from the reference."""

    target: str
    """The label."""
    prediction: str | None = None
    """The prediction; without it Leeway trains version 1 on the reference and serves it."""
    time: str | None = None
    """Event time; without it the time of receipt."""
    id: str | None = None
    """Joins predictions with labels; without it ids are generated and returned."""
    numeric: tuple[str, ...] | None = None
    """Numeric features."""
    categorical: tuple[str, ...] | None = None
    """Categorical features."""
    dates: tuple[str, ...] | None = None
    """Features that are dates; models get their parts."""


class WindowConfig(Strict):
    """How rows are cut into windows: by event time or by count."""

    every: Stretch | None = None
    """Length of a time window, ISO 8601 (P7D)."""
    rows: int | None = Field(default=None, gt=0)
    """Rows of a row window."""
    lateness: Duration = timedelta(0)
    """How long after its end a time window waits for late rows."""
    anchor: AwareDatetime = MONDAY
    """An instant at which a time window starts."""
    min_rows: int | None = Field(default=None, ge=1)
    """Fewer rows are no data; by default half a window, at most 500."""

    @model_validator(mode="after")
    def _one_of_two(self) -> "WindowConfig":
        if (self.every is None) == (self.rows is None):
            raise ValueError("give exactly one of every (a duration) and rows (a number)")
        return self


class AlertBudgetConfig(Strict):
    """How many drift alerts without a cause are accepted."""

    alerts: float = Field(default=1.0, gt=0)
    """So many alerts ..."""
    per: Stretch | PositiveInt | None = None
    """... in this time, or in so many windows; by default 30 days, and 50 windows of rows."""


class DriftConfig(Strict):
    """When a column has drifted."""

    alert_budget: AlertBudgetConfig | Off = AlertBudgetConfig()
    """Decides where the reference has 8 windows; off, or limits below: they judge."""
    materiality: float = Field(default=0.02, ge=0, lt=0.5)
    """Least |AUC - .5| between window and reference that matters."""

    methods: Literal["evidently"] | dict[str, str] = "evidently"
    """Evidently's default choice, or a method by column; columns not named get the default."""
    thresholds: dict[str, FiniteFloat] = Field(default={})
    """Limits by column, in place of the method's own."""
    share_drifted: float = Field(default=0.5, gt=0, le=1)
    """Share of drifted columns from which the window breaches."""


class QualityConfig(Strict):
    """When a column counts as broken; see `monitor.checks.quality.QualityPolicy`.

    A share at its limit breaches, so a limit of 0 would always do.
    """

    null_jump: float = Field(default=0.1, gt=0, le=1)
    """Rise of the share of missing values over the reference's."""
    unseen: float = Field(default=0.5, gt=0, le=1)
    """Share of values the reference never had."""
    out_of_range: float = Field(default=0.05, gt=0, le=1)
    """Share of values far outside the reference's range."""
    schema_change: float = Field(default=0.01, gt=0, le=1)
    """Share of rows with a column missing, extra or of another type."""
    refused: float = Field(default=0.01, gt=0, le=1)
    """Share of the rows sent that could not be stored."""


class PerformanceConfig(Strict):
    """When performance has fallen."""

    metric: str | None = None
    """The metric that decides: roc_auc, accuracy or mae by default, by task."""
    max_drop: float = Field(default=0.03, ge=0)
    """Allowed fall: absolute for metrics in 0-1, relative for losses."""
    segments: tuple[str, ...] = ()
    """Categorical features whose levels are looked at one by one."""


class LabelsConfig(Strict):
    """When labels count."""

    horizon: Duration = timedelta(days=90)
    """Labels are joined this long after a window's end."""
    mature: float | None = Field(default=None, gt=0, le=1)
    """Share of labelled rows from which performance is final; by how late labels come, if none."""


class ModelConfig(Strict):
    """One model."""

    reference: Path
    """Training-time rows, Parquet or CSV."""
    columns: ColumnsConfig
    """Which column is what."""
    task: Task | None = None
    """binary, multiclass or regression; inferred from the target."""
    source: SourceConfig = SourceConfig(log=LogSourceConfig())
    """Where rows are collected from, besides those that are sent in."""
    window: WindowConfig = WindowConfig(every=timedelta(days=7))
    """How rows are cut."""
    on_schema_change: Literal["accept", "refuse"] = "accept"
    """What becomes of rows with missing, extra or retyped columns."""
    drift: DriftConfig = DriftConfig()
    """When a column has drifted."""
    quality: QualityConfig = QualityConfig()
    """When a column is broken."""
    performance: PerformanceConfig = PerformanceConfig()
    """When performance has fallen."""
    labels: LabelsConfig = LabelsConfig()
    """When labels count."""
    retrain: RetrainConfig = RetrainConfig()
    """When and how a new version is made."""

    def roles(self) -> Roles:
        """Return what is said about the columns."""
        return Roles(task=self.task, **self.columns.model_dump())


class NotifyConfig(Strict):
    """Who tells people."""

    via: Literal["direct", "alertmanager"] = "direct"
    """direct: Leeway sends to `to`; alertmanager: only Alertmanager sends."""
    to: tuple[str, ...] = ()
    """Apprise addresses; keep secrets in the environment: ${LEEWAY_SLACK_URL}."""
    repeat: Stretch = timedelta(days=1)
    """How long an alert that goes on is not told again."""
    promoted: tuple[Annotated[str, Field(pattern="^https?://")], ...] = ()
    """Webhooks that are told when another version becomes the champion."""


class WorkerConfig(Strict):
    """What a worker allows a retrain run."""

    lease: Stretch = timedelta(seconds=30)
    """How long a worker may be silent before its run is taken for dead."""
    time_limit: Stretch = timedelta(hours=2)
    """How long one run may take; then it has failed, and the worker is started anew."""
    memory_limit_bytes: int | None = Field(default=None, gt=0)
    """Memory one run may take beyond the worker's own; by default all there is."""


class RetentionConfig(Strict):
    """What of the prediction log is dropped: whole files, never of windows that are still open."""

    age: Stretch | None = None
    """Rows whose event is older are dropped; by default none is."""
    bytes: int | None = Field(default=None, gt=0)
    """Size of all its files from which the oldest are dropped; by default none is."""


class Config(Strict):
    """The whole of leeway.yaml."""

    models: dict[str, ModelConfig] = Field(min_length=1)
    """Models by name."""
    notify: NotifyConfig = NotifyConfig()
    """Who tells people."""
    data: Path = Path("leeway-data")
    """Folder of the database, the log and the models."""
    database: str | None = Field(default=None, pattern="^postgres(ql)?://")
    """PostgreSQL, as ${LEEWAY_DATABASE_URL}; by default SQLite in the folder."""
    log: str | None = Field(default=None, pattern="^[a-z0-9]+://")
    """Object store of the log's files, as s3://bucket/prefix; by default the folder."""
    worker: WorkerConfig = WorkerConfig()
    """What a worker allows a retrain run."""
    retention: RetentionConfig = RetentionConfig()
    """What of the prediction log is dropped."""
    imports: tuple[str, ...] = ()
    """Python modules to import: they register methods of your own with Evidently."""
    tick: Stretch = timedelta(seconds=10)
    """Time between looks at what is due."""
    max_body_bytes: int = Field(default=64 << 20, ge=1 << 16)
    """Largest body of a request, as it came and unpacked."""
    series_per_model: int = Field(default=200, ge=100)
    """Prometheus series a model may have: of many columns those that matter or moved most."""
    url: str = "http://127.0.0.1:8000"
    """Where people reach Leeway's pages; used in messages."""
