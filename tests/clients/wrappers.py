"""What programs in Python put around paramiko and asyncssh: sftpretty (a pysftp that lives), fsspec, sshfs for fsspec."""

import asyncio
import contextlib
import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.clients import place
from tests.clients.place import Place


def module(name: str, package: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise place.NotInstalled(f"pip install {package}") from None


class Threaded:
    """One session a call, in a thread."""

    def __init__(self, here: Place) -> None:
        self.here = here

    @contextlib.contextmanager
    def session(self) -> Iterator[Any]:
        raise NotImplementedError

    async def do(self, work: Callable[[Any], Any]) -> Any:
        def inside() -> Any:
            with self.session() as session:
                return work(session)

        return await asyncio.to_thread(inside)


class Sftpretty(Threaded):
    """Checks the size after CLOSE as paramiko does, and makes directories as it goes."""

    name = "sftpretty"

    def __init__(self, here: Place) -> None:
        super().__init__(here)
        self.library = module("sftpretty", "sftpretty")

    @contextlib.contextmanager
    def session(self) -> Iterator[Any]:
        here = self.here
        known = here.scratch / "known_hosts"
        known.write_text(f"[{here.host}]:{here.port} {here.host_key}\n")
        options = self.library.CnOpts(knownhosts=str(known))
        options.hostkeys.load(str(known))
        with self.library.Connection(
            here.host, cnopts=options, port=here.port, username=here.user, private_key=str(here.key_file)
        ) as session:
            yield session

    async def put(self, local: Path, remote: str) -> None:
        await self.do(lambda session: session.put(str(local), remote))

    async def put_by_rename(self, local: Path, remote: str) -> None:
        def work(session: Any) -> None:
            session.put(str(local), remote + ".tmp")
            session.rename(remote + ".tmp", remote)

        await self.do(work)

    put_over_by_rename = put_by_rename

    async def put_after_removing(self, local: Path, remote: str) -> None:
        def work(session: Any) -> None:
            session.put(str(local), remote + ".tmp")
            session.remove(remote)
            session.rename(remote + ".tmp", remote, posix=False)

        await self.do(work)

    async def resume(self, local: Path, remote: str) -> None:
        await self.do(lambda session: session.put(str(local), remote, resume=True))

    async def put_preserving(self, local: Path, remote: str) -> None:
        await self.do(lambda session: session.put(str(local), remote, preserve_mtime=True))

    async def change_attributes(self, remote: str) -> None:
        def work(session: Any) -> None:
            session.chmod(remote, 600)
            assert session.stat(remote).st_size

        await self.do(work)

    async def put_tree(self, folder: Path, remote: str) -> None:
        for _ in range(2):
            await self.do(lambda session: session.put_r(str(folder), remote))

    async def names(self, folder: str) -> set[str]:
        return set(await self.do(lambda session: session.listdir(folder)))

    async def get(self, remote: str, local: Path) -> None:
        await self.do(lambda session: session.get(remote, str(local)))


class FsspecSftp(Threaded):
    """`sftp://` of pandas, dask and their kin: fsspec over paramiko."""

    name = "fsspec (paramiko)"

    def __init__(self, here: Place) -> None:
        super().__init__(here)
        self.library = module("fsspec.implementations.sftp", "fsspec")

    @contextlib.contextmanager
    def session(self) -> Iterator[Any]:
        here = self.here
        system = self.library.SFTPFileSystem(
            here.host, port=here.port, username=here.user, key_filename=str(here.key_file), look_for_keys=False,
            allow_agent=False, skip_instance_cache=True,
        )  # fmt: skip
        try:
            yield system
        finally:
            system.ftp.close()
            system.client.close()

    async def put(self, local: Path, remote: str) -> None:
        await self.do(lambda system: system.put_file(str(local), remote))

    async def put_by_rename(self, local: Path, remote: str) -> None:
        def work(system: Any) -> None:
            with system.open(remote + ".tmp", "wb") as file:
                file.write(local.read_bytes())
            system.mv(remote + ".tmp", remote)

        await self.do(work)

    put_over_by_rename = put_by_rename

    async def put_after_removing(self, local: Path, remote: str) -> None:
        def work(system: Any) -> None:
            system.put_file(str(local), remote + ".tmp")
            system.rm_file(remote)
            system.mv(remote + ".tmp", remote)

        await self.do(work)

    async def append(self, local: Path, remote: str) -> None:
        def work(system: Any) -> None:
            size = system.info(remote)["size"]
            with system.open(remote, "ab") as file:
                file.write(local.read_bytes()[size:])

        await self.do(work)

    async def put_tree(self, folder: Path, remote: str) -> None:
        def work(system: Any) -> None:
            for _ in range(2):
                for file in place.files_of(folder):
                    target = f"{remote}/{file.relative_to(folder.parent)}"
                    system.makedirs(target.rpartition("/")[0], exist_ok=True)
                    system.put_file(str(file), target)

        await self.do(work)

    async def change_attributes(self, remote: str) -> None:
        def work(system: Any) -> None:
            system.ftp.chmod(remote, 0o600)
            system.ftp.utime(remote, (1_767_600_000, 1_767_600_000))
            assert system.info(remote)["mtime"].timestamp() == 1_767_600_000

        await self.do(work)

    async def names(self, folder: str) -> set[str]:
        return {each.rpartition("/")[2] for each in await self.do(lambda system: system.ls(folder, detail=False))}

    async def get(self, remote: str, local: Path) -> None:
        await self.do(lambda system: system.get_file(remote, str(local)))


class FsspecSshfs(FsspecSftp):
    """The sshfs package: fsspec over asyncssh, several channels on one connection."""

    name = "fsspec (sshfs)"

    def __init__(self, here: Place) -> None:
        Threaded.__init__(self, here)
        self.library = module("sshfs", "sshfs")

    @contextlib.contextmanager
    def session(self) -> Iterator[Any]:
        here = self.here
        system = self.library.SSHFileSystem(
            here.host, port=here.port, username=here.user, client_keys=[str(here.key_file)], config=None,
            agent_path=None, skip_instance_cache=True,
        )  # fmt: skip
        try:
            yield system
        finally:
            system._finalize(system.loop, system._pool, system._stack)

    change_attributes = None


class Jsch(Threaded):
    """JSch of 2018, the last one Debian has: what old Java integrations carry. It needs `algorithms = "legacy"`."""

    name = "JSch 0.1 (legacy)"
    algorithms = "legacy"
    JAR = Path("/usr/share/java/jsch.jar")

    def __init__(self, here: Place) -> None:
        super().__init__(here)
        self.program = place.needs("java", "default-jdk-headless")
        if not self.JAR.exists():
            raise place.NotInstalled(f"{self.JAR} is not there: apt-get install libjsch-java (.ci/run does)")

    async def calls(self, *calls: str) -> str:
        here = self.here
        login = f"{here.host} {here.port} {here.user}"
        source = Path(__file__).with_suffix("").with_name("Jsch.java")
        return await place.run(
            here,
            self.program,
            "-XX:TieredStopAtLevel=1",
            "-cp",
            self.JAR,
            source,
            *login.split(),
            here.password,
            *calls,
        )

    async def put(self, local: Path, remote: str) -> None:
        await self.calls("put", str(local), remote)

    async def put_by_rename(self, local: Path, remote: str) -> None:
        await self.calls("put", str(local), remote + ".tmp", "rename", remote + ".tmp", remote)

    put_over_by_rename = put_by_rename

    async def put_after_removing(self, local: Path, remote: str) -> None:
        await self.calls("put", str(local), remote + ".tmp", "rm", remote, "-", "rename", remote + ".tmp", remote)

    async def resume(self, local: Path, remote: str) -> None:
        await self.calls("resume", str(local), remote)

    async def append(self, local: Path, remote: str) -> None:
        rest = self.here.scratch / "rest"
        size = int((await self.calls("size", remote, "-")).split()[-1])
        await asyncio.to_thread(lambda: rest.write_bytes(local.read_bytes()[size:]))
        await self.calls("append", str(rest), remote)

    async def put_preserving(self, local: Path, remote: str) -> None:
        seconds = str(place.seconds(local))
        await self.calls("put", str(local), remote, "mtime", remote, seconds)

    async def change_attributes(self, remote: str) -> None:
        await self.calls("chmod", remote, "600", "mtime", remote, "1767600000", "size", remote, "-")

    async def put_tree(self, folder: Path, remote: str) -> None:
        calls = []
        for each, is_file in place.tree_of(folder):
            target = f"{remote}/{each.relative_to(folder.parent)}"
            calls += ["put", str(each), target] if is_file else ["mkdir", target, "-"]
        await self.calls(*calls, *calls)

    async def names(self, folder: str) -> set[str]:
        return set((await self.calls("ls", folder, "-")).split()) - {".", ".."}

    async def get(self, remote: str, local: Path) -> None:
        await self.calls("get", remote, str(local))
