"""Sources: what leeway.yaml says of one model's source, put together."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import httpx
import sqlalchemy as sa
from pydantic import SecretStr
from sqlalchemy.exc import ArgumentError

from leeway.config import Config, ModelConfig
from leeway.source_config import (
    HttpRowsConfig,
    HttpSourceConfig,
    SourceConfig,
    SqlSourceConfig,
    WebSourceConfig,
    WebTableConfig,
)
from monitor.adapters.sources.fetch import Fetch
from monitor.adapters.sources.files import FilesSource
from monitor.adapters.sources.http import (
    CursorField,
    HttpSource,
    NextLink,
    OnePage,
    PageNumber,
    Paging,
)
from monitor.adapters.sources.sql import SqlSource
from monitor.adapters.sources.web import Manners, WebSource
from monitor.batch import RowKind
from monitor.collection import Collected, World
from monitor.collector import Collector, Sources
from monitor.errors import ConfigError
from monitor.intake import Predict
from monitor.ports import Source, Stream
from retrain.serving import Serving

Predictor = Callable[[str], tuple[int, Predict] | None]

SECOND = timedelta(seconds=1)
MIN_SECRET = 4
"""Shorter values of a query are no secrets, and hiding them would spoil every message."""


def collector_of(file: Path, config: Config, world: World) -> Collector:
    """Return what collects from the sources of all models.

    Raises
    ------
    ConfigError
        If a source cannot be what leeway.yaml says.
    """
    closing = threading.Event()
    sources = Builder(file, closing).sources(config)
    return Collector(sources, world, time.monotonic, closing)


def predictor_of(config: Config, serving: Serving) -> Predictor:
    """Return what finds the champion that predicts rows; none where the model is elsewhere."""

    def find(model: str) -> tuple[int, Predict] | None:
        if config.models[model].columns.prediction is not None:
            return None
        served = serving.champion(model)
        return served.version, served.columns

    return find


@dataclass(frozen=True)
class Builder:
    """Puts the sources of a deployment together.

    Parameters
    ----------
    file : Path
        leeway.yaml; paths in it are relative to its folder.
    closing : threading.Event
        Ends every pause when the process ends.
    """

    file: Path
    closing: threading.Event
    _manners: Manners = field(init=False)

    def __post_init__(self) -> None:
        # One for all models: a host sees one visitor.
        object.__setattr__(self, "_manners", Manners(Fetch(pause=self.closing.wait)))

    def sources(self, config: Config) -> dict[str, Sources]:
        """Return the sources of every model that has one, by model."""
        found = {name: self._sources(name, model) for name, model in config.models.items()}
        return {name: sources for name, sources in found.items() if sources.streams}

    def _sources(self, name: str, model: ModelConfig) -> Sources:
        streams = [
            Collected(Stream(name, kind, label), source, model.on_schema_change == "refuse")
            for kind in (RowKind.PREDICTION, RowKind.LABEL)
            for label, source in self._of_kind(name, model.source, kind)
        ]
        return Sources(streams, model.source.every / SECOND, frozenset(_secrets(model.source)))

    def _of_kind(
        self, name: str, source: SourceConfig, kind: RowKind
    ) -> Iterator[tuple[str, Source]]:
        """Yield the one source of a kind of rows, with its name in the cursors."""
        asked = f"{kind}s"
        if source.sql is not None and (query := getattr(source.sql, asked)):
            yield "sql", self._sql(name, source.sql, query)
        if source.files is not None and (pattern := getattr(source.files, asked)):
            place = pattern if "://" in pattern else str(self.file.parent / pattern)
            yield "files", FilesSource(place, source.files.settled / SECOND)
        if source.http is not None and (rows := getattr(source.http, asked)):
            yield _named("http", rows.url), self._http(source.http, rows)
        if source.web is not None and (table := getattr(source.web, asked)):
            yield _named("web", table.url), self._web(source.web, table)

    def _sql(self, name: str, sql: SqlSourceConfig, query: str) -> SqlSource:
        try:
            url = sa.make_url(sql.url.get_secret_value())
        except (ArgumentError, ValueError):
            raise ConfigError(
                str(self.file),
                f"models.{name}.source.sql.url",
                "expected a database as SQLAlchemy writes it: dialect://user:password@host/name",
            ) from None
        if url.drivername == "postgresql":
            url = url.set(drivername="postgresql+psycopg")  # the driver that [postgres] brings
        if url.get_backend_name() == "sqlite" and url.database:
            url = url.set(database=str(self.file.parent / url.database))
        return SqlSource(url, query, sql.cursor, sql.start, sql.batch_rows)

    def _http(self, http: HttpSourceConfig, rows: HttpRowsConfig) -> HttpSource:
        headers = {name: one.get_secret_value().strip() for name, one in http.headers.items()}
        fetch = Fetch(headers, http.timeout / SECOND, self.closing.wait)
        return HttpSource(rows.url.get_secret_value(), rows.rows or "", _paging(rows), fetch)

    def _web(self, web: WebSourceConfig, table: WebTableConfig) -> WebSource:
        which = table.css if table.css is not None else table.table or 0
        return WebSource(table.url.get_secret_value(), which, web.delay / SECOND, self._manners)


def _paging(rows: HttpRowsConfig) -> Paging:
    if rows.next is not None:
        return NextLink(rows.next)
    if rows.page is not None:
        return PageNumber(**rows.page.model_dump())
    return CursorField(**rows.cursor.model_dump()) if rows.cursor is not None else OnePage()


def _named(kind: str, url: SecretStr) -> str:
    """Name a source by its address without its query, which may hold a key that changes."""
    plain = httpx.URL(url.get_secret_value()).copy_with(username=None, password=None, query=None)
    return f"{kind}-{hashlib.sha256(str(plain).encode()).hexdigest()[:12]}"


def _secrets(source: SourceConfig) -> Iterator[str]:
    """Yield what messages must not show: passwords, header values, values of queries."""
    if source.sql is not None:
        yield from _secrets_of_url(source.sql.url.get_secret_value())
    if source.http is not None:
        for value in source.http.headers.values():
            # Of `Bearer abc` the whole is one, and so is abc.
            words = value.get_secret_value().split()
            yield from filter(None, (" ".join(words), *words[-1:]))
    for one in (source.http, source.web):
        for rows in (one.predictions, one.labels) if one is not None else ():
            yield from _secrets_of_url(rows.url.get_secret_value()) if rows is not None else ()


def _secrets_of_url(url: str) -> Iterator[str]:
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL:
        return
    raw = parts.userinfo.decode().partition(":")[2]
    yield from filter(None, (parts.password, raw))
    yield from (value for _, value in parts.params.multi_items() if len(value) >= MIN_SECRET)
