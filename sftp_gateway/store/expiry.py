"""Forgets the bytes of what is past its time; the history rows stay. Blobs are retention's to delete."""

import contextlib
from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa

from sftp_gateway import errors
from sftp_gateway.store import erasing, queue, tables, workers
from sftp_gateway.store.database import Store
from sftp_gateway.store.files import Folder
from sftp_gateway.upload import FINAL, State

_uploads, _files, _versions, _jobs, _mails = tables.upload, tables.file, tables.version, tables.job, tables.mail
RESULT_FOLDERS = [Folder.ERRORS, Folder.RECEIPTS, Folder.API, Folder.INTERNAL]
BATCH = 1000


def sources(store: Store, before: datetime) -> int:
    """Give up the source bytes of uploads received before then; those still to be decided on keep theirs."""
    old = (
        sa.select(_uploads.c.id)
        # By those that are not over: SQLite would take the others' index, and walk through the whole history.
        .where(
            _uploads.c.received_at < before, _uploads.c.source_kept, _uploads.c.state.not_in(sorted(set(State) - FINAL))
        )
        .limit(BATCH)
    )
    return _in_batches(store, sa.update(_uploads).where(_uploads.c.id.in_(old)).values(source_kept=False))


def results(store: Store, before: datetime) -> int:
    """Take error files, receipts and other results made before then off the lists; who has to decide still looks at them."""
    waiting = sa.select(tables.withheld.c.upload)
    over = _uploads.c.state.in_(sorted(FINAL)) & _uploads.c.id.not_in(waiting)
    old = (
        sa.select(_files.c.id)
        .outerjoin(_uploads, _uploads.c.id == _files.c.upload)
        .where(_files.c.created_at < before, _files.c.folder.in_([str(folder) for folder in RESULT_FOLDERS]))
        .where(sa.or_(_files.c.upload.is_(None), over))
        .limit(BATCH)
    )
    return _in_batches(store, sa.delete(_files).where(_files.c.id.in_(old)))


def versions(store: Store, keep: int) -> int:
    """Give up the files of all but the last `keep` versions of each brand; the current one always stays.

    So does one that a rollback which waits for its turn is to bring back.
    """
    brands = tables.brand
    is_wanted = sa.exists().where(
        _jobs.c.brand == _versions.c.brand,
        _jobs.c.kind == queue.Kind.ROLLBACK,
        _jobs.c.place != queue.Place.DONE,
        _jobs.c.args["number"].as_integer() == _versions.c.number,
    )
    old = sa.select(_versions.c.brand, _versions.c.number, _versions.c.changes_csv).where(
        _versions.c.file.is_not(None),
        _versions.c.brand == brands.c.name,
        _versions.c.number <= brands.c.current_version - max(keep, 1),
        ~is_wanted,
    )
    found = store.rows(old)
    for row in found:
        with contextlib.suppress(errors.NotFound), store.write() as tx:  # erased since it was read
            queue.lock(tx, row.brand)
            this = (_versions.c.brand == row.brand, _versions.c.number == row.number)
            emptied = sa.update(_versions).where(*this, ~is_wanted).values(file=None, changes_csv=None)
            if not tx.conn.execute(emptied).rowcount:
                continue
            listed = (_files.c.brand == row.brand, _files.c.folder == Folder.CATALOG, _files.c.blob == row.changes_csv)
            tx.conn.execute(sa.delete(_files).where(*listed))
            tx.mark_dirty(row.brand)
    return len(found)


def traces(store: Store, before: datetime) -> None:
    """Forget finished jobs, processes and mails of long ago; what they did stands in the events."""
    old = sa.select(_jobs.c.id).where(_jobs.c.place == queue.Place.DONE, _jobs.c.queued_at < before).limit(BATCH)
    _forget(store, _jobs, old)
    _forget(store, _mails, _past_mails(before).limit(BATCH))
    workers.prune(store, before)


def _past_mails(before: datetime) -> sa.Select[tuple[int]]:
    """Give the mails that are over, but for each brand's last one that nothing came: the silence may still go on."""
    silences = sa.select(sa.func.max(_mails.c.id)).where(_mails.c.occasion.like("overdue:%")).group_by(_mails.c.brand)
    past = (_mails.c.created_at < before, _mails.c.due_at.is_(None), _mails.c.id.not_in(silences))
    return sa.select(_mails.c.id).where(*past)


def referenced(store: Store, area: str, names: Iterable[str]) -> set[str]:
    """Give those names of an area that a row refers to."""
    with store.read() as conn:
        return {name for _, name in erasing.referenced(conn, ((area, name) for name in names))}


def _forget(store: Store, table: sa.Table, old: sa.Select[tuple[int]]) -> None:
    """Delete rows a batch at a time; looked for before, as SQLite walks through all of them, while others want to write."""
    while True:
        if found := [id_ for (id_,) in store.rows(old)]:
            with store.write() as tx:
                tx.conn.execute(sa.delete(table).where(table.c.id.in_(found)))
        if len(found) < BATCH:
            return


def _in_batches(store: Store, change: sa.Update | sa.Delete) -> int:
    """Change rows a batch at a time, so that no upload waits long for its commit."""
    total = 0
    while True:
        with store.write() as tx:
            done = tx.conn.execute(change).rowcount
        total += done
        if done < BATCH:
            return total
