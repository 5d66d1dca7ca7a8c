"""What a brand sees and may do: the requests of SFTP, answered by a view in which no outside name is a path.

One `Home` is one session. It translates; what happens is in writing.py (drafts), moving.py (names)
and reading.py. What is Refused, faults.py says in SFTP's codes. WRITE and READ are plain functions: see draft.py for why.
"""

import os
from collections.abc import AsyncIterator, Awaitable
from typing import Any, cast

import asyncssh
from asyncssh.constants import FXF_APPEND, FXF_WRITE

from sftp_gateway import errors
from sftp_gateway.sftp import attributes, closing, moving, names, reading, rival, status, writing
from sftp_gateway.sftp.homes import Homes
from sftp_gateway.sftp.opening import Opening, Writing
from sftp_gateway.sftp.reading import Reading
from sftp_gateway.sftp.session import Session
from sftp_gateway.sftp.view import View
from sftp_gateway.store.drafts import Entry, Place


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
            return self._open_to_write(path, pflags, attrs.size)
        return self._open_to_read(path)

    async def _open_to_write(self, path: bytes, flags: int, declared: int | None = None) -> Writing:
        try:
            place = names.place(path)
            status.check_writable(place)
            by = Opening(place, self._session, flags, declared)
            return await writing.start(self._homes, self._view, by)
        except errors.Refused as refusal:
            shown = names.printable(path).lstrip("/")
            status.fail(refusal, await closing.refused(self._homes, self._view, shown, self._session, refusal))

    async def _open_to_read(self, path: bytes) -> Reading:
        place = names.place(path)
        if not (place.is_top or place.writable):
            return await reading.open_shelved(self._homes, self._session.brand, place.path)
        if place.is_top or (entry := await self._entry(place)).place is Place.DIRECTORY:
            raise asyncssh.SFTPFailure("This is a directory")
        attrs = attributes.entry(self._view, entry)
        file = await reading.open_entry(self._homes, self._view, entry)
        return Reading(file, attrs.size or 0, float(attrs.mtime or 0), writable=True)

    def read(self, file_obj: object, offset: int, size: int) -> bytes:
        """Read from a handle; the handler bounds the size."""
        if isinstance(file_obj, Writing):
            return file_obj.draft.read(offset, size)
        return os.pread(cast(Reading, file_obj).file.fileno(), size, offset)

    def write(self, file_obj: object, offset: int, data: bytes) -> int:
        """Write to a handle: synchronous, so that TCP holds back a client that is too fast."""
        if not isinstance(file_obj, Writing):
            raise asyncssh.SFTPPermissionDenied("The file was opened for reading")
        if data and (offset == 0 or not file_obj.bytes):
            rival.begins(
                self._homes, self._view, file_obj, file_obj.draft.size if file_obj.by.flags & FXF_APPEND else offset
            )
        draft = file_obj.draft
        written = draft.append(data) if file_obj.by.flags & FXF_APPEND else draft.write(offset, data)
        file_obj.bytes += written
        return written

    async def close(self, file_obj: object) -> None:
        """Close a handle; for a written one the answer means: it is on disk."""
        if isinstance(file_obj, Writing):
            await closing.finish(self._homes, self._view, file_obj, clean=not self.dropping)
        else:
            cast(Reading, file_obj).file.close()

    async def fsync(self, file_obj: object) -> None:
        """Put the bytes on disk now."""
        if isinstance(file_obj, Writing):
            await closing.sync(file_obj)

    # --- attributes

    async def stat(self, path: bytes) -> asyncssh.SFTPAttrs:
        """Tell size, mode and time of a name."""
        place = names.place(path)
        if place.is_top:
            if place.writable:
                await self._homes.refresh(self._view)
            mode = attributes.READ_ONLY_DIRECTORY if place.path in names.FOLDERS else attributes.DIRECTORY
            return attributes.of(mode, 0, self._opened_at)
        if not place.writable:
            return attributes.shelved(await reading.find(self._homes, self._session.brand, place.path))
        return attributes.entry(self._view, await self._entry(place))

    async def lstat(self, path: bytes) -> asyncssh.SFTPAttrs:
        """Tell the same: there are no links."""
        return await self.stat(path)

    def fstat(self, file_obj: object) -> asyncssh.SFTPAttrs:
        """Tell size, mode and time of what a handle has open."""
        if isinstance(file_obj, Writing):
            return attributes.entry(self._view, file_obj.draft.entry)
        handle = cast(Reading, file_obj)
        mode = attributes.FILE if handle.writable else attributes.READ_ONLY_FILE
        return attributes.of(mode, handle.size, handle.modified)

    async def setstat(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None:
        """Honour a size, remember a time, accept the rest (many clients fail if that is refused)."""
        place = names.place(path)
        if place.is_top:
            return
        if not place.writable:
            await reading.find(self._homes, self._session.brand, place.path)
            raise asyncssh.SFTPPermissionDenied(status.MADE_BY_GATEWAY)
        entry = await self._entry(place)
        if (
            attrs.size is not None
            and entry.place is not Place.DIRECTORY
            and rival.resizes(self._view, entry, attrs.size)
        ):
            handle = await self._open_to_write(path, FXF_WRITE)
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
            if attrs.size is not None:
                raise asyncssh.SFTPPermissionDenied("The file is open for reading only")
            return
        if attrs.size is not None:
            if attrs.size == 0 or file_obj.refusal:
                rival.empties(self._homes, self._view, file_obj)
            file_obj.draft.truncate(attrs.size)
            if attrs.size == 0:
                writing.declare(self._view, file_obj.draft, file_obj.by.declared)
        if attrs.mtime is not None:
            file_obj.draft.modified = float(attrs.mtime)

    async def statvfs(self, path: bytes) -> asyncssh.SFTPVFSAttrs:
        """Tell the brand's quota as the size of its disk."""
        names.place(path)
        await self._homes.refresh(self._view)
        return attributes.quota(self._view.allowance)

    def fstatvfs(self, file_obj: object) -> asyncssh.SFTPVFSAttrs:  # noqa: ARG002 - one quota for all
        """Tell the brand's quota as the size of its disk."""
        return attributes.quota(self._view.allowance)

    # --- names

    def realpath(self, path: bytes) -> bytes:
        """Make a path absolute; there is nothing above `/`."""
        return names.place(path).shown.encode()

    def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
        """List a directory."""
        place = names.place(path)
        may_be = place.writable and (not self._view.loaded or self._view.is_directory(place.path))
        if not (place.is_top or may_be):
            raise asyncssh.SFTPNoSuchFile("No such directory")
        return reading.names_in(self._homes, self._view, place, self._opened_at)

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
        place = names.place(path)
        if place.is_top:
            raise asyncssh.SFTPFailure("The name exists already")
        await moving.make_directory(self._homes, self._view, await self._changeable(path, there=False))

    async def rmdir(self, path: bytes) -> None:
        """Remove an empty directory from the view."""
        await moving.remove_directory(self._homes, self._view, await self._changeable(path))

    def format_user(self, uid: int | None) -> str:  # noqa: ARG002 - everything belongs to the brand
        """Name the owner in long listings."""
        return self._session.brand[:8]

    def format_group(self, gid: int | None) -> str:  # noqa: ARG002 - as above
        """Name the group in long listings."""
        return self._session.brand[:8]

    # --- inside

    async def _entry(self, place: names.Place) -> Entry:
        """Find what is in the brand's own directories. Raises SFTPNoSuchFile."""
        await self._homes.refresh(self._view)
        entry = self._view.at(place.path)
        if entry is None:
            raise asyncssh.SFTPNoSuchFile("No such file")
        return entry

    async def _changeable(self, path: bytes, *, there: bool = True) -> names.Place:
        """Find a place whose name the brand may change (or make: not `there` yet).

        Raises SFTPPermissionDenied, and SFTPNoSuchFile for a read-only name that is not there.
        """
        place = names.place(path)
        if place.writable and not place.is_top:
            return place
        if there and not place.is_top:
            folder, _, name = place.path.rpartition("/")
            if folder or name not in names.TOP_FILES:
                await reading.find(self._homes, self._session.brand, place.path)
        raise asyncssh.SFTPPermissionDenied(status.MADE_BY_GATEWAY)
