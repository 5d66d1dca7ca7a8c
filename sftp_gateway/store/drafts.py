"""What lies in the brands' writable directories: directories, drafts and accepted names, one row each.

A row is written by the session that opens, closes or renames, and by the intake that claims; every
step of it is one UPDATE that names the place it expects, so that the two can never both win. Whoever
changes rows calls `tx.touch` once for each brand and operation. Serves sftp (the view) and intake.
"""

import enum
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from msgspec import Struct
from msgspec.structs import asdict, replace

from sftp_gateway import upload_name
from sftp_gateway.store import brands, columns, tables, upsert
from sftp_gateway.store.database import Store, Transaction
from sftp_gateway.store.tables import entry as table
from sftp_gateway.store.tables import view as counter


class Place(enum.StrEnum):
    """Where a thing stands between the first OPEN and the end of its visibility."""

    DIRECTORY = "directory"
    OPEN = "open"
    """A write handle is open, or was when its process died."""
    CLOSED = "closed"
    """Every handle was closed by a CLOSE packet; the bytes are on disk."""
    DROPPED = "dropped"
    """A session ended without CLOSE; with an upload id once it is `unfinished`."""
    CLAIMED = "claimed"
    """The intake moves the bytes; nobody else touches them."""
    ACCEPTED = "accepted"
    """An upload of its own; the name stays visible for a while."""
    SPENT = "spent"
    """A companion (checksum, marker) whose file was claimed."""
    REFUSED = "refused"
    """Was refused while it was written; the intake makes a history row of it."""


CLOCK_SLACK = timedelta(minutes=1)
"""So far the clocks of a host and of its database may be apart; a moment further ahead comes from a clock that was set back."""
UNDER_WAY = frozenset({Place.OPEN, Place.CLOSED, Place.DROPPED, Place.CLAIMED})


class Entry(Struct, frozen=True):
    """One row; moments are aware UTC. `id` is the name of the staging file, as long as there is one.

    `path` None: it lost its name to a later file. `sha256` empty: not known yet. `client` holds the
    session's facts, `reason` code and text of a refusal.
    """

    id: str
    brand: str
    path: str | None
    sent: str
    place: Place
    bytes: int
    modified_at: datetime
    opened_at: datetime
    changed_at: datetime
    declared_bytes: int | None = None
    sha256: str = ""
    upload: int | None = None
    owner: str = ""
    client: dict[str, Any] | None = None
    reason: dict[str, Any] | None = None
    due_at: datetime | None = None
    expires_at: datetime | None = None


COLUMNS = [table.c[name] for name in Entry.__struct_fields__]
_journal = tables.journal
_AT = sa.select(table.c.id, table.c.brand, table.c.path, table.c.place).where(
    table.c.brand.in_(sa.bindparam("brands", expanding=True)), table.c.path.in_(sa.bindparam("paths", expanding=True))
)


def load(conn: sa.Connection, brand: str) -> tuple[int, list[Entry]]:
    """Give everything of a brand and the count of changes it was read at."""
    return changes(conn, brand), _entries(conn, table.c.brand == brand)


def picture(tx: Transaction, brand: str) -> tuple[int, list[Entry]]:
    """Give everything of a brand as it will be at the commit, and the count that will be its then."""
    seq, entries = load(tx.conn, brand)
    return seq + tx.touched[brand], entries


def changes(conn: sa.Connection, brand: str) -> int:
    """Give the count of changes made to a brand's entries by any process."""
    return conn.execute(sa.select(counter.c.seq).where(counter.c.brand == brand)).scalar() or 0


def get(conn: sa.Connection, id_: str) -> Entry | None:
    """Give one row, or None."""
    found = _entries(conn, table.c.id == id_)
    return found[0] if found else None


def at(conn: sa.Connection, brand: str, paths: Iterable[str]) -> dict[str, Entry]:
    """Give the rows that have these names now."""
    return {str(e.path): e for e in _entries(conn, (table.c.brand == brand) & table.c.path.in_(list(paths)))}


