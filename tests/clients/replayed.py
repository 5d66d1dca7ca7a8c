"""Clients that run on Windows only, by replay of the packets that their sources send (SFTP 3)."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncssh

from tests.clients.libraries import Asyncssh
from tests.clients.place import content as content_of

OPEN, CLOSE, WRITE, FSTAT, SETSTAT, MKDIR, REALPATH = 3, 4, 6, 8, 9, 14, 16
WRITES, APPENDS, CREATES, TRUNCATES = 2, 4, 8, 16
BLOCK = 32768
THEN = 1_767_600_000
NO_ATTRIBUTES = bytes(4)


def word(value: int, size: int = 4) -> bytes:
    return value.to_bytes(size, "big")


def string(value: bytes) -> bytes:
    return word(len(value)) + value


TIMES = word(8) + word(THEN) * 2


class Wire:
    """Requests as they stand in the protocol, over a session of asyncssh's client."""

    def __init__(self, sftp: Any) -> None:
        self.sftp = sftp
        self._handler = sftp._handler

    async def ask(self, kind: int, *parts: bytes) -> Any:
        return await self._handler._make_request(kind, *parts)

    async def opened(self, remote: str, flags: int, attributes: bytes = NO_ATTRIBUTES) -> bytes:
        return string(await self.ask(OPEN, string(remote.encode()), word(flags), attributes))

    async def write(self, handle: bytes, content: bytes, start: int = 0, together: int = 1) -> None:
        """Send blocks, up to `together` of them before their answers are read."""
        offsets = range(0, len(content), BLOCK)
        for first in range(0, len(offsets), together):
            await asyncio.gather(
                *(
                    self.ask(WRITE, handle, word(start + at, 8), string(content[at : at + BLOCK]))
                    for at in offsets[first : first + together]
                )
            )


class Replayed(Asyncssh):
    put_preserving = change_attributes = put_tree = names = get = append = None  # the parent's own way, not theirs
    put_by_rename = put_over_by_rename = put_after_removing = None

    @contextlib.asynccontextmanager
    async def wire(self) -> AsyncIterator[Wire]:
        async with self.session() as sftp:
            yield Wire(sftp)


class Winscp(Replayed):
    """WinSCP."""

    name = "WinSCP (replayed)"

    async def put(self, local: Path, remote: str) -> None:
        """Up to 100 KB: the size in OPEN's attributes; CLOSE and SETSTAT without waiting in between."""
        content = content_of(local)
        async with self.wire() as wire:
            handle = await wire.opened(remote, WRITES | CREATES | TRUNCATES, word(1) + word(len(content), 8))
            await wire.write(handle, content)
            await asyncio.gather(wire.ask(CLOSE, handle), wire.ask(SETSTAT, string(remote.encode()), TIMES))
            assert (await wire.sftp.stat(remote)).mtime == THEN

    async def put_by_rename(self, local: Path, remote: str) -> None:
        """Over 100 KB: `.filepart`, REMOVE of the final name if there is one, plain RENAME, SETSTAT."""
        async with self.session() as sftp:
            there = await sftp.exists(remote)
            assert not await sftp.exists(remote + ".filepart")
            async with sftp.open(remote + ".filepart", "wb") as file:
                await file.write(content_of(local))
            if there:
                await sftp.remove(remote)
            await sftp.rename(remote + ".filepart", remote)
            await sftp.utime(remote, (THEN, THEN))

    put_over_by_rename = put_by_rename

    async def resume(self, local: Path, remote: str) -> None:
        """STAT, then OPEN without APPEND and without TRUNC, and offset WRITEs (sftpgo #420)."""
        content = content_of(local)
        async with self.wire() as wire:
            size = await wire.sftp.getsize(remote)
            handle = await wire.opened(remote, WRITES | CREATES)
            await wire.write(handle, content[size:], size)
            await wire.ask(CLOSE, handle)


