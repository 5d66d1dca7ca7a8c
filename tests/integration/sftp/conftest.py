"""A real listener on a free port, with a plain folder as the home: the front door without the house."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh
import pytest
import structlog

from sftp_gateway import brand, settings
from sftp_gateway.sftp import auth, hostkeys, listener, session

LOOPBACK = "127.0.0.1"


class FolderHome(asyncssh.SFTPServer):
    """Files of one folder; notes how each was closed."""

    def __init__(self, chan: Any, root: Path, notes: list[str], pace: Callable[[], Awaitable[None]] | None) -> None:
        super().__init__(chan, chroot=os.fsencode(root))
        self.dropping = False
        self.notes, self.pace = notes, pace

    async def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> Any:
        return super().open(path, pflags, attrs)

    async def close(self, file_obj: Any) -> None:
        self.notes.append("dropped" if self.dropping else "closed")
        super().close(file_obj)

    def write(self, file_obj: Any, offset: int, data: bytes) -> Any:
        if self.pace is None:
            return super().write(file_obj, offset, data)
        return self._slow_write(file_obj, offset, data)

    async def _slow_write(self, file_obj: Any, offset: int, data: bytes) -> int:
        await self.pace()
        return super().write(file_obj, offset, data)

    def mkdir(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None:
        if path.endswith(b"explode"):
            raise ZeroDivisionError("secret detail")
        super().mkdir(path, attrs)


@dataclass
class Brands:
    """The people the listener asks about; tests change them while it runs."""

    keys: dict[str, list[Any]] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)
    networks: dict[str, str] = field(default_factory=dict)
    disabled: set[str] = field(default_factory=set)
    looks: int = 0
    """How often the store was asked."""

    def lookup(self) -> auth.Lookup:
        def look(name: str) -> brand.Login | None:
            self.looks += 1
            if name not in self.keys:
                return None
            networks, enabled = self.networks.get(name, ""), name not in self.disabled
            return brand.Login(tuple(self.keys[name]), self.hashes.get(name), networks, enabled)

        return look


@dataclass
class Front:
    """A running listener and what a test needs around it."""

    listener: listener.Listener
    folder: Path
    key_file: Path
    key: asyncssh.SSHKey
    brands: Brands
    sessions: list[session.Session]
    notes: list[str]
    watching: asyncio.Task[None]

    @property
    def port(self) -> int:
        return self.listener.port

    def connect(self, **options: Any) -> Any:
        known = {"username": "acme", "client_keys": [self.key], "known_hosts": None, "config": None, "agent_path": None}
        return asyncssh.connect(LOOPBACK, **(known | {"port": self.port} | options))


PASSWORD = "correct horse"


@pytest.fixture(scope="session")
def password_hash():
    return auth.hash_password(PASSWORD)


@pytest.fixture(scope="session")
def brand_key():
    return asyncssh.generate_private_key("ssh-ed25519")


@pytest.fixture
def log_lines():
    with structlog.testing.capture_logs() as lines:
        yield lines


@pytest.fixture
async def front(tmp_path, brand_key, password_hash) -> AsyncIterator[Callable[..., Awaitable[Front]]]:
    """Give a function that opens a listener with some settings; all are closed at the end."""
    async with contextlib.AsyncExitStack() as stack:

        async def open_front(*, pace: Any = None, host_keys: Any = None, parts: Any = None, **rules: Any) -> Front:
            folder = tmp_path / "home"
            folder.mkdir(exist_ok=True)
            key_file = tmp_path / "brand_key"
            if not key_file.exists():
                key_file.write_bytes(brand_key.export_private_key())
                key_file.chmod(0o600)
            known = auth.parse_public_key(brand_key.export_public_key().decode())
            brands = Brands(keys={"acme": [known], "nokey": []}, hashes={"acme": password_hash})
            sessions: list[session.Session] = []
            notes: list[str] = []

            def home(chan: Any, who: session.Session) -> FolderHome:
                sessions.append(who)
                return FolderHome(chan, folder, notes, pace)

            keys = host_keys or hostkeys.load([], tmp_path / "keys")
            part = listener.Listener(
                settings.Sftp(host=LOOPBACK, port=0, **rules),
                keys,
                lookup=brands.lookup(),
                home=home,
                **(parts or {}),
            )
            await stack.enter_async_context(part)
            watching = asyncio.create_task(part.run())
            stack.push_async_callback(_end, watching)
            return Front(part, folder, key_file, brand_key, brands, sessions, notes, watching)

        yield open_front


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


@dataclass
class Ended:
    code: int
    out: str
    err: str


@pytest.fixture
def program():
    """Run a program to its end beside the listener's loop; give code, stdout, stderr."""

    async def run(*command: str | Path, stdin: str = "", seconds: float = 20.0) -> Ended:
        process = await asyncio.create_subprocess_exec(
            *map(str, command),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"},
        )
        async with asyncio.timeout(seconds):
            out, err = await process.communicate(stdin.encode())
        return Ended(process.returncode or 0, out.decode(errors="replace"), err.decode(errors="replace"))

    return run


@pytest.fixture
def openssh(program):
    """Run sftp, scp or ssh of OpenSSH against a front door."""

    async def run(tool: str, front: Front, *arguments: str | Path, stdin: str = "", **options: Any) -> Ended:
        common = ["-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={front.key_file.parent}/known_hosts"]
        common += ["-o", "IdentitiesOnly=yes", "-o", "LogLevel=ERROR", "-i", str(front.key_file), "-F", "/dev/null"]
        return await program(tool, *common, *arguments, stdin=stdin, **options)

    return run


@pytest.fixture
def until():
    """Wait until something is true, or fail after a deadline."""

    async def wait(condition: Callable[[], bool], seconds: float = 30.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0.005)

    return wait


@pytest.fixture
def memory_bytes():
    """Give this process's resident memory."""
    assert sys.platform == "linux"

    def read() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    return read
