"""What came from drop folders: which file an upload was, as long as that may lie there still after a crash."""

import sqlalchemy as sa
from msgspec import Struct

from sftp_gateway.store import tables
from sftp_gateway.store.database import Store, Transaction

VIA = "drop"
LATEST = 1000
"""So many of a brand's newest uploads are looked through for a path: no index knows paths."""

_uploads = tables.upload
_OWN = (_uploads.c.via == VIA, _uploads.c.source_upload.is_(None))
"""Not what `retry` made: that lay in no folder."""


class Known(Struct, frozen=True):
    """An upload, and the marks of its file."""

    upload: int
    bytes: int
    marks: dict[str, int]


def known(tx: Transaction, brand: str, path: str, sha256: str) -> Known | None:
    """Give the upload of these bytes that came to a path last; None if there is none, or others came there since."""
    at = (_uploads.c.brand == brand, _uploads.c.path == path, *_OWN)
    # Not by the index of brands: SQLite would take it for the order, and walk through all that the brand ever sent.
    same = (_uploads.c.sha256 == sha256, _uploads.c.brand.concat("") == brand, _uploads.c.path == path, *_OWN)
    newest = sa.select(_uploads).where(*same).order_by(_uploads.c.id.desc()).limit(1)
    row = tx.conn.execute(newest).first()
    if row is None or tx.conn.execute(sa.select(_uploads.c.id).where(*at, _uploads.c.id > row.id).limit(1)).first():
        return None
    return Known(row.id, row.bytes, row.client)


def last(store: Store, brand: str, path: str) -> str | None:
    """Give the SHA-256 of what came to a path last, if that was not long ago; empty if it was too large to be read."""
    newest = sa.select(_uploads.c.id).where(_uploads.c.brand == brand).order_by(_uploads.c.id.desc()).limit(LATEST)
    oldest = sa.select(sa.func.min(newest.subquery().c.id)).scalar_subquery()
    here = (_uploads.c.brand == brand, _uploads.c.id >= oldest, _uploads.c.path == path, *_OWN)
    found: str | None = store.scalar(sa.select(_uploads.c.sha256).where(*here).order_by(_uploads.c.id.desc()).limit(1))
    return found


def mark(store: Store, upload: int, marks: dict[str, int]) -> None:
    """Note by which marks the file of an upload is known if it lies there still."""
    with store.write() as tx:
        tx.conn.execute(sa.update(_uploads).where(_uploads.c.id == upload).values(client=marks))
