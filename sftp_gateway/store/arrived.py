"""What an upload is born with that comes from a draft; and the birth of one that is refused at the door."""

from dataclasses import replace
from typing import Any

from sftp_gateway import upload_name
from sftp_gateway.store import brands, drafts, uploads
from sftp_gateway.store.database import Transaction
from sftp_gateway.store.drafts import Entry
from sftp_gateway.upload import Mode, State


def new(row: Entry, mode: str, sha256: str, reasons: tuple[dict[str, Any], ...] = ()) -> uploads.New:
    """Tell what is known of a draft; `mode` is the brand's own."""
    return uploads.New(
        mode=mode_of(row, mode), path=row.sent, sha256=sha256, bytes=row.bytes, via="sftp", complete=False,
        received_at=row.changed_at, client=row.client, reasons=reasons,
        draft=row.id,
    )  # fmt: skip


def mode_of(row: Entry, mode: str) -> Mode:
    """Tell the mode that directory and name of a draft ask for."""
    sent = row.sent
    top = sent if sent.partition("/")[0] in upload_name.TOPS and "/" in sent else f"inbox/{sent}"
    return upload_name.mode(row.path or top, mode)


def refused(tx: Transaction, row: Entry) -> int:
    """Save a refused draft as an upload, whose id the client is told at once; the intake ends it. NotFound."""
    upload = row.upload
    if upload is None:
        own = brands.settings(tx.conn, row.brand)
        upload = uploads.insert_all(tx, row.brand, [new(row, own.mode, "")], State.UNFINISHED)[0]
    drafts.save(tx, replace(row, upload=upload))
    return upload
