"""The queue of work: claimed under a lease, beaten, handed back, finished; a dead owner's job is taken over.

A token fences every job: each claim and each takeover raises it, and whoever comes with an older one
changes nothing. Leases go by the database's clock on PostgreSQL and by this host's on SQLite, where
besides the owner's process is looked at: after a crash its job is free at once.
"""

import functools
import random
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from sftp_gateway import errors
from sftp_gateway.store import columns, journal, order, queue, tables, takeover, uploads
from sftp_gateway.store.database import Store, Transaction
from sftp_gateway.store.finishing import Finish, finish
from sftp_gateway.store.queue import Kind, Place, enqueue
from sftp_gateway.store.takeover import LEASE_LIMIT_SECONDS, lost
from sftp_gateway.upload import State, Upload

__all__ = [
    "Claimed", "Finish", "Job", "Kind", "Pending", "Place",
    "beat", "claim", "enqueue", "finish", "get", "hand_back", "last_of", "lost", "pending",
]  # fmt: skip

BACKOFF_LIMIT_SECONDS = 15 * 60.0

_jobs = tables.job
_now = sa.bindparam("moment", type_=columns.Moment)
_horizon = sa.bindparam("horizon", type_=columns.Moment)
# A due moment beyond the longest back-off means that the clock was set back: then it is due now.
_DUE = sa.or_(_jobs.c.run_at <= _now, _jobs.c.run_at > _horizon)


class Claimed(Struct, frozen=True):
    """A job that is ours while the lease lasts; `upload` is None for a rollback."""

    id: int
    token: int
    attempt: int
    kind: Kind
    brand: str
    upload: Upload | None
    args: dict[str, Any]


class Job(Struct, frozen=True):
    """A job as it stands; `error` is of the last try, `result` what a release or rollback made."""

    id: int
    brand: str
    kind: Kind
    upload: int | None
    place: Place
    attempt: int
    failures: int
    takeovers: int
    owner: str | None
    run_at: datetime
    error: str | None
    result: dict[str, Any] | None
    progress: dict[str, Any] | None = None
    """`stage` and `share` (0..1) of a running job, as of its last beat."""

    @property
    def is_open(self) -> bool:
        """Whether it still waits or runs."""
        return self.place is not Place.DONE


class Pending(Struct, frozen=True):
    """How much work there is; `oldest_at`: when the longest waiting job was queued."""

    queued: int
    waiting: int
    running: int
    oldest_at: datetime | None

    @property
    def total(self) -> int:
        """Every job that is not done."""
        return self.queued + self.waiting + self.running


def claim(
    store: Store, *, owner: str, lease_seconds: float, brand: str | None = None, max_bytes: int | None = None
) -> Claimed | None:
    """Take the longest waiting job that is due, of that brand or smaller than that if said; or None.

    `owner` is `workers.me(slot)`. Its upload becomes `processing`. Jobs whose owner died or let the
    lease lapse are put back first, whoever's they are.
    """
    takeover.recover(store)
    with store.write() as tx:
        row = tx.conn.execute(
            _claiming(brand is not None, max_bytes is not None),
            {
                "moment": tx.now,
                "horizon": tx.now + timedelta(seconds=2 * BACKOFF_LIMIT_SECONDS),
                "new_owner": owner,
                "until": _lease_end(tx, lease_seconds),
                "only_brand": brand,
                "below": max_bytes,
            },
        ).first()
        if row is None:
            return None
        if row.kind == Kind.PROCESS:
            journal.move(tx, row.upload, State.PROCESSING, detail={"attempt": row.attempt}, started_at=tx.now)
        upload = uploads.find(tx.conn, row.upload) if row.upload else None
        return Claimed(row.id, row.token, row.attempt, Kind(row.kind), row.brand, upload, row.args or {})


def beat(
    store: Store, job: int, token: int, lease_seconds: float, *, progress: tuple[str, float] | None = None
) -> None:
    """Extend the lease and tell how far the work is (stage, share); LeaseLost if another worker owns the job now."""
    told = None if progress is None else {"stage": progress[0], "share": round(progress[1], 3)}
    with store.write() as tx:
        ours = takeover.ours(job, token).values(lease_until=_lease_end(tx, lease_seconds), progress=told)
        if not tx.conn.execute(ours).rowcount:
            raise errors.LeaseLost(f"job {job} was taken over")


