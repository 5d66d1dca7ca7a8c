"""Now and then: unfinished uploads get their receipt and in the end are refused; old names leave the view. Blocks."""

import contextlib
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sftp_gateway import errors, logs
from sftp_gateway.intake import answer, settle, sources, stranded
from sftp_gateway.intake.desk import REMOVED, Desk, Told
from sftp_gateway.intake.history import end_refused
from sftp_gateway.store import drafts, files, queue, unfinished, uploads
from sftp_gateway.store.database import Transaction
from sftp_gateway.store.drafts import Entry, Place
from sftp_gateway.upload import State, Upload

log = logs.get(__name__)

ORPHAN_SECONDS = 600.0
"""A staging file without a row is this old before it goes: a new draft's row follows within a second."""


def sweep(desk: Desk, now: datetime) -> list[Told]:
    """Do what time alone brings."""
    news: list[Told] = []
    with _apart(desk):
        unfinished.take_back(desk.store)
    for upload, since, row in unfinished.listed(desk.store):
        with _apart(desk, brand=upload.brand, path=upload.path, upload=upload.id):
            news += _look_at(desk, upload, now - since, row)
    with _apart(desk):
        stranded.say_alive(desk, now)
    for left in stranded.left(desk, now):
        with _apart(desk, brand=left.brand, path=left.sent):
            news.append(stranded.give_up(desk, left))
    with _apart(desk):
        news += _expire(desk, now)
    with _apart(desk):
        _orphans(desk)
    return news


@contextlib.contextmanager
def _apart(desk: Desk, **about: Any) -> Iterator[None]:
    """Let one thing fail alone: the next sweep meets it again. Unavailable if the store is away for all of them."""
    try:
        yield
    except errors.NotFound:
        pass  # its brand is erased at this moment
    except (errors.GatewayError, OSError) as error:
        log.warning("intake.postponed", **about, reason=str(error))
        if isinstance(error, errors.Unavailable):
            desk.store.ping()


def _look_at(desk: Desk, upload: Upload, age: timedelta, row: Entry | None) -> list[Told]:
    """Do what is due with one that is unfinished; those without bytes are looked at by every host at once."""
    if row is None:
        return [_give_way(desk, upload) or _give_up(desk, upload, None, REMOVED)]
    if row.place is not Place.ACCEPTED and not row.id.startswith(desk.area):
        age /= stranded.PATIENCE  # its bytes lie on another host, which does this itself unless it is gone
    if age >= timedelta(seconds=desk.rules.abandoned_after):
        return [_give_up(desk, upload, row, _reason(upload, "and nobody went on with it"))]
    if age >= timedelta(seconds=desk.rules.incomplete_after) and upload.receipt is None:
        _remind(desk, upload)
    return []


def _give_way(desk: Desk, upload: Upload) -> Told | None:
    """End an upload whose name a later file took, perhaps before it was found to stop in the middle; None: no such file."""
    if upload.via != "sftp":
        return None  # it never had a name in the home
    with desk.store.write() as tx:
        queue.lock(tx, upload.brand)
        if not unfinished.is_replaced(tx, upload.id):
            return None
        unfinished.end_waiting(tx, upload.id)
    return Told(upload.brand)


def _reason(upload: Upload, more: str) -> dict[str, Any]:
    why = next((str(reason["text"]) for reason in upload.reasons if reason.get("text")), "The file stops in the middle")
    return {
        "code": settle.INCOMPLETE,
        "text": f"{why.rstrip('.')}{', ' + more if more else ''}",
        "suggestion": "Send the whole file again, or resume it; ask us to lift this if it was complete",
    }


def _remind(desk: Desk, upload: Upload) -> None:
    """Write the receipt of an upload that still may be completed."""
    made = answer.make(desk.files, upload, _reason(upload, ""))
    with desk.store.write() as tx:
        if not _still_unfinished(tx, upload, reminded=False):
            return
        if made.file is not None:
            files.replace(tx, upload.brand, made.file, upload.id)
        unfinished.remind(tx, upload.id, upload.brand, made.receipt, made.findings)


def _give_up(desk: Desk, upload: Upload, row: Entry | None, reason: dict[str, Any]) -> Told:
    """Refuse an upload nobody completed; its bytes are kept as those of any refused one."""
    told, sha256 = Told(upload.brand), upload.sha256
    if row is not None and row.place in {Place.DROPPED, Place.REFUSED}:
        # From here nobody can reopen it: the bytes stand still while they are hashed.
        with desk.store.write() as tx:
            held = drafts.move(
                tx, row.id, [row.place], seen=row.changed_at, place=Place.REFUSED, path=None, due_at=None,
                expires_at=None,
            )  # fmt: skip
            tx.touch(row.brand)
        if held is None:
            return told
        file = desk.staging.file(row.id)
        if file.exists():
            sha256 = sources.digest(file, "sha256", desk.stopping.is_set)
            sources.keep(desk.files, [(sha256, file)])
        told.gone.append(row.id)
    made = answer.make(desk.files, upload, reason)
    made.receipt["file"]["sha256"] = sha256 or None
    with desk.store.write() as tx:
        if _still_unfinished(tx, upload):
            end_refused(tx, upload, made, sha256)
        if told.gone:
            drafts.remove(tx, told.gone[0])
        elif row is not None:
            drafts.move(tx, row.id, [Place.ACCEPTED], expires_at=tx.now)
        tx.touch(upload.brand)
    for id_ in told.gone:  # not before: until the rows say so these are the only bytes there surely are
        desk.staging.file(id_).unlink(missing_ok=True)
    return told


def _still_unfinished(tx: Transaction, upload: Upload, *, reminded: bool = True) -> bool:
    """Whether nobody was faster, with the brand's turn held from here on; NotFound. `reminded`: though it has a receipt."""
    queue.lock(tx, upload.brand)
    found = uploads.find(tx.conn, upload.id)
    return found.state is State.UNFINISHED and (reminded or found.receipt is None)


def _expire(desk: Desk, now: datetime) -> list[Told]:
    news: dict[str, Told] = {}
    with desk.store.write() as tx:
        for row in drafts.expire(tx, now):
            news.setdefault(row.brand, Told(row.brand)).gone.append(row.id)
        for brand in news:
            tx.touch(brand)
    for told in news.values():
        for id_ in told.gone:
            desk.staging.file(id_).unlink(missing_ok=True)
    return list(news.values())


def _orphans(desk: Desk) -> None:
    """Remove staging files that no row speaks of: of an erased brand, or of a draft that died at once."""
    before = time.time() - ORPHAN_SECONDS
    old = [file for file in desk.staging.folder.iterdir() if _is_older(file, before)]
    if not old:
        return
    known = drafts.known(desk.store, {file.name.partition(".")[0] for file in old})
    for file in old:
        if file.name.partition(".")[0] not in known:
            file.unlink(missing_ok=True)


def _is_older(file: Path, before: float) -> bool:
    try:
        return file.stat().st_mtime < before
    except FileNotFoundError:
        return False  # claimed just now
