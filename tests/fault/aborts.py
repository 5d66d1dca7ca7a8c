"""Files of every format, where each may be cut, and three clients that stop in the middle: for test_aborts.py."""

import asyncio
import contextlib
import functools
import gzip
import io
import json
import os
import random
import re
import signal
import socket
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path

import asyncssh
import openpyxl
import paramiko
import pyarrow as pa
import pyarrow.parquet as pq

PRODUCTS = 600
FORMATS = {"csv": "csv", "quoted": "csv", "gzip": "csv.gz", "json": "json", "xlsx": "xlsx", "parquet": "parquet"}
"""Each is a brand of its own, and the ending of its files."""


def products() -> list[tuple[str, str, str]]:
    dice = random.Random(7)
    return [(f"A-{n:05}", f"Chair {dice.randbytes(12).hex()}, n° {n}", f"{n % 90 + 1}.50") for n in range(PRODUCTS)]


@functools.cache  # a workbook holds when it was made: another one may be a byte shorter, and its cut none
def catalog(kind: str) -> bytes:
    rows = products()
    if kind == "csv":
        return "".join(f"{sku},{name.replace(',', '')},{msrp}\n" for sku, name, msrp in [HEAD, *rows]).encode()
    if kind == "quoted":
        lines = (f'"{sku}","{name}\nsecond ""line"" of it","{msrp}"\n' for sku, name, msrp in rows)
        return (",".join(HEAD) + "\n" + "".join(lines)).encode()
    if kind == "gzip":
        return gzip.compress(catalog("csv"), mtime=0)
    if kind == "json":
        return json.dumps([dict(zip(HEAD, row, strict=True)) for row in rows], indent=1).encode()
    out = io.BytesIO()
    if kind == "xlsx":
        book = openpyxl.Workbook()
        for row in [HEAD, *rows]:
            book.active.append(row)
        book.save(out)
    else:
        columns = dict(zip(HEAD, map(list, zip(*rows, strict=True)), strict=True))
        pq.write_table(pa.table(columns), out, row_group_size=100)
    return out.getvalue()


HEAD = ("sku", "name", "msrp")
MARKS = {
    "csv": rb"[\n,]", "quoted": rb'[\n,"]', "json": rb"[\[\]{},:\"\n]", "xlsx": rb"PK\x01\x02|PK\x03\x04|PK\x05\x06",
    "parquet": rb"PAR1|\x15\x04", "gzip": rb"\x1f\x8b",
}  # fmt: skip


def boundaries(kind: str, content: bytes) -> list[int]:
    """Where the structure of a file begins or ends something, and the last bytes before its end.

    A plain file cut after a line in its last fifth is a smaller catalog to everybody, so rows are cut before that.
    """
    most = len(content) * 3 // 4 if kind in {"csv", "quoted"} else len(content) - 1
    found = {at for mark in re.finditer(MARKS[kind], content) for at in (mark.start(), mark.end())}
    if kind not in {"csv", "quoted"}:
        found |= {len(content) - back for back in (1, 2, 4, 7, 8, 9, 12, 22, 23)} | {1, 2, 4, 10, 11}
    if kind == "xlsx":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            found |= {each.header_offset + 30 for each in archive.infolist()} | {archive.start_dir}
    return sorted(at for at in found if 0 < at <= most)


@dataclass
class Abort:
    """One upload that is stopped: by which client, how, and after how many bytes."""

    number: int
    kind: str
    how: str
    at: int

    @property
    def name(self) -> str:
        return f"{self.number:04}-{self.how}.{FORMATS[self.kind]}"


HOWS = {
    "cut": 40, "paramiko-cut": 10,  # closed in good order at a boundary
    "callback": 12,  # an exception in the callback of paramiko's put, which closes on its way out
    "reset": 12, "paramiko-reset": 6, "drop": 10,  # the connection ends without CLOSE
    "kill": 5, "interrupt": 5,  # OpenSSH sftp: kill -9, Ctrl-C
}  # fmt: skip


def plan(count: int, seed: int) -> list[Abort]:
    dice, contents = random.Random(seed), {kind: catalog(kind) for kind in FORMATS}
    places = {kind: boundaries(kind, content) for kind, content in contents.items()}
    hows = dice.choices(list(HOWS), list(HOWS.values()), k=count)
    made = []
    for number, how in enumerate(hows):
        kind = list(FORMATS)[number % len(FORMATS)]
        # Every boundary is as likely as every other; of the formats with few, each is taken many times.
        at = dice.choice(places[kind]) if dice.random() < 0.8 else dice.randint(1, places[kind][-1])
        made.append(Abort(number, kind, how, at))
    return made


class Stopped(Exception):
    """What a program of a brand raises in the middle."""


