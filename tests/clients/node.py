"""npm ssh2-sftp-client: FSETSTAT before CLOSE, LSTAT and MKDIR for folders."""

import json
import os
from pathlib import Path

from tests.clients import place
from tests.clients.place import Place

MODULES = Path(os.environ.get("SFTP_GATEWAY_NODE_MODULES", Path(__file__).parent / "node_modules"))


class NodeClient:
    name = "ssh2-sftp-client"

    def __init__(self, here: Place) -> None:
        self.here, self.program = here, place.needs("node", "nodejs")
        if not (MODULES / "ssh2-sftp-client").is_dir():
            raise place.NotInstalled(f"npm install --prefix {MODULES.parent} ssh2-sftp-client")

    async def calls(self, *calls: tuple[str | Path | bool, ...]) -> str:
        here = self.here
        job = {
            "host": here.host, "port": here.port, "user": here.user, "key": str(here.key_file),
            "modules": str(MODULES), "calls": [[each if isinstance(each, bool) else str(each) for each in call] for call in calls],
        }  # fmt: skip
        return await place.run(here, self.program, Path(__file__).with_suffix(".mjs"), json.dumps(job))

    async def put(self, local: Path, remote: str) -> None:
        await self.calls(("put", local, remote))

    async def put_by_rename(self, local: Path, remote: str) -> None:
        await self.calls(("fastPut", local, remote + ".tmp"), ("rename", remote + ".tmp", remote))

    async def put_over_by_rename(self, local: Path, remote: str) -> None:
        await self.calls(("fastPut", local, remote + ".tmp"), ("posixRename", remote + ".tmp", remote))

    async def put_after_removing(self, local: Path, remote: str) -> None:
        await self.calls(
            ("put", local, remote + ".tmp"), ("delete", remote), ("rename", remote + ".tmp", remote), ("stat", remote)
        )

    async def append(self, local: Path, remote: str) -> None:
        rest = self.here.scratch / "rest"
        size = int(await self.calls(("size", remote)))
        rest.write_bytes(place.content(local)[size:])
        await self.calls(("append", rest, remote))

    async def change_attributes(self, remote: str) -> None:
        await self.calls(("chmod", remote, "600"), ("stat", remote))

    async def put_tree(self, folder: Path, remote: str) -> None:
        for _ in range(2):
            await self.calls(("uploadDir", folder, f"{remote}/{folder.name}"))

    async def names(self, folder: str) -> set[str]:
        return set(json.loads(await self.calls(("list", folder))))

    async def get(self, remote: str, local: Path) -> None:
        await self.calls(("fastGet", remote, local))
