"""Receives a file at most once per key that its sender chose: for clients that send again when an answer was lost."""

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from sftp_gateway.store import queue, tables, uploads
from sftp_gateway.store.database import Store, Transaction
from sftp_gateway.upload import Mode, Upload

REMEMBERED = timedelta(hours=24)
_uploads = tables.upload


def receive(  # noqa: PLR0913 - what is known of a file that arrived
    store: Store,
    key: str,
    *,
    brand: str,
    mode: Mode,
    path: str,
    sha256: str,
    bytes: int,  # noqa: A002 - the word of the receipt
    client: dict[str, Any],
) -> tuple[Upload, bool]:
    """Receive a file that came by HTTP; True if it is new, False if this key (of the last 24 h) already has one.

    Look and insert hold the brand's turn, so that of two at the same time one wins. An empty key is
    always new. Raises NotFound for an unknown brand.
    """
    with store.write() as tx:
        queue.lock(tx, brand)
        if key:
            if (seen := _seen(tx, brand, key)) is not None:
                return uploads.find(tx.conn, seen), False
            client = client | {"idempotency_key": key}
        made = uploads.insert(
            tx,
            brand=brand,
            mode=mode,
            path=path,
            sha256=sha256,
            bytes=bytes,
            via="http",
            complete=True,
            received_at=tx.now,
            client=client,
            by=f"token:{client['token']}" if client.get("token") else "gateway",
        )
        return uploads.find(tx.conn, made), True


def _seen(tx: Transaction, brand: str, key: str) -> int | None:
    """Find the upload of a key that is still remembered."""
    first = sa.select(_uploads.c.id).where(
        _uploads.c.brand == brand,
        _uploads.c.received_at >= tx.now - REMEMBERED,
        _uploads.c.client["idempotency_key"].as_string() == key,
    )
    return tx.conn.execute(first.limit(1)).scalar()
