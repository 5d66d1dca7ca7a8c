"""Whose turn is next where a brand's names tell an order (`name_pattern`, spec §3), and which files come too late.

Brands without the setting go by arrival, at no cost. Where it is set, the head of the queue is chosen anew whenever
what waits changes, by whoever holds the brand then, so that a claim needs to know nothing of it:

* Comes the turn of a file with a key, one of the same mode that waits with an older key goes first. A partial file
  overtakes no full one, as it would be wiped out by it, and nothing overtakes a rollback or a release.
* A file with an older key than the last one of its mode that ended well is superseded when its turn comes. What came
  before a rollback that took it back does not count, nor what the pattern of today finds no key in.
* What a person sent in by `retry` is compared with nothing.
"""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from sftp_gateway import receipt, upload_name
from sftp_gateway.store import history, journal, queue, tables
from sftp_gateway.store.database import Transaction
from sftp_gateway.store.queue import Kind, Place
from sftp_gateway.upload import NAME_OLDER, Mode, State

ENDED = (State.PUBLISHED, State.UNCHANGED, State.HELD)
IN_SIGHT = 1000
"""Waiting jobs among which the next is chosen: a long backlog must not cost each turn more."""
LOOKED_BACK, CANDIDATES = 10_000, 200
"""How far back what ended in each state is looked at, and how many of one mode: a brand may send a partial file a minute."""

_jobs, _uploads, _versions, _brands = tables.job, tables.upload, tables.version, tables.brand
_PATTERN = sa.select(_brands.c.settings["name_pattern"].as_string()).where(_brands.c.name == sa.bindparam("of_brand"))
_OF = _jobs.c.brand == sa.bindparam("of_brand")
_HEAD = sa.select(_jobs.c.id, _jobs.c.place).where(_OF, queue.IS_HEAD)
_ABOUT = (_jobs.c.id, _jobs.c.kind, _jobs.c.upload, _uploads.c.name, _uploads.c.mode, _uploads.c.source_upload)
_JOINED = _jobs.outerjoin(_uploads, _uploads.c.id == _jobs.c.upload)
_WAITING = sa.select(*_ABOUT).select_from(_JOINED).where(_OF, queue.IS_WAITING).order_by(_jobs.c.id).limit(IN_SIGHT)
_QUEUED = sa.select(*_ABOUT).select_from(_JOINED).where(_OF, queue.IS_QUEUED)
_ROLLED_BACK = (
    sa.select(_versions.c.of)
    .where(
        _versions.c.brand == sa.bindparam("of_brand"),
        _versions.c.number > sa.bindparam("above"),
        _versions.c.number <= sa.bindparam("up_to"),
        _versions.c.origin == "rollback",
    )
    .order_by(_versions.c.number.desc())
    .limit(1)
)
_PUBLISHED = sa.select(_versions.c.products).where(
    _versions.c.brand == sa.bindparam("of_brand"),
    _versions.c.number
    == sa.select(_brands.c.current_version).where(_brands.c.name == _versions.c.brand).scalar_subquery(),
)


class _Standing(Struct, frozen=True):
    """A job that waits. `mode` is None and `key` too for what is no full or partial file."""

    job: int
    upload: int | None
    is_bar: bool
    """Whether nothing overtakes it."""
    mode: Mode | None
    key: upload_name.Key | None
    is_retry: bool


class _Ended(Struct, frozen=True):
    """An upload that ended well; `stands` is the version that was current when it had ended."""

    id: int
    name: str
    state: State
    key: upload_name.Key
    stands: int


def advance(tx: Transaction, brand: str) -> None:
    """Give the brand its next head, if a job waits; the caller holds the brand and left no head."""
    if not arrange(tx, brand):
        queue.promote(tx, brand)


def arrange(tx: Transaction, brand: str) -> bool:
    """See to it that what is next of all that waits is the head, and end what comes too late; the caller holds the brand.

    False for a brand whose names tell no order: it goes by arrival.
    """
    pattern = tx.conn.execute(_PATTERN, {"of_brand": brand}).scalar()
    if pattern:
        _arrange(tx, brand, pattern)
    return bool(pattern)


def _arrange(tx: Transaction, brand: str, pattern: str) -> None:
    head = tx.conn.execute(_HEAD, {"of_brand": brand}).first()
    if head is not None and head.place == Place.RUNNING:
        return  # its end comes by here
    line = _line(tx, brand, pattern)
    while line:
        chosen = _next(line)
        newer = _newer(tx, brand, pattern, chosen)
        if head is not None and (newer is not None or chosen.job != head.id):
            if not _put(tx, head.id, Place.WAITING, queue.IS_QUEUED):
                return  # a worker claimed it just now
            head = None
        if newer is None:
            if head is None:
                _put(tx, chosen.job, Place.QUEUED, queue.IS_WAITING)
            return
        _supersede(tx, brand, chosen, newer)
        line.remove(chosen)
        line = line or _line(tx, brand, pattern)


def older_held(tx: Transaction, brand: str, upload: int) -> list[int]:
    """Give the held full uploads whose names are older than that of a full one, whenever they came."""
    pattern = tx.conn.execute(_PATTERN, {"of_brand": brand}).scalar()
    if not pattern:
        return []
    query = sa.select(_uploads.c.id, _uploads.c.name).where(
        _uploads.c.brand == brand, _uploads.c.state == State.HELD, _uploads.c.mode == Mode.FULL
    )
    key = upload_name.key(history.find(tx.conn, upload).name, pattern)
    if key is None:
        return []
    held = [(row.id, upload_name.key(row.name, pattern)) for row in tx.conn.execute(query.order_by(_uploads.c.id))]
    return [other for other, its in held if its is not None and its < key]


