"""Blobs on local disk, under the areas' directories of `storage.root`."""

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from sftp_gateway.blobs.area import NAME, Area, Blob, Files, checked
from sftp_gateway.blobs.place import disk_errors, make_directories, place, place_all
from sftp_gateway.errors import NotFound


class LocalFiles(Files):
    """Blobs below one root. Sources are spread over 256 directories by the start of their hash."""

    is_local = True

    def __init__(self, root: Path) -> None:
        self._root = root
        self.staging = root / "staging"
        with disk_errors(self.staging):
            for directory in (self.staging, *(root / area for area in Area)):
                make_directories(directory)

    def keep(self, area: str, name: str, path: Path) -> int:
        """Take a finished file in, durably; gives its size, the path is gone afterwards."""
        size = path.stat().st_size
        place(path, self._path(area, name))
        return size

    def keep_all(self, area: str, blobs: Sequence[tuple[str, Path]]) -> None:
        """Take finished files in, durably; the paths are gone afterwards."""
        place_all([(path, self._path(area, name)) for name, path in blobs])

    @contextlib.contextmanager
    def local(self, area: str, name: str) -> Iterator[Path]:
        """Lend the blob itself; NotFound."""
        path = self._path(area, name)
        if not path.is_file():
            raise _missing(area, name)
        yield path

    def open(self, area: str, name: str) -> BinaryIO:
        """Open the blob; the handle keeps its bytes although the name is deleted. NotFound."""
        try:
            with disk_errors(self._path(area, name)):
                return self._path(area, name).open("rb")
        except FileNotFoundError:
            raise _missing(area, name) from None

    def exists(self, area: str, name: str) -> bool:
        """Whether it is there."""
        return self._path(area, name).is_file()

    def is_older(self, area: str, name: str, before: datetime) -> bool:
        """Whether it is there and was not kept since that moment."""
        try:
            return self._path(area, name).stat().st_mtime < before.timestamp()
        except FileNotFoundError:
            return False

    def delete(self, area: str, name: str) -> None:
        """Delete it; nothing happens if it is not there. A delete lost by a crash is made again by retention."""
        path = self._path(area, name)
        with disk_errors(path):
            path.unlink(missing_ok=True)
        if area != Area.SOURCES:  # those have 256 directories for good
            _remove_empty(path.parent, self._root / Area(area))

    def listing(self, area: str) -> Iterator[Blob]:
        """List the blobs of an area; what was deleted meanwhile is left out, and what others put there."""
        top = self._root / Area(area)
        for path in _below(top):
            try:
                found = path.stat()
            except FileNotFoundError:
                continue
            if stat.S_ISREG(found.st_mode):
                # A copy that a crash left between two file systems is listed under its whole path.
                spread = area == Area.SOURCES and path.name.startswith(path.parent.name)
                name = path.name if spread else str(path.relative_to(top))
                if NAME.fullmatch(name):
                    yield Blob(name, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))

    def _path(self, area: str, name: str) -> Path:
        spread = f"{name[:2]}/{name}" if area == Area.SOURCES and "/" not in name else name
        return self._root / Area(area) / checked(spread)


def _below(top: Path) -> Iterator[Path]:
    """List the files below a directory; one that goes meanwhile, as those of deleted blobs do, is passed over."""

    def failed(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise error

    for directory, _, names in os.walk(top, onerror=failed):
        yield from (Path(directory, name) for name in names)


def _remove_empty(directory: Path, top: Path) -> None:
    """Remove a directory below `top`, and those above it, as far as nothing is in them any more."""
    with contextlib.suppress(OSError):  # one that is not empty ends it, and any other does no harm
        while directory != top:
            directory.rmdir()
            directory = directory.parent


def _missing(area: str, name: str) -> NotFound:
    return NotFound(f"{area}/{name} is not there (any more)")
