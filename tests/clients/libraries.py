"""Libraries that programs of brands use: paramiko (pysftp, Airflow, Django storages) and asyncssh."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncssh
import paramiko

from tests.clients.place import Place
from tests.clients.place import content as content_of


class Paramiko:
    """Default `put`: after CLOSE it asks for the size, and fails if the name is gone or the size differs."""

    name = "paramiko"

    def __init__(self, here: Place) -> None:
        self.here = here

    @contextlib.contextmanager
    def session(self) -> Iterator[paramiko.SFTPClient]:
        here = self.here
        client = paramiko.SSHClient()
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
        client.connect(
            here.host, here.port, here.user, key_filename=str(here.key_file), look_for_keys=False, allow_agent=False
        )
        try:
            with client.open_sftp() as sftp:
                yield sftp
        finally:
            client.close()

    async def do(self, work: Callable[[paramiko.SFTPClient], Any]) -> Any:
        def inside() -> Any:
            with self.session() as sftp:
                return work(sftp)

        return await asyncio.to_thread(inside)

    async def put(self, local: Path, remote: str) -> None:
        await self.do(lambda sftp: sftp.put(str(local), remote))

    async def put_by_rename(self, local: Path, remote: str) -> None:
        def work(sftp: paramiko.SFTPClient) -> None:
            sftp.put(str(local), remote + ".tmp")
            sftp.rename(remote + ".tmp", remote)

        await self.do(work)

    async def put_over_by_rename(self, local: Path, remote: str) -> None:
        def work(sftp: paramiko.SFTPClient) -> None:
            sftp.put(str(local), remote + ".tmp")
            sftp.posix_rename(remote + ".tmp", remote)

        await self.do(work)

    async def put_after_removing(self, local: Path, remote: str) -> None:
        def work(sftp: paramiko.SFTPClient) -> None:
            sftp.put(str(local), remote + ".tmp")
            sftp.remove(remote)
            sftp.rename(remote + ".tmp", remote)

        await self.do(work)

    async def resume(self, local: Path, remote: str) -> None:
        def work(sftp: paramiko.SFTPClient) -> None:
            size = sftp.stat(remote).st_size or 0
            with sftp.open(remote, "r+") as file:
                file.seek(size)
                file.write(local.read_bytes()[size:])

        await self.do(work)

    async def append(self, local: Path, remote: str) -> None:
        def work(sftp: paramiko.SFTPClient) -> None:
            size = sftp.stat(remote).st_size or 0
            with sftp.open(remote, "a") as file:
                file.write(local.read_bytes()[size:])

        await self.do(work)

    async def put_preserving(self, local: Path, remote: str) -> None:
        def work(sftp: paramiko.SFTPClient) -> None:
            sftp.put(str(local), remote)
            seconds = local.stat().st_mtime
            sftp.utime(remote, (seconds, seconds))

        await self.do(work)

    async def change_attributes(self, remote: str) -> None:
        def work(sftp: paramiko.SFTPClient) -> None:
            sftp.chmod(remote, 0o600)
            sftp.utime(remote, (1_767_600_000, 1_767_600_000))
            sftp.chown(remote, 1000, 1000)
            assert sftp.stat(remote).st_mtime == 1_767_600_000

        await self.do(work)

    async def put_tree(self, folder: Path, remote: str) -> None:
        def work(sftp: paramiko.SFTPClient) -> None:
            for each in [folder, *sorted(folder.rglob("*"))]:
                target = f"{remote}/{each.relative_to(folder.parent)}"
                if each.is_file():
                    sftp.put(str(each), target)
                    continue
                for _ in range(2):
                    with contextlib.suppress(OSError):
                        sftp.mkdir(target)

        await self.do(work)

    async def names(self, folder: str) -> set[str]:
        return set(await self.do(lambda sftp: sftp.listdir(folder)))

    async def get(self, remote: str, local: Path) -> None:
        await self.do(lambda sftp: sftp.get(remote, str(local)))


class Asyncssh:
    name = "asyncssh"

    def __init__(self, here: Place) -> None:
        self.here = here

    @contextlib.asynccontextmanager
    async def session(self) -> Any:
        here = self.here
        async with (
            asyncssh.connect(
                here.host, here.port, username=here.user, client_keys=[str(here.key_file)], known_hosts=None,
                config=None, agent_path=None,
            ) as connection,
            connection.start_sftp_client() as sftp,
        ):  # fmt: skip
            yield sftp

    async def put(self, local: Path, remote: str) -> None:
        async with self.session() as sftp:
            await sftp.put(local, remote)

    async def put_by_rename(self, local: Path, remote: str) -> None:
        async with self.session() as sftp:
            await sftp.put(local, remote + ".tmp")
            await sftp.rename(remote + ".tmp", remote)

    async def put_over_by_rename(self, local: Path, remote: str) -> None:
        async with self.session() as sftp:
            await sftp.put(local, remote + ".tmp")
            await sftp.posix_rename(remote + ".tmp", remote)

    async def put_after_removing(self, local: Path, remote: str) -> None:
        async with self.session() as sftp:
            await sftp.put(local, remote + ".tmp")
            await sftp.remove(remote)
            await sftp.rename(remote + ".tmp", remote)

    async def append(self, local: Path, remote: str) -> None:
        content = content_of(local)
        async with self.session() as sftp:
            size = await sftp.getsize(remote)
            async with sftp.open(remote, "ab") as file:
                await file.write(content[size:])

    async def resume(self, local: Path, remote: str) -> None:
        content = content_of(local)
        async with self.session() as sftp:
            size = await sftp.getsize(remote)
            async with sftp.open(remote, "r+b") as file:
                await file.write(content[size:], size)

    async def put_preserving(self, local: Path, remote: str) -> None:
        async with self.session() as sftp:
            await sftp.put(local, remote, preserve=True)

    async def change_attributes(self, remote: str) -> None:
        async with self.session() as sftp:
            await sftp.chmod(remote, 0o600)
            await sftp.utime(remote, (1_767_600_000, 1_767_600_000))
            await sftp.setstat(remote, asyncssh.SFTPAttrs(uid=1000, gid=1000))
            assert (await sftp.stat(remote)).mtime == 1_767_600_000

    async def put_tree(self, folder: Path, remote: str) -> None:
        async with self.session() as sftp:
            for _ in range(2):
                await sftp.put(folder, remote, recurse=True)

    async def names(self, folder: str) -> set[str]:
        async with self.session() as sftp:
            return {name for name in await sftp.listdir(folder) if name not in {".", ".."}}

    async def get(self, remote: str, local: Path) -> None:
        async with self.session() as sftp:
            await sftp.get(remote, local)
