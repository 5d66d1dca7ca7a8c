"""rclone: tries shell commands first, pads its last WRITE (1.60), then sets times and looks again."""

from pathlib import Path

from tests.clients import place
from tests.clients.place import Place


class Rclone:
    name = "rclone"

    def __init__(self, here: Place) -> None:
        self.here, self.program = here, place.needs("rclone", "rclone")

    def command(self, *arguments: str | Path) -> tuple[str | Path, ...]:
        return self.program, "--config", "", "--retries", "1", "-q", *arguments

    async def call(self, *arguments: str | Path) -> str:
        return await place.run(self.here, *self.command(*arguments))

    def at(self, remote: str) -> str:
        here = self.here
        return f":sftp,host={here.host},port={here.port},user={here.user},key_file={here.key_file}:{remote}"

    async def put(self, local: Path, remote: str) -> None:
        await self.call("copyto", local, self.at(remote))

    put_preserving = put

    async def put_by_rename(self, local: Path, remote: str) -> None:
        await self.call("copyto", local, self.at(remote + ".tmp"))
        await self.call("moveto", self.at(remote + ".tmp"), self.at(remote))

    put_over_by_rename = put_by_rename

    async def put_after_removing(self, local: Path, remote: str) -> None:
        await self.call("copyto", local, self.at(remote + ".tmp"))
        await self.call("deletefile", self.at(remote))
        await self.call("moveto", self.at(remote + ".tmp"), self.at(remote))

    async def change_attributes(self, remote: str) -> None:
        await self.call("touch", "-C", "-t", "2026-01-05T10:00:00", self.at(remote))

    async def put_tree(self, folder: Path, remote: str) -> None:
        for _ in range(2):
            await self.call("copy", folder, self.at(f"{remote}/{folder.name}"))

    async def names(self, folder: str) -> set[str]:
        return {name.rstrip("/") for name in (await self.call("lsf", self.at(folder))).splitlines()}

    async def get(self, remote: str, local: Path) -> None:
        await self.call("copyto", self.at(remote), local)
