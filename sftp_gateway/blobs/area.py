"""What blobs are: areas, names, and the calls that local disk and S3 both answer."""

import contextlib
import enum
import re
import secrets
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from msgspec import Struct

from sftp_gateway.blobs.place import disk_errors
from sftp_gateway.errors import Broken

NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")


class Area(enum.StrEnum):
    """Where a blob lies: sources by their SHA-256, versions and their changes, results of uploads."""

    SOURCES = "blobs"
    CATALOG = "catalog"
    RESULTS = "results"


class Blob(Struct, frozen=True):
    """A blob as listed; `modified_at` is when it was last kept."""

    name: str
    bytes: int
    modified_at: datetime


class Files(Protocol):
    """The blobs, wherever they are. Every call blocks and may run in any thread.

    All raise NotFound for a blob that is not there, DiskFull and Unavailable for the world.
    """

    staging: Path
    """Local directory for bytes under way, on the file system of local blobs."""
    is_local: bool
    """Whether they lie on a disk of this host: opening one takes no room then, and hardly any time."""

    def scratch(self, prefix: str = "") -> Path:
        """Make a new empty directory under staging; the caller removes it, or retention after a crash."""
        above = self.staging / "scratch"
        with disk_errors(above):
            above.mkdir(mode=0o750, parents=True, exist_ok=True)
            return Path(tempfile.mkdtemp(prefix=prefix, dir=above))

    def keep(self, area: str, name: str, path: Path) -> int:
        """Take a finished local file in, durably, and give its size; the path is gone afterwards.

        Keeping a name again replaces it by equal bytes in one step, and makes it young again for retention.
        """

    def keep_all(self, area: str, blobs: Sequence[tuple[str, Path]]) -> None:
        """Take finished local files in under their names, as `keep` does; when it fails, some may be there already."""

    def keep_bytes(self, area: str, blobs: Iterable[tuple[str, bytes]]) -> None:
        """Take bytes in under their names, as `keep_all` does files; they are asked for one after the other."""
        staged: list[tuple[str, Path]] = []
        try:
            for name, data in blobs:
                staged.append((name, self.staging / f"bytes-{secrets.token_hex(12)}"))
                with disk_errors(staged[-1][1]):
                    staged[-1][1].write_bytes(data)
            self.keep_all(area, staged)
        finally:
            for _, path in staged:
                path.unlink(missing_ok=True)

    def local(self, area: str, name: str) -> AbstractContextManager[Path]:
        """Lend the blob as a local file, to be read only."""

    def open(self, area: str, name: str) -> BinaryIO:
        """Open the blob; the handle keeps its bytes although the name is deleted."""

    def exists(self, area: str, name: str) -> bool:
        """Whether it is there."""

    def is_older(self, area: str, name: str, before: datetime) -> bool:
        """Whether it is there and was not kept since that moment."""

    def delete(self, area: str, name: str) -> None:
        """Delete it; nothing happens if it is not there."""

    def names(self, area: str) -> Iterator[str]:
        """List the names of an area, in no order."""
        return (blob.name for blob in self.listing(area))

    def listing(self, area: str) -> Iterator[Blob]:
        """List the blobs of an area with size and age, in no order."""


@contextlib.contextmanager
def lent(files: Files, area: str, name: str) -> Iterator[Path]:
    """Lend the blob as a path that keeps its bytes; who has the same one lent shares its file. For reading it slowly.

    Raises NotFound. `Files.local` fetches what is not local for each borrower anew, under its name.
    """
    with files.open(area, name) as stream:
        yield Path(f"/proc/self/fd/{stream.fileno()}")


def checked(name: str) -> str:
    """Give the name back if it is one of ours; Broken for anything that could lead elsewhere."""
    if not NAME.fullmatch(name):
        raise Broken(f"no name for a blob: {name!r}")
    return name
