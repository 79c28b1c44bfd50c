"""The migrations against the declared tables, on real SQLite."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, inspect, text

from leeway.database import upgrade
from monitor.adapters.database import open_database
from monitor.adapters.tables import metadata as monitor_tables
from retrain.adapters.tables import metadata as retrain_tables


@pytest.fixture
def engine(tmp_path):
    """An empty database."""
    opened = open_database(tmp_path / "state.db")
    yield opened
    opened.dispose()


def declared():
    """Return the tables of both packages as one."""
    both = MetaData()
    for metadata in (monitor_tables, retrain_tables):
        for table in metadata.sorted_tables:
            table.to_metadata(both)
    return both


def contents(engine):
    with engine.connect() as connection:
        query = text("SELECT type, name, sql FROM sqlite_master ORDER BY name")
        version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return version, [tuple(row) for row in connection.execute(query)]


def test_an_upgraded_database_is_what_both_packages_declare(engine):
    upgrade(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, declared()) == []


def test_unique_and_foreign_keys_are_there_as_declared(engine):
    upgrade(engine)
    found = inspect(engine)
    for table in declared().sorted_tables:
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
    names = [t.name for m in (monitor_tables, retrain_tables) for t in m.sorted_tables]
    assert sorted(set(names)) == sorted(names)
