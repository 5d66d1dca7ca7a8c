"""The worker's side of the daemon: built only where that role runs, as it brings the catalog's libraries."""

import socket
from collections.abc import Callable, Sequence

from sftp_gateway import mail, worker
from sftp_gateway.blobs import Files
from sftp_gateway.brand import Brand
from sftp_gateway.render import Renderer
from sftp_gateway.render_home import Painter
from sftp_gateway.render_text import Front
from sftp_gateway.settings import Settings
from sftp_gateway.store.database import Store
from sftp_gateway.upload import Upload
from sftp_gateway.worker_bench import Bench
from sftp_gateway.worker_crew import Crew
from sftp_gateway.worker_export import Exporter
from sftp_gateway.worker_turn import Terms


class Workshop:
    """Worker and renderer of this process. `live` gives the settings as they are now."""

    def __init__(  # noqa: PLR0913 - what the daemon joins
        self,
        store: Store,
        files: Files,
        crew: Crew,
        *,
        live: Callable[[], Settings],
        export: Exporter,
        door: Callable[[], tuple[int, tuple[str, ...]]],
    ) -> None:
        settings = live()
        self._store, self._live, self._door = store, live, door
        self.terms = worker.terms(settings)
        self.bench = Bench(store, files, crew, settings.worker, lambda: self.terms)
        painter = Painter(
            store,
            files,
            schema=lambda: self.terms.schema,
            front=self._front,
            export=export,
            home_seconds=settings.retention.home_seconds,
            painted=self._painted,
        )
        self.renderer = Renderer(painter)
        self.worker = worker.Worker(self.bench, done=self.renderer.wake)

    def read_terms(self, settings: Settings) -> Terms:
        """Load the rules that these settings mean; ConfigError."""
        return worker.terms(settings)

    def _front(self) -> Front:
        sftp, (port, fingerprints) = self._live().sftp, self._door()
        return Front(sftp.public_host or socket.getfqdn(), sftp.public_port or port, fingerprints)

    def _painted(self, brand: Brand, known: Sequence[Upload]) -> None:
        mail.note(self._store, self._live().mail, brand, known)
