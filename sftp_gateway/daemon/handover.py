"""The listening sockets go from the old process to the new one: nobody is refused between the two.

For each role that listens, the process that has it listens on a socket file in storage.root, too, that only its
owner may open. `run --take-over` asks there for each of its own roles, gets the sockets themselves (SCM_RIGHTS), and
says when it is ready; only then the old one stops to accept and drains. If the new one dies before, the old one just
goes on; so does a process whose roles are others.
"""

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Self

from sftp_gateway import logs

log = logs.get(__name__)

ROLES = frozenset({"sftp", "web"})
"""Those that listen."""
ANSWER_SECONDS = 10.0
READY = b"R"


class Taken:
    """What the new process got, each over a wire to the old one; without an old one: nothing."""

    def __init__(self) -> None:
        self._sockets: dict[str, socket.socket] = {}
        self._wires: list[socket.socket] = []

    def add(self, role: str, taken: socket.socket, wire: socket.socket) -> None:
        """Hold the socket of a role, and what it came over."""
        self._sockets[role] = taken
        self._wires.append(wire)

    def socket(self, role: str, port: int) -> socket.socket | None:
        """Give the socket of that role, if it is at the port that is wanted now (0: whatever it is at)."""
        found = self._sockets.get(role)
        if found is None or port not in {0, found.getsockname()[1]}:
            return None
        return self._sockets.pop(role)

    def ready(self) -> None:
        """Let the old processes go."""
        for wire in self._wires:
            with contextlib.suppress(OSError):
                wire.sendall(READY)
        self.close()

    def close(self) -> None:
        """Let go of what nobody wanted; without `ready` before, the old processes go on."""
        for left in (*self._sockets.values(), *self._wires):
            left.close()
        self._sockets, self._wires = {}, []


def take(folder: Path, roles: Iterable[str]) -> Taken:
    """Ask whoever has these roles on this storage.root for its sockets; blocks for at most 10 s each."""
    taken = Taken()
    for role in sorted(ROLES.intersection(roles)):
        wire = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        wire.settimeout(ANSWER_SECONDS)
        try:
            taken.add(role, _asked(folder, role, wire), wire)
        except OSError as error:
            wire.close()
            log.info("handover.absent", role=role, reason=str(error))
    return taken


def _asked(folder: Path, role: str, wire: socket.socket) -> socket.socket:
    with _near(folder) as near:
        wire.connect(f"{near}/{_name(role)}")
    _, descriptors, _, _ = socket.recv_fds(wire, 4096, 1)
    if not descriptors:
        raise OSError("it is on its way out")
    os.set_inheritable(descriptors[0], False)
    return socket.socket(fileno=descriptors[0])


def _name(role: str) -> str:
    return f"handover.{role}"


class Handover:
    """The part that gives the socket of a role away, once. `handed` is called when the new process is ready."""

    def __init__(
        self, folder: Path, role: str, listening: Callable[[], socket.socket | None], handed: Callable[[], None]
    ) -> None:
        self._folder, self._path, self._given, self._handed = folder, folder / _name(role), listening, handed
        self._is_handed = False

    async def __aenter__(self) -> Self:
        """Listen, in place of whoever did before."""
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listening.setblocking(False)
        fresh = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        with _near(self._folder) as near:
            fresh.unlink(missing_ok=True)
            self._listening.bind(f"{near}/{fresh.name}")
            fresh.chmod(0o600)
            self._listening.listen(1)
            self._inode = fresh.stat().st_ino
            fresh.replace(self._path)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Listen no more; the file may be another process's by now."""
        self._listening.close()
        with contextlib.suppress(FileNotFoundError):
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()

    async def run(self) -> None:
        """Answer until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            wire, _ = await loop.sock_accept(self._listening)
            with wire:
                await self._give(wire)

    async def _give(self, wire: socket.socket) -> None:
        given = self._given()
        if given is None or _peer(wire) not in {os.geteuid(), 0}:
            return
        wire.setblocking(False)
        try:
            socket.send_fds(wire, [b"S"], [given.fileno()])
            word = await asyncio.get_running_loop().sock_recv(wire, 1)
        except OSError as error:
            log.warning("handover.failed", reason=str(error))
            return
        if word == READY and not self._is_handed:
            self._is_handed = True
            self._handed()
        elif word != READY:
            log.warning("handover.failed", reason="the new process ended before it was ready")


@contextlib.contextmanager
def _near(folder: Path) -> Iterator[str]:
    """Lend a short name for a directory: the address of a socket holds 107 bytes."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _peer(wire: socket.socket) -> int:
    """Tell the user id of the process at the other end."""
    _, user, _ = struct.unpack("3i", wire.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return int(user)
