"""How Alembic runs: on the connection it is handed."""

from alembic import context

from monitor.adapters.tables import metadata as monitor_tables
from retrain.adapters.tables import metadata as retrain_tables

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=[monitor_tables, retrain_tables],
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
