"""Paints one brand's home: makes the files that are not what they should be, lists them in one transaction."""

import contextlib
import hashlib
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from sftp_gateway import upload_name
from sftp_gateway.blobs import Area, Files
from sftp_gateway.brand import Brand
from sftp_gateway.catalog.rules.schema import Schema
from sftp_gateway.errors import NotFound, Unavailable
from sftp_gateway.render import text
from sftp_gateway.render.past import Past
from sftp_gateway.store import brands, homes, uploads, versions
from sftp_gateway.store import files as listed
from sftp_gateway.store.database import Store
from sftp_gateway.store.files import Folder, NewFile
from sftp_gateway.store.frontdoor import Address
from sftp_gateway.upload import FINAL, SETTLED, State, Upload

HISTORY_ROWS = 10_000
"""history.csv shows that many uploads, as README.txt says; the API and the page show all."""
SMALL_CATALOG_BYTES = 4 << 20
"""Up to this size of its Parquet file a catalog's CSV is made before the receipt is listed."""
RECEIPTS_A_TURN = 500
"""So many receipts, or few more, are made of one brand before the homes of others have their turn."""
CURRENT = "current.csv"

Export = Callable[[Path, str, Path, bool], None]
"""(version's Parquet file, form, where to, whether it is small): writes a version in a child."""


