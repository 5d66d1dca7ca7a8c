"""What the intake of a process works with, and what it tells. Its steps block: they run in the threads of claim.py."""

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from sftp_gateway import settings, upload_name
from sftp_gateway.blobs import Files
from sftp_gateway.intake import answer, history
from sftp_gateway.store import arrived, claims, drafts, queue, uploads
from sftp_gateway.store.database import Store
from sftp_gateway.store.drafts import Entry
from sftp_gateway.store.staging import Staging
from sftp_gateway.upload import State

REMOVED = {
    "code": "FILE_INCOMPLETE",
    "text": "The file was never completed; a later one took its name, or it was removed",
    "suggestion": "Send the whole file again",
}


class Told(Struct):
    """What one commit did to a brand's entries, for the views and, by what was received, the worker."""

    brand: str
    changed: list[Entry] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    received: int = 0


class Desk:
    """Store, files, staging and rules of one intake."""

    def __init__(self, store: Store, blobs: Files, rules: settings.Intake) -> None:
        self.store, self.files, self.rules = store, blobs, rules
        self.staging = Staging(blobs.staging)
        self.area = self.staging.area
        self._owner = self.staging.join()
        self.owner = self._owner.token
        self.temporary = upload_name.Temporary(
            rules.temporary_prefixes, rules.temporary_suffixes, rules.temporary_patterns
        )
        self.stopping = threading.Event()
        """Set when the gateway stops, which waits for no hash of a large file."""
        self.in_hand: set[str] = set()
        """Drafts that a thread of this process is claiming; a claimed row of ours that is not here was given up."""

    def close(self) -> None:
        """Let go."""
        self._owner.close()

    def visible_until(self, now: datetime) -> datetime:
        """Tell when a name that is accepted now leaves the view."""
        return now + timedelta(seconds=self.rules.visible_after)

    def refuse(  # noqa: PLR0913 - the row, why, and what of it was taken in
        self,
        row: Entry,
        reason: dict[str, Any],
        mode: str,
        told: Told,
        *,
        sha256: str = "",
        companions: Sequence[Entry] = (),
    ) -> None:
        """Make a refused upload of a row; the row goes, and its staging file with it.

        `sha256`: its bytes are among the sources, and its name stays in the view for a while, as that of any other upload.
        """
        with self.store.write() as tx:
            queue.lock(tx, row.brand)
            now = drafts.get(tx.conn, row.id)
            if now is None:
                return  # another process of this host was faster
            upload = now.upload
            if upload is None:
                born = arrived.new(row, mode, sha256, refused=True)
                upload = uploads.insert(tx, row.brand, born, State.UNFINISHED)
                drafts.move(tx, row.id, [row.place], upload=upload)
        found = uploads.get(self.store, upload)
        made = answer.make(self.files, replace(found, state=State.REFUSED, sha256=sha256), reason)
        with self.store.write() as tx:
            history.end_refused(tx, found, made, sha256)
            until, present = self.visible_until(tx.now), drafts.get(tx.conn, row.id)
            if sha256 and present is not None and present.path is not None:
                told.changed += claims.accept(tx, [replace(present, sha256=sha256)], until)
            else:
                drafts.remove(tx, row.id)
                told.gone.append(row.id)
            for companion in companions:
                told.changed += history.spent(tx, companion, until)
            tx.touch(row.brand)
        self.staging.file(row.id).unlink(missing_ok=True)
