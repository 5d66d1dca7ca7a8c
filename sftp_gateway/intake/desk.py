"""Where the drafts of one brand are judged and taken in; blocks, so it works in a thread of claim.py.

The two steps of a claim: the row says `claimed` (from then on nobody writes to the file), the bytes
move among the sources; then one transaction makes the upload, its job and the name's new meaning.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sftp_gateway import errors, logs, settings, upload_name
from sftp_gateway.blobs import Area, Files
from sftp_gateway.brand import BrandSettings
from sftp_gateway.intake import answer, history, settle, sources
from sftp_gateway.intake.settle import Facts, Verdict
from sftp_gateway.store import brands, claims, drafts, queue, uploads
from sftp_gateway.store.database import Store, Transaction
from sftp_gateway.store.drafts import Entry, Place
from sftp_gateway.store.staging import Staging
from sftp_gateway.upload import State

log = logs.get(__name__)

BATCH = 32
"""Files of one brand that share a commit."""
REMOVED = {
    "code": "FILE_INCOMPLETE",
    "text": "The file was never completed; a later one took its name, or it was removed",
    "suggestion": "Send the whole file again",
}


@dataclass(slots=True)
class Told:
    """What one commit did to a brand's entries, for the views, and the figures."""

    brand: str
    changed: list[Entry] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    received: int = 0
    unfinished: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Taken:
    """A claimed draft whose bytes are among the sources; `reason` if it is refused nevertheless."""

    row: Entry
    sha256: str
    companions: tuple[Entry, ...]
    reason: dict[str, Any] | None


class Lost(Exception):
    """The bytes that a row speaks of are not there, or not those."""


