"""A file of a drop folder becomes an upload: copied, compared, received, removed. Blocks.

What was copied is compared with what is there before the original goes. The store's row comes before
the removal: a crash between leaves a file that is recognised, by the marks that the row keeps, and only
removed; so is one that two processes, or two hosts, copied at the same time.
"""

import contextlib
import os
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sftp_gateway import errors, logs, upload_name
from sftp_gateway.blobs import Area, Files
from sftp_gateway.intake import answer, folder
from sftp_gateway.intake.folder import Found, Look
from sftp_gateway.intake.history import end_refused
from sftp_gateway.intake.sources import digest, mismatch
from sftp_gateway.store import brands, dropped, queue, uploads
from sftp_gateway.store.database import Store, Transaction
from sftp_gateway.upload import State

log = logs.get(__name__)


@dataclass
class Taker:
    """Takes files out of the drop folders below `folder`; of several brands at a time, and of each by one thread.

    `wake_worker` hears that there may be a job.
    """

    store: Store
    files: Files
    folder: Path
    wake_worker: Callable[[], None]
    stopping: threading.Event = field(init=False, default_factory=threading.Event)
    """Set when the gateway stops: a copy may take minutes, and comes at the next start."""
    left: dict[Found, Look] = field(init=False, default_factory=dict)
    """What lies there with nothing to be done about it: in the history, but too large or not to be removed; companions
    that wait for their file."""
    stuck: set[Found] = field(init=False, default_factory=set)
    """Files of which it was told that they cannot be taken."""
    _copies: dict[Found, Path] = field(init=False, default_factory=dict)
    """The copies under way."""

    def copied_bytes(self, found: Found) -> int:
        """Tell how much of a file there is a copy of on our disk by now."""
        with contextlib.suppress(KeyError, FileNotFoundError):
            return self._copies[found].stat().st_size
        return 0

    def forget(self, is_gone: Callable[[Found], bool]) -> None:
        """Forget files that are gone; files of other brands may be taken at the same time."""
        for gone in filter(is_gone, list(self.left)):
            self.left.pop(gone, None)
        for gone in filter(is_gone, list(self.stuck)):
            self.stuck.discard(gone)

    def take(self, found: Found, look: Look, max_file_bytes: int) -> bool:
        """Take one file; False if it moved while it was taken, or the gateway stops."""
        scratch = self.files.scratch("drop-")
        copy = self._copies[found] = scratch / secrets.token_hex(8)
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
                upload = self._receive(found, look, copy, sha256, reason)
                # Before their file: one that outlived it would speak of the next.
                for name in companions:
                    with contextlib.suppress(OSError):
                        os.unlink(name, dir_fd=directory)
                self._remove(directory, found, look, upload)
        finally:
            self._copies.pop(found, None)  # another look may have taken it beside this one
            copy.unlink(missing_ok=True)
            scratch.rmdir()
        return True

    def hear(self, found: Found, look: Look, about: tuple[str, str]) -> bool:
        """Remove a companion that came after its file was taken: it says nothing of the next one. Others wait for that."""
        sha256 = dropped.last(self.store, found.brand, about[0])
        with folder.directory(self.folder, found.brand, found.top) as directory:
            if directory is None:
                return False
            if sha256 is not None and self._speaks_of(directory, found.name, about, sha256):
                with contextlib.suppress(OSError):
                    os.unlink(found.name, dir_fd=directory)
        self.left[found] = look
        return True

    def _copied(self, directory: int, found: Found, look: Look, copy: Path) -> str | None:
        """Copy a file and hash it; None if it moved, or may not be read: its owner may give the right any time."""
        try:
            sha256 = folder.copied(directory, found.name, look, copy, self.stopping.is_set)
        except PermissionError as error:
            self.tell_stuck(found, str(error))
            return None
        self.stuck.discard(found)
        return sha256

    def _compared(
        self, directory: int, found: Found, copy: Path, sha256: str
    ) -> tuple[dict[str, Any] | None, list[str]]:
        """Compare a file with the checksums that lie beside it; gives the first contradiction, and the names of all companions."""
        names, reason = [], None
        marker = brands.get(self.store, found.brand).settings.marker
        for path, kind in upload_name.companions(found.path, marker).items():
            name = upload_name.base(path)
            text = folder.read(directory, name)
            if text is None:
                continue
            names.append(name)
            if kind == "marker" or reason is not None:
                continue
            told = upload_name.checksum(text, kind, found.name)
            real = sha256 if kind == "sha256" else digest(copy, kind, self.stopping.is_set)
            if told != real:
                reason = mismatch(kind, name, told, real)
        return reason, names

    def _speaks_of(self, directory: int, companion: str, about: tuple[str, str], sha256: str) -> bool:
        """Whether a companion speaks of this file, which was taken before it came; a marker does, whatever the bytes."""
        path, kind = about
        if kind == "marker":
            return True
        told = upload_name.checksum(folder.read(directory, companion) or "", kind, upload_name.base(path))
        if told is None or not sha256 or kind == "sha256":
            return told is not None and told == sha256
        try:
            with self.files.local(Area.SOURCES, sha256) as blob:
                return told == digest(blob, kind, self.stopping.is_set)
        except errors.NotFound:  # its bytes are kept no longer
            return False

    def tell_stuck(self, found: Found, reason: str) -> None:
        """Say once that a file cannot be taken; its name may be anything."""
        if found not in self.stuck:
            log.warning("drop.stuck", brand=found.brand, path=folder.shown(found.path), reason=reason)
        self.stuck.add(found)

    def _receive(self, found: Found, look: Look, copy: Path, sha256: str, reason: dict[str, Any] | None) -> int:
        """Make an upload of the copy, unless a crash left it received; gives its id."""
        self.files.keep(Area.SOURCES, sha256, copy)
        upload = self._insert(found, look, sha256, State.RECEIVED if reason is None else State.UNFINISHED)
        log.info("drop.taken", brand=found.brand, path=found.path, bytes=look.bytes, sha256=sha256)
        if reason is not None:
            self._refuse(upload, reason)
        self.wake_worker()
        return upload

    def _insert(self, found: Found, look: Look, sha256: str, state: State) -> int:
        """Make an upload of a file, unless one that died, drains or is on another host did: then give that."""
        mode = upload_name.mode(found.path, brands.get(self.store, found.brand).settings.mode)
        new = uploads.New(
            mode, found.path, sha256, look.bytes, dropped.VIA, complete=True, received_at=datetime.now(UTC),
            client=look.marks(), refused=state is State.UNFINISHED,
        )  # fmt: skip
        with self.store.write() as tx:
            queue.lock(tx, found.brand)
            return self._received(tx, found, look, sha256) or uploads.insert(tx, found.brand, new, state)

    def _refuse_large(self, found: Found, look: Look, max_file_bytes: int) -> None:
        """Refuse a file that is over the limit, once; it stays where it is, for whoever put it there."""
        if found in self.left and look.has_bytes_of(self.left[found]):
            return
        log.warning("drop.too_large", brand=found.brand, path=found.path, bytes=look.bytes)
        upload = self._insert(found, look, "", State.UNFINISHED)
        text = f"The file has {look.bytes:,} bytes; at most {max_file_bytes:,} are taken in one file"
        self._refuse(
            upload, {"code": "FILE_TOO_LARGE", "text": text, "suggestion": "Split it, or ask for a higher limit"}
        )

    def _refuse(self, upload: int, reason: dict[str, Any]) -> None:
        """Refuse an upload, unless that was done before a crash."""
        found = uploads.get(self.store, upload)
        if found.state is not State.UNFINISHED:
            return
        made = answer.make(self.files, found, reason)
        with self.store.write() as tx:
            end_refused(tx, found, made, found.sha256)

    @staticmethod
    def _received(tx: Transaction, found: Found, look: Look, sha256: str) -> int | None:
        """Give the upload that this very file is: received already, and only its removal is left to do."""
        known = dropped.known(tx, found.brand, found.path, sha256)
        if known is None or not known.marks or known.bytes != look.bytes:
            return None
        return known.upload if known.marks.items() <= look.marks().items() else None

    def _remove(self, directory: int, found: Found, look: Look, upload: int) -> None:
        """Remove the original, unless it is another one by now."""
        try:
            present = Look.of(os.stat(found.name, dir_fd=directory, follow_symlinks=False))
            if present == look:
                os.unlink(found.name, dir_fd=directory)
            elif present.has_bytes_of(look):  # its rights were changed: at the next look it goes
                dropped.mark(self.store, upload, look.lasting_marks())
                return
        except FileNotFoundError:
            pass
        except OSError as error:
            log.warning("drop.stuck", brand=found.brand, path=found.path, reason=str(error))
            dropped.mark(self.store, upload, look.lasting_marks())
            self.left[found] = look
            return
        # By all that it was known by: with the time of its inode, no later file is taken for this one.
        dropped.mark(self.store, upload, look.marks())
