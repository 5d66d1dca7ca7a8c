"""A child process that runs the catalog steps, and the parent's watch over it.

The child parses strangers' files, so the parent trusts nothing it says: its messages are unpickled
with a list of allowed types, its resident memory and time are limited by killing it, and whatever
it does dies with it. It never touches the store; what it must ask goes through the wire.
"""

import contextlib
import errno
import faulthandler
import importlib
import io
import os
import pickle
import resource
import select
import signal
import socket
import struct
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sftp_gateway import errors
from sftp_gateway.errors import Broken, DiskFull, GatewayError

HEAD = struct.Struct("!I")
LONGEST_MESSAGE_BYTES = 64 << 20
CHUNK_BYTES = 1 << 16
WATCH_SECONDS = 0.05
"""How often memory and time are looked at: at 2 GB/s of fresh pages, 100 MB beyond the limit."""
PROGRESS_SECONDS = 0.1
END_SECONDS = 5.0
NICENESS = 5
OOM_SCORE = 500
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

ALLOWED = frozenset(
    {("builtins", "set"), ("builtins", "frozenset"), ("pathlib", "PosixPath"), ("decimal", "Decimal")}
    | {("datetime", name) for name in ("datetime", "date", "timedelta", "timezone")}
    | {("sftp_gateway.upload", name) for name in ("State", "Mode")}
    | {("sftp_gateway.catalog.job", name) for name in ("Outcome", "Made", "Remade")}
)
"""What a message of a child may be made of, besides plain values and our own errors."""


@dataclass(frozen=True, slots=True)
class Newborn:
    """A child process just started by a nursery.

    `wire` is the socket to talk to it; `fate` the read end of a pipe that tells `pid N`, then what
    a crash wrote, then `ended STATUS`.
    """

    pid: int
    pidfd: int
    wire: socket.socket
    fate: int


