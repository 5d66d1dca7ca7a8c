"""The end of a job: one fenced transaction in which everything it found becomes true, or nothing.

The heavy files are in place before. The token proves that nobody took the job over; the version
must follow the current one; then version, pointer, files, withheld set, states and the brand's next
job change together. That is the whole argument why a publish happens exactly once.
"""

from typing import Any

import sqlalchemy as sa
from msgspec import Struct
from msgspec.structs import asdict

from sftp_gateway import errors, receipt
from sftp_gateway.store import files, journal, order, queue, tables, takeover, unfinished, versions
from sftp_gateway.store.database import Store, Transaction
from sftp_gateway.store.files import NewFile
from sftp_gateway.store.withheld import Withheld
from sftp_gateway.upload import Mode, State

_jobs, _brands, _uploads, _sets = tables.job, tables.brand, tables.upload, tables.withheld


class Finish(Struct, frozen=True):
    """What a job ends with. `state` None: a release or rollback, no upload changes its state.

    `withheld` counts only with `keeps_withheld` False, and then None empties the set.
    `ends_with_newline` None: not known. `rows`: what a row meant, for corrections of it. `result`: of a release or rollback, for who waits for it.
    `listed_by`: the upload whose files `files` are; None: they were made for this one.
    """

    state: State | None
    receipt: dict[str, Any] | None = None
    reasons: tuple[dict[str, Any], ...] = ()
    files: tuple[NewFile, ...] = ()
    listed_by: int | None = None
    version: versions.NewVersion | None = None
    keeps_withheld: bool = True
    withheld: Withheld | None = None
    base_version: int | None = None
    corrects_held: int | None = None
    ends_with_newline: bool | None = None
    mode: Mode | None = None
    rows: Mode | None = None
    result: dict[str, Any] | None = None


def finish(store: Store, job: int, token: int, end: Finish) -> None:
    """Make it true, once; the same call again (a commit of unknown outcome) changes nothing more.

    Raises LeaseLost when another worker owns the job now or the catalog is not what it was compared
    with: then nothing is changed and what was made is to be thrown away. Unavailable when files are not there any more,
    or the held upload that it corrects was decided on meanwhile: then it is to be done again.
    """
    with store.write() as tx:
        row = _fence(tx, job, token, end)
        if row is None:
            return
        if end.state is State.UNFINISHED and unfinished.is_replaced(tx, row.upload):
            unfinished.end_replaced(tx, row.upload, end.reasons)  # and what was made to tell its sender is not listed
            order.advance(tx, row.brand)
            return
        if end.corrects_held is not None:
            _still_waits(tx, end.corrects_held)
        if end.version is not None:
            _publish(tx, row, end)
        if not end.keeps_withheld:
            _withhold(tx, row, end.withheld)
        if end.listed_by is not None:
            files.hold(tx, end.listed_by, {new.blob for new in end.files})
        for new in end.files:
            files.replace(tx, row.brand, new, upload=row.upload)
        if end.state is None:
            _note_without_upload(tx, row, end)
        else:
            _settle(tx, row, end)
        order.advance(tx, row.brand)


def _fence(tx: Transaction, job: int, token: int, end: Finish) -> Any:
    """Take the job off the queue if it still is ours, and give it; None if this very call succeeded before."""
    where = sa.select(_jobs.c.brand, _jobs.c.upload, _jobs.c.kind, _jobs.c.place, _jobs.c.token).where(
        _jobs.c.id == job
    )
    row = tx.conn.execute(where).first()
    if row is None:
        raise errors.LeaseLost(f"job {job} is gone")
    queue.lock(tx, row.brand)
    done = takeover.ours(job, token).values(
        queue.FREE | {"place": queue.Place.DONE, "error": None, "result": end.result}
    )
    if tx.conn.execute(done).rowcount:
        return row
    standing = tx.conn.execute(where).first()
    if standing is not None and standing.token == token and standing.place == queue.Place.DONE:
        return None
    raise errors.LeaseLost(f"job {job} was taken over: what was made for it is thrown away")


def _still_waits(tx: Transaction, held: int) -> None:
    """Raise Unavailable if a person decided on a held upload while its rows joined a correction: they are not to go live by it."""
    state = tx.conn.execute(sa.select(_uploads.c.state).where(_uploads.c.id == held)).scalar()
    if state not in {State.HELD, State.SUPERSEDED}:
        raise errors.Unavailable(f"upload {held} is {state} since it was corrected")


def _publish(tx: Transaction, row: Any, end: Finish) -> None:
    version = end.version
    assert version is not None
    moved = tx.conn.execute(
        sa.update(_brands)
        .where(_brands.c.name == row.brand, _brands.c.current_version == version.number - 1)
        .values(current_version=version.number)
    )
    if not moved.rowcount:
        raise errors.LeaseLost(f"version {version.number} of {row.brand} does not follow the current one")
    tx.conn.execute(sa.insert(tables.version), versions.insert_values(row.brand, row.upload, version, tx.now))
    if end.ends_with_newline is not None and version.origin is versions.Origin.UPLOAD:
        tx.conn.execute(
            sa.update(_brands).where(_brands.c.name == row.brand).values(ends_with_newline=end.ends_with_newline)
        )


