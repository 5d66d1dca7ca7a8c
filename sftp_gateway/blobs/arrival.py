"""A file that arrives in pieces: written to staging under a limit, hashed on the way, kept as a source."""

import hashlib
import os
import shutil
from pathlib import Path
from typing import Self

from sftp_gateway.blobs.area import Area, Files
from sftp_gateway.blobs.place import disk_errors


class Arrival:
    """Use with `with`: `add` every piece, then `keep`. What was not kept is gone afterwards."""

    def __init__(self, files: Files, prefix: str) -> None:
        self._files, self._digest = files, hashlib.sha256()
        self._scratch: Path = files.scratch(prefix)
        self._path = self._scratch / "body"
        self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        self.bytes = 0

    @property
    def sha256(self) -> str:
        """Give the hash of what has come, in hex."""
        return self._digest.hexdigest()

    def add(self, piece: bytes) -> None:
        """Write one piece; DiskFull, Unavailable. Syncing is `keep`'s."""
        self._digest.update(piece)
        self.bytes += len(piece)
        with disk_errors(self._path):
            while piece:
                piece = piece[os.write(self._fd, piece) :]

    def keep(self) -> None:
        """Take the whole file in as a source, durably; DiskFull, Unavailable."""
        self._files.keep(Area.SOURCES, self.sha256, self._path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)
        shutil.rmtree(self._scratch, ignore_errors=True)
