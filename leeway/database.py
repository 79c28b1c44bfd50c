"""The state database's migrations: one history for all packages' tables."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from monitor.adapters.database import exclusive
from monitor.errors import StorageError


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring a database to a revision, by default the newest; one that is there stays untouched.

    Raises
    ------
    StorageError
        If the database cannot be used.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    try:
        with engine.begin() as connection:
            exclusive(connection, "upgrade")
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
    except DBAPIError as error:
        raise StorageError(f"{engine.url.database}: {error.orig}") from error
