"""The children of one process, and which of them gets a task: a warm one for small work, a fresh one else."""

import threading
from pathlib import Path

from sftp_gateway.settings import Worker as WorkerSettings
from sftp_gateway.worker.message import Task
from sftp_gateway.worker.nursery import Nursery
from sftp_gateway.worker.watch import Bounds, Child, Ears, resident_bytes

PRELOAD = ("sftp_gateway.catalog.run",)
EXPORT = "sftp_gateway.catalog.export:write"
TASKS_PER_CHILD = 200
WARM_BYTES = 384 << 20
"""A child that kept more than that after its work is not kept warm."""
DEAF = Ears(lookup=lambda _: None, progress=lambda *_: None, beat=lambda: None)


def of(settings: WorkerSettings) -> "Crew":
    """Make the children's side of this process; nothing is started before it is needed."""
    return Crew(Bounds(settings.memory_bytes, settings.time_limit_seconds), warm=settings.processes)


class Crew:
    """Runs tasks in children. Thread-safe: each `run` has a child of its own while it lasts."""

    def __init__(self, bounds: Bounds, *, preload: tuple[str, ...] = PRELOAD, warm: int = 2) -> None:
        self.bounds = bounds
        self._nursery = Nursery(preload)
        self._lock = threading.Lock()
        self._warm: list[Child] = []
        self._keep = warm
        self._busy: set[Child] = set()

    def start(self) -> None:
        """Import what children need now, not when the first upload waits for it."""
        self._nursery.start()

    def run(self, task: Task, ears: Ears = DEAF, *, small: bool) -> object:
        """Give the step's result; raises what `Child.run` raises."""
        child = self._take(small=small)
        try:
            return child.run(task, self.bounds, ears)
        finally:
            self._give_back(child, small=small)

    def export(self, parquet: Path, rules: object, form: str, out: Path, *, small: bool) -> None:
        """Write a version, given as its Parquet file, as CSV, JSON Lines or Parquet; `rules` is the Schema of now."""
        self.run(Task(EXPORT, (parquet, rules, form, out), asks=False), small=small)

    def close(self) -> None:
        """Kill every child, those at work too."""
        with self._lock:
            warm, busy = self._warm, list(self._busy)
            self._warm, self._keep = [], 0
        for child in warm:
            child.close()
        for child in busy:
            child.kill()  # the thread that works with it lets go of it
        self._nursery.close()

    def _take(self, *, small: bool) -> Child:
        with self._lock:
            child = self._warm.pop() if small and self._warm else None
        if child is not None and not child.is_well():
            child.close()
            child = None
        child = child or Child(self._nursery.birth())
        with self._lock:
            self._busy.add(child)
        return child

    def _give_back(self, child: Child, *, small: bool) -> None:
        fit = small and child.alive and child.tasks < TASKS_PER_CHILD and resident_bytes(child.pid) < WARM_BYTES
        with self._lock:
            self._busy.discard(child)
            if fit and len(self._warm) < self._keep:
                self._warm.append(child)
                return
        child.close()