def hand_back(  # noqa: PLR0913 - the ways a try may end
    store: Store,
    job: int,
    token: int,
    *,
    error: str = "",
    tries: int | None = 3,
    backoff_seconds: float = 5.0,
    shutdown: bool = False,
) -> State:
    """Give a job back without a result: our fault; or a world that is away (`tries` None) or a `shutdown`, which count no try.

    It keeps its place at the head and is due after a doubling back-off (jitter, at most 15 min); after
    `tries` faults the upload is `failed` and the brand's next runs. Gives RECEIVED or FAILED. LeaseLost.
    """
    with store.write() as tx:
        row = takeover.held(tx, job, token)
        is_fault = not shutdown and tries is not None
        failures = row.failures + is_fault
        if tries is not None and is_fault and failures >= tries:
            takeover.fail(tx, row, error, failures)
            return State.FAILED
        wait = 0.0 if shutdown else _backoff(failures if is_fault else row.attempt, backoff_seconds)
        again = takeover.ours(job, token).values(place=Place.QUEUED, failures=failures, error=error or None)
        tx.conn.execute(again.values(queue.FREE).values(run_at=tx.now + timedelta(seconds=wait)))
        if row.kind == Kind.PROCESS:
            detail = {"why": "shutdown" if shutdown else "fault", "error": error, "wait_seconds": round(wait, 1)}
            journal.move(tx, row.upload, State.RECEIVED, detail=detail)
            order.arrange(tx, row.brand)
        return State.RECEIVED


def get(store: Store, job: int) -> Job:
    """Give a job; NotFound."""
    row = store.first(sa.select(_jobs).where(_jobs.c.id == job))
    if row is None:
        raise errors.NotFound(f"no job {job}")
    return columns.value(row, Job)


def last_of(store: Store, upload: int) -> Job | None:
    """Give the newest job of an upload; None if it never had one."""
    query = sa.select(_jobs).where(_jobs.c.upload == upload).order_by(_jobs.c.id.desc()).limit(1)
    return next(iter(store.all(query, Job)), None)


def pending(store: Store, brand: str | None = None) -> Pending:
    """Count the work that is not done, of all brands or of one."""
    of_brand = () if brand is None else (_jobs.c.brand == brand,)
    counted = (sa.func.count().label("total"), sa.func.min(_jobs.c.queued_at).label("oldest"))
    # One statement: between two, PostgreSQL would let a job move from the one not yet counted to the one counted already.
    query = sa.union_all(
        *(
            sa.select(sa.literal(str(place)).label("place"), *counted).where(where, *of_brand)
            for place, where in (
                (Place.QUEUED, queue.IS_QUEUED),
                (Place.WAITING, queue.IS_WAITING),
                (Place.RUNNING, queue.IS_RUNNING),
            )
        )
    )
    found = {Place(row.place): row for row in store.rows(query)}
    oldest = [row.oldest for place, row in found.items() if row.oldest and place is not Place.RUNNING]
    return Pending(
        found[Place.QUEUED].total, found[Place.WAITING].total, found[Place.RUNNING].total, min(oldest, default=None)
    )


@functools.cache
def _claiming(one_brand: bool, small: bool) -> sa.sql.dml.ReturningUpdate[Any]:
    first = sa.select(_jobs.c.id).where(queue.IS_QUEUED, _DUE).order_by(_jobs.c.id).limit(1)
    if one_brand:
        first = first.where(_jobs.c.brand == sa.bindparam("only_brand"))
    if small:
        first = first.where(_jobs.c.bytes < sa.bindparam("below"))
    return (
        sa.update(_jobs)
        .where(_jobs.c.id == first.with_for_update(skip_locked=True).scalar_subquery())
        .values(
            place=Place.RUNNING,
            owner=sa.bindparam("new_owner"),
            lease_until=sa.bindparam("until"),
            attempt=_jobs.c.attempt + 1,
            token=_jobs.c.token + 1,
        )
        .returning(
            _jobs.c.id, _jobs.c.token, _jobs.c.attempt, _jobs.c.kind, _jobs.c.brand, _jobs.c.upload, _jobs.c.args
        )
    )


def _lease_end(tx: Transaction, lease_seconds: float) -> datetime:
    if not 0 < lease_seconds <= LEASE_LIMIT_SECONDS:
        raise ValueError(f"a lease of {lease_seconds} s")
    return tx.now + timedelta(seconds=lease_seconds)


def _backoff(tries: int, first_seconds: float) -> float:
    jitter = random.uniform(0.9, 1.1)  # noqa: S311 - spreads retries, guards no secret
    return min(first_seconds * 2.0 ** min(tries - 1, 60), BACKOFF_LIMIT_SECONDS) * jitter
