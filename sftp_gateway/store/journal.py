"""The one place where the state of an upload changes.

A change is a step of `upload.TRANSITIONS`, its event row, its log line and its job, in one transaction.

What holds after every commit: an upload is `received` or `processing` if and only if it has exactly
one job of kind `process` that is not done.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from sftp_gateway import errors
from sftp_gateway.store import queue, tables
from sftp_gateway.store.database import Transaction
from sftp_gateway.upload import State, may_move

_uploads = tables.upload
_ID = _uploads.c.id == sa.bindparam("upload_id")
_STANDING = (
    sa.select(_uploads.c.brand, _uploads.c.state, _uploads.c.bytes, _uploads.c.name).where(_ID).with_for_update()
)
_MOVE = sa.update(_uploads).where(_ID)
_NOTE = sa.insert(tables.event)


def move(
    tx: Transaction,
    upload: int,
    target: State,
    *,
    by: str = "gateway",
    detail: dict[str, Any] | None = None,
    **fields: Any,
) -> None:
    """Take an upload to its next state; `fields` are columns that change with it.

    Entering `received` from anywhere but `processing` puts it at the end of the brand's queue.
    Raises WrongState for a step the table does not list, NotFound.
    """
    row = tx.conn.execute(_STANDING, {"upload_id": upload}).first()
    if row is None:
        raise errors.NotFound(f"no upload {upload}")
    current = State(row.state)
    if not may_move(current, target):
        raise errors.WrongState(f"upload {upload} is {current}: it cannot become {target}")
    if target is State.RECEIVED and current is not State.PROCESSING:
        size = fields.get("bytes", row.bytes)
        job = queue.enqueue(tx, row.brand, queue.Kind.PROCESS, upload=upload, size=size)
        if current is State.RECEIVING:
            fields["arrival"] = job
    tx.conn.execute(_MOVE, {"upload_id": upload, "state": str(target), **fields})
    note(tx, row.brand, f"upload.{target}", upload=upload, by=by, detail={"previous": str(current)} | (detail or {}))


def note(  # noqa: PLR0913 - the columns of an event
    tx: Transaction,
    brand: str,
    event: str,
    *,
    upload: int | None = None,
    by: str = "gateway",
    detail: dict[str, Any] | None = None,
) -> None:
    """Append an event row, emit it as a log line after the commit, have the home rendered."""
    note_all(tx, brand, event, [(upload, detail)], by=by)


def note_all(
    tx: Transaction,
    brand: str,
    event: str,
    happened: Sequence[tuple[int | None, dict[str, Any] | None]],
    *,
    by: str = "gateway",
) -> None:
    """Note the same event for several uploads, each with its detail."""
    tx.conn.execute(
        _NOTE,
        [
            {"brand": brand, "upload": upload, "at": tx.now, "event": event, "by": by, "detail": detail}
            for upload, detail in happened
        ],
    )
    for upload, detail in happened:
        tx.emit(event, brand=brand, **({"upload": upload} if upload else {}), by=by, **(detail or {}))
    tx.mark_dirty(brand)
