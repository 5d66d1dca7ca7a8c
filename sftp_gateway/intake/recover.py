"""After a start, and now and then: what processes that died had in hand. Blocks; runs before the first settling.

What was open was closed by nobody: it is `dropped`, and rests from now on. What was being claimed is
claimed once more: every step of it may be done twice. So is what this process claimed and could not finish.
"""

from collections.abc import Callable
from datetime import timedelta

from sftp_gateway import errors, logs
from sftp_gateway.intake.desk import Desk
from sftp_gateway.store import drafts
from sftp_gateway.store.drafts import Entry, Place

log = logs.get(__name__)


class _InHand(Exception):
    """Somebody of this process has it in hand after all."""


def recover(desk: Desk, replay: Callable[[], object]) -> int:
    """Free the drafts of dead processes, and what was given up here; gives how many there were.

    `replay` brings in what they had closed and not yet told the store: after it is known who is dead,
    so that what was closed is never taken for open.
    """
    freed = 0
    left = [row for row in drafts.in_hand(desk.store, desk.area) if _is_left(desk, row)]
    replay()
    for row in left:
        try:
            moved = _free(desk, row)
        except _InHand:
            continue
        except (OSError, errors.NotFound, errors.Unavailable) as error:
            # No room for a copy; a brand that is erased just now, or that somebody holds: that one alone.
            log.warning("draft.postponed", brand=row.brand, path=row.sent, draft=row.id, reason=str(error))
            if isinstance(error, errors.Unavailable):
                desk.store.ping()  # or the store is away for all of them
            continue
        if moved is not None:
            freed += 1
            log.warning(
                "draft.interrupted", brand=row.brand, path=row.sent, draft=row.id, place=row.place, bytes=moved.bytes
            )
    return freed


def _is_left(desk: Desk, row: Entry) -> bool:
    if row.owner == desk.owner:
        return row.place is Place.CLAIMED and row.id not in desk.in_hand
    return desk.staging.is_gone(row.owner)


def _free(desk: Desk, row: Entry) -> Entry | None:
    file = desk.staging.file(row.id)
    size = file.stat().st_size if file.exists() else row.bytes
    with desk.store.write() as tx:
        if row.place is Place.CLAIMED:
            moved = drafts.move(tx, row.id, [Place.CLAIMED], place=Place.CLOSED, owner="", due_at=desk.store.now())
            if row.id in desk.in_hand:  # claimed anew: whoever claims says so before its row does
                raise _InHand
        else:
            moved = drafts.move(
                tx, row.id, [Place.OPEN], seen=row.changed_at, place=Place.DROPPED, owner="", bytes=size,
                sha256="", changed_at=tx.now, due_at=tx.now + timedelta(seconds=desk.rules.settle_seconds),
            )  # fmt: skip
        tx.touch(row.brand)
    return moved