def _withhold(tx: Transaction, row: Any, new: Withheld | None) -> None:
    tx.conn.execute(sa.delete(_sets).where(_sets.c.brand == row.brand))
    if new is not None:
        tx.conn.execute(sa.insert(_sets).values(brand=row.brand, **asdict(new)))


def _note_without_upload(tx: Transaction, row: Any, end: Finish) -> None:
    if end.version is None:  # who approved is to see why nothing was removed
        decided_by = (end.result or {}).get("decided_by")
        journal.note(tx, row.brand, "removals.overtaken", upload=row.upload, detail={"decided_by": decided_by})
        return
    detail = {"version": end.version.number, "origin": str(end.version.origin), "products": end.version.products}
    journal.note(tx, row.brand, "version.published", upload=row.upload, detail=detail)


def _settle(tx: Transaction, row: Any, end: Finish) -> None:
    assert end.state is not None
    fields: dict[str, Any] = {
        "finished_at": tx.now,
        "reasons": list(end.reasons) or None,
        "base_version": end.base_version,
        "version": end.version.number if end.version else None,
    }
    if end.mode is not None:
        fields["mode"] = str(end.mode)
    if end.rows is not None:
        fields["rows"] = str(end.rows)
    if end.receipt is not None:
        fields["receipt"], fields["findings"] = _completed(tx, end)
    if end.state is State.UNFINISHED:
        unfinished.keep_name(tx, row.upload, row.brand)
    journal.move(tx, row.upload, end.state, detail=_detail(end), **fields)
    if end.mode is Mode.FULL and end.state in {State.PUBLISHED, State.HELD}:
        _supersede_older(tx, row)
        for held in order.older_held(tx, row.brand, row.upload):
            _supersede(tx, held, row.upload)
    if end.corrects_held is not None and end.state in {State.PUBLISHED, State.UNCHANGED, State.HELD}:
        _supersede(tx, end.corrects_held, row.upload)
        _supersede_retried(tx, row.upload)


def _completed(tx: Transaction, end: Finish) -> tuple[dict[str, Any], list[Any]]:
    """Put into the receipt what only the store knows; its findings apart."""
    found = dict(end.receipt or {})
    findings = found.pop("findings", [])
    found["state"] = str(end.state)
    found["version"] = end.version.number if end.version else None
    found["reasons"] = list(end.reasons)
    found["times"] = {**found.get("times", {}), "finished": receipt.moment(tx.now)}
    return found, findings


def _detail(end: Finish) -> dict[str, Any]:
    """Say the figures an operator asks for first, in the event and its log line."""
    detail: dict[str, Any] = {}
    found = end.receipt or {}
    if end.version is not None:
        detail["version"] = end.version.number
    if end.reasons:
        detail["reasons"] = [str(reason.get("code", "")) for reason in end.reasons]
    rows, changes = found.get("rows") or {}, found.get("changes") or {}
    detail |= {name: rows[name] for name in ("accepted", "rejected") if name in rows}
    shown = ("created", "updated", "removed", "deleted", "withheld")
    detail |= {name: changes[name] for name in shown if name in changes}
    if "seconds" in found:
        detail["seconds"] = found["seconds"].get("total")
    return detail


def _supersede_older(tx: Transaction, row: Any) -> None:
    """Retire what was held when a later full file came through."""
    arrival = sa.select(_uploads.c.arrival).where(_uploads.c.id == row.upload).scalar_subquery()
    older = sa.select(_uploads.c.id).where(
        _uploads.c.brand == row.brand,
        _uploads.c.state == State.HELD,
        _uploads.c.id != row.upload,
        sa.func.coalesce(_uploads.c.arrival, 0) < arrival,
    )
    for (held,) in tx.conn.execute(older.order_by(_uploads.c.id)).all():
        _supersede(tx, held, row.upload)


def _supersede_retried(tx: Transaction, upload: int) -> None:
    """Retire the held correction that this one is a retry of: both stand for the same rows."""
    retried = tx.conn.execute(sa.select(_uploads.c.source_upload).where(_uploads.c.id == upload)).scalar()
    if retried is not None:
        _supersede(tx, retried, upload)


def _supersede(tx: Transaction, held: int, by_upload: int) -> None:
    state = tx.conn.execute(sa.select(_uploads.c.state).where(_uploads.c.id == held)).scalar()
    if state == State.HELD:
        journal.move(tx, held, State.SUPERSEDED, detail={"superseded_by": by_upload})
