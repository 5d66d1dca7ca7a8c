"""Drafts that are open while nothing moves, over connections that live on: their client forgot them, and nobody else knows.

A connection on which nothing moves at all is ended (listener.py); one that goes on with other things is not, and as long
as it has a file open that is not finished (spec §2). So somebody is told. Serves homes.py.
"""

import time
from collections.abc import Iterable

from sftp_gateway import logs
from sftp_gateway.sftp.draft import Draft
from sftp_gateway.sftp.view import View

log = logs.get(__name__)


def tell(views: Iterable[View], seconds: float) -> None:
    """Say of each draft once, until it moves again, that nothing was written to it for so long."""
    now = time.time()
    for view in views:
        for draft in view.live.values():
            moved_at = max(draft.wrote_at, draft.entry.opened_at.timestamp())
            if now - moved_at >= seconds and draft.told_of != moved_at:
                draft.told_of = moved_at
                _say(draft, now - moved_at)


def _say(draft: Draft, seconds: float) -> None:
    log.warning(
        "transfer.stuck",
        brand=draft.entry.brand,
        path=draft.entry.sent,
        draft=draft.entry.id,
        **(draft.entry.client or {}),
        bytes=draft.size,
        handles=len(draft.handles),
        seconds=round(seconds),
    )