class Filezilla(Replayed):
    """FileZilla: PuTTY's engine. Lists the directory before, writes to the final name, asks for it afterwards."""

    name = "FileZilla (replayed)"

    async def _prepare(self, wire: Wire, remote: str) -> set[str]:
        """Go to the directory and list it, as the right-hand pane shows it."""
        folder = remote.rpartition("/")[0] or "/"
        await wire.ask(REALPATH, string(b"."))
        await wire.ask(REALPATH, string(folder.encode()))
        return {str(name) for name in await wire.sftp.listdir(folder)}

    async def put(self, local: Path, remote: str) -> None:
        async with self.wire() as wire:
            await self._prepare(wire, remote)
            await self._put(wire, local, remote)

    async def _put(self, wire: Wire, local: Path, remote: str) -> None:
        content = content_of(local)
        handle = await wire.opened(remote, WRITES | CREATES | TRUNCATES, word(4) + word(0o100644))
        await wire.write(handle, content, together=8)
        await wire.ask(CLOSE, handle)
        assert (await wire.sftp.stat(remote)).size == len(content)

    async def put_preserving(self, local: Path, remote: str) -> None:
        """With "Preserve timestamps of transferred files"."""
        changed = int((await asyncio.to_thread(local.stat)).st_mtime)
        async with self.wire() as wire:
            await self._put(wire, local, remote)
            await wire.ask(SETSTAT, string(remote.encode()), word(8) + word(changed) * 2)
            assert (await wire.sftp.stat(remote)).mtime == changed

    async def resume(self, local: Path, remote: str) -> None:
        """PuTTY's `reput`: OPEN for writing, the size by STAT, WRITEs from there."""
        content = content_of(local)
        async with self.wire() as wire:
            assert remote.rpartition("/")[2] in await self._prepare(wire, remote)
            handle = await wire.opened(remote, WRITES)
            size = (await wire.sftp.stat(remote)).size
            await wire.write(handle, content[size:], size, together=8)
            await wire.ask(CLOSE, handle)

    async def put_tree(self, folder: Path, remote: str) -> None:
        """A directory dragged into the window: MKDIR each, whether it is there or not, then the files."""
        paths = await asyncio.to_thread(lambda: [(path, path.is_file()) for path in sorted(folder.rglob("*"))])
        async with self.wire() as wire:
            for path, is_file in [(folder, False), *paths]:
                target = f"{remote}/{path.relative_to(folder.parent)}"
                if is_file:
                    await self._put(wire, path, target)
                    continue
                for _ in range(2):
                    with contextlib.suppress(asyncssh.SFTPError):  # it says that it is there already, and goes on
                        await wire.ask(MKDIR, string(target.encode()), NO_ATTRIBUTES)


class SshNet(Replayed):
    """SSH.NET (PowerShell's Posh-SSH, Azure's and many .NET programs): FSTAT after OPEN, 32 KiB WRITEs, plain RENAME."""

    name = "SSH.NET (replayed)"

    async def put(self, local: Path, remote: str) -> None:
        """`UploadFile`."""
        async with self.wire() as wire:
            await wire.ask(REALPATH, string(b"."))
            handle = await wire.opened(remote, WRITES | CREATES | TRUNCATES)
            await wire.ask(FSTAT, handle)
            await wire.write(handle, content_of(local), together=16)
            await wire.ask(CLOSE, handle)

    async def put_by_rename(self, local: Path, remote: str) -> None:
        """`UploadFile`, `Exists`, `DeleteFile` where it does, `RenameFile`."""
        await self.put(local, remote + ".tmp")
        async with self.wire() as wire:
            if await wire.sftp.exists(remote):
                await wire.sftp.remove(remote)
            await wire.sftp.rename(remote + ".tmp", remote)
            assert (await wire.sftp.lstat(remote)).size == len(content_of(local))

    put_after_removing = put_by_rename

    async def put_over_by_rename(self, local: Path, remote: str) -> None:
        """`RenameFile(…, isPosix: true)`."""
        await self.put(local, remote + ".tmp")
        async with self.wire() as wire:
            await wire.sftp.posix_rename(remote + ".tmp", remote)

    async def append(self, local: Path, remote: str) -> None:
        """`Open(path, FileMode.Append)`: its stream writes at the size that FSTAT gave."""
        content = content_of(local)
        async with self.wire() as wire:
            handle = await wire.opened(remote, WRITES | APPENDS | CREATES)
            size = (await wire.ask(FSTAT, handle)).size
            await wire.write(handle, content[size:], size)
            await wire.ask(CLOSE, handle)

    resume = None

    async def change_attributes(self, remote: str) -> None:
        """`ChangePermissions`, `SetLastWriteTimeUtc`: each reads the attributes and sends them all back."""
        async with self.wire() as wire:
            found = await wire.sftp.stat(remote)
            whole = word(1 | 2 | 4 | 8) + word(found.size, 8) + word(found.uid) + word(found.gid) + word(0o100600)
            await wire.ask(SETSTAT, string(remote.encode()), whole + word(THEN) * 2)
            assert (await wire.sftp.stat(remote)).mtime == THEN

    async def names(self, folder: str) -> set[str]:
        """`ListDirectory`."""
        async with self.wire() as wire:
            return {str(name) for name in await wire.sftp.listdir(folder) if name not in {".", ".."}}

    async def get(self, remote: str, local: Path) -> None:
        """`DownloadFile`."""
        async with self.session() as sftp:
            await sftp.get(remote, local)
