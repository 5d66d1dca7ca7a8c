"""What systemd is told and what it hands over: sd_notify(3), sd_listen_fds(3), sd_watchdog_enabled(3)."""

import contextlib
import os
import socket
import time
from collections.abc import Mapping

FIRST_DESCRIPTOR = 3


class Systemd:
    """The service manager, or nobody: without its environment every call does nothing."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        # All three are meant for one process; a child that inherited them must not act on them.
        ours = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog_seconds = int(environ.get("WATCHDOG_USEC", "0")) / 1e6 if ours else 0.0
        self._listening = environ if environ.get("LISTEN_PID") == str(os.getpid()) else {}

    def ready(self) -> None:
        """Say that the start, or a reload, is done."""
        self._tell("READY=1")

    def reloading(self) -> None:
        """Say that a reload began (Type=notify-reload wants the moment, too)."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self, seconds: float) -> None:
        """Say that the end began, and ask for as much time as the drain may take."""
        self._tell(f"STOPPING=1\nEXTEND_TIMEOUT_USEC={int(seconds * 1e6)}")

    def alive(self) -> None:
        """Feed the watchdog."""
        self._tell("WATCHDOG=1")

    def socket(self, name: str) -> socket.socket | None:
        """Take over the listening socket of that name, or the first without names; None if none was handed over."""
        count = int(self._listening.get("LISTEN_FDS", "0"))
        names = self._listening.get("LISTEN_FDNAMES", "").split(":")
        for number in range(count):
            if count == 1 or (number < len(names) and names[number] == name):
                os.set_inheritable(FIRST_DESCRIPTOR + number, False)
                return socket.socket(fileno=FIRST_DESCRIPTOR + number)
        return None

    def _tell(self, state: str) -> None:
        if not self._address:
            return
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        # A manager that does not listen is no reason to fail.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.sendto(state.encode(), address)
