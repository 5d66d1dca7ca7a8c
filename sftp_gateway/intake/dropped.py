"""A file of a drop folder becomes an upload: copied, compared, received, removed. Blocks.

What was copied is compared with what is there before the original goes. The store's row comes before
the removal: a crash between leaves a file that is recognised and only removed.
"""

import contextlib
import hashlib
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sftp_gateway import logs, upload_name
from sftp_gateway.blobs import Area, Files
from sftp_gateway.intake import answer, folder
from sftp_gateway.intake.folder import Found, Look
from sftp_gateway.intake.history import end_refused
from sftp_gateway.intake.sources import mismatch
from sftp_gateway.store import brands, uploads
from sftp_gateway.store.database import Store
from sftp_gateway.upload import State

log = logs.get(__name__)


@dataclass
class Taker:
    """Takes files out of the drop folders below `folder`. `wake_worker` hears that there may be a job."""

    store: Store
    files: Files
    folder: Path
    wake_worker: Callable[[], None]
    taken: int = 0
    left: dict[Found, Look] = field(init=False, default_factory=dict)
    """Files that are in the history and nevertheless lie there: too large, or not to be removed."""
    stuck: set[Found] = field(init=False, default_factory=set)
    """Files of which it was told that they cannot be taken."""

    def forget_all_but(self, there: set[Found]) -> None:
        """Forget files that are gone."""
        for gone in self.left.keys() - there:
            del self.left[gone]
        self.stuck &= there

    def take(self, found: Found, look: Look, max_file_bytes: int) -> bool:
        """Take one file; False if it moved while it was taken."""
        scratch = self.files.scratch("drop-")
        copy = scratch / secrets.token_hex(8)
        try:
            with folder.directory(self.folder, found.brand, found.top) as directory:
                if directory is None:
                    return True
                if look.bytes > max_file_bytes:
                    self._refuse_large(found, look, max_file_bytes)
                    self.left[found] = look
                    return True
                sha256 = self._copied(directory, found, look, copy)
                if sha256 is None:
                    return False
                reason, companions = self._compared(directory, found, copy, sha256)
                self._receive(found, look, copy, sha256, reason)
                self._remove(directory, found, look)
                for name in companions:
                    with contextlib.suppress(OSError):
                        os.unlink(name, dir_fd=directory)
        finally:
            copy.unlink(missing_ok=True)
            scratch.rmdir()
        self.taken += 1
        return True

    def _copied(self, directory: int, found: Found, look: Look, copy: Path) -> str | None:
        """Copy a file and hash it; None if it moved, or may not be read: its owner may give the right any time."""
        try:
            sha256 = folder.copied(directory, found.name, look, copy)
        except PermissionError as error:
            self.tell_stuck(found, str(error))
            return None
        self.stuck.discard(found)
        return sha256

    def tell_stuck(self, found: Found, reason: str) -> None:
        """Say once that a file cannot be taken; its name may be anything."""
        if found not in self.stuck:
            log.warning("drop.stuck", brand=found.brand, path=folder.shown(found.path), reason=reason)
        self.stuck.add(found)

    def _receive(self, found: Found, look: Look, copy: Path, sha256: str, reason: dict[str, Any] | None) -> None:
        values = self._values(found, look, sha256)
        if self._was_received(found, sha256, values["client"]):
            return
        self.files.keep(Area.SOURCES, sha256, copy)
        if reason is None:
            uploads.receive(self.store, **values)
        else:
            self._refuse(values, reason)
        log.info("drop.taken", brand=found.brand, path=found.path, bytes=look.bytes, sha256=sha256)
        self.wake_worker()

    def _values(self, found: Found, look: Look, sha256: str) -> dict[str, Any]:
        own = brands.get(self.store, found.brand).settings
        return {
            "brand": found.brand, "mode": upload_name.mode(found.path, own.mode), "path": found.path,
            "sha256": sha256, "bytes": look.bytes, "via": "drop", "complete": True,
            "received_at": datetime.now(UTC), "client": {"inode": look.inode, "modified_ns": look.modified_ns},
        }  # fmt: skip

    def _refuse_large(self, found: Found, look: Look, max_file_bytes: int) -> None:
        """Refuse a file that is over the limit, once; it stays where it is, for whoever put it there."""
        values = self._values(found, look, "")
        if self._was_received(found, "", values["client"]):
            return
        log.warning("drop.too_large", brand=found.brand, path=found.path, bytes=look.bytes)
        text = f"The file has {look.bytes:,} bytes; at most {max_file_bytes:,} are taken in one file"
        self._refuse(
            values, {"code": "FILE_TOO_LARGE", "text": text, "suggestion": "Split it, or ask for a higher limit"}
        )

    def _refuse(self, values: dict[str, Any], reason: dict[str, Any]) -> None:
        with self.store.write() as tx:
            upload = uploads.insert(tx, **values, state=State.UNFINISHED)
        found = uploads.get(self.store, upload)
        made = answer.make(self.files, found, reason)
        with self.store.write() as tx:
            end_refused(tx, found, made, found.sha256)

    def _was_received(self, found: Found, sha256: str, facts: dict[str, Any]) -> bool:
        """Whether this very file was received before a crash, and only its removal is left to do."""
        return any(item.client == facts for item in uploads.same(self.store, found.brand, "drop", found.path, sha256))

    def _remove(self, directory: int, found: Found, look: Look) -> None:
        """Remove the original, unless it is another one by now."""
        try:
            if Look.of(os.stat(found.name, dir_fd=directory, follow_symlinks=False)) == look:
                os.unlink(found.name, dir_fd=directory)
        except FileNotFoundError:
            pass
        except OSError as error:
            log.warning("drop.stuck", brand=found.brand, path=found.path, reason=str(error))
            self.left[found] = look

    def _compared(
        self, directory: int, found: Found, copy: Path, sha256: str
    ) -> tuple[dict[str, Any] | None, list[str]]:
        """Compare with the checksums that lie beside the file; gives a contradiction, and their names."""
        names = []
        for path, kind in upload_name.companions(found.path).items():
            name = upload_name.base(path)
            text = folder.read(directory, name)
            if text is None:
                continue
            names.append(name)
            told = upload_name.checksum(text, kind, found.name)
            with copy.open("rb") as source:
                real = sha256 if kind == "sha256" else hashlib.file_digest(source, kind).hexdigest()
            if told != real:
                return mismatch(kind, name, told, real), names
        return None, names
