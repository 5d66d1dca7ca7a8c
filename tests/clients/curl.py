"""curl with libssh2: knows no encrypt-then-MAC before 1.11, opens with type bits in the permissions."""

from pathlib import Path

from tests.clients import place
from tests.clients.place import Place


class Curl:
    name = "curl"

    def __init__(self, here: Place) -> None:
        self.here, self.program = here, place.needs("curl", "curl")
        if "sftp" not in _protocols(self.program):
            raise place.NotInstalled("this curl is built without SFTP: apt-get install curl")

    def command(self, *arguments: str | Path) -> tuple[str | Path, ...]:
        login = f"{self.here.user}:{self.here.password}"
        return self.program, "-q", "-sS", "--insecure", "-u", login, *arguments

    async def call(self, *arguments: str | Path) -> str:
        return await place.run(self.here, *self.command(*arguments))

    def url(self, remote: str) -> str:
        return f"sftp://{self.here.host}:{self.here.port}/{remote.lstrip('/')}"

    async def put(self, local: Path, remote: str) -> None:
        await self.call("-T", local, self.url(remote))

    async def put_by_rename(self, local: Path, remote: str) -> None:
        await self.call("-T", local, self.url(remote + ".tmp"), "-Q", f"-rename {remote}.tmp {remote}")

    put_over_by_rename = put_by_rename

    async def put_after_removing(self, local: Path, remote: str) -> None:
        await self.call(
            "-T", local, self.url(remote + ".tmp"), "-Q", f"-rm {remote}", "-Q", f"-rename {remote}.tmp {remote}"
        )

    async def resume(self, local: Path, remote: str) -> None:
        await self.call("-C", "-", "-T", local, self.url(remote))

    async def append(self, local: Path, remote: str) -> None:
        await self.call("--append", "-T", local, self.url(remote))

    async def change_attributes(self, remote: str) -> None:
        folder = self.url(remote.rpartition("/")[0] + "/")
        await self.call(folder, "-Q", f"chmod 600 {remote}", "-Q", f'mtime "Mon, 05 Jan 2026 10:00:00 GMT" {remote}')

    async def put_tree(self, folder: Path, remote: str) -> None:
        for file in place.files_of(folder):
            inside = file.relative_to(folder.parent)
            for _ in range(2):
                await self.call("--ftp-create-dirs", "-T", file, self.url(f"{remote}/{inside}"))

    async def names(self, folder: str) -> set[str]:
        return set((await self.call("-l", self.url(folder + "/"))).split()) - {".", ".."}

    async def get(self, remote: str, local: Path) -> None:
        await self.call("-o", local, self.url(remote))


def _protocols(program: str) -> str:
    import subprocess

    return subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