@dataclass(frozen=True, slots=True)
class Painter:
    """Where homes are painted, and with what.

    `painted` is told, for each brand, of the uploads that are not over or ended since it was told; newest first.
    """

    store: Store
    files: Files
    schema: Callable[[], Schema]
    front: Callable[[], Address]
    export: Export
    home_seconds: float
    painted: Callable[[Brand, Sequence[Upload]], None] = lambda *_: None
    past: Past = field(default_factory=Past, init=False)

    def paint(self, name: str, seq: int) -> bool:
        """Make the home of a brand true as of `seq`; True if `current.csv` is left for `paint_current`.

        Raises Unavailable; a brand that was erased meanwhile has no home any more. Every host paints: what
        another one listed since, from later looks at the store, stays. Where very many receipts are to be made the
        newest are listed, and the home stays dirty: the rest has its turn when other brands have had theirs.
        """
        try:
            brand = brands.get(self.store, name)
        except NotFound:
            return False
        version = versions.current(self.store, name)
        behind = version is not None and not self._is_current(version)
        if version is not None and behind and version.file_bytes <= SMALL_CATALOG_BYTES:
            behind = not self._paint_small(name)
        self._paint_texts(brand, seq)
        return behind

    def _paint_texts(self, brand: Brand, seq: int) -> None:
        past = self.past.of(brand)
        shown = uploads.newest(self.store, brand.name, HISTORY_ROWS)
        lines = {upload: past[upload] for upload in shown if upload in past}
        over, receipts = dict(lines), list[tuple[int | None, NewFile]]()
        for known in uploads.these(self.store, [upload for upload in shown if upload not in past]):
            if len(receipts) >= RECEIPTS_A_TURN:
                if self._list(brand.name, seq, receipts, whole=False):
                    self.past.keep(brand, over)
                return
            lines |= (printed := text.history_lines(known))
            over |= {upload.id: printed[upload.id] for upload in known if upload.state in FINAL}
            receipts += self._receipts(brand.name, known)
            # Before the home is clean: who dies between leaves it to be painted, and told, again.
            self.painted(brand, known)
        top = self._top(brand, [lines[upload] for upload in shown if upload in lines])
        if self._list(brand.name, seq, [*((None, file) for file in top), *receipts], whole=True):
            self.past.keep(brand, over)

    def _list(self, name: str, seq: int, new: Sequence[tuple[int | None, NewFile]], *, whole: bool) -> bool:
        with contextlib.suppress(NotFound), self.store.write() as tx:
            if homes.is_behind(tx, name, seq):
                for upload, file in new:
                    listed.replace(tx, name, file, upload=upload)
                if whole:
                    homes.cleaned(tx, name, seq)
                return True
        return False

    def paint_current(self, name: str) -> None:
        """Make /catalog/current.csv of what is published now; a version published meanwhile gets its own turn."""
        version = versions.current(self.store, name)
        if version is None or self._is_current(version):
            return
        out = self.files.scratch("export-")
        try:
            with self.files.local(Area.CATALOG, version.file) as parquet:
                self.export(parquet, "csv", out / CURRENT, version.file_bytes <= SMALL_CATALOG_BYTES)
            blob = _current_blob(name, version.number) + secrets.token_hex(8)
            size = self.files.keep(Area.CATALOG, blob, out / CURRENT)
        finally:
            shutil.rmtree(out, ignore_errors=True)
        if not self._list_current(version, NewFile(Folder.CATALOG, CURRENT, Area.CATALOG, blob, size)):
            self.files.delete(Area.CATALOG, blob)

    def _paint_small(self, name: str) -> bool:
        """Make `current.csv` before the rest; False if it cannot be made, which keeps no receipt back."""
        try:
            self.paint_current(name)
        except Unavailable:
            raise
        except Exception:  # noqa: BLE001 - it is left for another try beside the rest, which says why
            return False
        return True

    def _list_current(self, version: versions.Version, file: NewFile) -> bool:
        """List the export unless a later version was published while it was made."""
        with contextlib.suppress(NotFound), self.store.write() as tx:
            if versions.is_current(tx, version.brand, version.number):
                listed.replace(tx, version.brand, file)
                return True
        return False

    def behind(self) -> list[str]:
        """List the brands whose `current.csv` is not of what is published."""
        shown = listed.everywhere(self.store, Folder.CATALOG, CURRENT)
        published = [(brand.name, brand.current_version) for brand in brands.all_brands(self.store)]
        return [name for name, now in published if now and not shown.get(name, "").startswith(_current_blob(name, now))]

    def stale(self) -> list[str]:
        """List the brands whose README.txt tells something that is not true any more."""
        return [brand.name for brand in brands.all_brands(self.store) if self._is_stale(brand)]

    def _is_stale(self, brand: Brand) -> bool:
        try:
            return any(self._new_readme(brand))
        except Unavailable:
            raise
        except Exception:  # noqa: BLE001 - painting it will fail, too, and say why
            return True

    def mark(self, name: str) -> None:
        """Have a home painted again."""
        with self.store.write() as tx:
            tx.mark_dirty(name)

    def _is_current(self, version: versions.Version) -> bool:
        try:
            found = listed.get(self.store, version.brand, Folder.CATALOG, CURRENT)
        except NotFound:
            return False
        return found.blob.startswith(_current_blob(version.brand, version.number))

    def _top(self, brand: Brand, history: Sequence[bytes]) -> Iterator[NewFile]:
        yield from self._new_readme(brand)
        yield from self._changed(brand.name, "template.csv", text.template(brand, self.schema()))
        yield from self._changed(brand.name, "history.csv", text.history(history))

    def _new_readme(self, brand: Brand) -> Iterator[NewFile]:
        return self._changed(brand.name, "README.txt", text.readme(brand, self.schema(), self.front()))

    def _changed(self, brand: str, name: str, text: bytes) -> Iterator[NewFile]:
        """Keep a file of the home's top if it is not what is listed."""
        stem = f"{brand}/{name}.{hashlib.sha256(text).hexdigest()[:24]}."
        try:
            if listed.get(self.store, brand, Folder.TOP, name).blob.startswith(stem):
                return
        except NotFound:
            pass
        blob = stem + secrets.token_hex(4)  # two workers that paint one home never write one name
        self.files.keep_bytes(Area.RESULTS, [(blob, text)])
        yield NewFile(Folder.TOP, name, Area.RESULTS, blob, len(text))

    def _receipts(self, brand: str, known: Sequence[Upload]) -> list[tuple[int, NewFile]]:
        """Keep the receipts that a brand may see and that are not listed as they stand now, all at once."""
        oldest = self.store.now() - timedelta(seconds=self.home_seconds)
        wanted = {_receipt_name(upload): upload for upload in known if _has_receipt(upload, oldest)}
        shown = listed.blobs(self.store, brand, Folder.RECEIPTS, list(wanted))
        made: list[tuple[int, NewFile]] = []

        def printed() -> Iterator[tuple[str, bytes]]:
            for name, upload in wanted.items():
                stem = f"{upload.id}/{name}.{_standing(upload)}."
                if not shown.get(name, "").startswith(stem):
                    data, blob = text.printed_receipt(uploads.get(self.store, upload.id)), stem + secrets.token_hex(4)
                    made.append((upload.id, NewFile(Folder.RECEIPTS, name, Area.RESULTS, blob, len(data))))
                    yield blob, data

        self.files.keep_bytes(Area.RESULTS, printed())
        return made


def _receipt_name(upload: Upload) -> str:
    return f"{upload_name.safe(upload.name)}.{upload.id}.json"


def _has_receipt(upload: Upload, oldest: datetime) -> bool:
    """Whether the home shows a receipt: at rest, not past its time; an unfinished one only once it has one."""
    if upload.state not in SETTLED or (upload.finished_at or upload.received_at) < oldest:
        return False
    return upload.receipt is not None or upload.state is not State.UNFINISHED


def _standing(upload: Upload) -> str:
    """Give what changes whenever the receipt does."""
    parts = (upload.state, upload.finished_at, upload.version, upload.reasons, upload.receipt is None)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _current_blob(brand: str, number: int) -> str:
    return f"{brand}/current-{number}-"
