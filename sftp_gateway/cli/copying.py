"""Copies a file of this machine into staging in a thread, hashing the copy in another, while the verb gets ready."""

import errno
import hashlib
import os
import threading
import uuid
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Self

from sftp_gateway import disk
from sftp_gateway.blobs import Area, Files
from sftp_gateway.errors import Refused

CHUNK_BYTES = 8 << 20
"""Large, because each chunk asks for the interpreter while another thread imports with it."""
HASHED_BYTES = 1 << 20
AHEAD = 4
"""Chunks copied before they are hashed."""


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
        with (
            self._path.open("rb", buffering=0) as source,
            self._staged.open("x+b", buffering=0) as target,
            ThreadPoolExecutor(1, thread_name_prefix="hash") as hashing,
        ):
            size = max(os.fstat(source.fileno()).st_size, 1)
            behind = disk.Behind(target.fileno()) if size > disk.LARGE_BYTES else None
            hashed: deque[Future[int]] = deque()
            try:
                while (count := _move(source.fileno(), target.fileno())) and not self._stop.is_set():
                    # What is in the copy by now is hashed: the file itself may change meanwhile.
                    hashed.append(hashing.submit(self._hash, target.fileno(), self.bytes, count))
                    if behind is None:
                        disk.write_behind(target.fileno(), self.bytes, count)
                    self.bytes += count
                    self._check(self.bytes)
                    self._progress("taking in", self.bytes / size)
                    if len(hashed) > AHEAD:
                        end = hashed.popleft().result()
                        if behind is not None:  # here: it waits for the disk, and hashing goes on meanwhile
                            behind.reached(end)
                os.fsync(target.fileno())  # here, beside the other work; `keep` finds little left to do
                for part in hashed:
                    end = part.result()
                    if behind is not None:
                        behind.reached(end)
            finally:
                hashing.shutdown(cancel_futures=True)

    def _hash(self, descriptor: int, start: int, count: int) -> int:
        """Hash a part of the copy; gives where it ends."""
        for at in range(start, start + count, HASHED_BYTES):
            self._digest.update(os.pread(descriptor, min(HASHED_BYTES, start + count - at), at))
        return start + count


def _move(source: int, target: int) -> int:
    """Copy up to a chunk within the kernel, or through memory where a file system does not know how; gives the bytes."""
    try:
        return os.sendfile(target, source, None, CHUNK_BYTES)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}:
            raise
    data = memoryview(os.read(source, CHUNK_BYTES))
    written = 0
    while written < len(data):
        written += os.write(target, data[written:])
    return written