class Desk:
    """What the intake of a process works with."""

    def __init__(self, store: Store, blobs: Files, rules: settings.Intake) -> None:
        self.store, self.files, self.rules = store, blobs, rules
        self.staging = Staging(blobs.staging)
        self.area = self.staging.area
        self._owner = self.staging.join()
        self._temporary = upload_name.Temporary(
            rules.temporary_prefixes, rules.temporary_suffixes, rules.temporary_patterns
        )
        self._limits = settle.Rules(rules.settle_seconds, rules.incomplete_after, rules.abandoned_after)

    def close(self) -> None:
        """Let go."""
        self._owner.close()

    def due(self, now: datetime, besides: tuple[str, ...]) -> tuple[list[Entry], datetime | None]:
        """Give what is due now for brands nobody works on, and when something else is."""
        return drafts.due(self.store, self.area, now, besides=besides)

    def work(self, brand: str, rows: list[Entry], now: datetime, enough: Callable[[], bool] = bool) -> Iterator[Told]:
        """Judge the rows of a brand that are due, and do what is to be done with each; tells after each commit.

        `enough` is asked between batches: True leaves the rest for another time.
        """
        try:
            own = brands.get(self.store, brand).settings
        except errors.NotFound:
            return  # erased since the rows were read
        ready: list[Entry] = []
        beside = self._beside(brand, rows, own)
        for row in rows:
            decision = settle.decide(self._facts(row, own, beside), self._limits, now)
            if decision.verdict is Verdict.RECEIVE:
                ready.append(row)
            else:
                yield self._apply(row, decision, own)
        for start in range(0, len(ready), BATCH):
            if start and enough():
                return
            yield from self._claim(brand, ready[start : start + BATCH], own)

    # --- what is known

    def _beside(self, brand: str, rows: list[Entry], own: BrandSettings) -> dict[str, Entry]:
        """Find what has the names of the rows' companions."""
        paths = [name for row in rows if row.path for name in upload_name.companions(row.path, own.marker)]
        with self.store.read() as conn:
            return drafts.at(conn, brand, paths) if paths else {}

    def _facts(self, row: Entry, own: BrandSettings, beside: dict[str, Entry]) -> Facts:
        name = row.path or f"inbox/{row.sent}"
        companions = _fresh(row, own, beside)
        state = uploads.get(self.store, row.upload).state if row.upload is not None else None
        return Facts(
            place=row.place,
            changed_at=row.changed_at,
            bytes=row.bytes,
            declared_bytes=row.declared_bytes,
            named=row.path is not None,
            temporary=name in self._temporary,
            companion=upload_name.subject(name, own.marker) is not None,
            known=row.upload is not None,
            shown=state is State.UNFINISHED,
            marker_missing=bool(own.marker) and "marker" not in companions,
            companion_open=any(item.place is Place.OPEN for item in companions.values()),
        )

    # --- what is done

    def _apply(self, row: Entry, decision: settle.Decision, own: BrandSettings) -> Told:
        told = Told(row.brand)
        if decision.verdict is Verdict.REFUSE:
            self.refuse(row, row.reason or REMOVED, own.mode, told)
            return told
        with self.store.write() as tx:
            if decision.verdict is Verdict.WAIT:
                self._wait(tx, row, decision, own, told)
            elif decision.verdict is Verdict.FORGET:
                self._forget(tx, row, told)
            else:
                self._leave_unfinished(tx, row, decision.reason, own, told)
            drafts.touch(tx, row.brand)
        for id_ in told.gone:
            self.staging.file(id_).unlink(missing_ok=True)
        return told

    def _wait(self, tx: Transaction, row: Entry, decision: settle.Decision, own: BrandSettings, told: Told) -> None:
        moved = drafts.move(tx, row.id, [row.place], seen=row.changed_at, due_at=decision.due_at)
        told.changed += [moved] if moved else []
        # A marker (or a checksum that came late) is what its file waits for.
        about = upload_name.subject(row.path, own.marker) if row.path else None
        if about is not None and row.place is Place.CLOSED:
            waiting = drafts.at(tx.conn, row.brand, [about[0]]).get(about[0])
            if waiting is not None and waiting.place is Place.CLOSED:
                drafts.move(tx, waiting.id, [Place.CLOSED], due_at=tx.now)

    def _forget(self, tx: Transaction, row: Entry, told: Told) -> None:
        if drafts.move(tx, row.id, [row.place], seen=row.changed_at, due_at=None) is not None:
            drafts.remove(tx, row.id)
            told.gone.append(row.id)

    def _leave_unfinished(self, tx: Transaction, row: Entry, reason: str, own: BrandSettings, told: Told) -> None:
        row_now = drafts.move(tx, row.id, [row.place], seen=row.changed_at, place=Place.DROPPED, due_at=None, owner="")
        if row_now is None:
            return
        shown = [{"code": "FILE_INCOMPLETE", "figure": None, "limit": None, "text": reason}]
        if row.reason:
            shown.append({"code": row.reason["code"], "figure": None, "limit": None, "text": row.reason["text"]})
        if row.upload is not None and uploads.find(tx.conn, row.upload).state is State.RECEIVING:
            upload = row.upload
            uploads.move(tx, upload, State.UNFINISHED, bytes=row.bytes, reasons=shown)
        else:
            upload = history.insert(tx, row_now, own.mode, State.UNFINISHED, reasons=tuple(shown))
        moved = drafts.move(tx, row.id, [Place.DROPPED], upload=upload)
        told.changed += [moved] if moved else []
        told.unfinished += 1

    def refuse(self, row: Entry, reason: dict[str, Any], mode: str, told: Told, sha256: str = "") -> None:
        """Make a refused upload of a row; the row goes, and its staging file with it.

        `sha256`: of the bytes, if they are kept among the sources.
        """
        with self.store.write() as tx:
            upload = row.upload
            if upload is None:
                upload = history.insert(tx, row, mode, State.UNFINISHED, sha256=sha256)
                drafts.move(tx, row.id, [row.place], upload=upload)
        found = uploads.get(self.store, upload)
        made = answer.make(self.files, replace(found, state=State.REFUSED, sha256=sha256), reason)
        with self.store.write() as tx:
            history.end_refused(tx, found, made, sha256)
            drafts.remove(tx, row.id)
            drafts.touch(tx, row.brand)
        self.staging.file(row.id).unlink(missing_ok=True)
        told.gone.append(row.id)
        told.refused += 1

    # --- the claim

    def _claim(self, brand: str, rows: list[Entry], own: BrandSettings) -> Iterator[Told]:
        told = Told(brand)
        with self.store.write() as tx:
            mine = claims.claim(tx, rows, self._owner.token)
            drafts.touch(tx, brand)
        # Two commits touch the brand's entries; the views count commits, and read all anew if one is missing.
        yield Told(brand)
        self.finish(brand, mine, own, told)
        yield told

    def finish(self, brand: str, claimed: list[Entry], own: BrandSettings, told: Told) -> None:
        """Take in what is claimed: the bytes, then one transaction for all of it."""
        taken: list[Taken] = []
        beside = self._beside(brand, claimed, own)
        for row in claimed:
            try:
                taken.append(self._take(row, own, beside))
            except Lost as lost:
                log.exception("draft.lost", brand=brand, path=row.sent, draft=row.id, bytes=row.bytes, reason=str(lost))
                self.refuse(row, _LOST, own.mode, told)
            except BaseException:
                self._hand_back(claimed)
                raise
        with self.store.write() as tx:
            self._receive(tx, brand, [item for item in taken if item.reason is None], own, told)
            drafts.touch(tx, brand)
        for item in taken:
            if item.reason is None:
                self.staging.file(item.row.id).unlink(missing_ok=True)
            else:
                self._refuse_taken(item, own, told)

    def _hand_back(self, claimed: Iterable[Entry]) -> None:
        """Leave a claim for later: the disk is full, or the store is away (then `recover` does it)."""
        with contextlib.suppress(errors.Unavailable, OSError), self.store.write() as tx:
            for row in claimed:
                sources.unshare(self.staging.file(row.id))
                drafts.move(tx, row.id, [Place.CLAIMED], place=Place.CLOSED, due_at=tx.now, owner="")
                drafts.touch(tx, row.brand)

    def _take(self, row: Entry, own: BrandSettings, beside: dict[str, Entry]) -> Taken:
        """Hash what is not hashed yet, ask the companions, and put the bytes among the sources."""
        file = self.staging.file(row.id)
        companions = _fresh(row, own, beside)
        sha256 = row.sha256
        if file.exists():
            if file.stat().st_size != row.bytes:
                raise Lost(f"{file.stat().st_size} bytes on disk")
            sha256 = sha256 or sources.digest(file, "sha256")
        elif not sha256 or not self.files.exists(Area.SOURCES, sha256):
            raise Lost("no file on disk")
        reason = self._contradiction(row, sha256, companions)
        if file.exists():
            sources.keep(self.files, file, sha256)
        return Taken(row, sha256, tuple(companions.values()), reason)

    def _contradiction(self, row: Entry, sha256: str, companions: dict[str, Entry]) -> dict[str, Any] | None:
        """Compare with the checksums that came along."""
        for kind, item in companions.items():
            if kind == "marker":
                continue
            try:
                with self.staging.file(item.id).open("rb") as source:
                    text = source.read(sources.LONGEST_COMPANION_BYTES).decode("utf-8", "replace")
            except FileNotFoundError:
                continue
            told = upload_name.checksum(text, kind, upload_name.base(row.path or row.sent))
            file = self.staging.file(row.id)
            if kind == "sha256":
                real = sha256
            elif file.exists():
                real = sources.digest(file, kind)
            else:
                with self.files.local(Area.SOURCES, sha256) as blob:
                    real = sources.digest(blob, kind)
            if told != real:
                return sources.mismatch(kind, upload_name.base(item.path or item.sent), told, real)
        return None

    def _receive(self, tx: Transaction, brand: str, taken: list[Taken], own: BrandSettings, told: Told) -> None:
        """Make uploads of what was taken, in the order in which it came; what went meanwhile stays away."""
        try:
            queue.lock(tx, brand)  # first, as everywhere: whoever erases a brand locks it before its entries
        except errors.NotFound:
            return
        now = claims.claimed(tx, [item.row.id for item in taken])  # names may have changed while the bytes moved
        taken = [item for item in taken if item.row.id in now]
        rows = [replace(now[item.row.id], sha256=item.sha256) for item in taken]
        rows = [
            replace(row, upload=id_) for row, id_ in zip(rows, history.received(tx, brand, rows, own.mode), strict=True)
        ]
        until = self._visible_until(tx.now)
        told.received += len(rows)
        told.changed += claims.accept(tx, [row for row in rows if row.path is not None], until)
        nameless = [row.id for row in rows if row.path is None]
        claims.forget(tx, nameless)
        told.gone += nameless
        for companion in (companion for item in taken for companion in item.companions):
            told.changed += history.spent(tx, companion, until)

    def accepted(self, tx: Transaction, row: Entry, upload: int) -> list[Entry]:
        """Let the name of an upload stay in the view for a while; one without a name just goes."""
        if row.path is None:
            drafts.remove(tx, row.id)
            return []
        moved = drafts.move(
            tx, row.id, list(Place), place=Place.ACCEPTED, upload=upload, sha256=row.sha256, owner="",
            due_at=None, reason=None, expires_at=self._visible_until(tx.now),
        )  # fmt: skip
        return [moved] if moved else []

    def _refuse_taken(self, item: Taken, own: BrandSettings, told: Told) -> None:
        """Refuse a file whose checksum does not fit; bytes and name stay as those of any other upload."""
        assert item.reason is not None
        with self.store.write() as tx:
            upload = item.row.upload or history.insert(tx, item.row, own.mode, State.UNFINISHED, sha256=item.sha256)
            drafts.move(tx, item.row.id, [Place.CLAIMED], upload=upload)
        found = uploads.get(self.store, upload)
        made = answer.make(self.files, replace(found, state=State.REFUSED, sha256=item.sha256), item.reason)
        with self.store.write() as tx:
            history.end_refused(tx, found, made, item.sha256)
            row = drafts.get(tx.conn, item.row.id)
            if row is not None:
                told.changed += self.accepted(tx, replace(row, sha256=item.sha256), upload)
            for companion in item.companions:
                told.changed += history.spent(tx, companion, self._visible_until(tx.now))
            drafts.touch(tx, item.row.brand)
        self.staging.file(item.row.id).unlink(missing_ok=True)
        told.refused += 1

    def _visible_until(self, now: datetime) -> datetime:
        return now + timedelta(seconds=self.rules.visible_after)


_LOST = {
    "code": "disk_failed",
    "text": "The gateway lost the bytes of this file",
    "suggestion": "Please send it again",
}


def _fresh(row: Entry, own: BrandSettings, beside: dict[str, Entry]) -> dict[str, Entry]:
    """Give the companions of a file by kind: those that speak of nothing else yet."""
    if row.path is None:
        return {}
    kinds = upload_name.companions(row.path, own.marker)
    found = {kind: beside[name] for name, kind in kinds.items() if name in beside}
    return {kind: item for kind, item in found.items() if item.place in {Place.OPEN, Place.CLOSED}}
