"""ssh2-python: libssh2 itself, the library under curl and many EDI products."""

import asyncio
import contextlib
import importlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.clients import place
from tests.clients.place import Place

MODE = 0o100644


class Libssh2:
    name = "ssh2-python"

    def __init__(self, here: Place) -> None:
        self.here = here
        try:
            self.session_module = importlib.import_module("ssh2.session")
            self.names_of = importlib.import_module("ssh2.sftp")
            self.handles = importlib.import_module("ssh2.sftp_handle")
            self.errors = importlib.import_module("ssh2.exceptions")
        except ImportError:
            raise place.NotInstalled("pip install ssh2-python") from None

    @contextlib.contextmanager
    def sftp(self) -> Iterator[Any]:
        here = self.here
        with socket.create_connection((here.host, here.port)) as sock:
            session = self.session_module.Session()
            session.handshake(sock)
            session.userauth_password(here.user, here.password)
            yield session.sftp_init()
            session.disconnect()

    async def do(self, work: Callable[[Any], Any]) -> Any:
        def inside() -> Any:
            with self.sftp() as sftp:
                return work(sftp)

        return await asyncio.to_thread(inside)

    def write(self, sftp: Any, content: bytes, remote: str, flags: int, offset: int = 0) -> None:
        handle = sftp.open(remote, flags, MODE)
        handle.seek64(offset)
        view = memoryview(content)[offset:]
        while view:
            _, written = handle.write(bytes(view[:100_000]))
            view = view[written:]
        handle.close()

    @property
    def create(self) -> int:
        names = self.names_of
        return int(names.LIBSSH2_FXF_WRITE | names.LIBSSH2_FXF_CREAT | names.LIBSSH2_FXF_TRUNC)

    async def put(self, local: Path, remote: str) -> None:
        data = place.content(local)
        await self.do(lambda sftp: self.write(sftp, data, remote, self.create))

    async def put_by_rename(self, local: Path, remote: str) -> None:
        data = place.content(local)

        def work(sftp: Any) -> None:
            self.write(sftp, data, remote + ".tmp", self.create)
            sftp.rename(remote + ".tmp", remote)

        await self.do(work)

    put_over_by_rename = put_by_rename

    async def put_after_removing(self, local: Path, remote: str) -> None:
        data = place.content(local)

        def work(sftp: Any) -> None:
            self.write(sftp, data, remote + ".tmp", self.create)
            sftp.unlink(remote)
            sftp.rename(remote + ".tmp", remote)

        await self.do(work)

    async def resume(self, local: Path, remote: str) -> None:
        data = place.content(local)

        def work(sftp: Any) -> None:
            there = sftp.stat(remote).filesize
            self.write(sftp, data, remote, int(self.names_of.LIBSSH2_FXF_WRITE), there)

        await self.do(work)

    async def put_preserving(self, local: Path, remote: str) -> None:
        data = place.content(local)

        def work(sftp: Any) -> None:
            self.write(sftp, data, remote, self.create)
            self.set_attributes(sftp, remote, int(local.stat().st_mtime))

        await self.do(work)

    async def change_attributes(self, remote: str) -> None:
        def work(sftp: Any) -> None:
            self.set_attributes(sftp, remote, 1_767_600_000)
            assert sftp.stat(remote).mtime == 1_767_600_000

        await self.do(work)

    def set_attributes(self, sftp: Any, remote: str, seconds: int) -> None:
        names = self.names_of
        attributes = self.handles.SFTPAttributes()
        attributes.flags = names.LIBSSH2_SFTP_ATTR_PERMISSIONS | names.LIBSSH2_SFTP_ATTR_ACMODTIME
        attributes.permissions = MODE
        attributes.atime = attributes.mtime = seconds
        sftp.setstat(remote, attributes)

    async def put_tree(self, folder: Path, remote: str) -> None:
        def work(sftp: Any) -> None:
            for each in [folder, *sorted(folder.rglob("*"))] * 2:
                target = f"{remote}/{each.relative_to(folder.parent)}"
                if each.is_file():
                    self.write(sftp, place.content(each), target, self.create)
                    continue
                with contextlib.suppress(self.errors.SFTPProtocolError):
                    sftp.mkdir(target, 0o755)

        await self.do(work)

    async def get(self, remote: str, local: Path) -> None:
        def work(sftp: Any) -> bytes:
            with sftp.open(remote, self.names_of.LIBSSH2_FXF_READ, MODE) as handle:
                return b"".join(data for _, data in handle)

        data = await self.do(work)
        await asyncio.to_thread(local.write_bytes, data)

    async def names(self, folder: str) -> set[str]:
        def work(sftp: Any) -> set[str]:
            with sftp.opendir(folder) as handle:
                return {name.decode() for _, name, _ in handle.readdir()} - {".", ".."}

        return set(await self.do(work))
