"""The two servers that stand beside each other: our front door and OpenSSH's sshd, each on a free loopback port.

Both have one user, the same client key, their files on the same disk. CPU is that of the whole tree of
processes, those that ended included.
"""

import contextlib
import getpass
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from sftp_gateway.sftp import auth
from sftp_gateway.store import brands, database
from tests.bench import measure

SSHD = Path("/usr/sbin/sshd")
BRAND = "acme"


@dataclass(frozen=True, slots=True)
class Door:
    """A server that listens. `inbox` is where a client puts files, without a slash at its end."""

    name: str
    pid: int
    port: int
    user: str
    key: Path
    inbox: str
    database: Path | None = None

    def is_quiet(self) -> bool:
        """Whether it has done all that was asked of it: no process of a session is left, no file waits for the intake."""
        if self.database is None:
            return not psutil.Process(self.pid).children()
        with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as asking:
            (waiting,) = asking.execute("SELECT count(*) FROM entry WHERE place IN ('closed', 'claimed')").fetchone()
        return int(waiting) == 0

    def cpu_seconds(self) -> float:
        """Tell what the server used so far, its processes that are gone included."""
        total = 0.0
        for process in [psutil.Process(self.pid), *psutil.Process(self.pid).children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                total += sum(process.cpu_times()[:4])
        return total

    def memory_bytes(self) -> int:
        """Tell the proportional set size of the server's processes."""
        return measure.tree_bytes(self.pid)

    def options(self, cipher: str = "") -> list[str]:
        """Give what every OpenSSH client needs to be told."""
        told = {
            "IdentityFile": str(self.key),
            "IdentitiesOnly": "yes",
            "StrictHostKeyChecking": "no",
            "LogLevel": "ERROR",
        }
        told |= {"UserKnownHostsFile": "/dev/null", "Port": str(self.port), "User": self.user, "BatchMode": "yes"}
        told |= {"Ciphers": cipher} if cipher else {}
        return ["-F", "/dev/null", *(part for name, value in told.items() for part in ("-o", f"{name}={value}"))]


@contextlib.contextmanager
def sshd(folder: Path, key: Path) -> Iterator[Door]:
    """Run OpenSSH's server with internal-sftp."""
    folder.mkdir()
    inbox, port = folder / "inbox", free_port()
    inbox.mkdir()
    _make_key(folder / "host")
    allowed = folder / "authorized_keys"
    allowed.write_bytes(key.with_suffix(".pub").read_bytes())
    Path("/run/sshd").mkdir(exist_ok=True)
    config = folder / "config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {allowed}\nUsePAM no\n"
        f"StrictModes no\nPermitRootLogin yes\nPidFile none\nMaxStartups 2000\nMaxSessions 100\nSubsystem sftp internal-sftp\n"
    )
    with subprocess.Popen([SSHD, "-D", "-e", "-f", config], stderr=(folder / "log").open("wb")) as process:
        try:
            _wait_for(port, process)
            yield Door("OpenSSH", process.pid, port, getpass.getuser(), key, str(inbox))
        finally:
            process.terminate()


@contextlib.contextmanager
def gateway(folder: Path, key: Path, environ: Mapping[str, str] | None = None) -> Iterator[Door]:
    """Run our front door as its systemd unit does."""
    root, port, web = folder / "root", free_port(), free_port()
    root.mkdir(mode=0o700, parents=True)
    told = {name: value for name, value in os.environ.items() if not name.startswith("SFTP_GATEWAY_")}
    told |= {
        "SFTP_GATEWAY_STORAGE__ROOT": str(root),
        "SFTP_GATEWAY_SFTP__HOST": "127.0.0.1",
        "SFTP_GATEWAY_SFTP__PORT": str(port),
        "SFTP_GATEWAY_WEB__PORT": str(web),
        "SFTP_GATEWAY_SFTP__UNAUTHENTICATED": "2000",
        "SFTP_GATEWAY_SFTP__UNAUTHENTICATED_PER_SOURCE": "2000",
        "SFTP_GATEWAY_SFTP__SESSIONS": "2000",
        "SFTP_GATEWAY_SFTP__SESSIONS_PER_BRAND": "2000",
        "SFTP_GATEWAY_LIMITS__QUOTA_BYTES": "100 GiB",
        "SFTP_GATEWAY_LIMITS__QUOTA_FILES": "100000",
    } | dict(environ or {})
    store = database.open_store(f"sqlite:///{root / 'gateway.db'}")
    brands.create(store, BRAND)
    text = key.with_suffix(".pub").read_text()
    brands.add_key(store, BRAND, auth.parse_public_key(text, now=store.now()))
    store.close()
    command = [sys.executable, "-m", "sftp_gateway", "run", "--only", "sftp,web"]
    with subprocess.Popen(command, env=told, stderr=(folder / "log").open("wb")) as process:
        try:
            _wait_for(port, process)
            yield Door("gateway", process.pid, port, BRAND, key, "/inbox", root / "gateway.db")
        finally:
            process.send_signal(signal.SIGTERM)


@contextlib.contextmanager
def both(folder: Path) -> Iterator[tuple[Door, Door]]:
    """Run both, the peer first."""
    key = folder / "client"
    _make_key(key)
    with sshd(folder / "sshd", key) as theirs, gateway(folder / "gateway", key) as ours:
        yield theirs, ours


def free_port() -> int:
    """Give a port nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _make_key(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 30
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
            return
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"nothing listens on {port}; its log says why")
        time.sleep(0.05)