@dataclass(frozen=True, slots=True)
class Task:
    """A step to run: `step` is `module:function`, called with `args`, then lookup and progress if `asks`."""

    step: str
    args: tuple[Any, ...]
    asks: bool = True


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a child may use up."""

    memory_bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Ears:
    """How the parent answers.

    `lookup` a corrected upload; `progress` is told; `beat` is called at every look and raises to
    give up: then the child is killed.
    """

    lookup: Callable[[int], Any]
    progress: Callable[[str, float], None]
    beat: Callable[[], None]


# The child's side ---------------------------------------------------------------------------------


def live(wire: socket.socket, fate: int) -> None:
    """Run tasks until the parent closes the wire. Each answer is `done` or `raised` with a value."""
    _settle_in(fate)
    while (message := _receive(wire)) is not None:
        task: Task = pickle.loads(message)  # noqa: S301 - from our parent
        _send(wire, _run(task, wire))


def _settle_in(fate: int) -> None:
    """Be the process that gives way, and the first one the kernel kills when memory is short."""
    os.umask(0o077)
    faulthandler.enable(fate)
    # A hardened unit may forbid these; the parent's watch does not depend on them.
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE))


def _run(task: Task, wire: socket.socket) -> tuple[str, Any]:
    try:
        module, _, function = task.step.partition(":")
        step = getattr(importlib.import_module(module), function)
        asking = (_Lookup(wire), _Progress(wire)) if task.asks else ()
        return "done", step(*task.args, *asking)
    except GatewayError as error:
        return "raised", error
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            return "raised", DiskFull(f"no room to write the results: {error}")
        return "broke", traceback.format_exc()
    except BaseException:  # noqa: BLE001 - whatever it was, the parent decides
        return "broke", traceback.format_exc()


class _Lookup:
    """Ask the parent for the upload a correction names."""

    def __init__(self, wire: socket.socket) -> None:
        self._wire = wire

    def __call__(self, upload: int) -> Any:
        _send(self._wire, ("lookup", upload))
        answer = _receive(self._wire)
        if answer is None:
            raise Broken("the parent is gone")
        return pickle.loads(answer)  # noqa: S301 - from our parent


class _Progress:
    """Tell the parent how far the work is: every new stage, and a share at most ten times a second."""

    def __init__(self, wire: socket.socket) -> None:
        self._wire, self._stage, self._told_at = wire, "", 0.0

    def __call__(self, stage: str, share: float) -> None:
        now = time.monotonic()
        if stage != self._stage or now - self._told_at >= PROGRESS_SECONDS:
            self._stage, self._told_at = stage, now
            _send(self._wire, ("progress", (stage, share)))


def _send(wire: socket.socket, message: Any) -> None:
    body = pickle.dumps(message, protocol=5)
    wire.sendall(HEAD.pack(len(body)) + body)


def _receive(wire: socket.socket) -> bytes | None:
    head = _exactly(wire, HEAD.size)
    return None if head is None else _exactly(wire, HEAD.unpack(head)[0])


def _exactly(wire: socket.socket, size: int) -> bytes | None:
    parts = bytearray()
    while len(parts) < size:
        part = wire.recv(min(size - len(parts), CHUNK_BYTES * 16))
        if not part:
            return None
        parts += part
    return bytes(parts)


# The parent's side --------------------------------------------------------------------------------


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
        try:
            return self._converse(task, bounds, ears)
        except BaseException as error:
            if not (isinstance(error, GatewayError) and getattr(error, "told_by_child", False)):
                self.close()
            raise

    def close(self) -> None:
        """Kill the process and let go of its descriptors."""
        if not self.alive:
            return
        self.alive = False
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        self._wire.close()
        os.close(self._pidfd)
        os.close(self._fate)

    def _converse(self, task: Task, bounds: Bounds, ears: Ears) -> Any:
        until = time.monotonic() + bounds.seconds
        self._tell(task)
        while True:
            message = self._hear()
            if message is None:
                self._watch(bounds, until)
                ears.beat()
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
                raise Broken(f"a catalog step broke: {_last_line(str(value))}\n{value}")

    def _tell(self, message: Any) -> None:
        body = pickle.dumps(message, protocol=5)
        self._wire.settimeout(END_SECONDS)
        try:
            self._wire.sendall(HEAD.pack(len(body)) + body)
        except OSError:
            raise Broken(self._fate_text()) from None
        finally:
            self._wire.setblocking(False)

    def _hear(self) -> tuple[str, Any] | None:
        """Give the next whole message, or None after WATCH_SECONDS.

        Read as it comes: a child that stops in the middle of a message must not stop the watch.
        """
        if (message := self._unframe()) is not None:
            return message
        if not select.select([self._wire], [], [], WATCH_SECONDS)[0]:
            return None
        try:
            part = self._wire.recv(CHUNK_BYTES * 16)
        except BlockingIOError:
            return None
        except OSError:
            part = b""
        if not part:
            raise Broken(self._fate_text())
        self._buffer += part
        return self._unframe()

    def _unframe(self) -> tuple[str, Any] | None:
        if len(self._buffer) < HEAD.size:
            return None
        [size] = HEAD.unpack_from(self._buffer)
        if size > LONGEST_MESSAGE_BYTES:
            raise Broken("the child process sent a message that is too long")
        if len(self._buffer) < HEAD.size + size:
            return None
        body = bytes(self._buffer[HEAD.size : HEAD.size + size])
        del self._buffer[: HEAD.size + size]
        return _Careful(io.BytesIO(body)).message()

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


class _Careful(pickle.Unpickler):
    """Unpickles what a child sent, of which only `ALLOWED` types may be part."""

    def find_class(self, module: str, name: str) -> Any:
        """Refuse everything that is not on the list."""
        if module == "sftp_gateway.errors":
            found = getattr(errors, name, None)
            if isinstance(found, type) and issubclass(found, GatewayError):
                return found
        if (module, name) not in ALLOWED:
            raise Broken(f"the child process sent a {module}.{name}, which no message holds")
        return super().find_class(module, name)

    def message(self) -> tuple[str, Any]:
        """Give the kind and the value; Broken if it is no message."""
        try:
            kind, value = self.load()
        except Broken:
            raise
        except Exception as error:  # noqa: BLE001 - a pickle from outside may raise anything
            raise Broken(f"the child process sent no message: {type(error).__name__}") from None
        return str(kind), value


def resident_bytes(pid: int) -> int:
    """Tell the resident memory of a process, all of its threads included; 0 if it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES
    except (OSError, IndexError):
        return 0


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2][:500]
