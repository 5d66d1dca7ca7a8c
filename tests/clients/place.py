"""Where a client connects to, and how a program is run beside the server's loop."""

import asyncio
import contextlib
import os
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path


class Failed(Exception):
    """The client says that it did not work."""


class NotInstalled(Exception):
    """The client is not on this machine."""


@dataclass(frozen=True)
class Place:
    """A gateway under test, and a scratch folder for the client's own files."""

    port: int
    key_file: Path
    password: str
    host_key: str
    scratch: Path
    host: str = "127.0.0.1"
    user: str = "acme"


def needs(program: str, package: str) -> str:
    """Give the path of a program, or say by name what is missing."""
    path = shutil.which(program)
    if path is None:
        raise NotInstalled(f"{program} is not installed: apt-get install {package} (.ci/run does)")
    return path


def content(path: Path) -> bytes:
    """Read a small file of the test."""
    return path.read_bytes()


def files_of(folder: Path) -> list[Path]:
    """List the files below a folder."""
    return sorted(each for each in folder.rglob("*") if each.is_file())


def tree_of(folder: Path) -> list[tuple[Path, bool]]:
    """List the folder and all below it, parents first; and whether each is a file."""
    return [(each, each.is_file()) for each in [folder, *sorted(folder.rglob("*"))]]


def seconds(path: Path) -> int:
    """Give the time of a file of the test."""
    return int(path.stat().st_mtime)


def environment(place: Place) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(place.scratch), "LC_ALL": "C.UTF-8", "TERM": "dumb"}


async def start(place: Place, *command: str | Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *map(str, command),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(place),
        cwd=place.scratch,
        start_new_session=True,
        # Whoever runs the tests in the background may ignore Ctrl-C, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


async def run(place: Place, *command: str | Path, stdin: str = "", seconds: float = 60) -> str:
    """Run to the end; give what it printed, raise Failed with all of it when the status is not 0."""
    process = await start(place, *command)
    try:
        async with asyncio.timeout(seconds):
            out, err = await process.communicate(stdin.encode())
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    if process.returncode:
        raise Failed(f"{command[0]} ended with {process.returncode}: {err.decode()} {out.decode()}")
    return out.decode() + err.decode()
