"""What the daemon lends the status endpoint: exports, room, disk, figures. Every one may run in any thread."""

import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field

from sftp_gateway import disk, mail
from sftp_gateway.blobs import Area, Files
from sftp_gateway.catalog.rules.schema import Schema
from sftp_gateway.daemon.exports import Exports
from sftp_gateway.errors import DiskFull
from sftp_gateway.settings import Settings
from sftp_gateway.store import drafts, versions
from sftp_gateway.store.database import Store
from sftp_gateway.store.drafts import Place
from sftp_gateway.worker.crew import Crew

if TYPE_CHECKING:
    from sftp_gateway.daemon.server import Server
    from sftp_gateway.sftp.listener import Listener


class Loans(Struct, frozen=True):
    """What reaches into store, files and children on behalf of the endpoint. `live`, `rules`: settings and catalog rules as they are."""

    store: Store
    files: Files
    crew: Crew
    live: Callable[[], Settings]
    rules: Callable[[], Schema]
    exports: Exports = field(default_factory=Exports)

    def disk_free(self) -> int:
        """Tell the free bytes where storage.root lies."""
        return shutil.disk_usage(self.live().storage.root).free

    def take_file(self) -> None:
        """See that the disk takes a file: it may be read-only, or without inodes, with bytes enough. OSError."""
        with tempfile.TemporaryFile(dir=self.files.staging):
            pass

    def room(self, brand: str) -> int:
        """Tell how many bytes a brand may still send: of its quota, and in one file."""
        limits = self.live().limits
        with self.store.read() as conn:
            _, entries = drafts.load(conn, brand)
        used = sum(entry.bytes for entry in entries if entry.place is not Place.DIRECTORY)
        return min(limits.quota_bytes - used, limits.max_file_bytes)

    @contextmanager
    def export(self, brand: str, number: int, form: str) -> Iterator[Path]:
        """Lend a file with a version in one of the forms; NotFound, DiskFull, Unavailable where too many are out."""
        version = versions.get(self.store, brand, number)

        def make(out: Path) -> None:
            if self.disk_free() < self.live().limits.disk_floor_bytes:
                raise DiskFull("there is no room for this file now")
            with self.files.local(Area.CATALOG, version.file) as parquet:
                small = version.file_bytes < self.live().worker.small_bytes
                self.crew.export(parquet, self.rules(), form, out, small=small)

        path = self.files.staging / f"export-{secrets.token_hex(12)}.{form}"
        with self.exports.lend(f"{brand}/{number}.{form}", path, make) as out:
            yield out


def figures(
    postman: mail.Postman, listener: "Listener | None", server: "Server | None"
) -> Mapping[str, float | Mapping[str, float]]:
    """Give the numbers of this process that are metrics."""
    refused: dict[str, float] = {"web": server.snapshot()["refused_total"]} if server is not None else {}
    found: dict[str, float | Mapping[str, float]] = {
        "brands_overdue": postman.snapshot()["overdue"],
        "fsync_errors_total": disk.failures(),
        "connections_refused_total": refused,
    }
    if listener is not None:
        door = listener.snapshot()
        found |= {"sessions_active": door["channels"], "auth_failures_total": door["failed_logins_total"]}
        refused["sftp"] = door["refused_total"]
    return found
