"""What a verb of the command line has worked off: by the worker that lives, else here, in the brand's turn."""

import contextlib
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from msgspec import Struct

from sftp_gateway.blobs import Files
from sftp_gateway.errors import Broken
from sftp_gateway.settings import Settings
from sftp_gateway.store import jobs, uploads, versions, workers
from sftp_gateway.store.database import Store
from sftp_gateway.upload import SETTLED, Upload
from sftp_gateway.worker import crew
from sftp_gateway.worker.bench import Bench, Progress
from sftp_gateway.worker.crew import Crew
from sftp_gateway.worker.slots import terms

WAIT_SECONDS = 0.1

Found = TypeVar("Found")


class Errand(Struct, frozen=True):
    """What a verb has opened. `children` work for it where no worker lives; None: some of its own."""

    store: Store
    files: Files
    settings: Settings
    children: Crew | None = None

    def finish(self, upload: Upload, progress: Progress) -> Upload:
        """Wait until nothing is to be done for an upload any more, and give it as it is then.

        Where no worker lives, its brand's turn is worked off here, what is before it included. Also waits for the
        release of its withheld removals. Raises Broken if that job failed, Unavailable.
        """

        def look() -> Upload | None:
            job = jobs.last_of(self.store, upload.id)
            _report(job, progress)
            if job is not None and job.is_open:
                return None
            if job is not None and job.kind is not jobs.Kind.PROCESS:
                _raise_failed(job)
            now = uploads.get(self.store, upload.id)
            return now if now.state in SETTLED else None

        return self._work_off(upload.brand, look, progress)

    def roll_back(self, brand: str, number: int, *, by: str = "cli") -> versions.Version:
        """Publish an old version again as a new one, in the brand's turn; raises NotFound, WrongState, Broken."""
        asked = versions.roll_back(self.store, brand, number, by)

        def look() -> versions.Version | None:
            job = jobs.get(self.store, asked)
            if job.is_open:
                return None
            _raise_failed(job)
            return versions.get(self.store, brand, int((job.result or {})["version"]))

        return self._work_off(brand, look, lambda *_: None)

    def _work_off(self, brand: str, look: Callable[[], Found | None], progress: Progress) -> Found:
        """Ask `look` until it finds something, doing the brand's work meanwhile if no worker lives."""
        owner, never, lease_seconds = workers.me("verb"), threading.Event(), self.settings.worker.lease_seconds
        with contextlib.ExitStack() as held:
            bench: Bench | None = None
            while (found := look()) is None:
                if workers.alive(self.store, "worker"):
                    time.sleep(WAIT_SECONDS)
                    continue
                claimed = jobs.claim(self.store, owner=owner, lease_seconds=lease_seconds, brand=brand)
                if claimed is None:  # another verb works on it, or it waits after a fault
                    time.sleep(WAIT_SECONDS)
                    continue
                bench = bench or self._bench(held)
                bench.work(claimed, never, progress)
            return found

    def _bench(self, held: contextlib.ExitStack) -> Bench:
        rules = terms(self.settings)
        children = self.children or held.enter_context(contextlib.closing(crew.of(self.settings.worker)))
        return Bench(self.store, self.files, children, self.settings.worker, lambda: rules)


def _report(job: jobs.Job | None, progress: Progress) -> None:
    if job is not None and job.is_open:
        told = job.progress or {"stage": "waiting for its turn", "share": 0.0}
        progress(str(told["stage"]), float(told["share"]))


def _raise_failed(job: jobs.Job) -> None:
    """Raise Broken for a release or rollback that was given up: it is done and has no result."""
    if job.result is None:
        raise Broken(f"the {job.kind} of {job.brand} could not be made: {job.error or 'it was given up'}")
