"""Live processes of the gateway, and whether the owner of a job or a draft is still alive."""

import os
import socket
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from msgspec import Struct

from sftp_gateway.store import tables, upsert
from sftp_gateway.store.database import Store

_processes = tables.process


class Process(Struct, frozen=True):
    """A process that runs some roles (sftp, worker, web); `beat_at` is its last sign of life."""

    id: str
    host: str
    pid: int
    roles: tuple[str, ...]
    started_at: datetime
    beat_at: datetime


def me(slot: str = "") -> str:
    """Name this process (and one slot of it) so that others on this host can tell when it is dead."""
    return f"{socket.gethostname()}|{_pid_space()}|{os.getpid()}|{_started(os.getpid())}|{slot}"


def is_gone(owner: str | None) -> bool:
    """Whether the owner surely is dead: it ran on this host, and its process ended.

    False for owners elsewhere, for names not made by `me`, and where others cannot be seen: there only the lease decides.
    """
    parts, space = (owner or "").split("|"), _pid_space()
    if not space or len(parts) != 5 or parts[1] != space or not parts[2].isdigit():
        return False
    return _started(int(parts[2])) != parts[3]


def register(store: Store, process: str, *, host: str, pid: int, roles: Iterable[str]) -> None:
    """Enter a process under its id (`me()`); again is the same as `beat`."""
    with store.write() as tx:
        row = {"id": process, "host": host, "pid": pid, "roles": list(roles), "started_at": tx.now, "beat_at": tx.now}
        tx.conn.execute(upsert.replacing(_processes, tx.conn.dialect.name), row)


def beat(store: Store, process: str) -> None:
    """Say that it lives."""
    with store.write() as tx:
        tx.conn.execute(sa.update(_processes).where(_processes.c.id == process).values(beat_at=tx.now))


def leave(store: Store, process: str) -> None:
    """Take it out."""
    with store.write() as tx:
        tx.conn.execute(sa.delete(_processes).where(_processes.c.id == process))


def alive(store: Store, role: str = "", within_seconds: float = 30.0) -> list[Process]:
    """List processes with that role (empty: any) heard of lately and not known to be dead."""
    oldest = store.now() - timedelta(seconds=within_seconds)
    query = sa.select(_processes).where(_processes.c.beat_at >= oldest).order_by(_processes.c.started_at)
    found = store.all(query, Process)
    return [process for process in found if (not role or role in process.roles) and not is_gone(process.id)]


def prune(store: Store, before: datetime) -> int:
    """Forget processes not heard of since then."""
    with store.write() as tx:
        return tx.conn.execute(sa.delete(_processes).where(_processes.c.beat_at < before)).rowcount


def _pid_space() -> str:
    """Name the boot and the PID namespace: within one, a number means one process at a time.

    Empty where systemd hides the boot (ProcSubset=pid) or other processes (ProtectProc=invisible, first of all
    number 1): one that is not seen there may well live.
    """
    try:
        Path("/proc/1/stat").stat()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return ""


def _started(pid: int) -> str:
    """Tell when a process started, in clock ticks since boot; empty if it is dead or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return ""
    # The second field is the program's name in parentheses and may hold anything; count after it.
    state, *rest = stat.rpartition(b")")[2].split()
    return "" if state in {b"Z", b"X"} else rest[18].decode()
