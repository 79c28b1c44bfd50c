"""How Alembic runs: on the connection it is handed."""

from alembic import context

from monitor.adapters.database import POSTGRESQL
from monitor.adapters.log_tables import metadata as log_tables
from monitor.adapters.tables import metadata as monitor_tables
from retrain.adapters.tables import metadata as retrain_tables

connection = context.config.attributes["connection"]
# On SQLite the prediction log has a database of its own, which it makes itself.
with_log = [log_tables] if connection.dialect.name == POSTGRESQL else []

context.configure(
    connection=connection,
    target_metadata=[monitor_tables, retrain_tables, *with_log],
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
