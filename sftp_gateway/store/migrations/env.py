"""What Alembic runs: the revisions, on the connection and in the transaction it was given."""

from alembic import context

from sftp_gateway.store import tables

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables.metadata,
    render_as_batch=True,  # SQLite alters a table by copying it
    transactional_ddl=True,  # true on SQLite too, as our transactions begin with BEGIN IMMEDIATE
)
context.run_migrations()
