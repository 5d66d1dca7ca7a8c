"""Looking into a folder where others write, without following anything: by descriptors, O_NOFOLLOW, regular files only."""

import contextlib
import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

from msgspec import Struct
from msgspec.structs import replace

from sftp_gateway.intake.sources import BLOCK_BYTES, LONGEST_COMPANION_BYTES, companion_text

NO_FOLLOW = os.O_NOFOLLOW | os.O_CLOEXEC


class Look(Struct, frozen=True):
    """What tells one state of a file from another.

    Nobody can set `changed_ns` (ctime): it tells a file from one that comes later and has the rest of it, too (a hard
    link; a copy with its times, where the number of an inode is given again). But chmod moves it as well.
    """

    inode: int
    bytes: int
    modified_ns: int
    changed_ns: int

    @classmethod
    def of(cls, found: os.stat_result) -> Self:
        """Take it from a stat."""
        return cls(found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    def has_bytes_of(self, other: Self) -> bool:
        """Whether nobody wrote in between, though maybe rights or links were changed."""
        return (self.inode, self.bytes, self.modified_ns) == (other.inode, other.bytes, other.modified_ns)

    def marks(self) -> dict[str, int]:
        """Give what a file is known by after a crash, as the store keeps it."""
        return {**self.lasting_marks(), "changed_ns": self.changed_ns}

    def lasting_marks(self) -> dict[str, int]:
        """Give those that stay when its rights are mended."""
        return {"inode": self.inode, "modified_ns": self.modified_ns}


class Found(Struct, frozen=True):
    """A file that lies in a drop folder."""

    brand: str
    top: str
    name: str

    @property
    def path(self) -> str:
        """The path of the upload: as if it had been sent there."""
        return f"{self.top}/{self.name}"

    def beside(self, path: str) -> Self:
        """Give what has another path of the same directory."""
        return replace(self, name=path.removeprefix(f"{self.top}/"))


@contextlib.contextmanager
def opened(folder: Path, *names: str) -> Iterator[int]:
    """Open a directory below the drop folder without following links; OSError if it is none, or closed to us."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in names:
            below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | NO_FOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def directory(folder: Path, *names: str) -> Iterator[int | None]:
    """Open a directory as `opened` does; None if that cannot be."""
    with contextlib.ExitStack() as stack:
        try:
            descriptor = stack.enter_context(opened(folder, *names))
        except OSError:
            yield None
            return
        yield descriptor


def copied(
    directory: int, name: str, look: Look, copy: Path, given_up: Callable[[], bool] = lambda: False
) -> str | None:
    """Copy a file and hash it on the way; None if it is not, or no longer, what was looked at, or given up; PermissionError."""
    try:
        source = os.open(name, os.O_RDONLY | os.O_NONBLOCK | NO_FOLLOW, dir_fd=directory)
    except PermissionError:
        raise
    except OSError:
        return None
    hashed, size = hashlib.sha256(), 0
    with os.fdopen(source, "rb") as reading, copy.open("xb") as writing:
        if not stat.S_ISREG(os.fstat(source).st_mode):
            return None
        while size <= look.bytes and (block := reading.read(BLOCK_BYTES)):  # what grows is another file by now
            if given_up():
                return None
            hashed.update(block)
            size += writing.write(block)
        same = Look.of(os.fstat(source)) == look
    with contextlib.suppress(FileNotFoundError):
        named = Look.of(os.stat(name, dir_fd=directory, follow_symlinks=False))
        return hashed.hexdigest() if same and named == look and size == look.bytes else None
    return None


def read(directory: int, name: str) -> str | None:
    """Read the start of a companion; None if there is no such regular file."""
    try:
        source = os.open(name, os.O_RDONLY | os.O_NONBLOCK | NO_FOLLOW, dir_fd=directory)
    except OSError:
        return None
    with os.fdopen(source, "rb") as reading:
        if not stat.S_ISREG(os.fstat(source).st_mode):
            return None
        return companion_text(reading.read(LONGEST_COMPANION_BYTES))


def remove(folder: Path, brand: str) -> tuple[int, BaseException | None]:
    """Remove what lies there for a brand, as far as it can be; gives how many files went, and why not all did."""
    path = folder / brand
    if path.is_symlink():
        path.unlink()
        return 0, None
    failed: list[BaseException] = []
    before = _files(path)
    for _ in range(2):  # a gateway that runs may have been making its directories anew
        failed.clear()
        shutil.rmtree(path, onerror=lambda _call, _path, raised: failed.append(raised[1]))
    return before - _files(path), failed[0] if failed and path.exists() else None


def _files(path: Path) -> int:
    return sum(len(names) for _, _, names in os.walk(path))


def shown(path: str) -> str:
    """Write a path for a log, whatever is in it."""
    text = os.fsencode(path).decode(errors="backslashreplace")
    return text if text.isprintable() else ascii(text)[1:-1]


def is_text(name: str) -> bool:
    """Whether a name can be shown and stored: UTF-8 without control characters."""
    return name.isprintable() and not any("\udc80" <= char <= "\udcff" for char in name)
