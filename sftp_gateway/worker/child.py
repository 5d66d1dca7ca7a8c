"""What a child process does: run the catalog steps it is told to, one after another, as the weaker one.

It parses strangers' files. It never touches the store or the network; what it must ask goes through
the wire to its parent (watch.py), which believes it little.
"""

import contextlib
import errno
import faulthandler
import functools
import importlib
import os
import pickle
import resource
import socket
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from sftp_gateway.errors import Broken, DiskFull, GatewayError
from sftp_gateway.worker.message import HEAD, Task, framed

CHUNK_BYTES = 1 << 20
PROGRESS_SECONDS = 0.1
NICENESS = 5
OOM_SCORE = 500


SWITCH_SECONDS = 0.0005
"""Reading, checking and writing hand the interpreter to each other between long calls outside it; with the
usual 5 ms each hand-over may wait that long (5 % of a million rows)."""


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
    sys.setswitchinterval(SWITCH_SECONDS)
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
        asking = (functools.partial(_look_up, wire), _Progress(wire)) if task.asks else ()
        return "done", step(*task.args, *asking)
    except GatewayError as error:
        return "raised", error
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            return "raised", DiskFull(f"no room to write the results: {error}")
        return "broke", traceback.format_exc()
    except BaseException:  # noqa: BLE001 - whatever it was, the parent decides
        return "broke", traceback.format_exc()


def _look_up(wire: socket.socket, upload: int) -> Any:
    """Ask the parent for the upload a correction names."""
    _send(wire, ("lookup", upload))
    answer = _receive(wire)
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
    wire.sendall(framed(message))


def _receive(wire: socket.socket) -> bytes | None:
    head = _exactly(wire, HEAD.size)
    return None if head is None else _exactly(wire, HEAD.unpack(head)[0])


def _exactly(wire: socket.socket, size: int) -> bytes | None:
    parts = bytearray()
    while len(parts) < size:
        part = wire.recv(min(size - len(parts), CHUNK_BYTES))
        if not part:
            return None
        parts += part
    return bytes(parts)
