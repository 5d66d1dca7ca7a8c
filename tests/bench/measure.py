"""Runs a command and measures wall time and the peak memory of all its processes together.

Memory is the proportional set size (PSS) summed over the process and its children: pages that several processes
share are counted once, as the machine pays for them. To count them takes a process's memory lock for some 10 ms, and
a core that the measured work would use. So resident pages, a figure the kernel keeps, are asked for every 50 ms,
and the PSS only when they are more than ever before.
"""

import contextlib
import mmap
import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

SAMPLE_SECONDS = 0.05
MORE = 1.01
"""So much more resident memory than at the last count makes another one."""


@dataclass(frozen=True, slots=True)
class Run:
    """Wall seconds, and the peak of the summed PSS in bytes."""

    seconds: float
    peak_bytes: int


def run(command: Sequence[str], environ: Mapping[str, str] | None = None, *, may_fail: bool = False) -> Run:
    """Run to the end; raises CalledProcessError with what it said when it fails; `may_fail`: 1 is no failure.

    What earlier runs wrote is on the disk before the clock starts: who syncs would else wait for their bytes, too.
    """
    os.sync()
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environ) as process:
        peak = _Peak(process.pid)
        peak.start()
        said = process.communicate()[0]
        seconds = time.perf_counter() - began
        peak.stop()
    if process.returncode and not (may_fail and process.returncode == 1):
        raise subprocess.CalledProcessError(process.returncode, command, said)
    return Run(seconds, peak.bytes)


class _Peak(threading.Thread):
    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.bytes = 0
        self._pid = pid
        self._over = threading.Event()

    def run(self) -> None:
        counted = 0
        while not self._over.wait(SAMPLE_SECONDS):
            members = _tree(self._pid)
            resident = sum(map(_resident_bytes, members))
            if resident > counted * MORE:
                counted = resident
                self.bytes = max(self.bytes, sum(map(_pss_bytes, members)))

    def stop(self) -> None:
        self._over.set()
        self.join()


def tree_bytes(pid: int) -> int:
    """Sum the PSS of a process and everything below it; processes that just ended count nothing."""
    return sum(map(_pss_bytes, _tree(pid)))


def _tree(pid: int) -> list[int]:
    """Give a process and everything below it, as the kernel lists it."""
    found, at = [pid], 0
    while at < len(found):
        for listed in Path(f"/proc/{found[at]}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += map(int, listed.read_text(encoding="ascii").split())
        at += 1
    return found


def _resident_bytes(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * mmap.PAGESIZE
    except OSError:
        return 0


def _pss_bytes(pid: int) -> int:
    try:
        with Path(f"/proc/{pid}/smaps_rollup").open(encoding="ascii") as rollup:
            return next(int(line.split()[1]) * 1024 for line in rollup if line.startswith("Pss:"))
    except (OSError, StopIteration):
        return 0


def machine() -> str:
    """Say on what this was measured."""
    with Path("/proc/cpuinfo").open(encoding="utf-8") as info:
        model = next((line.split(":", 1)[1].strip() for line in info if line.startswith("model name")), "unknown")
    return (
        f"{model}, {os.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB, Linux {os.uname().release}"
    )
