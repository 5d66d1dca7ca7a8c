"""A running child as its parent sees it: told what to do, watched, killed when it uses too much.

Nothing the child says or leaves unsaid can hold the parent up: messages are read as they come and
with a list of allowed types, resident memory and time are looked at in between.
"""

import contextlib
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import Struct

from sftp_gateway.errors import Broken, GatewayError
from sftp_gateway.worker.message import Task, framed, next_of

CHUNK_BYTES = 1 << 20
WATCH_SECONDS = 0.05
"""How often memory and time are looked at: at 2 GB/s of fresh pages, 100 MB beyond the limit."""
END_SECONDS = 5.0
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Newborn(Struct, frozen=True):
    """A child process just started by a nursery.

    `wire` is the socket to talk to it; `fate` the read end of a pipe that tells `pid N`, then what
    a crash wrote, then `ended STATUS`.
    """

    pid: int
    pidfd: int
    wire: socket.socket
    fate: int


class Bounds(Struct, frozen=True):
    """What a child may use up."""

    memory_bytes: int
    seconds: float


class Ears(Struct, frozen=True):
    """How the parent answers.

    `lookup` a corrected upload; `progress` is told; `beat` is called at every look and raises to
    give up: then the child is killed.
    """

    lookup: Callable[[int], Any]
    progress: Callable[[str, float], None]
    beat: Callable[[], None]


class Child:
    """A running child process, for one thread at a time. After `close` it is gone.

    `run` may be called again after it returned or raised what the step raised (`alive`).
    """

    def __init__(self, born: Newborn) -> None:
        self.pid = born.pid
        self.peak_bytes = 0
        self.tasks = 0
        self.alive = True
        self._pidfd, self._wire, self._fate = born.pidfd, born.wire, born.fate
        self._wire.setblocking(False)
        self._buffer = bytearray()

    def run(self, task: Task, bounds: Bounds, ears: Ears) -> Any:
        """Give the step's result, or raise what it raised.

        Broken: it crashed, or was killed for using more memory or time than it may. Anything that
        `ears.beat` raises kills the child, too.
        """
        self.tasks += 1
        self.peak_bytes = 0
        try:
            return self._converse(task, bounds, ears)
        except BaseException as error:
            if not (isinstance(error, GatewayError) and getattr(error, "told_by_child", False)):
                self.close()
            raise

    def is_well(self) -> bool:
        """Whether the idle process still lives and has nothing to say."""
        return self.alive and not select.select([self._wire], [], [], 0)[0]

    def kill(self) -> None:
        """Kill the process; may come from another thread, whose `run` then raises Broken."""
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def close(self) -> None:
        """Kill the process and let go of its descriptors."""
        if not self.alive:
            return
        self.alive = False
        self.kill()
        self._wire.close()
        os.close(self._pidfd)
        os.close(self._fate)

    def _converse(self, task: Task, bounds: Bounds, ears: Ears) -> Any:
        begun = looked_at = time.monotonic()
        self._tell(task)
        while True:
            if (now := time.monotonic()) - looked_at >= WATCH_SECONDS:  # also at one that never stops talking
                looked_at = now
                self._watch(bounds, begun + bounds.seconds)
                ears.beat()
            if (message := self._hear()) is None:
                continue
            kind, value = message
            if kind == "progress":
                ears.progress(str(value[0])[:40], min(max(float(value[1]), 0.0), 1.0))
            elif kind == "lookup":
                self._tell(ears.lookup(int(value)))
            elif kind == "done":
                return value
            elif kind == "raised" and isinstance(value, GatewayError):
                value.told_by_child = True  # type: ignore[attr-defined]  # the process itself is well
                raise value
            else:
                raise Broken(f"a catalog step broke: {_error(str(value))}\n{value}")

    def _tell(self, message: Any) -> None:
        self._wire.settimeout(END_SECONDS)
        try:
            self._wire.sendall(framed(message))
        except OSError:
            raise Broken(self._fate_text()) from None
        finally:
            self._wire.setblocking(False)

    def _hear(self) -> tuple[str, Any] | None:
        """Give the next whole message, or None after WATCH_SECONDS.

        Read as it comes: a child that stops in the middle of a message must not stop the watch.
        """
        if (message := next_of(self._buffer)) is not None:
            return message
        if not select.select([self._wire], [], [], WATCH_SECONDS)[0]:
            return None
        try:
            part = self._wire.recv(CHUNK_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            part = b""
        if not part:
            raise Broken(self._fate_text())
        self._buffer += part
        return next_of(self._buffer)

    def _watch(self, bounds: Bounds, until: float) -> None:
        resident = resident_bytes(self.pid)
        self.peak_bytes = max(self.peak_bytes, resident)
        if resident > bounds.memory_bytes:
            raise Broken(
                f"the child process was stopped: it used {resident >> 20} MiB of memory,"
                f" {bounds.memory_bytes >> 20} MiB are allowed (worker.memory_bytes)"
            )
        if time.monotonic() > until:
            raise Broken(
                f"the child process was stopped: it was not done after {bounds.seconds:g} s (worker.time_limit_seconds)"
            )

    def _fate_text(self) -> str:
        """Say how the process ended, with the traceback a crash left."""
        said = bytearray()
        until = time.monotonic() + END_SECONDS
        while select.select([self._fate], [], [], max(until - time.monotonic(), 0))[0]:
            part = os.read(self._fate, CHUNK_BYTES)
            said += part
            if not part or b"\nended " in said:
                break
        crash, _, end = said.decode("utf-8", "replace").rpartition("\nended ")
        code = int(end.strip() or 0) if end.strip().lstrip("-").isdigit() else 0
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return f"the child process died ({name})" + (f"\n{crash.strip()}" if crash.strip() else "")


def resident_bytes(pid: int) -> int:
    """Tell the resident memory of a process, all of its threads included; 0 if it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES
    except (OSError, IndexError):
        return 0


def _error(trace: str) -> str:
    """Give the line of a traceback that names the exception; its message may go on over more lines."""
    lines = trace.strip().rpartition("Traceback (most recent call last):\n")[2].splitlines()
    named = (line for line in lines if line and not line[0].isspace())
    return next(named, "".join(lines[-1:]))[:500]
