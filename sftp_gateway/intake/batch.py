"""Finished files of one brand that are taken in together.

The two steps of a claim: the row says `claimed` (from then on nobody writes to the file), the bytes
move among the sources; then one transaction makes the upload, its job and the name's new meaning.
"""

import contextlib
import errno
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from sftp_gateway import errors, logs
from sftp_gateway.blobs import Area
from sftp_gateway.brand import BrandSettings
from sftp_gateway.intake import companions, history, sources
from sftp_gateway.intake.desk import Desk, Told
from sftp_gateway.store import claims, drafts, queue
from sftp_gateway.store.database import Transaction
from sftp_gateway.store.drafts import Entry, Place

log = logs.get(__name__)

LOST = {"code": "disk_failed", "text": "The gateway lost the bytes of this file", "suggestion": "Please send it again"}


class Taken(Struct, frozen=True):
    """A claimed draft whose bytes are among the sources, or `is_staged` still; `reason` if it is refused nevertheless."""

    row: Entry
    sha256: str
    is_staged: bool
    companions: tuple[Entry, ...]
    reason: dict[str, Any] | None


class Lost(Exception):
    """The bytes that a row speaks of are not there, or not those."""


@dataclass(slots=True)
class Batch:
    """The claim of some files; `told` is what came of it so far."""

    desk: Desk
    brand: str
    own: BrandSettings
    told: Told = field(init=False)

    def __post_init__(self) -> None:
        self.told = Told(self.brand)

    def take_in(self, rows: list[Entry]) -> Iterator[Told]:
        """Claim the rows and make uploads of them; tells after each commit."""
        ids = {row.id for row in rows}
        self.desk.in_hand |= ids
        try:
            with self.desk.store.write() as tx:
                mine = claims.claim(tx, rows, self.desk.owner)
                tx.touch(self.brand)
            # Two commits touch the brand's entries; the views count commits, and read all anew if one is missing.
            yield Told(self.brand)
            self._finish(mine)
            yield self.told
        finally:
            self.desk.in_hand -= ids

    def _finish(self, claimed: list[Entry]) -> None:
        """Take in what is claimed: the bytes, then one transaction for all of it."""
        desk, taken = self.desk, self._take_all(claimed)
        with desk.store.write() as tx:
            self._receive(tx, [item for item in taken if item.reason is None])
            tx.touch(self.brand)
        for item in taken:
            if item.reason is None:
                desk.staging.file(item.row.id).unlink(missing_ok=True)
            else:
                desk.refuse(
                    item.row, item.reason, self.own.mode, self.told, sha256=item.sha256, companions=item.companions
                )

    def _take_all(self, claimed: list[Entry]) -> list[Taken]:
        """Judge the bytes of each and put them among the sources, all together."""
        taken: list[Taken] = []
        beside = companions.beside(self.desk.store, self.brand, claimed, self.own)
        try:
            for row in claimed:
                try:
                    taken.append(self._take(row, beside))
                except Lost as lost:
                    log.exception(
                        "draft.lost", brand=self.brand, path=row.sent, draft=row.id, bytes=row.bytes, reason=str(lost)
                    )
                    self.desk.refuse(row, LOST, self.own.mode, self.told)
            staged = [item for item in taken if item.is_staged]
            sources.keep(self.desk.files, [(item.sha256, self.desk.staging.file(item.row.id)) for item in staged])
        except BaseException:
            self._hand_back(claimed)
            raise
        return taken

    def _hand_back(self, claimed: Iterable[Entry]) -> None:
        """Leave a claim for later: the disk is full, or the store is away (then `recover` does it)."""
        desk = self.desk
        with contextlib.suppress(errors.Unavailable, errors.NotFound, OSError), desk.store.write() as tx:
            for row in claimed:
                drafts.move(tx, row.id, [Place.CLAIMED], place=Place.CLOSED, due_at=desk.store.now(), owner="")
                tx.touch(row.brand)

    def _take(self, row: Entry, beside: Mapping[str, Entry]) -> Taken:
        """Hash what is not hashed yet, and ask the companions."""
        desk, file = self.desk, self.desk.staging.file(row.id)
        speaking = companions.fresh(row, self.own, beside)
        sha256 = row.sha256
        try:
            size = file.stat().st_size
        except FileNotFoundError:
            if not sha256 or not desk.files.exists(Area.SOURCES, sha256):
                raise Lost("no file on disk") from None
            is_staged = False
        else:
            if size != row.bytes:
                raise Lost(f"{size} bytes on disk")
            sha256, is_staged = sha256 or _digest(file, desk.stopping.is_set), True
        reason = companions.contradiction(desk, row, sha256, speaking)
        return Taken(row, sha256, is_staged, tuple(speaking.values()), reason)

    def _receive(self, tx: Transaction, taken: list[Taken]) -> None:
        """Make uploads of what was taken, in the order in which it came; what went meanwhile stays away."""
        try:
            queue.lock(tx, self.brand)  # first, as everywhere: whoever erases a brand locks it before its entries
        except errors.NotFound:
            return
        now = claims.claimed(tx, [item.row.id for item in taken])  # names may have changed while the bytes moved
        taken = [item for item in taken if item.row.id in now]
        rows = [replace(now[item.row.id], sha256=item.sha256) for item in taken]
        made = history.received(tx, self.brand, rows, self.own.mode)
        rows = [replace(row, upload=id_) for row, id_ in zip(rows, made, strict=True)]
        until, told = self.desk.visible_until(tx.now), self.told
        told.received += len(rows)
        told.changed += claims.accept(tx, [row for row in rows if row.path is not None], until)
        nameless = [row.id for row in rows if row.path is None]
        claims.forget(tx, nameless)
        told.gone += nameless
        for companion in (companion for item in taken for companion in item.companions):
            told.changed += history.spent(tx, companion, until)


def _digest(file: Path, given_up: Callable[[], bool]) -> str:
    try:
        return sources.digest(file, "sha256", given_up)
    except OSError as error:
        if error.errno == errno.EIO:  # it will not become readable: what comes after it must not wait for that
            raise Lost("the disk cannot read it") from None
        raise