def _line(tx: Transaction, brand: str, pattern: str) -> list[_Standing]:
    """Give what waits for the brand's turn, the head included if nobody claimed it, in order of arrival."""
    rows = [*tx.conn.execute(_QUEUED, {"of_brand": brand}), *tx.conn.execute(_WAITING, {"of_brand": brand})]
    return [_standing(row, pattern) for row in sorted(rows, key=lambda row: row.id)]


def _standing(row: Any, pattern: str) -> _Standing:
    is_file = row.kind == Kind.PROCESS
    mode = Mode(row.mode) if is_file and row.mode in {Mode.FULL, Mode.PARTIAL} else None
    key = upload_name.key(row.name, pattern) if mode else None
    return _Standing(row.id, row.upload, not is_file, mode, key, is_file and row.source_upload is not None)


def _next(line: list[_Standing]) -> _Standing:
    """Choose whose turn it is: the first, or one of its mode with an older key that nothing keeps behind it."""
    first = chosen = line[0]
    if first.key is None:
        return first
    for other in line[1:]:
        if other.is_bar or (first.mode is Mode.PARTIAL and other.mode is Mode.FULL):
            break
        if other.mode is first.mode and other.key is not None and chosen.key is not None and other.key < chosen.key:
            chosen = other
    return chosen


def _newer(tx: Transaction, brand: str, pattern: str, standing: _Standing) -> _Ended | None:
    """Give the last upload of its mode that ended well and whose name is newer; None: it does not come too late."""
    if standing.key is None or standing.mode is None or standing.is_retry:
        return None
    found = _last(tx, brand, pattern, standing)
    return found if found is not None and standing.key < found.key else None


def _last(tx: Transaction, brand: str, pattern: str, standing: _Standing) -> _Ended | None:
    """Give the last upload with a key that ended well and that no rollback took back."""
    up_to = 2**31 - 1
    for ended in _ended(tx, brand, pattern, standing):
        while ended.stands <= up_to:
            within = {"of_brand": brand, "above": ended.stands, "up_to": up_to}
            back_to = tx.conn.execute(_ROLLED_BACK, within).scalar()
            if back_to is None:
                return ended
            up_to = back_to
    return None


def _ended(tx: Transaction, brand: str, pattern: str, standing: _Standing) -> Iterator[_Ended]:
    """Give what ended well of a mode and has a key, the last one first; by versions, as clocks may be set back."""
    stands = sa.func.coalesce(_uploads.c.version, _uploads.c.base_version, 0).label("stands")
    about = (_uploads.c.id, _uploads.c.name, _uploads.c.state, _uploads.c.mode, _uploads.c.finished_at, stands)
    found: list[Any] = []
    for state in ENDED:
        late = sa.select(*about).where(_uploads.c.brand == brand, _uploads.c.state == state)
        some = late.order_by(_uploads.c.id.desc()).limit(LOOKED_BACK).subquery()
        of_mode = sa.select(some).where(some.c.mode == standing.mode, some.c.id != standing.upload)
        found += tx.conn.execute(of_mode.order_by(some.c.id.desc()).limit(CANDIDATES))
    found.sort(key=lambda row: (row.stands, row.state != State.PUBLISHED, row.finished_at, row.id), reverse=True)
    for row in found:
        key = upload_name.key(row.name, pattern)
        if key is not None:
            yield _Ended(row.id, row.name, State(row.state), key, row.stands)


def _put(tx: Transaction, job: int, place: Place, standing: sa.ColumnElement[bool]) -> bool:
    """Give a job another place if it still has the one it was seen in; whoever had it before has it no more."""
    moved = sa.update(_jobs).where(_jobs.c.id == job, standing).values(place=place, token=_jobs.c.token + 1)
    return bool(tx.conn.execute(moved).rowcount)


def _supersede(tx: Transaction, brand: str, late: _Standing, newer: _Ended) -> None:
    """End an upload that comes too late, with its receipt; nothing of it is read."""
    assert late.upload is not None
    _put(tx, late.job, Place.DONE, queue.IS_WAITING)
    upload = history.find(tx.conn, late.upload)
    reason = _reason(upload.id, upload.name, newer)
    products = tx.conn.execute(_PUBLISHED, {"of_brand": brand}).scalar() or 0
    made = receipt.blank(upload) | {"state": str(State.SUPERSEDED), "reasons": [reason]}
    made |= {"products": {"before": products, "after": products}}
    made["times"] |= {"finished": receipt.moment(tx.now)}
    journal.move(
        tx, upload.id, State.SUPERSEDED, finished_at=tx.now, reasons=[reason],
        findings=made.pop("findings"), receipt=made,
        detail={"superseded_by": newer.id, "reasons": [NAME_OLDER]},
    )  # fmt: skip


def _reason(upload: int, name: str, newer: _Ended) -> dict[str, Any]:
    did = {State.PUBLISHED: "is live already", State.HELD: "came before it and waits for a decision"}
    text = (
        f"By its name this file is older than {newer.name} (upload {newer.id}), which "
        f"{did.get(newer.state, 'the catalog already is as in')}. Nothing was taken from {name} and nothing changed. "
        f"If it is to replace the newer file, send it under a newer name, or ask for a retry of upload {upload}."
    )
    return receipt.reason(NAME_OLDER, text)
