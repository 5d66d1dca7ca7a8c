"""What monitors read: the queue, the last publish, and what uploads came to. Reads only."""

import threading
from bisect import bisect_left
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from msgspec import structs

from sftp_gateway import receipt
from sftp_gateway.metrics import Labels, Series
from sftp_gateway.store import brands, jobs, tables, workers
from sftp_gateway.store.database import Store
from sftp_gateway.upload import State

OUTCOMES = frozenset(State) - {State.RECEIVING, State.RECEIVED, State.PROCESSING}
"""States an upload comes to rest in, for good or until somebody acts."""

OF_JOBS = {"job.taken_over": "lease_takeovers_total", "job.lease_lost": "fenced_publishes_total"}
COUNTED = (*sorted(f"upload.{state}" for state in OUTCOMES), *OF_JOBS)

BUCKETS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
"""Upper limits, in seconds, of the histogram of stages."""

ALIVE_SECONDS = 30
BATCH = 500
OVERLAP = timedelta(seconds=60)
"""On PostgreSQL a lower id may be committed after a higher one; a transaction is never open longer than this."""

_events, _uploads, _versions = tables.event, tables.upload, tables.version


def standing(store: Store) -> Series:
    """Tell the queue, by place, and the ages of its oldest job and of the last publish."""
    queue, now = jobs.pending(store), store.now()
    depth = {"queued": queue.queued, "waiting": queue.waiting, "running": queue.running}
    series: Series = {("queue_depth", (("state", place),)): count for place, count in depth.items()}
    published_at = store.scalar(sa.select(sa.func.max(_versions.c.created_at)))
    ages = {"queue_oldest_age_seconds": queue.oldest_at or now, "publish_age_seconds": published_at}
    return series | {(name, ()): max(0.0, (now - at).total_seconds()) for name, at in ages.items() if at}


def status(store: Store, only: str | None = None) -> dict[str, Any]:
    """Give queue, live processes and brands as JSON; `only`: what concerns one brand."""
    queue = jobs.pending(store, only)
    live = [] if only else workers.alive(store, within_seconds=ALIVE_SECONDS)
    seen = [brands.get(store, only)] if only else brands.all_brands(store)
    return {
        "queue": structs.asdict(queue) | {"oldest_at": receipt.moment(queue.oldest_at)},
        "processes": [
            {"host": it.host, "pid": it.pid, "roles": it.roles, "at": receipt.moment(it.beat_at)} for it in live
        ],
        "brands": [{"name": it.name, "enabled": it.enabled, "version": it.current_version or None} for it in seen],
    }


TRANSPORTS = ("sftp", "http", "drop", "cli")
RESULTS = ("accepted", "rejected", "duplicates")
STAGES = ("read", "check", "diff", "publish", "total")


def _noughts() -> Series:
    """Give every counter there can be, at 0: one that is born at 1 never rose, as a monitor sees it."""
    series: Series = {(name, ()): 0 for name in OF_JOBS.values()}
    for transport in TRANSPORTS:
        series |= {("uploads_total", (("outcome", one), ("transport", transport))): 0 for one in sorted(OUTCOMES)}
        series["upload_bytes_total", (("transport", transport),)] = 0
    series |= {("rows_total", (("result", result),)): 0 for result in RESULTS}
    for stage in STAGES:
        name, label = "stage_duration_seconds", ("stage", stage)
        series |= {(f"{name}_bucket", (label, ("le", str(limit)))): 0 for limit in (*BUCKETS, "+Inf")}
        series |= {(f"{name}_{part}", (label,)): 0 for part in ("sum", "count")}
    return series


class Tally:
    """Counts what uploads came to since it was made, by following the event log.

    So every process that serves /metrics counts the same, whichever process or host did the work.
    Thread-safe.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._counted: Counter[tuple[str, Labels]] = Counter(_noughts())
        self._seen: dict[int, datetime] = {}
        self._floor: int = store.scalar(sa.select(sa.func.max(_events.c.id))) or 0

    def series(self) -> Series:
        """Count what is new, then give all counters."""
        with self._lock:
            after, rows = self._floor, self._page(self._floor)
            while rows:
                for row in rows:
                    if row.id not in self._seen:
                        self._seen[row.id] = row.at
                        self._count(row)
                after = rows[-1].id
                rows = self._page(after) if len(rows) == BATCH else []
            self._forget()
            return dict(self._counted)

    def _page(self, after: int) -> list[Any]:
        query = (
            sa.select(_events.c.id, _events.c.at, _events.c.event, _events.c.detail)
            .add_columns(_uploads.c.via, _uploads.c.bytes, _uploads.c.receipt)
            .outerjoin(_uploads, _uploads.c.id == _events.c.upload)
            .where(_events.c.event.in_(COUNTED), _events.c.id > after)
        )
        return self._store.rows(query.order_by(_events.c.id).limit(BATCH))

    def _count(self, row: Any) -> None:
        if row.event in OF_JOBS:
            self._counted[OF_JOBS[row.event], ()] += 1
            return
        if (row.detail or {}).get("refused"):
            return  # not at rest: it is refused at the door, and that is the event that comes next
        transport = ("transport", row.via)
        self._counted["uploads_total", (("outcome", row.event.removeprefix("upload.")), transport)] += 1
        if not row.receipt or (row.detail or {}).get("previous") != State.PROCESSING:
            return  # no work was done for this event: a person refused it, or a newer file came
        self._counted["upload_bytes_total", (transport,)] += row.bytes
        for result in RESULTS:
            self._counted["rows_total", (("result", result),)] += row.receipt["rows"][result]
        for stage, seconds in row.receipt["seconds"].items():
            if not seconds:
                continue  # the file did not get so far, or needed no such stage
            name, label = "stage_duration_seconds", ("stage", stage)
            for limit in (*BUCKETS[bisect_left(BUCKETS, seconds) :], "+Inf"):
                self._counted[f"{name}_bucket", (label, ("le", str(limit)))] += 1
            self._counted[f"{name}_sum", (label,)] += seconds
            self._counted[f"{name}_count", (label,)] += 1

    def _forget(self) -> None:
        """Keep only what a late commit may still be mixed with."""
        settled = [number for number, at in self._seen.items() if at < self._store.now() - OVERLAP]
        self._floor = max([self._floor, *settled])
        self._seen = {number: at for number, at in self._seen.items() if number > self._floor}
