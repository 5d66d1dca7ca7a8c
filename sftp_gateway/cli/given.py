"""Files that a person names to a verb: what is wrong with one is told with its name, as nothing the gateway did. Light."""

import contextlib
import os
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from sftp_gateway import disk
from sftp_gateway.errors import DiskFull, NotAllowed, NotFound


@contextlib.contextmanager
def told(path: Path, may: str) -> Iterator[None]:
    """Raise what the system says of a person's file as NotAllowed (`may` not "read" it) or NotFound."""
    try:
        yield
    except BrokenPipeError:
        raise  # whoever reads what we print left
    except PermissionError as error:
        # Root is not told to be root: it is nobody else's who became the owner of storage.root.
        owner = "root goes on as the owner of storage.root"
        raise NotAllowed(f"{path}: uid {os.geteuid()} may not {may} it ({owner})") from error
    except OSError as error:
        raise NotFound(f"{path}: {error.strerror or error}") from error


def readable(path: Path) -> None:
    """Raise NotFound or NotAllowed unless this is a file that can be read."""
    with told(path, "read"):
        if not path.is_file():
            raise NotFound(f"{path}: {'this is no regular file' if path.exists() else 'no such file'}")
        path.open("rb").close()


@contextlib.contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Lend a file to write to, from its beginning."""
    with told(path, "write"):
        out = path.open("wb")
    with _room(path), out:
        yield out


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[BinaryIO]:
    """Lend a file that becomes `path` at the end; after any error there is what was there before."""
    beside = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        with told(path, "write"):
            out = beside.open("xb")
        with _room(path), out:
            yield out
        with told(path, "write"):
            beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def apart(sources: Iterable[Path], targets: Iterable[Path]) -> None:
    """Raise NotFound if one of the targets is one of the sources, by whatever name."""
    read = {(found.st_dev, found.st_ino) for found in (source.stat() for source in sources)}
    for target in targets:
        with contextlib.suppress(FileNotFoundError):
            found = target.stat()
            if (found.st_dev, found.st_ino) in read:
                raise NotFound(f"{target} is a file that is to be read; give another folder")


@contextlib.contextmanager
def _room(path: Path) -> Iterator[None]:
    """Raise DiskFull where there is no room for what is written."""
    try:
        yield
    except OSError as error:
        if error.errno in disk.FULL:
            raise DiskFull(f"{path}: {error.strerror}") from error
        raise
