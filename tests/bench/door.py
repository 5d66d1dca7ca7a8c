"""The front door beside OpenSSH's sshd with internal-sftp: same client, same files, same disk, in turn.

Our side hashes, syncs and commits before CLOSE is answered; OpenSSH does none of it. An OpenSSH client's start
and login are measured by an empty session and taken off. CPU is that of the whole server until all is taken in
by the intake, which goes on after the last answer. What either wrote is on the disk before the clock of the next run
starts: who syncs would else wait for the bytes of who does not.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import asyncssh

from tests.bench import doors, far, latency
from tests.bench.doors import Door

GCM = "aes128-gcm@openssh.com"
QUIET_SECONDS = 60.0
QUIET_LOOKS = 50
"""So often in a row nothing is left to do, 20 ms apart, until a server is taken for done."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything: the defaults are those of the promise."""

    large_bytes: int = 512 * 1024**2
    far_bytes: int = 64 * 1024**2
    small_files: int = 2000
    small_bytes: int = 10 * 1024
    logins: int = 320
    sessions: int = 500
    senders: int = 200
    uploads_each: int = 50
    upload_bytes: int = 100_000


LARGE_ROUNDS = 5
"""They take a second or two each, and differ by a half."""


@dataclass(frozen=True, slots=True)
class Took:
    """Wall and server CPU seconds of one run."""

    seconds: float
    cpu_seconds: float


def table(folder: Path, sizes: Sizes, rounds: int) -> list[str]:
    """Measure all and give the lines of a Markdown section; 2 to 4 minutes with three rounds."""
    large, small = folder / "large.csv", folder / "small"
    _write(large, sizes.large_bytes)
    small.mkdir()
    # No two are alike: what is alike is kept once, and its other copies deleted.
    for number in range(sizes.small_files):
        _write(small / f"{number:05}.csv", sizes.small_bytes, f"{number:05},")
    lines = ["| | OpenSSH | gateway | ratio | CPU: OpenSSH | gateway |", "| --- | --- | --- | --- | --- | --- |"]
    with doors.both(folder) as pair:
        ours = pair[1]
        resting = ours.memory_bytes()
        # First, while no memory lies free that sessions could use again.
        facts = [f"Resting gateway (`--only sftp,web`): {resting / 2**20:.0f} MiB.", ""]
        facts += asyncio.run(_sessions(ours, sizes.sessions))
        for name, cipher, get in (("upload, AES-GCM", GCM, False), ("upload", "", False), ("download", "", True)):
            run = _large(large, cipher, get=get)
            for door in pair:
                run(door, -1)  # uncounted: the first finds neither pages nor blocks that are in use again
            took = _in_turn(pair, max(rounds, LARGE_ROUNDS), run, _nothing(cipher))
            lines.append(_line(name, took, sizes.large_bytes / 2**20, "MiB/s", sizes.large_bytes / 2**30, "s/GiB"))
        _write(large, sizes.far_bytes)
        with far.line(pair[0].port) as their_port, far.line(ours.port) as our_port:
            away = replace(pair[0], port=their_port), replace(ours, port=our_port)
            for name, get in (("upload, 50 ms there and back", False), ("download, 50 ms there and back", True)):
                took = _in_turn(away, rounds, _large(large, "", get=get), _nothing(""))
                lines.append(_line(name, took, sizes.far_bytes / 2**20, "MiB/s", sizes.far_bytes / 2**30, "s/GiB"))
        took = _in_turn(pair, rounds, _small(small), _nothing(""))
        facts += [_sync_floor(folder, sizes, statistics.median(one.seconds for one in took[0])), ""]
        lines.append(
            _line("small files in a session", took, sizes.small_files, "files/s", sizes.small_files / 1e6, "µs a file")
        )
        took = _in_turn(pair, rounds, lambda door, _: asyncio.run(_logins(door, sizes.logins)))
        lines.append(_line("logins, 16 at once", took, sizes.logins, "per s", sizes.logins / 1e3, "ms each"))
        facts += [
            f"{sizes.senders} sessions × {sizes.uploads_each} uploads of {sizes.upload_bytes:,} bytes, all at once, by libssh2;",
            "waits are from OPEN to the answer of CLOSE.",
            "",
            "| server | acknowledged | sessions with errors | per s | p50 | p90 | p99 | worst | CPU each | memory at the end |",
            f"|{' --- |' * 10}",
            *(_crowd(door, sizes) for door in pair),
        ]
    return [*lines, "", *facts]


Run = Callable[[Door, int], object]


def _in_turn(pair: tuple[Door, Door], rounds: int, run: Run, nothing: Run | None = None) -> list[list[Took]]:
    """Run on both, in turn; the time of `nothing`, the client's start and login, is taken off."""
    took: list[list[Took]] = [[], []]
    for number in range(rounds):
        for side, door in enumerate(pair):
            empty = _timed(door, nothing, number).seconds if nothing else 0.0
            one = _timed(door, run, number)
            took[side].append(Took(one.seconds - empty, one.cpu_seconds))
    return took


def _timed(door: Door, run: Run, number: int) -> Took:
    os.sync()
    cpu, began = door.cpu_seconds(), time.perf_counter()
    run(door, number)
    seconds = time.perf_counter() - began
    # OpenSSH's processes end a moment after their client; our intake takes in what was closed, whose rows the store
    # has a moment after a burst: so it has to be quiet for longer than that.
    deadline = time.monotonic() + QUIET_SECONDS
    quiet = 0
    while quiet < QUIET_LOOKS:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{door.name} is not done with it after {QUIET_SECONDS} s")
        time.sleep(0.02)
        quiet = quiet + 1 if door.is_quiet() else 0
    return Took(seconds, door.cpu_seconds() - cpu)


