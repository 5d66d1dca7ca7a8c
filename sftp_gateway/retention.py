"""Removes what is past its time: sources, results, old versions, and blobs that no row refers to.

History rows stay for ever. Rows go first and blobs after, so that a crash between leaves an orphan,
which the next sweep finds, and never a row without its bytes.
"""

import asyncio
import contextlib
import shutil
import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

from msgspec import Struct
from msgspec.structs import asdict

from sftp_gateway import logs, settings
from sftp_gateway.blobs import Area, Files
from sftp_gateway.errors import NotFound, Unavailable
from sftp_gateway.store import expiry
from sftp_gateway.store.database import Store
from sftp_gateway.store.staging import AREA

log = logs.get(__name__)

EVERY_SECONDS = 3600.0
ORPHAN_AGE = timedelta(hours=1)
"""Far longer than the time between placing a blob and committing the row that refers to it."""
SCRATCH_AGE = timedelta(days=1)
TRACE_AGE = timedelta(days=2)
"""Longer than an end is news to mail (a day), and than a verb waits for its job."""
BATCH = 500


class Swept(Struct, frozen=True):
    """What a sweep removed: source bytes of uploads, results, versions' files, orphans, scratch."""

    sources: int = 0
    results: int = 0
    versions: int = 0
    orphans: int = 0
    orphan_bytes: int = 0
    scratch: int = 0


class Retention(Struct):
    """Sweeps every hour while it runs."""

    store: Store
    files: Files
    limits: settings.Retention
    every_seconds: float = EVERY_SECONDS

    async def run(self) -> None:
        """Sweep now and then every hour, for ever; a store or disk that is away is tried again later."""
        while True:
            try:
                await asyncio.to_thread(sweep, self.store, self.files, self.limits, self.store.now())
            except (Unavailable, NotFound, OSError) as error:
                log.warning("retention.postponed", error=str(error))
            await asyncio.sleep(self.every_seconds)


def sweep(store: Store, files: Files, limits: settings.Retention, now: datetime) -> Swept:
    """Remove all that is past its time at `now`; safe at any moment, beside anything else."""
    sources = expiry.sources(store, now - timedelta(seconds=limits.sources_seconds))
    results = expiry.results(store, now - timedelta(seconds=limits.results_seconds))
    versions = expiry.versions(store, limits.versions)
    expiry.traces(store, now - max(TRACE_AGE, timedelta(seconds=limits.sources_seconds)))
    orphans, orphan_bytes = _orphans(store, files, now - ORPHAN_AGE)
    scratch = _scratch(files.staging, time.time() - SCRATCH_AGE.total_seconds())
    swept = Swept(sources, results, versions, orphans, orphan_bytes, scratch)
    if swept != Swept():
        log.info("retention.swept", **asdict(swept))
    return swept


def _orphans(store: Store, files: Files, before: datetime) -> tuple[int, int]:
    """Delete the blobs that no row refers to and that nobody kept lately."""
    count, freed = 0, 0
    for area in Area:
        old = ((blob.name, blob.bytes) for blob in files.listing(area) if blob.modified_at < before)
        while batch := dict(islice(old, BATCH)):
            kept = expiry.referenced(store, str(area), batch)
            for name in batch.keys() - kept:
                # Asked again: to delete hundreds takes a while, in which the same bytes may have come once more.
                if files.is_older(area, name, before) and not expiry.referenced(store, str(area), [name]):
                    files.delete(area, name)
                    count, freed = count + 1, freed + batch[name]
    return count, freed


def _scratch(staging: Path, before: float) -> int:
    """Remove what a crash left in the staging directory; drafts lie deeper and are the intake's."""
    return sum(_remove(path) for path in _older(staging / "scratch", before)) + sum(
        _remove(path) for path in _older(staging, before) if path.is_file() and path.name != AREA
    )


def _older(directory: Path, before: float) -> Iterable[Path]:
    with contextlib.suppress(FileNotFoundError):
        return [path for path in directory.iterdir() if path.lstat().st_mtime < before]
    return []


def _remove(path: Path) -> int:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
    return 1
