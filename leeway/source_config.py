"""Source config: where a model's rows are collected from, as leeway.yaml says it."""

from datetime import datetime, timedelta

from pydantic import Field, SecretStr, model_validator

from leeway.config_values import Duration, Stretch, Strict


class LogSourceConfig(Strict):
    """Rows are sent in, and nothing is collected."""


class SqlSourceConfig(Strict):
    """The rows of a query, from a cursor on."""

    url: SecretStr
    """The database, as SQLAlchemy writes it."""
    predictions: str | None = None
    """Query of the predictions beyond :cursor, in the cursor's order."""
    labels: str | None = None
    """Query of the labels beyond :cursor, in the cursor's order."""
    cursor: str
    """The column that grows."""
    start: datetime | int | float | str
    """The cursor before anything has been read."""
    batch_rows: int = Field(default=10_000, ge=1, le=1_000_000)
    """Rows that are taken in at once."""

    @model_validator(mode="after")
    def _queries(self) -> "SqlSourceConfig":
        _one_at_least(self.predictions, self.labels)
        for query in (self.predictions, self.labels):
            if query is not None and ":cursor" not in query:
                raise ValueError("each query needs `where ... > :cursor` or `>= :cursor`")
        return self


class FilesSourceConfig(Strict):
    """Files that match a pattern, each once."""

    predictions: str | None = None
    """Pattern of the predictions' files."""
    labels: str | None = None
    """Pattern of the labels' files."""
    settled: Duration = timedelta(seconds=5)
    """A file is read when it has not changed for so long."""

    @model_validator(mode="after")
    def _patterns(self) -> "FilesSourceConfig":
        _one_at_least(self.predictions, self.labels)
        return self


class PageConfig(Strict):
    """Pages are numbered."""

    parameter: str
    """Query parameter of the number."""
    size: int | None = Field(default=None, ge=1)
    """Rows of a full page; without it only an empty page tells the end."""
    first: int = Field(default=1, ge=0)
    """Number of the first page."""


class CursorFieldConfig(Strict):
    """A value of each page is sent to get the next one."""

    parameter: str
    """Query parameter of the value."""
    field: str
    """Dotted path of the value in a page."""


class HttpRowsConfig(Strict):
    """One list of rows of an API."""

    url: SecretStr
    """Address of the first page."""
    rows: str | None = None
    """Dotted path of the rows in a page; without it the page is the list."""
    next: str | None = None
    """Dotted path of the address of the next page."""
    page: PageConfig | None = None
    """Pages are numbered."""
    cursor: CursorFieldConfig | None = None
    """A value of each page leads to the next."""

    @model_validator(mode="after")
    def _one_way(self) -> "HttpRowsConfig":
        _check_address(self.url)
        if sum(way is not None for way in (self.next, self.page, self.cursor)) > 1:
            raise ValueError("give at most one of next, page and cursor")
        return self


class HttpSourceConfig(Strict):
    """A JSON API."""

    predictions: HttpRowsConfig | None = None
    """Where predictions are."""
    labels: HttpRowsConfig | None = None
    """Where labels are."""
    headers: dict[str, SecretStr] = Field(default={})
    """Sent with every request."""
    timeout: Stretch = timedelta(seconds=30)
    """How long an answer may pause."""

    @model_validator(mode="after")
    def _rows(self) -> "HttpSourceConfig":
        _one_at_least(self.predictions, self.labels)
        return self


class WebTableConfig(Strict):
    """One table of a web page."""

    url: SecretStr
    """The page."""
    table: int | None = Field(default=None, ge=0)
    """Number of the table in the page, from 0; without it and css, the first."""
    css: str | None = None
    """CSS selector of the table."""

    @model_validator(mode="after")
    def _one_way(self) -> "WebTableConfig":
        _check_address(self.url)
        if self.table is not None and self.css is not None:
            raise ValueError("give at most one of table and css")
        return self


class WebSourceConfig(Strict):
    """Tables of web pages."""

    predictions: WebTableConfig | None = None
    """Where predictions are."""
    labels: WebTableConfig | None = None
    """Where labels are."""
    delay: Duration = timedelta(seconds=1)
    """Time between two requests to a host, at least."""

    @model_validator(mode="after")
    def _tables(self) -> "WebSourceConfig":
        _one_at_least(self.predictions, self.labels)
        return self


class SourceConfig(Strict):
    """Where rows come from, besides those that are sent in."""

    every: Stretch = timedelta(minutes=1)
    """Time between two collections."""
    log: LogSourceConfig | None = None
    """Nothing is collected."""
    sql: SqlSourceConfig | None = None
    """A database."""
    files: FilesSourceConfig | None = None
    """Files."""
    http: HttpSourceConfig | None = None
    """A JSON API."""
    web: WebSourceConfig | None = None
    """Web pages."""

    @model_validator(mode="after")
    def _one_kind(self) -> "SourceConfig":
        kinds = (self.log, self.sql, self.files, self.http, self.web)
        if sum(kind is not None for kind in kinds) > 1:
            raise ValueError("give at most one of log, sql, files, http and web")
        return self


def _one_at_least(predictions: object, labels: object) -> None:
    if predictions is None and labels is None:
        raise ValueError("give predictions, labels or both")


def _check_address(url: SecretStr) -> None:
    """Refuse what is no address, without showing it: it may hold a key."""
    scheme, separator, rest = url.get_secret_value().partition("://")
    if scheme not in ("http", "https") or not separator or not rest.strip("/"):
        raise ValueError("url must begin with http:// or https:// and name a host")
