"""Receives a file at most once per key that its sender chose: for clients that send again when an answer was lost."""

from dataclasses import replace
from datetime import timedelta

import sqlalchemy as sa

from sftp_gateway.store import queue, tables, uploads
from sftp_gateway.store.database import Store, Transaction
from sftp_gateway.upload import Upload

REMEMBERED = timedelta(hours=24)
_uploads = tables.upload


def receive(store: Store, key: str, brand: str, new: uploads.New, by: str) -> tuple[Upload, bool]:
    """Receive a file that came by HTTP; True if it is new, False if this key (of the last 24 h) already has one.

    Look and insert hold the brand's turn, so that of two at the same time one wins. An empty key is
    always new. Raises NotFound for an unknown brand.
    """
    with store.write() as tx:
        queue.lock(tx, brand)
        if key:
            if (seen := _seen(tx, brand, key)) is not None:
                return uploads.find(tx.conn, seen), False
            new = replace(new, client={**(new.client or {}), "idempotency_key": key})
        return uploads.find(tx.conn, uploads.insert(tx, brand, new, by=by)), True


def _seen(tx: Transaction, brand: str, key: str) -> int | None:
    """Find the upload of a key that is still remembered."""
    first = sa.select(_uploads.c.id).where(
        _uploads.c.brand == brand,
        _uploads.c.received_at >= tx.now - REMEMBERED,
        _uploads.c.client["idempotency_key"].as_string() == key,
    )
    return tx.conn.execute(first.limit(1)).scalar()
