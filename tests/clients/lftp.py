"""lftp: asks for SFTP v6, writes 32 KiB at a time, sets size and time before CLOSE."""

from pathlib import Path

from tests.clients import place
from tests.clients.place import Place


class Lftp:
    name = "lftp"

    def __init__(self, here: Place) -> None:
        self.here, self.program = here, place.needs("lftp", "lftp")

    def command(self, *lines: str) -> tuple[str, ...]:
        here = self.here
        known = here.scratch / "known_hosts"
        known.write_text(f"[{here.host}]:{here.port} {here.host_key}\n")
        connect = f"ssh -a -x -F /dev/null -o UserKnownHostsFile={known} -o IdentitiesOnly=yes -i {here.key_file}"
        settings = (f'set sftp:connect-program "{connect}"', "set net:max-retries 1", "set cmd:fail-exit yes")
        opened = f"open -u {here.user},none sftp://{here.host}:{here.port}"
        return self.program, "--norc", "-c", "; ".join((*settings, opened, *lines))

    async def script(self, *lines: str) -> str:
        return await place.run(self.here, *self.command(*lines))

    async def put(self, local: Path, remote: str) -> None:
        await self.script(f"put {local} -o {remote}")

    async def put_by_rename(self, local: Path, remote: str) -> None:
        await self.script("set xfer:use-temp-file yes", f"put {local} -o {remote}")

    put_over_by_rename = put_by_rename

    async def put_after_removing(self, local: Path, remote: str) -> None:
        await self.script(f"put {local} -o {remote}.tmp", f"rm {remote}", f"mv {remote}.tmp {remote}")

    async def resume(self, local: Path, remote: str) -> None:
        await self.script(f"put -c {local} -o {remote}")

    put_preserving = put

    async def change_attributes(self, remote: str) -> None:
        await self.script(f"chmod 600 {remote}", f"cls -l {remote}")

    async def put_tree(self, folder: Path, remote: str) -> None:
        for _ in range(2):
            await self.script(f"mirror -R {folder} {remote}/{folder.name}")

    async def names(self, folder: str) -> set[str]:
        return {name.rstrip("/") for name in (await self.script(f"cls -1 --basename {folder}")).split()}

    async def get(self, remote: str, local: Path) -> None:
        await self.script(f"get {remote} -o {local}")
