"""After a start, and now and then: what processes that died had in hand. Blocks; runs before the first settling.

What was open was closed by nobody: it is `dropped`, and rests from now on. What was being claimed is
claimed once more: every step of it may be done twice.
"""

from collections.abc import Callable
from datetime import timedelta

from sftp_gateway import logs
from sftp_gateway.intake.desk import Desk
from sftp_gateway.intake.sources import unshare
from sftp_gateway.store import drafts
from sftp_gateway.store.drafts import Place

log = logs.get(__name__)


def recover(desk: Desk, replay: Callable[[], object]) -> int:
    """Free the drafts of dead processes; gives how many there were.

    `replay` brings in what they had closed and not yet told the store: after it is known who is dead,
    so that what was closed is never taken for open.
    """
    freed = 0
    left = [row for row in drafts.in_hand(desk.store, desk.area) if desk.staging.is_gone(row.owner)]
    replay()
    for row in left:
        file = desk.staging.file(row.id)
        size = file.stat().st_size if file.exists() else row.bytes
        with desk.store.write() as tx:
            settled = tx.now + timedelta(seconds=desk.rules.settle_seconds)
            if row.place is Place.CLAIMED:
                moved = drafts.move(tx, row.id, [Place.CLAIMED], place=Place.CLOSED, owner="", due_at=tx.now)
                unshare(file)
            else:
                moved = drafts.move(
                    tx, row.id, [Place.OPEN], seen=row.changed_at, place=Place.DROPPED, owner="", bytes=size,
                    sha256="", changed_at=tx.now, due_at=settled,
                )  # fmt: skip
            drafts.touch(tx, row.brand)
        if moved is not None:
            freed += 1
            log.warning("draft.interrupted", brand=row.brand, path=row.sent, draft=row.id, place=row.place, bytes=size)
    return freed
