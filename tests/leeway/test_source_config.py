"""What leeway.yaml may say of a source, and what it says when that is wrong."""

from datetime import UTC, datetime, timedelta
from threading import Event

import pytest

from leeway.config_file import load_config
from leeway.source_config import SourceConfig
from leeway.sources import Builder
from monitor.errors import ConfigError

SQL = "url: 'sqlite:///shop.db', cursor: at, start: 2026-01-01T00:00:00Z"
QUERY = "predictions: 'select * from t where at > :cursor order by at'"
SECRET = "hunter2hunter2"


@pytest.fixture
def load(tmp_path):
    """Load a file with this `source` section."""

    def loaded(source: str) -> SourceConfig:
        file = tmp_path / "leeway.yaml"
        file.write_text(
            "models: {late: {reference: ref.parquet, columns: {target: y}, source: " + source + "}}"
        )
        return load_config(file).models["late"].source

    return loaded


def test_rows_are_sent_in_where_no_source_is_named(load):
    assert load("{log: {}}").log is not None
    assert load("{every: PT5M}").every == timedelta(minutes=5)


def test_a_time_to_start_from_is_read_as_one(load):
    assert load(f"{{sql: {{{SQL}, {QUERY}}}}}").sql.start == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("{sqll: {}}", "source.sqll"),
        ("{log: {path: x}}", "source.log.path"),
        (f"{{sql: {{{SQL}, {QUERY}, querry: x}}}}", "source.sql.querry"),
        ("{files: {predictions: a, pattern: b}}", "source.files.pattern"),
        ("{http: {predictions: {url: 'http://a', pages: 3}}}", "source.http.predictions.pages"),
        ("{web: {labels: {url: 'http://a', tables: 3}}}", "source.web.labels.tables"),
    ],
)
def test_an_unknown_key_is_refused_with_its_path(load, source, path):
    with pytest.raises(ConfigError, match="unknown key") as refused:
        load(source)
    assert refused.value.path == f"models.late.{path}"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{log: {}, files: {predictions: a}}", "at most one of log, sql, files, http and web"),
        ("{files: {}}", "give predictions, labels or both"),
        (f"{{sql: {{{SQL}}}}}", "give predictions, labels or both"),
        (f"{{sql: {{{SQL}, labels: select 1}}}}", "each query needs `where ... > :cursor`"),
        ("{http: {labels: {url: shop}}}", "url must begin with http:// or https://"),
        ("{http: {labels: {url: 'http://a', next: n, page: {parameter: p}}}}", "at most one of"),
        ("{web: {labels: {url: 'http://a', table: 1, css: b}}}", "at most one of table and css"),
        ("{every: PT0S}", "should be greater than"),
    ],
)
def test_what_cannot_be_is_refused(load, source, expected):
    with pytest.raises(ConfigError, match=expected):
        load(source)


@pytest.mark.parametrize(
    "source",
    [
        "{http: {labels: {url: '${SHOP}'}}}",
        "{web: {labels: {url: '${SHOP}'}}}",
        "{http: {labels: {url: ['${SHOP}']}}}",
        "{sql: {url: '${SHOP}', cursor: at, start: 1, " + QUERY + "}}",
    ],
)
def test_a_wrong_address_is_refused_without_being_shown(load, monkeypatch, tmp_path, source):
    monkeypatch.setenv("SHOP", f"shop:{SECRET}@host")

    def build() -> None:
        load(source)
        config = load_config(tmp_path / "leeway.yaml")
        Builder(tmp_path / "leeway.yaml", Event()).sources(config)

    with pytest.raises(ConfigError) as refused:
        build()
    assert SECRET not in str(refused.value)


def test_the_address_of_a_database_is_relative_to_the_file(load, tmp_path):
    load(f"{{sql: {{{SQL}, {QUERY}}}}}")
    config = load_config(tmp_path / "leeway.yaml")
    (stream,) = Builder(tmp_path / "leeway.yaml", Event()).sources(config)["late"].streams
    assert stream.source.url.database == str(tmp_path / "shop.db")
