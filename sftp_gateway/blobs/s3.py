"""Blobs in an S3 bucket, for many hosts. Credentials, region and endpoint come from AWS_* variables.

Objects are immutable and named by us, so S3 needs no rename and is never a lock: the store's
transaction is the only moment in which something becomes true. Files under way stay on local disk.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from sftp_gateway.blobs.area import NAME, Area, Blob, Files, checked
from sftp_gateway.blobs.fetched import Fetched
from sftp_gateway.blobs.pace import Pace
from sftp_gateway.blobs.place import SIDE_BY_SIDE, disk_errors, make_directories, side_by_side
from sftp_gateway.errors import NotFound, Unavailable

CHUNK_BYTES = 8 << 20
_pool = ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="s3")
"""Not that of the disk: what is acknowledged over SFTP is synced there, however long a bucket is away."""
STALL = timedelta(seconds=30)
"""So long a fetch may bring nothing before it is asked for again, from where it is."""
FETCH, RESUMES = timedelta(days=1), timedelta(hours=1)
"""The longest fetch, and until when one is resumed: a large blob over a slow line takes its time. The library's own
limits, 30 s and 3 min, cut it off and in the end gave it up."""
SLOW_SECONDS, SLOW_BYTES = 60.0, 1 << 20
"""So much of a fetch comes in that time, or it is given up: whoever waits for it holds a thread, or a worker's slot."""


class S3Files(Files):
    """Blobs below `s3://bucket/prefix`; `root` is the local directory for bytes under way."""

    is_local = False

    def __init__(self, url: str, root: Path, patience_seconds: float | None = None) -> None:
        self.staging = root / "staging"
        make_directories(self.staging)
        options: Any = {"allow_http": True}  # a bucket of one's own host speaks plain HTTP; AWS never does
        hurried: Any = {}
        if patience_seconds is not None:
            limit = timedelta(seconds=patience_seconds)
            hurried = {"client_options": options | {"timeout": limit}, "retry_config": {"retry_timeout": limit}}
        self._bucket = S3Store.from_url(url, **{"client_options": options} | hurried)
        patient: Any = options | {"timeout": FETCH, "read_timeout": STALL}
        self._fetches = S3Store.from_url(url, client_options=patient, retry_config={"retry_timeout": RESUMES})
        self._fetched = Fetched()

    def keep(self, area: str, name: str, path: Path) -> int:
        """Put a finished file; S3 shows all of it or nothing. Gives its size, the path is gone afterwards."""
        size = path.stat().st_size
        try:
            with self._answering(area, name):
                obstore.put(self._bucket, self._key(area, name), path, chunk_size=CHUNK_BYTES, max_concurrency=4)
        finally:
            path.unlink(missing_ok=True)
        if self._size(area, name) != size:
            self.delete(area, name)
            raise Unavailable(f"S3 stored {area}/{name} with another size")
        return size

    def keep_all(self, area: str, blobs: Sequence[tuple[str, Path]]) -> None:
        """Put finished files, several at once; the paths are gone afterwards."""
        try:
            side_by_side(lambda blob: self.keep(area, *blob), blobs, _pool)
        finally:
            for _, path in blobs:
                path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def local(self, area: str, name: str) -> Iterator[Path]:
        """Fetch the blob for the time of the block; NotFound."""
        directory = self.scratch("s3-")
        try:
            path = directory / name.rpartition("/")[2]
            with disk_errors(path), path.open("wb") as target:
                self._fetch(area, name, target)
            yield path
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def open(self, area: str, name: str) -> BinaryIO:
        """Fetch the blob into a file without a name, so that a handle never loses its bytes. NotFound."""
        return self._fetched.open(f"{area}/{name}", lambda: self._fetch_nameless(area, name))

    def exists(self, area: str, name: str) -> bool:
        """Whether it is there."""
        try:
            self._size(area, name)
        except NotFound:
            return False
        return True

    def is_older(self, area: str, name: str, before: datetime) -> bool:
        """Whether it is there and was not kept since that moment."""
        try:
            with self._answering(area, name):
                return obstore.head(self._bucket, self._key(area, name))["last_modified"] < before
        except NotFound:
            return False

    def delete(self, area: str, name: str) -> None:
        """Delete it; nothing happens if it is not there."""
        self._fetched.forget(f"{area}/{name}")
        with contextlib.suppress(NotFound), self._answering(area, name):
            obstore.delete(self._bucket, self._key(area, name))

    def listing(self, area: str) -> Iterator[Blob]:
        """List the blobs of an area."""
        top = f"{Area(area)}/"
        with self._answering(area, ""):
            for batch in obstore.list(self._bucket, prefix=top):
                for found in batch:
                    if NAME.fullmatch(name := found["path"].removeprefix(top)):
                        yield Blob(name, found["size"], found["last_modified"])

    def _fetch_nameless(self, area: str, name: str) -> int:
        with self.local(area, name) as path:
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def _fetch(self, area: str, name: str, target: BinaryIO) -> None:
        with self._answering(area, name):
            # Pieces as they come, not filled up to a size: only between two of them can a fetch be given up.
            fetch = obstore.get(self._fetches, self._key(area, name)).stream(min_chunk_size=1)
            pieces, pace = (piece for piece in fetch), Pace(SLOW_SECONDS, SLOW_BYTES)
            while (piece := _waited_for(pieces, pace)) is not None:
                if pace.is_too_slow:
                    raise Unavailable(f"S3 sends {area}/{name} too slowly: less than {SLOW_BYTES:,} bytes a minute")
                with disk_errors(self.staging):
                    target.write(piece)
            target.flush()

    def _size(self, area: str, name: str) -> int:
        with self._answering(area, name):
            return obstore.head(self._bucket, self._key(area, name))["size"]

    def _key(self, area: str, name: str) -> str:
        return f"{Area(area)}/{checked(name)}"

    @contextlib.contextmanager
    def _answering(self, area: str, name: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise NotFound(f"{area}/{name} is not there (any more)") from None
        except (BaseError, OSError) as error:
            raise Unavailable(f"S3 does not answer for {area}/{name}", str(error).strip().splitlines()[0]) from error


def _waited_for(pieces: Iterator[bytes], pace: Pace) -> bytes | None:
    """Wait for the next piece, and let `pace` know how long that took; None: that was all."""
    begun = time.monotonic()
    piece = next(pieces, None)
    if piece is not None:
        pace.came(len(piece), time.monotonic() - begun)
    return piece
