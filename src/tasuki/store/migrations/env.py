"""Runs the migrations on the connection that `tasuki.store.migrate` hands over, inside its transaction."""

from alembic import context

from tasuki.store.schema import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"], version_table=VERSION_TABLE, transactional_ddl=True
)
with context.begin_transaction():
    context.run_migrations()
