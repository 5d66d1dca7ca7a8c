"""What a brand sees and may do: the requests of SFTP, answered by a view in which no outside name is a path.

One `Home` is one session. It translates; what happens is in writing.py (drafts), moving.py (names)
and reading.py. WRITE and READ are plain functions: see draft.py for why.
"""

import os
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NoReturn, cast

import asyncssh
from asyncssh.constants import (
    FXF_APPEND,
    FXF_CREAT,
    FXF_EXCL,
    FXF_TRUNC,
    FXF_WRITE,
)

from sftp_gateway import errors, settings, upload_name
from sftp_gateway.blobs import Files
from sftp_gateway.sftp import closing, moving, names, reading, writing
from sftp_gateway.sftp.closing import Writing
from sftp_gateway.sftp.homes import Homes
from sftp_gateway.sftp.reading import Reading
from sftp_gateway.sftp.session import Session
from sftp_gateway.sftp.view import View
from sftp_gateway.sftp.writing import Way
from sftp_gateway.store.database import Store
from sftp_gateway.store.drafts import Entry, Place

READ_BYTES = 256 * 1024
FILE, DIRECTORY = stat.S_IFREG | 0o644, stat.S_IFDIR | 0o755
READ_ONLY_FILE, READ_ONLY_DIRECTORY = stat.S_IFREG | 0o444, stat.S_IFDIR | 0o555
MADE_BY_GATEWAY = "This is made by the gateway; files go into /inbox, /partial or /test"


class Doors:
    """Makes the home of a brand for each channel; what the daemon gives to the listener."""

    def __init__(self, homes: Homes) -> None:
        self.homes = homes
        self.learn = homes.learn
        self.snapshot = homes.snapshot
        self.aclose = homes.aclose

    def __call__(self, channel: Any, session: Session) -> "Home":
        """Open a brand's home for a session."""
        return Home(channel, session, self.homes)


def factory(  # noqa: PLR0913 - the values the home needs, none of them a whole Settings
    store: Store,
    files: Files,
    *,
    intake: settings.Intake,
    limits: settings.Limits,
    retention: settings.Retention,
    wake: Callable[[], None],
) -> Doors:
    """Make what opens homes: `doors(channel, session)`.

    `wake` is called when a draft may be due for settling. Hand `doors.learn` to the intake and await
    `doors.aclose()` after the listener is gone. Call it on the event loop.
    """
    return Doors(Homes(store, files, intake=intake, limits=limits, retention=retention, wake=wake))


