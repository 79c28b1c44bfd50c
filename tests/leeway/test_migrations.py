"""The migrations against the declared tables, on SQLite and PostgreSQL."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, inspect, text

from leeway.database import upgrade
from monitor.adapters.database import open_database
from monitor.adapters.log_tables import metadata as log_tables
from monitor.adapters.tables import metadata as monitor_tables
from retrain.adapters.tables import metadata as retrain_tables


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request, tmp_path):
    """An empty database."""
    where = tmp_path / "state.db"
    if request.param == "postgresql":
        where = request.getfixturevalue("postgres").create(tmp_path.name)
    opened = open_database(where)
    yield opened
    opened.dispose()


def declared(engine):
    """Return the tables of both packages as one; on SQLite the log has its own database."""
    both = MetaData()
    shared = [log_tables] if engine.dialect.name == "postgresql" else []
    for metadata in (monitor_tables, retrain_tables, *shared):
        for table in metadata.sorted_tables:
            table.to_metadata(both)
    return both


def contents(engine):
    found = inspect(engine)
    with engine.connect() as connection:
        version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return version, {
        (name, column["name"], str(column["type"]))
        for name in found.get_table_names()
        for column in found.get_columns(name)
    }


def test_an_upgraded_database_is_what_both_packages_declare(engine):
    upgrade(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, declared(engine)) == []


def test_unique_and_foreign_keys_are_there_as_declared(engine):
    upgrade(engine)
    found = inspect(engine)
    for table in declared(engine).sorted_tables:
        foreign = {(c, f.column.table.name) for c in table.columns for f in c.foreign_keys}
        there = {
            (table.c[column], key["referred_table"])
            for key in found.get_foreign_keys(table.name)
            for column in key["constrained_columns"]
        }
        assert there == foreign, table.name
        primary = [column.name for column in table.primary_key.columns]
        assert found.get_pk_constraint(table.name)["constrained_columns"] == primary, table.name


def test_upgrading_again_changes_nothing(engine):
    upgrade(engine)
    before = contents(engine)
    upgrade(engine)
    assert contents(engine) == before


def test_no_table_is_declared_twice():
    every = (monitor_tables, retrain_tables, log_tables)
    names = [table.name for metadata in every for table in metadata.sorted_tables]
    assert sorted(set(names)) == sorted(names)


def test_windows_of_before_are_provisional_as_they_were_last_judged(engine):
    upgrade(engine, "0010")
    week = "2026-01-05 00:00:00"
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO models (name, registered_at, paused) VALUES ('m', :at, :no)"),
            {"at": week, "no": False},
        )
        for key, revision in (("early", 1), ("late", 2)):
            connection.execute(
                text(
                    "INSERT INTO windows (model, key, start_at, end_at, revision, n_rows, n_labels, "
                    "n_repeated, incident, seen_rows, seen_labels) "
                    "VALUES ('m', :key, :at, :at, :revision, 9, 9, 0, :no, 9, 9)"
                ),
                {"key": key, "at": week, "revision": revision, "no": False},
            )
            for number in range(1, revision + 1):
                connection.execute(
                    text(
                        "INSERT INTO revisions (model, window_key, revision, judged_at, champion, "
                        "status, checks, provisional, n_rows, n_labels, diagnosis, findings, "
                        "diagnosis_sentence, action, reason, sentence) VALUES ('m', :key, :number, "
                        ":at, 1, 'OK', '{}', :early, 9, 9, 'none', '[]', '', 'none', '', '')"
                    ),
                    {"key": key, "number": number, "at": week, "early": number == 1},
                )
    upgrade(engine)
    with engine.connect() as connection:
        found = connection.execute(text("SELECT key, provisional, lags FROM windows ORDER BY key"))
        assert [(key, bool(early), lags) for key, early, lags in found] == [
            ("early", True, None),
            ("late", False, None),
        ]