def of_upload(conn: sa.Connection, upload: int) -> Entry | None:
    """Give the row of an upload, while there is one."""
    found = _entries(conn, table.c.upload == upload)
    return found[0] if found else None


def due(
    store: Store, area: str, now: datetime, *, besides: Iterable[str] = (), limit: int = 288
) -> tuple[list[Entry], datetime | None]:
    """Give the rows the intake has to look at now, oldest first, and when it has to look next.

    `area`: of the staging directory; rows of another one are another host's. `besides`: brands that
    are being worked on already. What changed in the future is due too: the clock was set back since.
    """
    ours = table.c.id.like(area + "%") & table.c.brand.not_in(list(besides))
    with store.read() as conn:
        ripe = (table.c.due_at <= now) | (table.c.changed_at > now + CLOCK_SLACK)
        found = _entries(conn, table.c.due_at.is_not(None) & ripe & ours, limit=limit)
        later = sa.select(sa.func.min(table.c.due_at)).where(table.c.due_at > now, ours)
        return found, conn.execute(later).scalar()


def save(tx: Transaction, item: Entry) -> None:
    """Write a row; whatever else had its path loses it (`evict`). NotFound if its brand was erased."""
    values = _values(tx, item)
    evict(tx, [item])
    tx.conn.execute(upsert.replacing(table, tx.conn.dialect.name), values)


def save_all(tx: Transaction, items: Sequence[Entry]) -> None:
    """Write rows of different ids and paths; as `save`, but those of brands that are erased are left out."""
    here = living(tx, {item.brand for item in items})
    living_ones = [item for item in items if item.brand in here]
    rows = [_values(tx, item) for item in living_ones]
    if rows:
        evict(tx, living_ones)
        tx.conn.execute(upsert.replacing(table, tx.conn.dialect.name), rows)


def _values(tx: Transaction, item: Entry) -> dict[str, Any]:
    """Give the columns of a row; what was closed without a name lacks a marker if its brand requires one (`detach`)."""
    values = asdict(item)
    if item.path is None and item.place is Place.CLOSED and _lacks_marker(tx, item.brand, None):
        values["place"] = Place.DROPPED
    return values


def living(tx: Transaction, names: Iterable[str]) -> set[str]:
    """Give those of the brands that are not erased."""
    name = tables.brand.c.name
    return set(tx.conn.execute(sa.select(name).where(name.in_(list(names)))).scalars())


def journaled(conn: sa.Connection, name: str) -> int:
    """Give the number of the last record of a journal that is in the store; 0: none."""
    return conn.execute(sa.select(_journal.c.number).where(_journal.c.name == name)).scalar() or 0


def set_journaled(tx: Transaction, name: str, number: int) -> None:
    """Note, in the transaction that wrote their rows, that all records up to this number are in the store."""
    tx.conn.execute(upsert.replacing(_journal, tx.conn.dialect.name), {"name": name, "number": number})


def forget_journal(tx: Transaction, name: str) -> None:
    """Forget a journal that is no more."""
    tx.conn.execute(sa.delete(_journal).where(_journal.c.name == name))


def move(
    tx: Transaction, id_: str, expected: Sequence[Place], *, seen: datetime | None = None, **values: Any
) -> Entry | None:
    """Change a row if it stands where it is expected; give it as it is then, else None.

    `seen`: only if its last close, drop or rename still is the one of that moment.
    """
    where = [table.c.id == id_, table.c.place.in_(expected)]
    if seen is not None:
        where.append(table.c.changed_at == seen)
    found = tx.conn.execute(sa.update(table).where(*where).values(values).returning(*COLUMNS)).one_or_none()
    return None if found is None else columns.value(found, Entry)


def rename(tx: Transaction, id_: str, path: str, **values: Any) -> Entry | None:
    """Give a row another name; whatever had it loses it (`evict`). None if the row is gone."""
    row = get(tx.conn, id_)
    if row is None:
        return None
    evict(tx, [replace(row, path=path)])
    return move(tx, id_, list(Place), path=path, **values)


