"""What Alembic runs: the revisions, on the connection and in the transaction it was given."""

from typing import Any, Literal

from alembic import context

from sftp_gateway.store import columns, tables


def render(_kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Write our moments as what they are in the database, so that a revision does not change with our code."""
    return "sa.DateTime(timezone=True)" if isinstance(item, columns.Moment) else False


columns.partial_on_postgresql()  # a revision that is written on SQLite is for both, too
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables.metadata,
    render_as_batch=True,  # SQLite alters a table by copying it
    render_item=render,
    transactional_ddl=True,  # true on SQLite too, as our transactions begin with BEGIN IMMEDIATE
)
context.run_migrations()
