"""`demo`: the main job end to end on a throw-away gateway, with a real SFTP client, on loopback.

A folder of its own is made and removed, the daemon runs as a process of its own with a free port,
the client is OpenSSH's `sftp`. Nothing here knows the inside of the gateway: it does what a brand does.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from sftp_gateway import config, settings
from sftp_gateway.errors import Broken, Unavailable

BRAND = "acme"
PATIENCE_SECONDS = 60.0


def show(*, once: bool) -> int:
    """Run the demonstration; stays up until Ctrl-C unless `once`. Gives the exit code."""
    for program in ("sftp", "ssh-keygen"):
        if shutil.which(program) is None:
            raise Unavailable(f"the demo drops its file with OpenSSH's {program}, which is not installed here")
    for end in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # a shell's background has Ctrl-C ignored
        signal.signal(end, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="sftp-gateway-demo-") as folder:
        stage = _Stage(Path(folder))
        with stage.daemon():
            stage.act()
            if not once:
                stage.stay()
    return 0


class _Stage:
    """One throw-away gateway and the brand that uses it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sftp_port, self.web_port = _free_port(), _free_port()
        self.environ = {key: value for key, value in os.environ.items() if not key.startswith(config.PREFIX)} | {
            "SFTP_GATEWAY_STORAGE__ROOT": str(folder / "gateway"),
            "SFTP_GATEWAY_SFTP__HOST": "127.0.0.1",
            "SFTP_GATEWAY_SFTP__PORT": str(self.sftp_port),
            "SFTP_GATEWAY_SFTP__PUBLIC_HOST": "127.0.0.1",
            "SFTP_GATEWAY_WEB__PORT": str(self.web_port),
            "SFTP_GATEWAY_CONFIG": str(settings.shipped("gateway.toml")),
        }

    @contextlib.contextmanager
    def daemon(self) -> Iterator[None]:
        """Make brand and token, run the daemon, stop it at the end."""
        subprocess.run(  # noqa: S603 - our own arguments
            [_program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", self.folder / "key"], check=True
        )
        self._gateway("brand", "add", BRAND, "--key", str(self.folder / "key.pub"))
        self.token = json.loads(self._gateway("token", "add", "demo", "--json"))["token"]
        log = (self.folder / "log").open("wb")
        with (
            log,
            subprocess.Popen([sys.executable, "-m", "sftp_gateway", "run"], env=self.environ, stderr=log) as running,
        ):
            try:
                self._wait_listening(running)
                yield
            finally:
                running.send_signal(signal.SIGTERM)
                running.wait(timeout=PATIENCE_SECONDS)

    def act(self) -> None:
        """Drop the sample, wait for the receipt in the brand's home, show what came back."""
        sample = settings.shipped("samples/catalog.csv")
        print(f"A gateway runs on 127.0.0.1:{self.sftp_port}; brand {BRAND} logs in with a fresh key.\n")
        print(
            f"$ sftp -P {self.sftp_port} {BRAND}@127.0.0.1\nsftp> put catalog.csv        ({sample.stat().st_size:,} bytes, some rows broken on purpose)"
        )
        began = time.monotonic()
        self._sftp(f"put {sample} catalog.csv")
        receipt = self._receipt()
        print(f"\nThe receipt is readable {time.monotonic() - began:.1f} s later: /receipts/{receipt.name}\n")
        print(self._gateway("upload", "1"))
        for file in sorted((self.folder / "back").glob("*.csv")):
            print(f"/errors/{file.name}")
            for line in file.read_text("utf-8-sig").splitlines()[:5]:
                print(f"    {line[:150]}")
            print()
        print(self._gateway("uploads"))
        print(f"The page: http://127.0.0.1:{self.web_port}/   token: {self.token}")

    def stay(self) -> None:
        """Wait for Ctrl-C, telling how to try more."""
        with contextlib.suppress(KeyboardInterrupt):
            print(f"\nTry it: sftp -i {self.folder / 'key'} -P {self.sftp_port} {BRAND}@127.0.0.1")
            print("Ctrl-C ends the demo and removes everything.", flush=True)
            while True:  # no `signal.pause`: one that comes right before it would be slept over for ever
                time.sleep(0.5)

    def _receipt(self) -> Path:
        deadline = time.monotonic() + PATIENCE_SECONDS
        back = self.folder / "back"
        back.mkdir()
        while time.monotonic() < deadline:
            self._sftp(f"get /receipts/* {back}/", f"get /errors/* {back}/")
            for file in back.glob("*.json"):
                return file
            time.sleep(0.1)
        raise Broken(f"no receipt after {PATIENCE_SECONDS:.0f} s; the daemon said: {self._said()}")

    def _sftp(self, *commands: str) -> None:
        options = [
            "-q", "-b", "-", "-i", str(self.folder / "key"), "-P", str(self.sftp_port), "-F", "/dev/null",
            "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=accept-new",
            "-o", f"UserKnownHostsFile={self.folder / 'known_hosts'}",
        ]  # fmt: skip
        script = "".join(f"-{command}\n" if command.startswith("get") else f"{command}\n" for command in commands)
        done = subprocess.run(  # noqa: S603 - our own arguments
            [_program("sftp"), *options, f"{BRAND}@127.0.0.1"],
            input=script, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS,
        )  # fmt: skip
        if done.returncode:
            raise Broken(f"sftp ended with {done.returncode}: {done.stderr.strip()}; the daemon said: {self._said()}")

    def _gateway(self, *arguments: str) -> str:
        done = subprocess.run(  # noqa: S603 - our own arguments
            [sys.executable, "-m", "sftp_gateway", *arguments],
            env=self.environ, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS,
        )  # fmt: skip
        if done.returncode:
            raise Broken(f"sftp-gateway {' '.join(arguments)} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def _wait_listening(self, running: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline and running.poll() is None:
            if all(_answers(port) for port in (self.sftp_port, self.web_port)):
                return
            time.sleep(0.05)
        raise Broken(f"the daemon did not come up: {self._said()}")

    def _said(self) -> str:
        return (self.folder / "log").read_text("utf-8", "replace")[-2000:]


def _program(name: str) -> str:
    found = shutil.which(name)
    assert found is not None
    return found


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
