"""INSERT … ON CONFLICT, as the engine at hand has it. PostgreSQL's part of the library is loaded for such a store alone."""

import functools
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite


def into(table: sa.Table, dialect: str) -> Any:
    """Begin a statement that inserts into a table, and takes `on_conflict_do_update` or `…_nothing`."""
    if dialect == "sqlite":
        return sqlite.insert(table)
    # Here and not above: it takes 40 ms, in which no verb on SQLite gets on.
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - see above

    return postgresql.insert(table)


@functools.cache
def replacing(table: sa.Table, dialect: str) -> Any:
    """Give the statement that inserts whole rows, or puts them in the place of those with the same key."""
    made, key = into(table, dialect), list(table.primary_key)
    changed = {column.name: made.excluded[column.name] for column in table.c if column not in key}
    return made.on_conflict_do_update(index_elements=key, set_=changed)
