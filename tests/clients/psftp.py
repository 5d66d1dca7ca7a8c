"""psftp of PuTTY: 4 KiB writes, and only its own words for errors."""

import asyncio
import base64
import hashlib
from pathlib import Path

from tests.clients import place
from tests.clients.place import Place


class Psftp:
    name = "psftp"

    def __init__(self, here: Place) -> None:
        self.here, self.program = here, place.needs("psftp", "putty-tools")

    async def script(self, *lines: str) -> str:
        here = self.here
        blob = base64.b64decode(here.host_key.split()[1])
        fingerprint = "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
        file = here.scratch / "psftp.script"
        await asyncio.to_thread(file.write_text, "\n".join(lines) + "\n")
        return await place.run(
            here, self.program, "-batch", "-P", str(here.port), "-l", here.user, "-pw", here.password,
            "-hostkey", fingerprint, "-b", file, here.host,
        )  # fmt: skip

    async def put(self, local: Path, remote: str) -> None:
        await self.script(f"put {local} {remote}")

    async def put_by_rename(self, local: Path, remote: str) -> None:
        await self.script(f"put {local} {remote}.tmp", f"mv {remote}.tmp {remote}")

    put_over_by_rename = put_by_rename

    async def put_after_removing(self, local: Path, remote: str) -> None:
        await self.script(f"put {local} {remote}.tmp", f"rm {remote}", f"mv {remote}.tmp {remote}")

    async def resume(self, local: Path, remote: str) -> None:
        await self.script(f"reput {local} {remote}")

    async def change_attributes(self, remote: str) -> None:
        await self.script(f"chmod 600 {remote}", "ls /inbox")

    async def put_tree(self, folder: Path, remote: str) -> None:
        for _ in range(2):
            await self.script(f"cd {remote}", f"put -r {folder}")

    async def names(self, folder: str) -> set[str]:
        printed = await self.script(f"ls {folder}")
        return {line.split()[-1] for line in printed.splitlines() if line[:1] in {"-", "d"}} - {".", ".."}

    async def get(self, remote: str, local: Path) -> None:
        await self.script(f"get {remote} {local}")
