"""sshfs: the home as a file system, so every program of the brand is a client."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

from tests.clients import openssh, place
from tests.clients.place import Place, content


class Sshfs:
    name = "sshfs"

    def __init__(self, here: Place) -> None:
        self.here, self.program = here, place.needs("sshfs", "sshfs")
        if not Path("/dev/fuse").exists():
            raise place.NotInstalled("there is no /dev/fuse in this container")

    @contextlib.asynccontextmanager
    async def mounted(self) -> AsyncIterator[Path]:
        here = self.here
        point = here.scratch / "mount"
        await asyncio.to_thread(point.mkdir, exist_ok=True)
        options = [each for each in openssh.options(here) if each not in {"-P", str(here.port)}][2:]
        try:
            await place.run(
                here, self.program, "-p", str(here.port), *options, f"{here.user}@{here.host}:/", point, seconds=10
            )
        except place.Failed as exc:
            if "fuse" in str(exc):
                raise place.NotInstalled(f"this machine lets nobody mount: {exc}") from exc
            raise
        try:
            yield point
        finally:
            await place.run(here, "fusermount", "-u", point)

    async def put(self, local: Path, remote: str) -> None:
        async with self.mounted() as point:
            await asyncio.to_thread(shutil.copyfile, local, f"{point}{remote}")

    async def put_by_rename(self, local: Path, remote: str) -> None:
        async with self.mounted() as point:
            await asyncio.to_thread(shutil.copyfile, local, f"{point}{remote}.tmp")
            await asyncio.to_thread(Path(f"{point}{remote}.tmp").replace, f"{point}{remote}")

    put_over_by_rename = put_by_rename

    async def put_after_removing(self, local: Path, remote: str) -> None:
        async with self.mounted() as point:
            await asyncio.to_thread(shutil.copyfile, local, f"{point}{remote}.tmp")
            await asyncio.to_thread(Path(f"{point}{remote}").unlink)
            await asyncio.to_thread(Path(f"{point}{remote}.tmp").replace, f"{point}{remote}")

    async def append(self, local: Path, remote: str) -> None:
        def more(point: Path) -> None:
            target = Path(f"{point}{remote}")
            data = content(local)[target.stat().st_size :]
            with target.open("ab") as file:
                file.write(data)

        async with self.mounted() as point:
            await asyncio.to_thread(more, point)

    async def put_preserving(self, local: Path, remote: str) -> None:
        async with self.mounted() as point:
            await asyncio.to_thread(shutil.copy2, local, f"{point}{remote}")

    async def change_attributes(self, remote: str) -> None:
        async with self.mounted() as point:
            await asyncio.to_thread(Path(f"{point}{remote}").chmod, 0o600)
            await asyncio.to_thread(Path(f"{point}{remote}").touch)

    async def put_tree(self, folder: Path, remote: str) -> None:
        async with self.mounted() as point:
            for _ in range(2):
                await asyncio.to_thread(
                    shutil.copytree, folder, f"{point}{remote}/{folder.name}", dirs_exist_ok=True,
                    copy_function=shutil.copyfile,
                )  # fmt: skip

    async def names(self, folder: str) -> set[str]:
        async with self.mounted() as point:
            return {each.name for each in await asyncio.to_thread(lambda: list(Path(f"{point}{folder}").iterdir()))}

    async def get(self, remote: str, local: Path) -> None:
        async with self.mounted() as point:
            data = await asyncio.to_thread(content, Path(f"{point}{remote}"))
            await asyncio.to_thread(local.write_bytes, data)