def _line(  # noqa: PLR0917 - a line of the table
    name: str, took: list[list[Took]], amount: float, unit: str, per: float, cpu_unit: str
) -> str:
    theirs, ours = (amount / statistics.median(one.seconds for one in side) for side in took)
    cpu = [statistics.median(one.cpu_seconds for one in side) / per for side in took]
    return f"| {name} | {theirs:,.0f} {unit} | {ours:,.0f} | {ours / theirs:.2f} | {cpu[0]:.2f} {cpu_unit} | {cpu[1]:.2f} |"


def _sync_floor(folder: Path, sizes: Sizes, theirs: float) -> str:
    """Say what OpenSSH would come to if it synced each small file, into blocks that are there already, as a journal has them."""
    piece, count = b"x" * sizes.small_bytes, sizes.small_files
    with (folder / "floor").open("wb", buffering=0) as file:
        file.write(piece * count)
        os.fsync(file.fileno())
        began = time.perf_counter()
        for number in range(count):
            os.pwrite(file.fileno(), piece, number * sizes.small_bytes)
            os.fdatasync(file.fileno())
        syncs = time.perf_counter() - began
    ratio = theirs / (theirs + syncs)
    return (
        f"To write and sync {sizes.small_bytes:,} bytes takes {syncs / count * 1000:.2f} ms here, all of a small file takes OpenSSH "
        f"{theirs / count * 1000:.2f} ms without a sync: with one after each file it would come to {ratio:.2f} of itself."
    )


def _nothing(cipher: str) -> Run:
    return lambda door, _: _batch(door, "", cipher)


def _large(large: Path, cipher: str, *, get: bool) -> Run:
    def run(door: Door, _: int) -> None:
        # What the client's disk takes is no matter of the server.
        _batch(door, f"get {door.inbox}/large.csv /dev/null" if get else f"put {large} {door.inbox}/large.csv", cipher)

    return run


def _small(small: Path) -> Run:
    def run(door: Door, number: int) -> None:
        _batch(door, f"mkdir {door.inbox}/s{number}\ncd {door.inbox}/s{number}\nmput {small}/*")

    return run


def _batch(door: Door, lines: str, cipher: str = "") -> None:
    command = ["sftp", "-q", *door.options(cipher), "-b", "-", "127.0.0.1"]
    subprocess.run(command, input=f"{lines}\n", text=True, check=True, stdout=subprocess.DEVNULL)


def _connect(door: Door) -> "asyncssh.connection._ACMWrapper[asyncssh.SSHClientConnection]":
    return asyncssh.connect(
        "127.0.0.1", door.port, username=door.user, client_keys=[str(door.key)], known_hosts=None, config=None,
        agent_path=None,
    )  # fmt: skip


async def _logins(door: Door, count: int) -> None:
    turns = asyncio.Semaphore(16)

    async def one() -> None:
        async with turns, _connect(door) as connection, connection.start_sftp_client():
            pass

    await asyncio.gather(*(one() for _ in range(count)))


async def _sessions(door: Door, count: int) -> list[str]:
    before, began = door.memory_bytes(), time.perf_counter()
    connections = await asyncio.gather(*(_connect(door) for _ in range(count)))
    clients = await asyncio.gather(*(connection.start_sftp_client() for connection in connections))
    seconds = time.perf_counter() - began
    each = (door.memory_bytes() - before) / count
    await asyncio.gather(*(client.stat("/inbox") for client in clients))
    for connection in connections:
        connection.abort()
    return [f"{count} sessions at once: all inside after {seconds:.1f} s, {each / 1024:.0f} KiB each.", ""]


def _crowd(door: Door, sizes: Sizes) -> str:
    """Measure many senders at once; a line of a Markdown table."""
    told = [str(door.port), door.user, str(door.key), door.inbox]
    much = [str(number) for number in (sizes.senders, sizes.uploads_each, sizes.upload_bytes)]
    os.sync()
    cpu = door.cpu_seconds()
    ended = subprocess.run(
        [sys.executable, "-m", "tests.bench.crowd", *told, *much], check=True, capture_output=True, text=True
    )
    seen = json.loads(ended.stdout)
    used = door.cpu_seconds() - cpu
    waits = sorted(seen["waits"]) or [float("nan")]
    cells = [
        door.name,
        f"{len(seen['waits']):,}",
        f"{len(seen['errors'])}",
        f"{len(seen['waits']) / seen['seconds']:.0f}",
        *(f"{latency.share(waits, part) * 1000:.0f} ms" for part in (0.5, 0.9, 0.99)),
        f"{waits[-1] * 1000:.0f} ms",
        f"{used / max(1, len(seen['waits'])) * 1000:.2f} ms",
        f"{door.memory_bytes() / 2**20:.0f} MiB",
    ]
    return f"| {' | '.join(cells)} |"


def _write(path: Path, size: int, begin: str = "") -> None:
    piece = b"sku,name,msrp\n" * 75_000
    with path.open("wb") as file:
        size -= file.write(begin.encode())
        while size > 0:
            size -= file.write(piece[:size])
