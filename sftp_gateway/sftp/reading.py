"""Reading: a brand's own files back, what the gateway made for it, and directories. A handle keeps the bytes it began with.

Serves home.py and writing.py.
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import BinaryIO

import asyncssh
from msgspec import Struct

from sftp_gateway import errors, upload_name
from sftp_gateway.blobs import Area, Files
from sftp_gateway.sftp import attributes, names, neighbour
from sftp_gateway.sftp.homes import Homes
from sftp_gateway.sftp.view import View
from sftp_gateway.store import files as shelf
from sftp_gateway.store.drafts import UNDER_WAY, Entry
from sftp_gateway.store.files import Folder

CHANGES = ".changes.csv"
GONE = "The bytes of this file are kept no longer"


class Reading(Struct, eq=False):
    """An open read handle, of a local file wherever its blob lies; `size` and `modified` are what FSTAT says, `writable` what its mode says."""

    file: BinaryIO
    size: int
    modified: float
    writable: bool


async def open_entry(homes: Homes, view: View, entry: Entry) -> BinaryIO:
    """Open what an entry of the view holds, wherever it is by now; SFTPNoSuchFile, Refused without room."""
    try:
        if (draft := view.live.get(entry.id)) is not None:
            draft.put_down()
        return await open_bytes(homes, entry)
    except (FileNotFoundError, errors.NotFound):
        await homes.refresh(view, force=True)  # claimed since: its bytes are a blob now
        now = view.at(str(entry.path))
        if now is None:
            raise asyncssh.SFTPNoSuchFile("No such file") from None
        try:
            return await open_bytes(homes, now)
        except (FileNotFoundError, errors.NotFound):
            away = now.place in UNDER_WAY and neighbour.has(homes, now)
            raise asyncssh.SFTPNoSuchFile(neighbour.UNREADABLE if away else GONE) from None


async def open_bytes(homes: Homes, entry: Entry) -> BinaryIO:
    """Open what an entry holds: its staging file, or once that was claimed the blob."""
    homes.unwritten.put_down(entry.id)
    try:
        descriptor = os.open(homes.staging.file(entry.id), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        return os.fdopen(descriptor, "rb")
    except FileNotFoundError:
        if not entry.sha256:
            raise
        return await homes.open_blob(Area.SOURCES, entry.sha256, entry.bytes)


def copy_blob(files: Files, sha256: str, target: Path) -> None:
    """Put the bytes of an accepted file into a staging file, or have none there (blocks)."""
    try:
        with files.open(Area.SOURCES, sha256) as source, target.open("xb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
    except BaseException:
        target.unlink(missing_ok=True)
        raise


async def names_in(homes: Homes, view: View, place: names.Place, opened_at: float) -> AsyncIterator[asyncssh.SFTPName]:
    """List a directory, our own at the top among them; directories are as old as the session (`opened_at`). SFTPNoSuchFile."""
    await homes.refresh(view)
    own = place.writable or not place.path
    if own and not view.is_directory(place.path or "inbox"):
        raise asyncssh.SFTPNoSuchFile("No such directory")
    yours = attributes.of(attributes.DIRECTORY, 0, opened_at)
    ours = attributes.of(attributes.READ_ONLY_DIRECTORY, 0, opened_at)
    for dot in (b".", b".."):
        yield asyncssh.SFTPName(dot, attrs=yours if own else ours)
    if not place.path:
        for name in (*upload_name.TOPS, *names.FOLDERS):
            yield asyncssh.SFTPName(name.encode(), attrs=yours if name in upload_name.TOPS else ours)
    if not place.writable:
        async for file in _listed(homes, view.brand, place.path):
            yield asyncssh.SFTPName(file.name.encode(), attrs=attributes.shelved(file))
    if own:
        for entry in view.listing(place.path or "inbox"):
            name = upload_name.base(str(entry.path))
            if place.path or name not in names.VIRTUAL:
                yield asyncssh.SFTPName(name.encode(), attrs=attributes.entry(view, entry))


async def _listed(homes: Homes, brand: str, folder: str) -> AsyncIterator[shelf.File]:
    """List a read-only directory; results and change files leave the home earlier than the store (`[retention]`)."""
    listing = partial(shelf.listing, homes.store, brand, folder)
    if folder == Folder.CATALOG:
        for file in _without_old_changes(await asyncio.to_thread(listing), homes.retention.versions):
            yield file
        return
    since = homes.now() - timedelta(seconds=homes.retention.home_seconds) if folder else None
    # By pages: a month of receipts takes 20 MB, and a client may leave hundreds of directories open halfway.
    after = ""
    while found := await asyncio.to_thread(listing, since, after):
        for file in found:
            yield file
        if len(found) < shelf.PAGE:
            return
        after = found[-1].name


def _without_old_changes(found: list[shelf.File], keep: int) -> list[shelf.File]:
    """Leave out the change files of all but the last versions: the sweep that takes them off comes only every hour."""
    changes = [file.name for file in found if file.name.endswith(CHANGES)]
    old = set(sorted(changes, key=lambda name: (len(name), name))[: -max(keep, 1)])
    return [file for file in found if file.name not in old]


async def find(homes: Homes, brand: str, path: str) -> shelf.File:
    """Give a read-only file; raises SFTPNoSuchFile."""
    folder, _, name = path.rpartition("/")
    if folder and folder not in names.FOLDERS:
        raise asyncssh.SFTPNoSuchFile("No such file")
    try:
        return await asyncio.to_thread(shelf.get, homes.store, brand, folder, name)
    except errors.NotFound:
        raise asyncssh.SFTPNoSuchFile("No such file") from None


async def open_shelved(homes: Homes, brand: str, path: str) -> Reading:
    """Open a file the gateway made."""
    file = await find(homes, brand, path)
    source = await homes.open_blob(Area(file.area), file.blob, file.bytes)
    return Reading(source, file.bytes, file.created_at.timestamp(), writable=False)
