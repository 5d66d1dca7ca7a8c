"""OpenSSH: sftp in batch mode, and scp, which speaks SFTP since 9.0."""

from pathlib import Path

from tests.clients import place
from tests.clients.place import Place


def options(here: Place) -> list[str]:
    known = here.scratch / "known_hosts"
    known.write_text(f"[{here.host}]:{here.port} {here.host_key}\n")
    pairs = {"UserKnownHostsFile": known, "IdentitiesOnly": "yes", "LogLevel": "ERROR", "IdentityFile": here.key_file}
    flat = ["-F", "/dev/null", "-P", str(here.port)]
    for name, value in pairs.items():
        flat += ["-o", f"{name}={value}"]
    return flat


class Sftp:
    name = "OpenSSH sftp"

    def __init__(self, here: Place) -> None:
        self.here, self.program = here, place.needs("sftp", "openssh-client")

    async def batch(self, *lines: str, flags: tuple[str, ...] = ()) -> str:
        here = self.here
        return await place.run(
            here, self.program, *options(here), *flags, "-b", "-", f"{here.user}@{here.host}", stdin="\n".join(lines)
        )

    async def put(self, local: Path, remote: str) -> None:
        await self.batch(f"put {local} {remote}")

    async def put_by_rename(self, local: Path, remote: str) -> None:
        await self.batch(f"put {local} {remote}.tmp", f"rename {remote}.tmp {remote}")

    put_over_by_rename = put_by_rename

    async def put_after_removing(self, local: Path, remote: str) -> None:
        await self.batch(f"put {local} {remote}.tmp", f"rm {remote}", f"rename {remote}.tmp {remote}")

    async def resume(self, local: Path, remote: str) -> None:
        await self.batch(f"reput {local} {remote}")

    async def append(self, local: Path, remote: str) -> None:
        await self.batch(f"put -a {local} {remote}")

    async def put_preserving(self, local: Path, remote: str) -> None:
        await self.batch(f"put -pf {local} {remote}")

    async def change_attributes(self, remote: str) -> None:
        await self.batch(f"chmod 600 {remote}", f"ls -l {remote}", "df")

    async def put_tree(self, folder: Path, remote: str) -> None:
        for _ in range(2):  # the second time every directory exists
            await self.batch(f"put -R {folder} {remote}")

    async def names(self, folder: str) -> set[str]:
        printed = await self.batch(f"ls -1 {folder}")
        return {line.rpartition("/")[2] for line in printed.splitlines() if not line.startswith("sftp>")}

    async def get(self, remote: str, local: Path) -> None:
        await self.batch(f"get {remote} {local}")


class Scp:
    name = "OpenSSH scp"

    def __init__(self, here: Place) -> None:
        self.here, self.program = here, place.needs("scp", "openssh-client")

    async def copy(self, *arguments: str | Path) -> None:
        await place.run(self.here, self.program, *options(self.here), *arguments)

    def at(self, remote: str) -> str:
        return f"{self.here.user}@{self.here.host}:{remote}"

    async def put(self, local: Path, remote: str) -> None:
        await self.copy(local, self.at(remote))

    async def put_preserving(self, local: Path, remote: str) -> None:
        await self.copy("-p", local, self.at(remote))

    async def put_tree(self, folder: Path, remote: str) -> None:
        for _ in range(2):
            await self.copy("-r", folder, self.at(remote))

    async def get(self, remote: str, local: Path) -> None:
        await self.copy(self.at(remote), local)