class Home(asyncssh.SFTPServer):
    """The home of one brand in one session."""

    def __init__(self, channel: Any, session: Session, homes: Homes) -> None:
        super().__init__(channel)
        self.dropping = False
        """Set by the handler before it closes files of a client that went away without CLOSE."""
        self._session = session
        self._homes = homes
        self._view: View = homes.enter(session.brand)
        self._opened_at = homes.now().timestamp()

    def exit(self) -> None:
        """End the session."""
        self._homes.leave(self._view)

    # --- files

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> Awaitable[Reading | Writing]:
        """Open a file of the view, or one the gateway made."""
        if pflags & (FXF_WRITE | FXF_APPEND):
            way = Way(
                create=bool(pflags & FXF_CREAT),
                truncate=bool(pflags & FXF_TRUNC),
                exclusive=bool(pflags & FXF_EXCL and pflags & FXF_CREAT),
                append=bool(pflags & FXF_APPEND),
                declared=attrs.size,
            )
            return self._open_to_write(path, way)
        return self._open_to_read(path)

    async def _open_to_write(self, path: bytes, way: Way) -> Writing:
        try:
            place = names.place(path)
            _check_writable(place)
            return await writing.start(self._homes, self._view, place, way, self._session)
        except errors.Refused as refusal:
            closing.refused(self._homes, self._view, names.printable(path).lstrip("/"), self._session, refusal)
            _fail(refusal)

    async def _open_to_read(self, path: bytes) -> Reading:
        place = _place(path)
        if not place.writable:
            if self._is_directory(place):
                raise asyncssh.SFTPFailure("This is a directory")
            return await reading.open_shelved(self._homes, self._session.brand, place.path)
        entry = await self._entry(place)
        if entry is None or entry.place is Place.DIRECTORY:
            raise asyncssh.SFTPFailure("This is a directory")
        attrs = self._attributes(entry)
        try:
            if (draft := self._view.live.get(entry.id)) is not None:
                draft.put_down()
            file = reading.open_bytes(self._homes, entry)
        except FileNotFoundError:
            await self._homes.refresh(self._view, force=True)  # claimed since: its bytes are a blob now
            entry = await self._entry(place)
            if entry is None:
                raise asyncssh.SFTPNoSuchFile("No such file") from None
            try:
                file = reading.open_bytes(self._homes, entry)
            except FileNotFoundError:
                raise asyncssh.SFTPNoSuchFile("The bytes of this file are kept no longer") from None
        return Reading(file, attrs.size or 0, float(attrs.mtime or 0), writable=True)

    def read(self, file_obj: object, offset: int, size: int) -> bytes | Awaitable[bytes]:
        """Read from a handle."""
        if isinstance(file_obj, Writing):
            return file_obj.draft.read(offset, min(size, READ_BYTES))
        handle = cast(Reading, file_obj)
        descriptor = handle.local()
        if descriptor is not None:
            return os.pread(descriptor, min(size, READ_BYTES), offset)
        return handle.fetch(offset, min(size, READ_BYTES))

    def write(self, file_obj: object, offset: int, data: bytes) -> int:
        """Write to a handle: synchronous, so that TCP holds back a client that is too fast."""
        if not isinstance(file_obj, Writing):
            raise asyncssh.SFTPPermissionDenied("The file was opened for reading")
        try:
            draft = file_obj.draft
            written = draft.append(data) if file_obj.append else draft.write(offset, data)
        except errors.Refused as refusal:
            _fail(refusal)
        file_obj.bytes += written
        return written

    async def close(self, file_obj: object) -> None:
        """Close a handle; for a written one the answer means: it is on disk."""
        if isinstance(file_obj, Writing):
            await closing.finish(self._homes, self._view, file_obj, self._session, clean=not self.dropping)
        else:
            cast(Reading, file_obj).file.close()

    async def fsync(self, file_obj: object) -> None:
        """Put the bytes on disk now."""
        if isinstance(file_obj, Writing):
            await closing.sync(file_obj)

    # --- attributes

    async def stat(self, path: bytes) -> asyncssh.SFTPAttrs:
        """Tell size, mode and time of a name."""
        place = _place(path)
        if not place.writable:
            if self._is_directory(place):
                return self._directory(READ_ONLY_DIRECTORY if place.path else DIRECTORY)
            file = await reading.find(self._homes, self._session.brand, place.path)
            return _attrs(READ_ONLY_FILE, file.bytes, file.created_at.timestamp())
        entry = await self._entry(place)
        return self._directory(DIRECTORY) if entry is None else self._attributes(entry)

    async def lstat(self, path: bytes) -> asyncssh.SFTPAttrs:
        """Tell the same: there are no links."""
        return await self.stat(path)

    def fstat(self, file_obj: object) -> asyncssh.SFTPAttrs:
        """Tell size, mode and time of what a handle has open."""
        if isinstance(file_obj, Writing):
            return self._attributes(file_obj.draft.entry)
        handle = cast(Reading, file_obj)
        return _attrs(FILE if handle.writable else READ_ONLY_FILE, handle.size, handle.modified)

    async def setstat(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None:
        """Honour a size, remember a time, accept the rest (many clients fail if that is refused)."""
        place = _place(path)
        if not place.writable:
            if self._is_directory(place):
                return
            await reading.find(self._homes, self._session.brand, place.path)
            raise asyncssh.SFTPPermissionDenied(MADE_BY_GATEWAY)
        entry = await self._entry(place)
        if entry is None:
            return
        if attrs.size is not None and entry.place is not Place.DIRECTORY and attrs.size != self._view.size(entry):
            handle = await self._open_to_write(path, Way(create=False))
            try:
                self.fsetstat(handle, attrs)
            finally:
                await self.close(handle)
        elif attrs.mtime is not None:
            await moving.set_time(self._homes, self._view, place, attrs.mtime)

    async def lsetstat(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None:
        """Do the same: there are no links."""
        await self.setstat(path, attrs)

    def fsetstat(self, file_obj: object, attrs: asyncssh.SFTPAttrs) -> None:
        """Honour a size (OpenSSH's scp cuts the old tail so), remember a time, accept the rest."""
        if not isinstance(file_obj, Writing):
            return
        if attrs.size is not None:
            try:
                file_obj.draft.truncate(attrs.size)
            except errors.Refused as refusal:
                _fail(refusal)
        if attrs.mtime is not None:
            file_obj.draft.modified = float(attrs.mtime)

    async def statvfs(self, path: bytes) -> asyncssh.SFTPVFSAttrs:
        """Tell the brand's quota as the size of its disk."""
        _place(path)
        await self._homes.refresh(self._view)
        return self._quota()

    def fstatvfs(self, file_obj: object) -> asyncssh.SFTPVFSAttrs:  # noqa: ARG002 - one quota for all
        """Tell the brand's quota as the size of its disk."""
        return self._quota()

    # --- names

    def realpath(self, path: bytes) -> bytes:
        """Make a path absolute; there is nothing above `/`."""
        return _place(path).shown.encode()

    def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
        """List a directory."""
        place = _place(path)
        if self._view.loaded and place.writable and not self._view.is_directory(place.path):
            raise asyncssh.SFTPNoSuchFile("No such directory")
        if not place.writable and not self._is_directory(place):
            raise asyncssh.SFTPNoSuchFile("No such directory")
        return self._listing(place)

    async def _listing(self, place: names.Place) -> AsyncIterator[asyncssh.SFTPName]:
        await self._homes.refresh(self._view)
        own = place.writable or not place.path
        if own and not self._view.is_directory(place.path or "inbox"):
            raise asyncssh.SFTPNoSuchFile("No such directory")
        directory = self._directory(DIRECTORY if own else READ_ONLY_DIRECTORY)
        for dot in (b".", b".."):
            yield asyncssh.SFTPName(dot, attrs=directory)
        if not place.path:
            for name in (*upload_name.TOPS, *names.FOLDERS):
                mode = DIRECTORY if name in upload_name.TOPS else READ_ONLY_DIRECTORY
                yield asyncssh.SFTPName(name.encode(), attrs=self._directory(mode))
        if not place.writable:
            for file in await reading.listed(self._homes, self._session.brand, place.path):
                attrs = _attrs(READ_ONLY_FILE, file.bytes, file.created_at.timestamp())
                yield asyncssh.SFTPName(file.name.encode(), attrs=attrs)
        if own:
            for name, entry in self._view.listing(place.path or "inbox"):
                if place.path or name not in names.VIRTUAL:
                    yield asyncssh.SFTPName(name.encode(), attrs=self._attributes(entry))

    async def rename(self, oldpath: bytes, newpath: bytes) -> None:
        """Rename; fails onto a name that is still under way."""
        await self._rename(oldpath, newpath, over=False)

    async def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        """Rename, onto whatever file is there."""
        await self._rename(oldpath, newpath, over=True)

    async def _rename(self, oldpath: bytes, newpath: bytes, *, over: bool) -> None:
        old = await self._changeable(oldpath)
        new = await self._changeable(newpath, there=False)
        await moving.rename(self._homes, self._view, old, new, over=over)

    async def remove(self, path: bytes) -> None:
        """Take a file out of the view; the catalog is never touched by it."""
        await moving.remove(self._homes, self._view, await self._changeable(path))

    async def mkdir(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None:  # noqa: ARG002 - modes are ours
        """Make a directory in the view."""
        place = _place(path)
        if self._is_directory(place) or (place.writable and "/" not in place.path):
            raise asyncssh.SFTPFailure("The name exists already")
        place = await self._changeable(path, there=False)
        try:
            await moving.make_directory(self._homes, self._view, place)
        except errors.Refused as refusal:
            _fail(refusal)

    async def rmdir(self, path: bytes) -> None:
        """Remove an empty directory from the view."""
        await moving.remove_directory(self._homes, self._view, await self._changeable(path))

    def readlink(self, path: bytes) -> bytes:  # noqa: ARG002 - refused whatever it is
        """Refuse: there are no links."""
        _no_links()

    def symlink(self, oldpath: bytes, newpath: bytes) -> None:  # noqa: ARG002 - as above
        """Refuse: there are no links."""
        _no_links()

    def link(self, oldpath: bytes, newpath: bytes) -> None:  # noqa: ARG002 - as above
        """Refuse: there are no links."""
        _no_links()

    def format_user(self, uid: int | None) -> str:  # noqa: ARG002 - everything belongs to the brand
        """Name the owner in long listings."""
        return self._session.brand[:8]

    def format_group(self, gid: int | None) -> str:  # noqa: ARG002 - as above
        """Name the group in long listings."""
        return self._session.brand[:8]

    # --- inside

    @staticmethod
    def _is_directory(place: names.Place) -> bool:
        return not place.path or place.path in names.FOLDERS

    async def _entry(self, place: names.Place) -> Entry | None:
        """Find an entry; None for one of the top directories. Raises SFTPNoSuchFile."""
        await self._homes.refresh(self._view)
        if "/" not in place.path:
            return None
        entry = self._view.at(place.path)
        if entry is None:
            raise asyncssh.SFTPNoSuchFile("No such file")
        return entry

    async def _changeable(self, path: bytes, *, there: bool = True) -> names.Place:
        """Find a place whose name the brand may change (or make: not `there` yet).

        Raises SFTPPermissionDenied, and SFTPNoSuchFile for a read-only name that is not there.
        """
        place = _place(path)
        if place.writable and "/" in place.path:
            return place
        if there and not place.writable and not self._is_directory(place):
            folder, name = reading.folder_of(place.path)
            if folder or name not in names.TOP_FILES:
                await reading.find(self._homes, self._session.brand, place.path)
        raise asyncssh.SFTPPermissionDenied(MADE_BY_GATEWAY)

    def _attributes(self, entry: Entry) -> asyncssh.SFTPAttrs:
        modified = entry.modified_at.timestamp()
        if (draft := self._view.live.get(entry.id)) is not None:
            modified = draft.modified or draft.wrote_at or modified
        if entry.place is Place.DIRECTORY:
            return _attrs(DIRECTORY, 0, modified)
        return _attrs(FILE, self._view.size(entry), modified)

    def _directory(self, mode: int) -> asyncssh.SFTPAttrs:
        return _attrs(mode, 0, self._opened_at)

    def _quota(self) -> asyncssh.SFTPVFSAttrs:
        allowance, block = self._view.allowance, 4096
        free = max(0, allowance.quota_bytes - allowance.used_bytes) // block
        free_files = max(0, allowance.quota_files - allowance.used_files)
        return asyncssh.SFTPVFSAttrs(
            bsize=block, frsize=block, blocks=allowance.quota_bytes // block, bfree=free, bavail=free,
            files=allowance.quota_files, ffree=free_files, favail=free_files, fsid=0, flags=0,
            namemax=names.LONGEST_NAME_BYTES,
        )  # fmt: skip


def _attrs(mode: int, size: int, modified: float) -> asyncssh.SFTPAttrs:
    at = int(modified)
    return asyncssh.SFTPAttrs(size=size, uid=0, gid=0, permissions=mode, atime=at, mtime=at, nlink=1)


def _place(path: bytes) -> names.Place:
    try:
        return names.place(path)
    except errors.Refused as refusal:
        _fail(refusal)


def _check_writable(place: names.Place) -> None:
    """Raise Refused for what the gateway makes, and for directories."""
    if not place.writable or "/" not in place.path:
        in_folder = place.path.partition("/")[0] in names.FOLDERS
        raise errors.Refused("not_allowed", f"/{place.path} is read-only" if in_folder else MADE_BY_GATEWAY)


def _fail(refusal: errors.Refused) -> NoReturn:
    """Say a refusal in the one of SFTP's few codes that helps most; the text says the rest."""
    if refusal.code == "not_allowed":
        raise asyncssh.SFTPPermissionDenied(str(refusal)) from refusal
    raise asyncssh.SFTPFailure(str(refusal)) from refusal


def _no_links() -> NoReturn:
    raise asyncssh.SFTPOpUnsupported("Links are not supported here")
