"""The order of work of each brand: one head (`queued` or `running`), the rest `waiting`.

Only the head can be claimed, so no claim ever looks at a backlog, and a partial unique index makes a
second head impossible.
"""

import enum
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from sftp_gateway import errors
from sftp_gateway.store import tables
from sftp_gateway.store.database import Transaction

_jobs, _brands = tables.job, tables.brand


class Kind(enum.StrEnum):
    """What a job does: an upload; a release of withheld removals; a rollback (args: `number`)."""

    PROCESS = "process"
    RELEASE = "release"
    ROLLBACK = "rollback"


class Place(enum.StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"


# Literals, not parameters: only then does the planner know that a partial index answers.
IS_HEAD = _jobs.c.place.in_([sa.literal_column("'queued'"), sa.literal_column("'running'")])
IS_QUEUED = _jobs.c.place == sa.literal_column("'queued'")
IS_WAITING = _jobs.c.place == sa.literal_column("'waiting'")
IS_RUNNING = _jobs.c.place == sa.literal_column("'running'")

FREE: dict[str, Any] = {"owner": None, "lease_until": None}
"""What a job has that nobody works on."""

_OF = _jobs.c.brand == sa.bindparam("of_brand")
_INSERT = sa.insert(_jobs).returning(_jobs.c.id, sort_by_parameter_order=True)
_BRAND = sa.select(_brands.c.name).where(_brands.c.name == sa.bindparam("of_brand"))
# Not FOR UPDATE: that one also keeps out every new row that belongs to the brand, and a front door that saves one
# while it holds rows the holder of the turn wants would wait for ever.
_LOCK = _BRAND.with_for_update(key_share=True)
_TRY_LOCK = _BRAND.with_for_update(key_share=True, skip_locked=True)
_LOCK_WHOLE = _BRAND.with_for_update()
_OPEN = sa.select(sa.exists().where(_OF, IS_HEAD).label("head"), sa.exists().where(_OF, IS_WAITING).label("waiting"))
_LARGEST = sa.select(sa.func.max(tables.version.c.file_bytes)).where(
    tables.version.c.brand == sa.bindparam("of_brand"), tables.version.c.file.is_not(None)
)
_PROMOTE = (
    sa.update(_jobs)
    .where(_jobs.c.id == sa.select(sa.func.min(_jobs.c.id)).where(_OF, IS_WAITING).scalar_subquery())
    .values(place=Place.QUEUED)
)


def lock(tx: Transaction, brand: str) -> None:
    """Take the brand's turn until the commit (PostgreSQL: row lock; SQLite: BEGIN IMMEDIATE did); NotFound."""
    if tx.conn.execute(_LOCK, {"of_brand": brand}).first() is None:
        raise errors.NotFound(f"no brand {brand!r}")


def try_lock(tx: Transaction, brand: str) -> bool:
    """As `lock`, but wait for nobody; False if somebody has the turn or there is no such brand."""
    return tx.conn.execute(_TRY_LOCK, {"of_brand": brand}).first() is not None


def lock_whole(tx: Transaction, brand: str) -> None:
    """As `lock`, and no row of the brand is made until the commit: for whoever erases it."""
    if tx.conn.execute(_LOCK_WHOLE, {"of_brand": brand}).first() is None:
        raise errors.NotFound(f"no brand {brand!r}")


def enqueue(  # noqa: PLR0913 - the columns of a job
    tx: Transaction,
    brand: str,
    kind: str,
    *,
    upload: int | None = None,
    args: dict[str, Any] | None = None,
    size: int | None = None,
) -> int:
    """Put a job at the end of the brand's queue; `size` in bytes decides which slots may take it.

    None, where versions are what it reads: the size of the largest that is kept.
    """
    if size is None:
        size = tx.conn.execute(_LARGEST, {"of_brand": brand}).scalar() or 0
    return enqueue_all(tx, brand, kind, [(upload, size)], args=args)[0]


def enqueue_all(
    tx: Transaction,
    brand: str,
    kind: str,
    work: Sequence[tuple[int | None, int]],
    *,
    args: dict[str, Any] | None = None,
) -> list[int]:
    """Put jobs at the end of the brand's queue, one for each (upload, size); gives their ids, in this order."""
    lock(tx, brand)
    standing = tx.conn.execute(_OPEN, {"of_brand": brand}).one()
    free = not standing.head and not standing.waiting
    rows = [
        {
            "brand": brand,
            "kind": str(kind),
            "upload": upload,
            "bytes": size,
            "args": args,
            "place": Place.QUEUED if free and number == 0 else Place.WAITING,
            **dict.fromkeys(("attempt", "failures", "takeovers", "token"), 0),
            **dict.fromkeys(("queued_at", "run_at"), tx.now),
        }
        for number, (upload, size) in enumerate(work)
    ]
    jobs = [int(job) for job in tx.conn.execute(_INSERT, rows).scalars()]
    if standing.waiting and not standing.head:
        promote(tx, brand)
    return jobs


def promote(tx: Transaction, brand: str) -> None:
    """Make the brand's longest waiting job its head; the caller holds the brand and left no head (see `order.advance`)."""
    tx.conn.execute(_PROMOTE, {"of_brand": brand})
