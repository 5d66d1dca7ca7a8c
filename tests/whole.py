"""A whole gateway as a process of its own, and a brand at its front door: for tests of start, stop and kill."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import asyncssh

from sftp_gateway.sftp import auth
from sftp_gateway.store import brands, database

ROOT = Path(__file__).parents[1]
PATIENCE_SECONDS = 60.0


class Whole:
    """The processes of one gateway below `folder`. Each run is a fresh process group that can be killed whole."""

    def __init__(self, folder, **settings):
        self.folder = folder
        self.root = folder / "gateway"
        self.port, self.web_port = free_port(), free_port()
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith("SFTP_GATEWAY_")}
        self.environ |= {
            "SFTP_GATEWAY_STORAGE__ROOT": str(self.root),
            "SFTP_GATEWAY_SFTP__HOST": "127.0.0.1",
            "SFTP_GATEWAY_SFTP__PORT": str(self.port),
            "SFTP_GATEWAY_SFTP__PUBLIC_HOST": "127.0.0.1",
            "SFTP_GATEWAY_WEB__PORT": str(self.web_port),
            "SFTP_GATEWAY_INTAKE__SETTLE_SECONDS": "0.1 s",
            "SFTP_GATEWAY_LOG__FORMAT": "json",
        }
        self.environ |= {f"SFTP_GATEWAY_{name.upper()}": str(value) for name, value in settings.items()}
        self.key = asyncssh.generate_private_key("ssh-ed25519")
        self.log = folder / "log"
        self.running = None
        self.begun = []
        self._events, self._read_bytes = [], 0

    def add_brand(self, name="acme"):
        """As the verb does it, without a process of its own."""
        self.root.mkdir(mode=0o700, exist_ok=True)
        with self.store() as store:
            brands.create(store, name)
            brands.add_key(store, name, auth.parse_public_key(self.key.export_public_key().decode(), now=store.now()))

    @contextlib.contextmanager
    def store(self):
        """Look into the store beside the gateway, as a verb would."""
        opened = database.open_store(f"sqlite:///{self.root / 'gateway.db'}")
        try:
            yield opened
        finally:
            opened.close()

    def start(self, *only, wait=True, take_over=False, **environ):
        arguments = ["--only", ",".join(only)] if only else []
        arguments += ["--take-over"] if take_over else []
        with self.log.open("ab") as log:
            self.running = subprocess.Popen(
                [sys.executable, "-m", "sftp_gateway", "run", *arguments],
                env=self.environ | environ,
                cwd=ROOT,
                stderr=log,
                stdout=log,
                start_new_session=True,
            )
        self.begun.append(self.running)
        if wait:
            self.wait_event("gateway.started", since=self.starts)
            self.starts += 1
        return self.running

    starts = 0

    def stop(self, number=signal.SIGTERM):
        if self.running is None:
            return None
        if self.running.poll() is None:
            self.running.send_signal(number)
        code = self.running.wait(timeout=PATIENCE_SECONDS)
        self.running = None
        return code

    def verb(self, *arguments):
        """Run a verb beside the daemon, in a process of its own; gives what it says as JSON."""
        command = [sys.executable, "-m", "sftp_gateway", *arguments, "--json"]
        return json.loads(subprocess.run(command, env=self.environ, cwd=ROOT, check=True, capture_output=True).stdout)

    def kill(self):
        """Kill -9 everything: the daemon; the nursery and its children must follow by themselves."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.running.pid, signal.SIGKILL)
        self.running.wait()
        self.running = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """Leave nothing behind, whatever a test failed at."""
        for process in self.begun:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def events(self, name=""):
        self._read_log()
        return [event for event in self._events if event["event"].startswith(name)]

    def _read_log(self):
        """Take in what the log has more than before: whoever polls a long one would read it anew each time."""
        with self.log.open("rb") as log:
            log.seek(self._read_bytes)
            whole, end, _ = log.read().rpartition(b"\n")  # the last line may be half written
        self._read_bytes += len(whole) + len(end)
        self._events += [json.loads(line) for line in whole.splitlines() if line.startswith(b"{")]

    def wait_event(self, name, since=0):
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            if self.log.exists() and len(found := self.events(name)) > since:
                return found[since]
            assert self.running is None or self.running.poll() is None, self.log.read_text()[-3000:]
            time.sleep(0.02)
        raise AssertionError(f"no {name} in {PATIENCE_SECONDS} s: {self.log.read_text()[-3000:]}")

    def connect(self, brand="acme"):
        return asyncssh.connect(
            "127.0.0.1", self.port, username=brand, client_keys=[self.key], known_hosts=None, config=None
        )


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def catalog(products, price=10):
    """A catalog that no other price makes the same."""
    return "sku,name,msrp\n" + "".join(f"A-{n},Chair {n},{price}.00\n" for n in range(products))