class Aborter:
    """Carries aborts out against one gateway; a few at a time, a session of its own for each that kills it."""

    def __init__(self, gateway, folder: Path) -> None:
        self.gateway, self.folder = gateway, folder
        self.contents = {kind: catalog(kind) for kind in FORMATS}
        self.key = folder / "key"
        self.key.write_bytes(gateway.key.export_private_key())
        self.key.chmod(0o600)
        for kind, content in self.contents.items():
            (folder / f"{kind}.{FORMATS[kind]}").write_bytes(content)
        self.sessions: dict[str, asyncssh.SFTPClient] = {}

    async def run(self, aborts: list[Abort], at_once: int = 4) -> None:
        turns = asyncio.Semaphore(at_once)

        async def one(abort: Abort) -> None:
            async with turns, asyncio.timeout(60):
                await self._carry_out(abort)

        async with contextlib.AsyncExitStack() as stack:
            for kind in FORMATS:
                connection = await stack.enter_async_context(self.gateway.connect(kind))
                self.sessions[kind] = await stack.enter_async_context(connection.start_sftp_client())
            await asyncio.gather(*map(one, aborts))

    async def _carry_out(self, abort: Abort) -> None:
        if abort.how == "cut":
            await self._write(self.sessions[abort.kind], abort, close=True)
        elif abort.how in {"reset", "drop"}:
            await self._lose(abort)
        elif abort.how in {"kill", "interrupt"}:
            await self._openssh(abort)
        else:
            await asyncio.to_thread(self._paramiko, abort)

    def path(self, abort: Abort) -> str:
        return f"/inbox/{abort.name}"

    def part(self, abort: Abort) -> bytes:
        return self.contents[abort.kind][: abort.at]

    async def _write(self, sftp: asyncssh.SFTPClient, abort: Abort, *, close: bool) -> None:
        file = await sftp.open(self.path(abort), "wb")
        await file.write(self.part(abort))
        if close:
            await file.close()

    async def _lose(self, abort: Abort) -> None:
        connection = await self.gateway.connect(abort.kind)
        await self._write(await connection.start_sftp_client(), abort, close=False)
        if abort.how == "reset":
            lingering(connection.get_extra_info("socket"))
        connection.abort()
        await connection.wait_closed()

    def _paramiko(self, abort: Abort) -> None:
        key = paramiko.Ed25519Key.from_private_key_file(str(self.key))
        with paramiko.SSHClient() as client:
            client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
            client.connect("127.0.0.1", self.gateway.port, abort.kind, pkey=key, allow_agent=False, look_for_keys=False)
            sftp = client.open_sftp()
            if abort.how == "callback":
                self._raise_in_callback(sftp, abort)
                return
            file = sftp.open(self.path(abort), "wb")
            file.write(self.part(abort))
            if abort.how == "paramiko-cut":
                file.close()
                return
            file.flush()
            sftp.stat(self.path(abort))  # what was written has arrived
            lingering(client.get_transport().sock)
            client.get_transport().sock.close()

    def _raise_in_callback(self, sftp: paramiko.SFTPClient, abort: Abort) -> None:
        def stop(_sent: int, _total: int) -> None:
            raise Stopped

        # The callback follows each block of 32 KiB: what is larger ends there, the rest after its cut.
        with contextlib.suppress(Stopped):
            sftp.putfo(io.BytesIO(self.part(abort)), self.path(abort), callback=stop, confirm=False)

    async def _openssh(self, abort: Abort) -> None:
        # All of it would take four seconds and it is stopped in the first half: a busy machine may notice that late.
        size = len(self.contents[abort.kind])
        local = self.folder / f"{abort.kind}.{FORMATS[abort.kind]}"
        process = await asyncio.create_subprocess_exec(
            "sftp", "-q", "-F", "/dev/null", "-P", str(self.gateway.port), "-B", "512", "-R", "1",
            "-l", str(max(8, size * 8 // 1000 // 4)), "-i", str(self.key), "-o", "StrictHostKeyChecking=no",
            "-o", "UserKnownHostsFile=/dev/null", "-o", "IdentitiesOnly=yes", "-o", "LogLevel=ERROR", "-b", "-",
            f"{abort.kind}@127.0.0.1", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT, start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip
        process.stdin.write(f"put {local} {self.path(abort)}\n".encode())
        wanted = min(abort.at, size // 2)
        while process.returncode is None and await self._size(abort) < wanted:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.01)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL if abort.how == "kill" else signal.SIGINT)
        process.stdin.close()
        said, _ = await process.communicate()
        assert await self._size(abort) < size, (abort, said)

    async def _size(self, abort: Abort) -> int:
        try:
            return (await self.sessions[abort.kind].stat(self.path(abort))).size or 0
        except asyncssh.SFTPNoSuchFile:
            return 0


def lingering(sock: socket.socket) -> None:
    """Let the end of a connection be a reset."""
    raw = socket.socket(fileno=os.dup(sock.fileno()))
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raw.close()