def remove(tx: Transaction, id_: str) -> Entry | None:
    """Forget a row; give what it was, None if it was gone already."""
    gone = tx.conn.execute(sa.delete(table).where(table.c.id == id_).returning(*COLUMNS)).one_or_none()
    return None if gone is None else columns.value(gone, Entry)


def expire(tx: Transaction, now: datetime, *, limit: int = 512) -> list[Entry]:
    """Forget names that were visible long enough; give them."""
    gone = _entries(tx.conn, table.c.expires_at <= now, limit=limit)
    if gone:
        tx.conn.execute(sa.delete(table).where(table.c.id.in_([item.id for item in gone])))
    return gone


def in_hand(store: Store, area: str) -> list[Entry]:
    """Give the rows of a staging directory that some process has open or claims."""
    with store.read() as conn:
        return _entries(conn, table.c.place.in_([Place.OPEN, Place.CLAIMED]) & table.c.id.like(area + "%"))


def opened_by(store: Store, owner: str) -> list[Entry]:
    """Give the rows that an owner has open."""
    with store.read() as conn:
        return _entries(conn, (table.c.owner == owner) & (table.c.place == Place.OPEN))


def known(store: Store, ids: Iterable[str]) -> set[str]:
    """Tell which of these ids have a row: a staging file without one belongs to nobody."""
    return {id_ for (id_,) in store.rows(sa.select(table.c.id).where(table.c.id.in_(list(ids))))}


def evict(tx: Transaction, items: Sequence[Entry]) -> None:
    """Take the names of these rows from whatever else has them: a door does not know yet what another one closed.

    What is under way goes on without its name (`detach`); the rest is forgotten.
    """
    wanted = {(item.brand, item.path): item.id for item in items if item.path is not None}
    names = {"brands": list({brand for brand, _ in wanted}), "paths": [path for _, path in wanted]}
    found = tx.conn.execute(_AT, names) if wanted else ()
    lost = [row for row in found if wanted.get((row.brand, row.path), row.id) != row.id]
    if lost:
        gone = [row.id for row in lost if row.place not in UNDER_WAY]
        tx.conn.execute(sa.delete(table).where(table.c.id.in_(gone)))
        detach(tx, {row.id: (row.brand, row.path) for row in lost if row.place in UNDER_WAY})


def detach(tx: Transaction, named: Mapping[str, tuple[str, str | None]]) -> None:
    """Take their names (id → brand, path) from drafts that are under way: they go on without. What rests comes due at once.

    What was closed and lacks the marker that its brand requires is no upload: it counts as dropped from here on.
    """
    rests = table.c.place.in_([Place.CLOSED, Place.DROPPED])
    due_at = sa.case((rests, table.c.changed_at), else_=table.c.due_at)
    these = sa.update(table).where(table.c.id.in_(list(named)))
    tx.conn.execute(these.where(table.c.place.in_(UNDER_WAY)).values(path=None, due_at=due_at))
    unmarked = [id_ for id_, (brand, path) in named.items() if _lacks_marker(tx, brand, path)]
    if unmarked:
        closed = (table.c.id.in_(unmarked), table.c.place == Place.CLOSED)
        tx.conn.execute(sa.update(table).where(*closed).values(place=Place.DROPPED))


def _lacks_marker(tx: Transaction, brand: str, path: str | None) -> bool:
    """Whether the brand requires a marker that does not lie beside this name; without a name it cannot. NotFound."""
    ending = brands.settings(tx.conn, brand).marker
    if not ending or path is None:
        return bool(ending)
    names = [name for name, kind in upload_name.companions(path, ending).items() if kind == "marker"]
    beside = sa.select(table.c.id).where(table.c.brand == brand, table.c.path.in_(names), table.c.place == Place.CLOSED)
    return tx.conn.execute(beside.limit(1)).first() is None


def _entries(conn: sa.Connection, where: Any, *, limit: int | None = None) -> list[Entry]:
    query = sa.select(*COLUMNS).where(where).order_by(table.c.changed_at, table.c.id).limit(limit)
    return [columns.value(row, Entry) for row in conn.execute(query)]
