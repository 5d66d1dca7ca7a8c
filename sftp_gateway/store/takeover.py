"""What becomes of jobs whose worker did not end them: taken over, put back, or given up."""

import contextlib
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from sftp_gateway import errors, receipt
from sftp_gateway.store import journal, order, queue, tables, workers
from sftp_gateway.store.database import Store, Transaction
from sftp_gateway.store.queue import Kind, Place
from sftp_gateway.upload import State

LEASE_LIMIT_SECONDS = 3600.0
TAKEOVERS_LIMIT = 20

_jobs = tables.job
_RUNNING = sa.select(_jobs.c.id, _jobs.c.brand, _jobs.c.token, _jobs.c.owner, _jobs.c.lease_until).where(
    queue.IS_RUNNING
)


def recover(store: Store) -> None:
    """Put back the jobs of dead owners and lapsed leases; a look at the few that run costs no lock."""
    with store.read() as conn:
        running = conn.execute(_RUNNING).all()
        if not running:
            return
        now = Transaction(conn, store.clock).now
    for row in running:
        if _is_over(row.lease_until, now) or workers.is_gone(row.owner):
            _take_over(store, row)


def _is_over(lease_until: datetime, now: datetime) -> bool:
    """Whether the lease lapsed; one longer than any that is given means the clock was set back."""
    return lease_until < now or lease_until > now + timedelta(seconds=2 * LEASE_LIMIT_SECONDS)


def _take_over(store: Store, seen: Any) -> None:
    with store.write() as tx:
        row = _at_rest(tx, seen)
        if row is None:
            return
        takeovers = row.takeovers + 1
        if takeovers > TAKEOVERS_LIMIT:
            fail(tx, row, f"its workers died {takeovers} times", row.failures)
            return
        again = ours(seen.id, seen.token).values(place=Place.QUEUED, takeovers=takeovers, token=_jobs.c.token + 1)
        tx.conn.execute(again.values(queue.FREE))
        if row.kind == Kind.PROCESS:
            journal.move(tx, row.upload, State.RECEIVED, detail={"why": "taken_over", "takeovers": takeovers})
            order.arrange(tx, row.brand)
        detail = {"job": seen.id, "owner": seen.owner, "takeovers": takeovers}
        journal.note(tx, row.brand, "job.taken_over", upload=row.upload, detail=detail)


def _at_rest(tx: Transaction, seen: Any) -> Any:
    """Give a job that is as it was seen; None if it is not, or somebody holds it or its brand: the next claim looks again.

    Every claim of every host comes by here, so it waits for nobody: the holder may be frozen.
    """
    if not queue.try_lock(tx, seen.brand):
        return None
    return tx.conn.execute(
        _running(seen.id, seen.token).where(_jobs.c.lease_until == seen.lease_until).with_for_update(skip_locked=True)
    ).first()


def held(tx: Transaction, job: int, token: int) -> Any:
    """Give a running job under this token, with its brand's turn held; LeaseLost."""
    brand = tx.conn.execute(sa.select(_jobs.c.brand).where(_jobs.c.id == job)).scalar()
    if brand is not None:
        with contextlib.suppress(errors.NotFound):  # erased since then, and the job with it
            queue.lock(tx, brand)
    row = tx.conn.execute(_running(job, token).with_for_update()).first()
    if row is None:
        raise errors.LeaseLost(f"job {job} was taken over")
    return row


def _running(job: int, token: int) -> sa.Select[Any]:
    return sa.select(_jobs).where(_jobs.c.id == job, _jobs.c.token == token, queue.IS_RUNNING)


def fail(tx: Transaction, row: Any, error: str, failures: int) -> None:
    """Free the brand of a job we cannot do: the upload is `failed`, we must act."""
    over = ours(row.id, row.token).values(place=Place.DONE, failures=failures, error=error, token=_jobs.c.token + 1)
    tx.conn.execute(over.values(queue.FREE))
    if row.kind == Kind.PROCESS:
        text = f"We could not process this file; the fault is ours and we look into it ({error})."
        detail = {"error": error, "attempt": row.attempt}
        reasons = [receipt.reason("gateway_fault", text)]
        # What was found before it was approved is not what became of it.
        told: dict[str, Any] = {"reasons": reasons, "receipt": None, "findings": None}
        journal.move(tx, row.upload, State.FAILED, detail=detail, finished_at=tx.now, **told)
    else:
        journal.note(tx, row.brand, "job.failed", upload=row.upload, detail={"kind": row.kind, "error": error})
    order.advance(tx, row.brand)


def lost(store: Store, job: int, error: str) -> None:
    """Note that what was made for a job comes too late and is thrown away; NotFound if it was erased with its brand."""
    with store.write() as tx:
        row = tx.conn.execute(sa.select(_jobs.c.brand, _jobs.c.upload).where(_jobs.c.id == job)).first()
        if row is None:
            raise errors.NotFound(f"job {job} is gone")
        queue.lock(tx, row.brand)
        journal.note(tx, row.brand, "job.lease_lost", upload=row.upload, detail={"job": job, "error": error})


def ours(job: int, token: int) -> sa.Update:
    """Give the update of a running job that hits no row once somebody else owns it."""
    return sa.update(_jobs).where(_jobs.c.id == job, _jobs.c.token == token, queue.IS_RUNNING)
