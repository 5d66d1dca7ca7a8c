"""A file that arrives in pieces: written to staging under a limit, hashed on the way, kept as a source."""

import asyncio
import hashlib
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Self

from sftp_gateway.blobs.area import Area, Files
from sftp_gateway.blobs.pace import Pace
from sftp_gateway.blobs.place import disk_errors


class Arrival:
    """Use with `async with`: `fill` it or `add` every piece, then `keep`. What was not kept is gone afterwards."""

    def __init__(self, files: Files, prefix: str) -> None:
        self._files, self._prefix, self._digest = files, prefix, hashlib.sha256()
        self.bytes = 0

    @property
    def sha256(self) -> str:
        """Give the hash of what has come, in hex."""
        return self._digest.hexdigest()

    async def fill(self, pieces: AsyncIterator[bytes], most: int, pace: Pace) -> None:
        """Take all pieces, or until `bytes` is more than `most`; TimeoutError when too few come in the time of `pace`."""
        now = asyncio.get_running_loop().time
        while self.bytes <= most:
            begun = now()
            async with asyncio.timeout(pace.left_seconds):
                piece = await anext(pieces, None)
            if piece is None:
                return
            pace.came(len(piece), now() - begun)
            self.add(piece)

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

    async def __aenter__(self) -> Self:
        self._path: Path = (await asyncio.to_thread(self._files.scratch, self._prefix)) / "body"
        with disk_errors(self._path):
            self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        return self

    async def __aexit__(self, *_: object) -> None:
        os.close(self._fd)
        await asyncio.to_thread(shutil.rmtree, self._path.parent, ignore_errors=True)
