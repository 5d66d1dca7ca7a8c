"""The worker's side of the daemon: built only where that role runs, as it brings the catalog's libraries."""

import contextlib
from collections.abc import Callable, Sequence

from sftp_gateway import mail, retention
from sftp_gateway.blobs import Files
from sftp_gateway.brand import Brand
from sftp_gateway.daemon.parts import Parts
from sftp_gateway.daemon.reload import Rules
from sftp_gateway.render.home import Painter
from sftp_gateway.render.renderer import Renderer
from sftp_gateway.settings import Settings
from sftp_gateway.store import frontdoor
from sftp_gateway.store.database import Store
from sftp_gateway.upload import Upload
from sftp_gateway.worker import slots
from sftp_gateway.worker.bench import Bench
from sftp_gateway.worker.crew import Crew


class Workshop:
    """Worker, renderer and retention of this process. `live` gives the settings as they are now."""

    def __init__(self, store: Store, files: Files, crew: Crew, *, live: Callable[[], Settings], rules: Rules) -> None:
        settings = live()
        self._store, self._live = store, live
        self.bench = Bench(store, files, crew, settings.worker, lambda: rules.terms)
        painter = Painter(
            store,
            files,
            schema=rules.schema,
            front=lambda: frontdoor.address(store, live().sftp),
            export=lambda parquet, form, out, small: crew.export(parquet, rules.schema(), form, out, small=small),
            home_seconds=settings.retention.home_seconds,
            painted=self._painted,
        )
        self.renderer = Renderer(painter)
        self.worker = slots.Worker(self.bench, done=self.renderer.wake)
        self._retention = retention.Retention(store, files, settings.retention)

    async def open(self, held: contextlib.AsyncExitStack, parts: Parts) -> None:
        """Let them live."""
        await held.enter_async_context(self.worker)
        parts.spawn("worker", self.worker.run())
        parts.spawn("renderer", self.renderer.run())
        parts.spawn("retention", self._retention.run())

    def _painted(self, brand: Brand, known: Sequence[Upload]) -> None:
        mail.note(self._store, self._live().mail, brand, known)
