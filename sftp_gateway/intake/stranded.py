"""Drafts of a host that is gone for good, which would keep their names for ever. Blocks.

A host that lives says so of what it has open long before `abandoned_after` is over, and ends what is closed in time. What
it left for longer becomes `unfinished` and loses its name; its bytes stay where they are, and should the host come back
they are taken in from there (closed ones) or refused in time.
"""

from datetime import datetime, timedelta
from typing import Any

from sftp_gateway import receipt, upload_name
from sftp_gateway.brand import BrandSettings
from sftp_gateway.intake.desk import Desk, Told
from sftp_gateway.store import arrived, brands, drafts, queue, unfinished, uploads
from sftp_gateway.store.database import Transaction
from sftp_gateway.store.drafts import Entry, Place
from sftp_gateway.upload import State, Upload

SIGNS = 4
"""Signs of life within `abandoned_after`."""
PATIENCE = 2
"""Times that what a living host would have ended is left to it."""
AWAY = receipt.reason(
    "FILE_INCOMPLETE", "The host of the gateway that was receiving this file is away, and its bytes with it"
)


def say_alive(desk: Desk, now: datetime) -> None:
    """Renew the rows of what living processes of this host have open for long."""
    before = now - timedelta(seconds=desk.rules.abandoned_after / SIGNS)
    rows = [row for row in drafts.in_hand(desk.store, desk.area) if row.place is Place.OPEN and row.changed_at < before]
    if alive := [row for row in rows if not desk.staging.is_gone(row.owner)]:
        with desk.store.write() as tx:
            for row in alive:
                unfinished.renew(tx, row, now)


def left(desk: Desk, now: datetime) -> list[Entry]:
    """Give what hosts left that are gone."""
    bound = timedelta(seconds=desk.rules.abandoned_after)
    return unfinished.of_others(desk.store, desk.area, now - bound, now - PATIENCE * bound)


def give_up(desk: Desk, row: Entry) -> Told:
    """Free the name of a draft, and have it stand in the history as unfinished. NotFound if its brand is erased."""
    told = Told(row.brand)
    with desk.store.write() as tx:
        queue.lock(tx, row.brand)
        own = brands.settings(tx.conn, row.brand)
        values: dict[str, Any] = {"path": None}
        if row.place in {Place.OPEN, Place.DROPPED}:
            values |= {"place": Place.DROPPED, "owner": "", "due_at": None}
        moved = drafts.move(tx, row.id, [row.place], seen=row.changed_at, **values)
        if moved is None:
            return told  # it lives, or another host was faster
        if row.upload is None and _is_no_upload(desk, row, own):
            drafts.remove(tx, row.id)
            told.gone.append(row.id)
        else:
            told.changed += filter(None, [drafts.move(tx, row.id, [moved.place], upload=_shown(tx, row, own))])
        tx.touch(row.brand)
    return told


def is_of_host_away(upload: Upload) -> bool:
    """Whether it lost its name because its host was away, and not to a later file."""
    return any(reason["text"] == AWAY["text"] for reason in upload.reasons)


def _is_no_upload(desk: Desk, row: Entry, own: BrandSettings) -> bool:
    name = row.path or f"inbox/{row.sent}"
    return name in desk.temporary or upload_name.subject(name, own.marker) is not None


def _shown(tx: Transaction, row: Entry, own: BrandSettings) -> int:
    """Give the upload as which it is unfinished."""
    if row.upload is None:
        return uploads.insert(tx, row.brand, arrived.new(row, own.mode, reasons=(AWAY,)), State.UNFINISHED)
    if uploads.find(tx.conn, row.upload).state is State.RECEIVING:
        uploads.move(tx, row.upload, State.UNFINISHED, reasons=[AWAY], detail={"draft": row.id})
    return row.upload
