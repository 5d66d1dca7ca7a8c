"""What the journals of dead processes say is brought into the store, at a start and now and then. Blocks.

A record whose number is above the one in the store never became a row: it becomes one. Of every record
the bytes are compared with the staging file, as long as the row still means those bytes: after a power cut
the file may be shorter, or not there. All of it may be done twice, so a death in the middle is one more start.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterable
from pathlib import Path

from sftp_gateway import disk, logs
from sftp_gateway.blobs import sync_directory
from sftp_gateway.sftp import journal
from sftp_gateway.sftp.record import Record, read
from sftp_gateway.sftp.unwritten import create
from sftp_gateway.store import drafts
from sftp_gateway.store.database import Store, Transaction
from sftp_gateway.store.drafts import Entry, Place
from sftp_gateway.store.staging import Staging

log = logs.get(__name__)


def replay(store: Store, staging: Staging) -> int:
    """Bring in what dead processes of this host left; gives how many records became rows. Unavailable, DiskFull."""
    journals: dict[str, list[Path]] = {}
    for path in sorted(journal.folder_of(staging).iterdir()):
        journals.setdefault(path.name.partition(".")[0], []).append(path)
    return sum(_replay_one(store, staging, name, paths) for name, paths in journals.items())


def _replay_one(store: Store, staging: Staging, name: str, paths: list[Path]) -> int:
    with contextlib.ExitStack() as held:
        try:
            for path in paths:
                descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
                held.callback(os.close, descriptor)
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not os.fstat(descriptor).st_nlink:
                    return 0  # another one was quicker; what has this name by now is of a process that lives
            records = [record for path in paths for record in read(path.read_bytes())]
        except (BlockingIOError, FileNotFoundError):
            return 0  # its process lives, or another one is at it
        brought = _bring_in(store, staging, name, sorted(records, key=lambda record: record.number))
        for path in paths:
            path.unlink(missing_ok=True)
        sync_directory(journal.folder_of(staging))
        with store.write() as tx:
            drafts.forget_journal(tx, name)
    return brought


def _bring_in(store: Store, staging: Staging, name: str, records: list[Record]) -> int:
    with store.read() as conn:
        seen = drafts.journaled(conn, name)
        rows = {record.entry.id: drafts.get(conn, record.entry.id) for record in records}
    latest = {record.entry.id: record for record in records}
    # Bytes before rows: whoever sees a row finds them.
    for id_, record in latest.items():
        if record.number > seen or _still_means(rows[id_], record.entry):
            _restore(staging.file(id_), record.data)
    sync_directory(staging.folder)
    missing = [record for record in records if record.number > seen]
    if missing:
        with store.write() as tx:
            _save(tx, (record.entry for record in missing))
            drafts.set_journaled(tx, name, missing[-1].number)
        log.warning("journal.replayed", journal=name, drafts=len(missing))
    return len(missing)


def _save(tx: Transaction, entries: Iterable[Entry]) -> None:
    brands = set()
    for entry in entries:
        drafts.save_all(tx, [entry])  # one by one: a name may have been closed twice
        brands.add(entry.brand)
    for brand in drafts.living(tx, brands):
        tx.touch(brand)


def _still_means(row: Entry | None, entry: Entry) -> bool:
    # By its bytes alone: a rename gives the row another moment, and syncs nothing.
    return (
        row is not None
        and row.place in {Place.CLOSED, Place.CLAIMED}
        and (row.bytes, row.sha256) == (entry.bytes, entry.sha256)
    )


def _restore(file: Path, data: bytes) -> None:
    """Have exactly these bytes in a staging file, on the disk. It may be a blob, too, which nobody writes into."""
    if not (file.exists() and file.read_bytes() == data):
        file.unlink(missing_ok=True)
        os.close(create(file, data))
    disk.sync_path(file)
