"""Starts child processes in about 10 ms: a small process that has everything imported forks them.

Not multiprocessing's forkserver, whose children run the program's `__main__` again (half a second
and 100 MiB of front door) and keep the server alive by an inherited descriptor, so that they outlive
a killed daemon. Here all die together: the nursery ends when its socket does, and the kernel kills
each child when the nursery ends (PR_SET_PDEATHSIG). See docs/decisions/0005-child-processes.md.
"""

import contextlib
import ctypes
import gc
import importlib
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable
from types import FrameType

from sftp_gateway.errors import Broken
from sftp_gateway.worker import child
from sftp_gateway.worker.watch import Newborn

START_SECONDS = 30.0
PR_SET_PDEATHSIG = 1
KEPT_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "HOME", "SSL_CERT_FILE")
"""A child parses strangers' files: it gets no secret that came by environment."""

QUIET_LIBRARIES = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""A process that forks has one thread; these libraries would start more when imported."""

KEPT_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
    "MALLOC_ARENA_MAX": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "jemalloc",
    "JE_ARROW_MALLOC_CONF": "narenas:1,dirty_decay_ms:5000",
}
"""Blocks of some MiB come and go all the time: glibc would hand each back to the system, which has to clear it when it
comes again (up to a fifth of a child's time). `engine.give_back_memory` does it once. Of Arrow's allocators jemalloc
holds least: 620 MiB at the peak of a million rows' next day, 730 with mimalloc; where it is not built in, Arrow takes its own.

One arena for all threads in both: blocks are made in one thread and let go of in another, and an arena for each thread would
keep what another could use. So Arrow's may keep its own for 5 s, not 1, at the same peak: a quarter of the fresh pages less."""


class Nursery:
    """The parent's side: `birth()` starts a child. Thread-safe; started at first use, again if it died."""

    def __init__(self, preload: tuple[str, ...]) -> None:
        self._preload = preload
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def start(self) -> None:
        """Start the process now, so that the first upload does not wait for its imports."""
        with self._lock:
            if self._process is None:
                self._start()

    def birth(self) -> Newborn:
        """Start a child; raises Broken if that does not work twice in a row."""
        with self._lock:
            for _ in range(2):
                if self._control is None:
                    self._start()
                with contextlib.suppress(OSError, EOFError):
                    return self._ask()
                self._stop()
        raise Broken("no child process could be started: the process that forks them dies at once")

    def close(self) -> None:
        """End the nursery and with it every child."""
        with self._lock:
            self._stop()

    def _ask(self) -> Newborn:
        assert self._control is not None
        ours, theirs = socket.socketpair()
        fate, told = os.pipe2(os.O_CLOEXEC)
        try:
            try:
                socket.send_fds(self._control, [b"birth"], [theirs.fileno(), told])
            finally:
                theirs.close()
                os.close(told)
            pid = _read_pid(fate)
            return Newborn(pid, os.pidfd_open(pid), ours, fate)
        except BaseException:
            ours.close()
            os.close(fate)
            raise

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environ = {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ}
        # What is importable here must be importable there, however this process came to know it.
        environ |= QUIET_LIBRARIES | KEPT_MEMORY | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-P", "-m", "sftp_gateway.worker.nursery", str(theirs.fileno()), *self._preload],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=environ,
                start_new_session=True,  # Ctrl-C at a terminal is the daemon's to answer
            )
        self._control = ours

    def _stop(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=2)
            self._process.kill()
            self._process.wait()
            self._process = None


def _read_pid(fate: int) -> int:
    if not select.select([fate], [], [], START_SECONDS)[0]:
        raise OSError("the nursery does not answer")
    word, _, number = os.read(fate, 64).partition(b"\n")[0].partition(b" ")
    if word != b"pid":
        raise EOFError
    return int(number)


def serve(control: socket.socket, preload: list[str]) -> None:
    """Fork a child for each message until the daemon is gone; tell each child's end on its pipe."""
    import_all(preload)
    ends, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.signal(signal.SIGCHLD, _noticed)
    signal.set_wakeup_fd(wake)
    fates: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([control.fileno(), ends], [], [])
        if ends in ready:
            os.read(ends, 4096)
            _bury(fates)
        if control.fileno() not in ready:
            continue
        message, descriptors, _, _ = socket.recv_fds(control, 16, 2)
        if not message:
            os._exit(0)
        wire, fate = descriptors
        pid = os.fork()
        if pid == 0:
            for descriptor in (control.fileno(), ends, wake, *fates.values()):
                os.close(descriptor)
            _live(wire, fate)
        os.close(wire)
        fates[pid] = fate
        _tell(fate, f"pid {pid}\n")


class _NoPandas:
    """Says that there is no pandas while Arrow asks: for its first array it would import it, 0.2 s and 40 MiB for nothing.

    No child needs it: only `inspect` does, in a process of its own.
    """

    def find_spec(self, fullname: str, *_: object) -> None:
        """Refuse pandas, know nothing of the rest."""
        if fullname == "pandas":
            raise ModuleNotFoundError(fullname)


def import_all(names: Iterable[str]) -> None:
    """Import what children need, before the first of them is born."""
    gc.disable()  # nothing of what is imported now ever goes
    _refuse_pandas()
    for name in names:
        importlib.import_module(name)
    gc.freeze()  # collections in children leave the shared pages alone
    gc.enable()


def _refuse_pandas() -> None:
    """Have Arrow ask for pandas, and say no: for as long as this process lives."""
    refusing = _NoPandas()
    sys.meta_path.insert(0, refusing)
    try:
        importlib.import_module("pyarrow").array([])
    finally:
        sys.meta_path.remove(refusing)


def _noticed(_signal: int, _frame: FrameType | None) -> None:
    """Only the wake-up descriptor matters."""


def _bury(fates: dict[int, int]) -> None:
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            pid, status = found
            fate = fates.pop(pid)
            _tell(fate, f"\nended {os.waitstatus_to_exitcode(status)}\n")
            os.close(fate)


def _tell(fate: int, text: str) -> None:
    with contextlib.suppress(OSError):  # nobody reads it any more
        os.write(fate, text.encode())


def _live(wire: int, fate: int) -> None:
    """Be the child: never returns, never outlives its parent."""
    code = 70
    try:
        parent = os.getppid()
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent or parent == 1:
            os._exit(code)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        child.live(socket.socket(fileno=wire), fate)
        code = 0
    finally:
        os._exit(code)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:])
