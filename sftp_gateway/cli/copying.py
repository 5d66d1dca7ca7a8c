"""Copies a file of this machine into staging in a thread, hashing it on the way, while the verb gets ready."""

import hashlib
import os
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Self

from sftp_gateway.blobs import Area, Files
from sftp_gateway.errors import Refused

CHUNK_BYTES = 8 << 20
"""Large, because the thread asks for the interpreter three times a chunk and the other one imports meanwhile."""


class Copy:
    """A file on its way in; use with `with`, then `keep`. What was not kept is gone afterwards."""

    def __init__(self, path: Path, files: Files, progress: Callable[[str, float], None], *, most: int) -> None:
        self._path, self._files, self._progress, self._most = path, files, progress, most
        self._staged = files.staging / f"ingest-{uuid.uuid4().hex}"
        self._digest = hashlib.sha256()
        self._error: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="copy", daemon=True)
        self.bytes = 0

    @property
    def sha256(self) -> str:
        """Give the hash of what was copied, in hex; complete after `keep`."""
        return self._digest.hexdigest()

    def keep(self) -> None:
        """Wait for the end and take the copy in as a source, durably. Raises what copying raised, and Refused."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        self._files.keep(Area.SOURCES, self.sha256, self._staged)

    def __enter__(self) -> Self:
        self._check(self._path.stat().st_size)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._staged.unlink(missing_ok=True)

    def _check(self, size: int) -> None:
        if size > self._most:
            text = f"{self._path.name} has {size:,} bytes; at most {self._most:,} are taken"
            raise Refused("FILE_TOO_LARGE", text)

    def _work(self) -> None:
        try:
            self._copy()
        except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that asked
            self._error = error

    def _copy(self) -> None:
        buffer = memoryview(bytearray(CHUNK_BYTES))
        with self._path.open("rb", buffering=0) as source, self._staged.open("xb", buffering=0) as target:
            size = max(os.fstat(source.fileno()).st_size, 1)
            while (count := source.readinto(buffer) or 0) and not self._stop.is_set():
                self._digest.update(buffer[:count])
                part = buffer[:count]
                while part:
                    part = part[target.write(part) :]
                self.bytes += count
                self._check(self.bytes)
                self._progress("taking in", self.bytes / size)
            os.fsync(target.fileno())  # here, beside the other work; `keep` finds little left to do
