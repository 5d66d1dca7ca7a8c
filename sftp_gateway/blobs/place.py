"""Write → fsync → rename → fsync of the directory: the only code that makes a file durable.

A file renamed without the directory's fsync came back under its old name after a power cut, one not
synced came back empty (measured). After a failed fsync Linux calls the page clean,
so a second one lies: what could not be synced is thrown away, never tried again.
"""

import contextlib
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from functools import partial
from pathlib import Path
from typing import TypeVar

from sftp_gateway import disk
from sftp_gateway.errors import DiskFull, Unavailable

SIDE_BY_SIDE = 8
_pool = futures.ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="disk")  # starts no thread before it is used
T = TypeVar("T")


def sync_file(path: Path) -> None:
    """Bring the bytes of a file to the disk; DiskFull, Unavailable: then the file is worthless."""
    with disk_errors(path):
        disk.sync_path(path)


def sync_directory(path: Path) -> None:
    """Bring the entries of a directory to the disk; DiskFull, Unavailable."""
    with disk_errors(path):
        disk.sync_path(path)


def place(tmp: Path, final: Path) -> None:
    """Move a finished file to its final name, durably; one of that name is replaced in one step.

    The file is read-only from then on. `tmp` is gone afterwards, also when it fails: DiskFull, Unavailable.
    """
    place_all([(tmp, final)])


def place_all(moves: Sequence[tuple[Path, Path]]) -> None:
    """Move finished files to their final names, as `place` does; when it fails, some may be there already.

    Each call of the system is one less that matters: beside a busy loop each costs a turn of the interpreter.
    """
    left, near = {tmp for tmp, _ in moves}, dict[Path, Path]()
    try:
        _make_all({final.parent for _, final in moves})
        for tmp, final in moves:
            with disk_errors(final):
                made = _near(tmp, final)
                left.add(made)
                near[made] = final
                made.chmod(0o440)
                os.utime(made)  # retention counts from here, whenever it was written
        side_by_side(sync_file, list(near))
        for made, final in near.items():
            with disk_errors(final):
                _put(made.replace, final)
    finally:
        for path in left:  # after a rename, too: onto another name of the same file it does nothing (rename(2))
            path.unlink(missing_ok=True)
    side_by_side(sync_directory, list({final.parent for final in near.values()}))


def side_by_side(do: Callable[[T], object], items: Sequence[T], pool: futures.Executor = _pool) -> None:
    """Do what waits for the disk, or for what `pool` is for, with several items at once; raises the first error when all have ended.

    The file system brings what waits together to the disk in one go: 320 files of 100 kB take 0.1 s, 0.2 to 0.9 s if
    they are synced one after the other.
    """

    def some(first: int) -> None:
        for item in items[first::SIDE_BY_SIDE]:
            do(item)

    if len(items) == 1:
        do(items[0])
        return
    futures.wait(asked := [pool.submit(some, first) for first in range(min(SIDE_BY_SIDE, len(items)))])
    for one in asked:
        one.result()


def unshare(file: Path) -> None:
    """Give a staging file bytes of its own again, writable, if they are those of a blob: a claim failed or died."""
    if not file.exists():
        return
    if file.stat().st_nlink > 1:
        copy = file.with_name(f"{file.name}.copy")
        copy.unlink(missing_ok=True)
        shutil.copyfile(file, copy)
        sync_file(copy)
        copy.replace(file)
        sync_directory(file.parent)
    file.chmod(0o600)


def place_secret(path: Path, data: bytes) -> None:
    """Put a secret at `path`, whole, durable and 0600, unless there is one: the first of several processes wins."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    with disk_errors(path):
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(data)
                file.flush()
                disk.sync(file.fileno())
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(temporary)
        finally:
            temporary.unlink(missing_ok=True)
    sync_directory(path.parent)


def make_directories(path: Path) -> None:
    """Make a directory and those above it, each entry on the disk."""
    if path.is_dir():
        return
    make_directories(path.parent)
    path.mkdir(mode=0o750, exist_ok=True)
    sync_directory(path.parent)


def _make_all(directories: set[Path]) -> None:
    """Make directories as `make_directories` does; one that many of them lie in is synced once."""
    missing = [path for path in directories if not path.is_dir()]
    if len(missing) < 2:
        return  # `_near` makes it
    above = {path.parent for path in missing}
    for path in above:
        make_directories(path)
    for path in missing:
        with disk_errors(path):
            path.mkdir(mode=0o750, exist_ok=True)
    side_by_side(sync_directory, list(above))


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn what the disk says into DiskFull or Unavailable; a missing file stays FileNotFoundError."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno in disk.FULL:
            raise DiskFull(f"no room on the disk of {path.parent}") from error
        raise Unavailable(f"the disk does not take {path.name}: {error.strerror or error}") from error


def _near(tmp: Path, final: Path) -> Path:
    """Give the file on the file system of its final name, whose directory is there then: itself, or a copy of it."""
    try:
        above = final.parent.stat()
    except FileNotFoundError:
        make_directories(final.parent)
        above = final.parent.stat()
    if tmp.stat().st_dev == above.st_dev:
        return tmp
    near = final.parent / f"place-{uuid.uuid4().hex}"
    try:
        _put(partial(shutil.copyfile, tmp), near)
    except BaseException:
        near.unlink(missing_ok=True)
        raise
    return near


def _put(put: Callable[[Path], object], path: Path) -> None:
    """Put a file at a path, whose directory is made again if it went with its last other file at this moment."""
    try:
        put(path)
    except FileNotFoundError:
        make_directories(path.parent)
        put(path)
