"""The upload that a correction names: what of it the catalog step needs, lent for a turn. Serves turn.py."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from sftp_gateway.blobs import Area, Files
from sftp_gateway.catalog.job import ACCEPTED, REJECTED, Corrected
from sftp_gateway.errors import NotFound
from sftp_gateway.store import files as listed
from sftp_gateway.store import uploads, versions
from sftp_gateway.store.database import Store
from sftp_gateway.store.files import Folder
from sftp_gateway.upload import Mode, State, Upload

LENT_BYTES = 1024**3


class Originals(Struct, frozen=True):
    """Finds uploads of a brand for its upload `asks`; the files that it lends are held open in `held`."""

    store: Store
    files: Files
    brand: str
    asks: int | None
    held: contextlib.ExitStack

    def find(self, number: int) -> Corrected | None:
        """Find the upload that a correction names; None if the brand has none such, or its age is past telling."""
        try:
            upload = uploads.get(self.store, number)
        except NotFound:
            return None
        if upload.brand != self.brand:
            return None
        later = self._later(upload)
        changes = [version.changes_csv for version in later if version.changes_csv]
        if len(changes) < len(later):
            return None
        waits = self._waits(upload)
        kept = self._kept_of_held(upload) if waits else {}
        return Corrected(
            upload=number,
            state=State.HELD if waits else upload.state,
            base_version=upload.base_version or 0,
            changes=tuple(self.held.enter_context(self.files.local(Area.CATALOG, blob)) for blob in changes),
            accepted=kept.get(ACCEPTED),
            rejected=kept.get(REJECTED),
            mode=uploads.rows_meant(self.store, upload.id) or Mode.FULL,
            sent=self._sent(upload),
        )

    def _later(self, upload: Upload) -> list[versions.Version]:
        """Give the versions that may have changed an upload's products since, oldest first.

        Not the current one if the very bytes of the asking upload made it: sent once more, a correction is not late for itself.
        """
        later = versions.later_than(self.store, self.brand, upload.base_version or 0)
        now = versions.current(self.store, self.brand)
        if now is None or now.upload is None or self.asks is None:
            return later
        own = now.sha256 == uploads.get(self.store, self.asks).sha256
        return [version for version in later if not own or version.number != now.number]

    def _waits(self, upload: Upload) -> bool:
        """Whether an upload waits for this correction: it is held, or was when this one joined it and was held, too.

        What is sent again means what it meant the first time.
        """
        if upload.state is not State.SUPERSEDED:
            return upload.state is State.HELD
        by = [event.detail.get("superseded_by") for event in uploads.events(self.store, upload.id) if event.detail]
        return any(number in by for number in self._asking())

    def _asking(self) -> Iterator[int]:
        """Give the upload that asks, then the one that it is a retry of, and so on."""
        number = self.asks
        while number is not None:
            yield number
            number = uploads.get(self.store, number).source_upload

    def _kept_of_held(self, upload: Upload) -> dict[str, Path]:
        """Lend what a held upload left for its correction, by what it is."""
        internal = [file for file in listed.of_upload(self.store, upload.id) if file.folder == Folder.INTERNAL]
        return {
            kind: self.held.enter_context(self.files.local(Area(file.area), file.blob))
            for file in internal
            for kind in (ACCEPTED, REJECTED)
            if file.name.endswith(kind)
        }

    def _sent(self, upload: Upload) -> Path | None:
        """Lend the bytes of a corrected upload; what is large is not fetched for the sake of a few rows."""
        if upload.bytes > LENT_BYTES:
            return None
        try:
            return self.held.enter_context(self.files.local(Area.SOURCES, upload.sha256))
        except NotFound:
            return None
