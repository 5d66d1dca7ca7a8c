"""Works one claimed job off: keeps its lease, takes its turn, and tells the queue how that ended."""

import threading
import time
from collections.abc import Callable
from typing import Any, Self

from msgspec import Struct

from sftp_gateway import logs
from sftp_gateway.blobs import Files
from sftp_gateway.errors import GatewayError, LeaseLost, Unavailable
from sftp_gateway.settings import Worker as WorkerSettings
from sftp_gateway.store import jobs
from sftp_gateway.store.database import Store
from sftp_gateway.worker.crew import Crew
from sftp_gateway.worker.turn import Terms, Turn

log = logs.get(__name__)

Progress = Callable[[str, float], None]


class Stopped(GatewayError):
    """The gateway shuts down: the job goes back, no try is counted."""


class Lease:
    """Keeps a claimed job ours: a thread beats, `check` raises once it is lost or the gateway stops."""

    def __init__(
        self,
        store: Store,
        claimed: jobs.Claimed,
        seconds: float,
        stopping: threading.Event,
        told: Progress | None = None,
    ) -> None:
        self._store, self._claimed, self._seconds, self._stopping = store, claimed, seconds, stopping
        self._also_told = told
        self._lost: LeaseLost | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"lease of job {claimed.id}", daemon=True)
        self._progress: tuple[str, float] | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def check(self) -> None:
        """Raise LeaseLost if another worker has the job, Stopped if the gateway stops now."""
        if self._lost is not None:
            raise self._lost
        if self._stopping.is_set():
            raise Stopped("the gateway stops")

    def told(self, stage: str, share: float) -> None:
        """Note how far the work is; goes out with the next beat."""
        self._progress = (stage, share)
        if self._also_told is not None:
            self._also_told(stage, share)

    def _beat(self) -> None:
        since = time.monotonic()
        while not self._done.wait(min(self._seconds / 4, 1.0) if self._progress else self._seconds / 4):
            try:
                jobs.beat(self._store, self._claimed.id, self._claimed.token, self._seconds, progress=self._progress)
                since = time.monotonic()
            except LeaseLost as lost:
                self._lost = lost
                return
            except Exception as error:  # noqa: BLE001 - a beat that ends without a word would let two work on one job
                # Others may take the job over as soon as the lease is out, so nothing goes on beyond it.
                if time.monotonic() - since > self._seconds:
                    self._lost = LeaseLost(f"the lease ran out: {error}")
                    return


class Bench(Struct, frozen=True):
    """Where jobs are worked on, and by which rules. `terms` is asked anew for each job."""

    store: Store
    files: Files
    crew: Crew
    settings: WorkerSettings
    terms: Callable[[], Terms]

    def work(self, claimed: jobs.Claimed, stopping: threading.Event, told: Progress | None = None) -> None:
        """Work a claimed job off; whatever happens to it, the queue knows afterwards. Never raises for the job."""
        about = {"brand": claimed.brand, "job": claimed.id} | ({"upload": claimed.upload.id} if claimed.upload else {})
        try:
            with Lease(self.store, claimed, self.settings.lease_seconds, stopping, told) as lease:
                terms = self.terms()
                Turn(self.store, self.files, self.crew, terms, claimed, lease.check, lease.told).take()
        except LeaseLost as lost:
            self._lost(claimed, about, str(lost))
        except Stopped:
            self._hand_back(claimed, about, shutdown=True)
        except Unavailable as error:
            log.warning("job.deferred", **about, error=str(error))
            self._hand_back(claimed, about, error=str(error), tries=None)
        except Exception as fault:
            trace = not isinstance(fault, GatewayError)  # those bring the child's own traceback as text
            log.exception("job.broke", **about, attempt=claimed.attempt, error=str(fault), exc_info=trace)
            self._hand_back(claimed, about, error=_first_line(fault), tries=self.settings.tries)
        except BaseException:  # Ctrl-C in a verb
            self._hand_back(claimed, about, shutdown=True)
            raise

    def _lost(self, claimed: jobs.Claimed, about: dict[str, Any], error: str) -> None:
        """Have it counted by every process, as this one may serve no metrics."""
        try:
            jobs.lost(self.store, claimed.id, error)
        except GatewayError:
            log.warning("job.lease_lost", **about, error=error)

    def _hand_back(self, claimed: jobs.Claimed, about: dict[str, Any], **how: Any) -> None:
        try:
            seconds = self.settings.backoff_seconds
            jobs.hand_back(self.store, claimed.id, claimed.token, backoff_seconds=seconds, **how)
        except (LeaseLost, Unavailable) as error:
            # The lease runs out by itself; then the job is taken over.
            log.warning("job.lease_lost", **about, error=str(error))


def _first_line(fault: BaseException) -> str:
    return (str(fault).strip() or type(fault).__name__).partition("\n")[0][:500]
