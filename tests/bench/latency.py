"""From the end of an sftp upload of 200 rows to the readable receipt, on a warm daemon."""

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import paramiko

from tests.bench import rows

GATEWAY = (sys.executable, "-m", "sftp_gateway")
SETTLE_SECONDS = 1.0


def small_files(rounds: int) -> list[str]:
    """Lines of a Markdown table: p50 and p95 beyond the settle time."""
    with tempfile.TemporaryDirectory() as name, socket.socket() as probe:
        folder = Path(name)
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        environ = os.environ | {
            "SFTP_GATEWAY_STORAGE__ROOT": str(folder / "root"),
            "SFTP_GATEWAY_SFTP__PORT": str(port),
            "SFTP_GATEWAY_SFTP__HOST": "127.0.0.1",
        }
        made = subprocess.run(
            [*GATEWAY, "brand", "add", "acme", "--json"], env=environ, check=True, capture_output=True
        )
        password = json.loads(made.stdout)["password"]
        with subprocess.Popen(
            [*GATEWAY, "run", "--only", "sftp,worker"], env=environ, stderr=subprocess.DEVNULL
        ) as daemon:
            try:
                waits = _waits(folder, port, password, rounds)
            finally:
                daemon.terminate()
    waits.sort()
    p95 = waits[max(0, round(len(waits) * 0.95) - 1)]
    return [
        f"200 rows by sftp, warm daemon: end of the upload to the readable receipt, beyond the settle time of {SETTLE_SECONDS:.0f} s; {rounds} files.",
        "",
        "| p50 | p95 | worst |",
        "| --- | --- | --- |",
        f"| {statistics.median(waits) * 1000:.0f} ms | {p95 * 1000:.0f} ms | {waits[-1] * 1000:.0f} ms |",
    ]


def _waits(folder: Path, port: int, password: str, rounds: int) -> list[float]:
    client = _connect(port, password)
    waits = []
    with client, client.open_sftp() as sftp:
        for number in range(rounds + 2):
            file = folder / f"feed{number}.csv"
            rows.write(file, (rows.row(i, revision=number, bad=0.01) for i in range(200)))
            sftp.put(str(file), f"/feed{number}.csv")
            closed = time.perf_counter()
            while not any(entry.startswith(f"feed{number}.csv.") for entry in sftp.listdir("/receipts")):
                if time.perf_counter() - closed > 30:
                    raise TimeoutError(f"no receipt for {file.name}")
                time.sleep(0.005)
            waits.append(time.perf_counter() - closed - SETTLE_SECONDS)
    return waits[2:]  # the first two warm the daemon up


def _connect(port: int, password: str) -> paramiko.SSHClient:
    deadline = time.monotonic() + 30
    while True:
        client = paramiko.SSHClient()
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
        try:
            client.connect("127.0.0.1", port, "acme", password, allow_agent=False, look_for_keys=False)
        except (OSError, paramiko.SSHException):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return client
