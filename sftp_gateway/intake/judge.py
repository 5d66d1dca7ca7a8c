"""What is due of one brand, judged by the rules of settle.py, and done: wait, forget, leave unfinished, refuse, claim."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta

from sftp_gateway import errors, receipt, upload_name
from sftp_gateway.brand import BrandSettings
from sftp_gateway.intake import batch, companions, history, settle, stranded
from sftp_gateway.intake.desk import REMOVED, Desk, Told
from sftp_gateway.intake.settle import Facts, Verdict
from sftp_gateway.store import arrived, brands, drafts, unfinished, uploads
from sftp_gateway.store.database import Transaction
from sftp_gateway.store.drafts import Entry, Place
from sftp_gateway.upload import State

BATCH = 32
"""Files of one brand that share a commit: so few at first, and while the front door is busy."""
LARGE_BATCH = 128
"""As many while nobody waits for the interpreter; what a batch costs apart from its files is a quarter of it with 32."""


def drafts_of(
    desk: Desk, brand: str, rows: list[Entry], now: datetime, enough: Callable[[], bool] = bool
) -> Iterator[Told]:
    """Judge the rows of a brand that are due, and do what is to be done with each; tells after each commit.

    `enough` is asked between batches: True leaves the rest for another time.
    """
    try:
        own = brands.get(desk.store, brand).settings
    except errors.NotFound:
        return  # erased since the rows were read
    ready: list[Entry] = []
    beside = companions.beside(desk.store, brand, rows, own)
    for row in rows:
        if row.changed_at > now + drafts.CLOCK_SLACK:
            yield _begin_anew(desk, row, now)
            continue
        decision = settle.decide(_facts(desk, row, own, beside), desk.rules, now)
        if decision.verdict is Verdict.RECEIVE:
            ready.append(row)
        else:
            yield _apply(desk, row, decision, own)
    start, size = 0, BATCH
    while start < len(ready):
        yield from batch.Batch(desk, brand, own).take_in(ready[start : start + size])
        if enough():
            return
        start, size = start + size, LARGE_BATCH


def _facts(desk: Desk, row: Entry, own: BrandSettings, beside: Mapping[str, Entry]) -> Facts:
    name = row.path or f"inbox/{row.sent}"
    speaking = companions.fresh(row, own, beside)
    state = uploads.get(desk.store, row.upload).state if row.upload is not None else None
    return Facts(
        place=row.place,
        changed_at=row.changed_at,
        bytes=row.bytes,
        declared_bytes=row.declared_bytes,
        named=row.path is not None,
        temporary=name in desk.temporary,
        companion=upload_name.subject(name, own.marker) is not None,
        known=row.upload is not None,
        shown=state is State.UNFINISHED,
        marker_missing=bool(own.marker) and "marker" not in speaking,
        companion_open=any(item.place is Place.OPEN for item in speaking.values()),
    )


def _begin_anew(desk: Desk, row: Entry, now: datetime) -> Told:
    """Have a draft rest from now on: the clock was set back since it changed, and it must not wait for that time again."""
    told = Told(row.brand)
    due_at = now + timedelta(seconds=desk.rules.settle_seconds)
    with desk.store.write() as tx:
        moved = drafts.move(tx, row.id, [row.place], seen=row.changed_at, changed_at=now, due_at=due_at)
        tx.touch(row.brand)
    told.changed += [moved] if moved else []
    return told


def _apply(desk: Desk, row: Entry, decision: settle.Decision, own: BrandSettings) -> Told:
    told = Told(row.brand)
    if decision.verdict is Verdict.REFUSE:
        if row.path is not None or row.place is Place.REFUSED or not _gave_way(desk, row, told):
            desk.refuse(row, row.reason or REMOVED, own.mode, told)
        return told
    waits = decision.verdict is Verdict.WAIT
    late = waits and row.place is Place.CLOSED and companions.is_late(desk, row, own)
    with desk.store.write() as tx:
        if late:
            told.changed += history.spent(tx, row, desk.visible_until(tx.now))
        elif waits:
            _wait(tx, row, decision, own, told)
        elif decision.verdict is Verdict.FORGET:
            _forget(tx, row, told)
        else:
            _leave_unfinished(tx, row, decision.reason, own, told)
        tx.touch(row.brand)
    for id_ in told.gone:
        desk.staging.file(id_).unlink(missing_ok=True)
    return told


def _gave_way(desk: Desk, row: Entry, told: Told) -> bool:
    """End an upload that nobody can complete any more, as a later file has its name; False if it lost that otherwise."""
    with desk.store.write() as tx:
        if row.upload is not None:
            if stranded.is_of_host_away(uploads.find(tx.conn, row.upload)):
                return False
            unfinished.end_waiting(tx, row.upload)
        drafts.remove(tx, row.id)
        tx.touch(row.brand)
    desk.staging.file(row.id).unlink(missing_ok=True)
    told.gone.append(row.id)
    return True


def _wait(tx: Transaction, row: Entry, decision: settle.Decision, own: BrandSettings, told: Told) -> None:
    moved = drafts.move(tx, row.id, [row.place], seen=row.changed_at, due_at=decision.due_at)
    told.changed += [moved] if moved else []
    # A marker (or a checksum that came late) is what its file waits for.
    about = upload_name.subject(row.path, own.marker) if row.path else None
    if about is not None and row.place is Place.CLOSED:
        waiting = drafts.at(tx.conn, row.brand, [about[0]]).get(about[0])
        lacked = waiting is not None and about[1] == "marker" and _lacks_marker_only(tx, waiting)
        if waiting is not None and (waiting.place is Place.CLOSED or lacked):
            woken = drafts.move(tx, waiting.id, [waiting.place], place=Place.CLOSED, due_at=tx.now)
            told.changed += [woken] if woken else []


def _lacks_marker_only(tx: Transaction, row: Entry) -> bool:
    """Whether a file is unfinished because its marker did not come in time, and for nothing else: it was closed by a CLOSE."""
    if row.place is not Place.DROPPED or row.upload is None:
        return False
    upload = uploads.find(tx.conn, row.upload)
    return upload.state is State.UNFINISHED and [reason["text"] for reason in upload.reasons] == [settle.NO_MARKER]


def _forget(tx: Transaction, row: Entry, told: Told) -> None:
    if drafts.move(tx, row.id, [row.place], seen=row.changed_at, due_at=None) is not None:
        drafts.remove(tx, row.id)
        told.gone.append(row.id)


def _leave_unfinished(tx: Transaction, row: Entry, reason: str, own: BrandSettings, told: Told) -> None:
    row_now = drafts.move(tx, row.id, [row.place], seen=row.changed_at, place=Place.DROPPED, due_at=None, owner="")
    if row_now is None:
        return
    why = {settle.INCOMPLETE: reason} | ({row.reason["code"]: row.reason["text"]} if row.reason else {})
    shown = [receipt.reason(code, text) for code, text in why.items()]
    if row.upload is not None and uploads.find(tx.conn, row.upload).state is State.RECEIVING:
        upload = row.upload
        uploads.move(tx, upload, State.UNFINISHED, bytes=row.bytes, reasons=shown, detail={"draft": row.id})
    else:
        born = arrived.new(row_now, own.mode, reasons=tuple(shown))
        upload = uploads.insert(tx, row.brand, born, State.UNFINISHED)
    moved = drafts.move(tx, row.id, [Place.DROPPED], upload=upload)
    told.changed += [moved] if moved else []
