"""What an upload is born with that comes from a draft; and the birth of one that is refused at the door."""

from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from msgspec.structs import replace

from sftp_gateway import upload_name
from sftp_gateway.store import brands, drafts, queue, tables, uploads
from sftp_gateway.store.database import Transaction
from sftp_gateway.store.drafts import Entry
from sftp_gateway.upload import Mode, State

REPEATED_AFTER = timedelta(hours=1)
"""A client that tries what is refused again and again has a row of the history this often."""
MOST_REFUSALS = 100
"""So many rows, of different files, a brand may have for one reason within that time; the log has them all."""

_uploads = tables.upload


def new(
    row: Entry, mode: str, sha256: str = "", reasons: tuple[dict[str, Any], ...] = (), *, refused: bool = False
) -> uploads.New:
    """Tell what is known of a draft; `mode` is the brand's own."""
    return uploads.New(
        mode=mode_of(row, mode), path=row.sent, sha256=sha256, bytes=row.bytes, via="sftp", complete=False,
        received_at=row.changed_at, client=row.client, reasons=reasons,
        draft=row.id, replaced=row.path is None, refused=refused,
    )  # fmt: skip


def mode_of(row: Entry, mode: str) -> Mode:
    """Tell the mode that directory and name of a draft ask for."""
    return upload_name.mode(row.path or place_of(row.sent), mode)


def place_of(sent: str) -> str:
    """Give the path in the view of what was sent as this."""
    return sent if sent.partition("/")[0] in upload_name.TOPS and "/" in sent else f"inbox/{sent}"


def refused(tx: Transaction, row: Entry) -> int | None:
    """Save a refused draft as an upload, whose id the client is told at once; the intake ends it. NotFound.

    The same that was refused a short while ago stands under that id; None: too many are refused for this reason now.
    """
    upload = row.upload
    if upload is None:
        own = brands.settings(tx.conn, row.brand)
        queue.lock(tx, row.brand)
        lately = _lately(tx, row)
        if row.sent in lately or len(lately) >= MOST_REFUSALS:
            drafts.remove(tx, row.id)
            return lately.get(row.sent)
        born = new(row, own.mode, "", (row.reason,) if row.reason else (), refused=True)
        upload = uploads.insert(tx, row.brand, born, State.UNFINISHED)
    drafts.save(tx, replace(row, upload=upload))
    return upload


def _lately(tx: Transaction, row: Entry) -> dict[str, int]:
    """Give what was refused at the door for the same reason a short while ago: name → upload."""
    code = row.reason["code"] if row.reason else ""
    lately = _uploads.c.received_at > row.changed_at - REPEATED_AFTER
    query = sa.select(_uploads.c.path, _uploads.c.id).where(
        _uploads.c.brand == row.brand,
        _uploads.c.state.in_([State.UNFINISHED, State.REFUSED]),
        # Without it all that was ever refused is looked at, for each try of a client that tries for ever.
        _uploads.c.id.in_(sa.select(_uploads.c.id).where(lately)),
        _uploads.c.via == "sftp",
        _uploads.c.sha256 == "",
        _uploads.c.reasons[0]["code"].as_string() == code,
    )
    return {str(path): int(upload) for path, upload in tx.conn.execute(query)}
