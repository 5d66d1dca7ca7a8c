"""From the end of an sftp upload of 200 rows to the readable receipt, on a warm daemon."""

import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import paramiko

from tests.bench import rows

GATEWAY = (sys.executable, "-m", "sftp_gateway")
SETTLE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Warm:
    """A daemon that runs, and the passwords of its brands."""

    environ: Mapping[str, str]
    port: int
    passwords: Mapping[str, str]

    def connect(self, brand: str) -> paramiko.SSHClient:
        """Log in, as soon as it listens."""
        return _connect(self.port, brand, self.passwords[brand])


@contextlib.contextmanager
def daemon(folder: Path, *names: str) -> Iterator[Warm]:
    """Run a gateway with these brands, its front door and its worker."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environ = os.environ | {
        "SFTP_GATEWAY_STORAGE__ROOT": str(folder / "root"),
        "SFTP_GATEWAY_SFTP__PORT": str(port),
        "SFTP_GATEWAY_SFTP__HOST": "127.0.0.1",
    }
    passwords = {}
    for name in names:
        made = subprocess.run([*GATEWAY, "brand", "add", name, "--json"], env=environ, check=True, capture_output=True)
        passwords[name] = json.loads(made.stdout)["password"]
    command = [*GATEWAY, "run", "--only", "sftp,worker"]
    with subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL) as process:
        try:
            yield Warm(environ, port, passwords)
        finally:
            process.terminate()


def small_files(rounds: int) -> list[str]:
    """Lines of a Markdown table: p50 and p95 beyond the settle time."""
    with (
        tempfile.TemporaryDirectory() as name,
        daemon(Path(name), "acme") as gateway,
        gateway.connect("acme") as client,
        client.open_sftp() as sftp,
    ):
        waits = [receipt_seconds(sftp, Path(name), number) for number in range(rounds + 2)]
    waits = sorted(waits[2:])  # the first two warm the daemon up
    return [
        f"200 rows by sftp, warm daemon: end of the upload to the readable receipt, beyond the settle time of {SETTLE_SECONDS:.0f} s; {rounds} files.",
        "",
        "| p50 | p95 | worst |",
        "| --- | --- | --- |",
        f"| {statistics.median(waits) * 1000:.0f} ms | {share(waits, 0.95) * 1000:.0f} ms | {waits[-1] * 1000:.0f} ms |",
    ]


def share(ordered: Sequence[float], part: float) -> float:
    """Give the value below which that part of an ordered sequence lies."""
    return ordered[max(0, round(len(ordered) * part) - 1)]


def receipt_seconds(sftp: paramiko.SFTPClient, folder: Path, number: int) -> float:
    """Put 200 rows and wait until their receipt can be read; gives the seconds beyond the settle time."""
    file = folder / f"feed{number}.csv"
    rows.write(file, (rows.row(i, revision=number, bad=0.01) for i in range(200)))
    sftp.put(str(file), f"/feed{number}.csv")
    closed = time.perf_counter()
    while not any(entry.startswith(f"feed{number}.csv.") for entry in sftp.listdir("/receipts")):
        if time.perf_counter() - closed > 30:
            raise TimeoutError(f"no receipt for {file.name}")
        time.sleep(0.005)
    return time.perf_counter() - closed - SETTLE_SECONDS


def _connect(port: int, brand: str, password: str) -> paramiko.SSHClient:
    deadline = time.monotonic() + 30
    while True:
        client = paramiko.SSHClient()
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
        try:
            client.connect("127.0.0.1", port, brand, password, allow_agent=False, look_for_keys=False)
        except (OSError, paramiko.SSHException):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return client
