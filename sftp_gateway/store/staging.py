"""The directory where drafts' bytes lie, on this host, and which of the processes that use it live.

A row of a draft means something only where its staging file is: an id begins with the id of its
directory. A process that has drafts open holds a file lock under its token there; the kernel lets
go of it whatever kills the process, also across containers, reboots and reused process ids.
"""

import contextlib
import fcntl
import os
import secrets
from pathlib import Path

from sftp_gateway import disk

AREA = "area"
"""The file with the id of the directory: without it all drafts would be those of a host that is gone."""
AREA_DIGITS = 8


class Staging:
    """The drafts' directory below a staging directory, made if absent."""

    def __init__(self, staging: Path) -> None:
        self.folder = staging / "drafts"
        self._owners = staging / "owners"
        for directory in (self.folder, self._owners):
            directory.mkdir(mode=0o750, parents=True, exist_ok=True)
        self.area = self._area(staging / AREA)

    @staticmethod
    def _area(file: Path) -> str:
        """Give the id of this directory; who comes first makes it, whole or not at all."""
        draft = file.with_name(f"area.{secrets.token_hex(4)}")
        with draft.open("w") as out:
            out.write(secrets.token_hex(AREA_DIGITS // 2))
            out.flush()
            disk.sync(out.fileno())
        try:
            with contextlib.suppress(FileExistsError):
                os.link(draft, file)
                disk.sync_path(file.parent)
        finally:
            draft.unlink()
        return file.read_text()

    def new_id(self) -> str:
        """Make the id of a new draft; it names the staging file too."""
        return self.area + secrets.token_hex(12)

    def file(self, id_: str) -> Path:
        """Give the staging file of a draft."""
        return self.folder / id_

    def join(self) -> "Owner":
        """Become an owner of drafts, until closed or dead."""
        return Owner(self._owners / secrets.token_hex(8))

    def is_gone(self, owner: str) -> bool:
        """Whether an owner of drafts of this directory lives no more."""
        file = self._owners / owner
        if not owner or "/" in owner:
            return True
        try:
            descriptor = os.open(file, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        else:
            file.unlink(missing_ok=True)
            return True
        finally:
            os.close(descriptor)


class Owner:
    """A lock that says: the drafts with this token are in a living process's hands."""

    def __init__(self, file: Path) -> None:
        self.token = file.name
        self._file = file
        # Locked before it has its name: nobody can find it unlocked.
        before = file.with_suffix(".new")
        self._descriptor = os.open(before, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        before.rename(file)

    def close(self) -> None:
        """Stop to be an owner."""
        if self._descriptor >= 0:
            self._file.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = -1
