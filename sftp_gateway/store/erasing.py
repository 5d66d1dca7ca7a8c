"""Erases a brand: every row, and every blob of its own that nobody else refers to; gives a proof."""

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any, Protocol

import sqlalchemy as sa

from sftp_gateway.store import database, queue, tables
from sftp_gateway.store.database import Store, Transaction

Blob = tuple[str, str]
"""(area, name)"""

SOURCES, CATALOG, RESULTS = "blobs", "catalog", "results"
BATCH = 500
_UPLOAD = re.compile(r"(\d+)(-[0-9a-f]{16})?")
"""A directory of an upload's results: they are kept under `17-<16 hex>`, receipts under `17`."""
_TOP = re.compile(r"(README\.txt|template\.csv|history\.csv)\.[0-9a-f]{24}\.[0-9a-f]{8}")
"""A file of the top of a home: a brand may be called `17`, too."""

_file = tables.file.c
_NAMING: tuple[tuple[str, sa.Column[Any], sa.ColumnElement[bool]], ...] = (
    (SOURCES, tables.upload.c.sha256, tables.upload.c.source_kept),
    (SOURCES, tables.entry.c.sha256, sa.true()),
    (RESULTS, tables.withheld.c.blob, sa.true()),
    (CATALOG, tables.version.c.file, sa.true()),
    (CATALOG, tables.version.c.changes_csv, sa.true()),
)
"""Every column that may name a blob, of which area, in which rows; those of `file` tell the area themselves."""

# Children before what they refer to; a table added later is in it without being named here.
_TABLES = tuple(table for table in reversed(tables.metadata.sorted_tables) if "brand" in table.c)


class Bin(Protocol):
    """Where blobs are listed and deleted (`blobs.Files`)."""

    def names(self, area: str) -> Iterator[str]:
        """List the names of an area."""

    def delete(self, area: str, name: str) -> None:
        """Delete a blob; nothing happens if it is not there."""


def erase(store: Store, files: Bin, brand: str, by: str = "gateway") -> dict[str, Any]:
    """Delete everything of a brand; NotFound.

    The proof counts rows by table and blobs, and its `digest` is a SHA-256 over the names of the
    blobs deleted, so that a list kept elsewhere can be compared. Blobs that another brand's upload
    has too (equal bytes) stay and are counted as `shared`.
    """
    # Listed before the rows go: none of these names can be of another brand that is called so afterwards.
    left = _lying(files, brand, _uploads(store, brand))
    # A front door may hold files of it and wait to save one more: then one of the two is run again.
    rows, mine, kept = database.run(store, lambda tx: _erase(tx, brand, left, by))
    gone = [blob for blob in mine if blob not in kept]
    for area, name in gone:
        if not _is_back(store, (area, name)):
            files.delete(area, name)
    digest = hashlib.sha256("\n".join("/".join(blob) for blob in gone).encode()).hexdigest()
    return {"brand": brand, "rows": rows, "blobs": len(gone), "shared": len(kept), "digest": digest}


def _lying(files: Bin, brand: str, uploads: Collection[int]) -> set[Blob]:
    """Give the blobs that a brand and its uploads left, told by their names alone: those that no row names any more.

    Sources are named by their bytes and belong to nobody; versions lie under the brand, results under the upload, and
    what is listed at the top of a home under the brand.
    """
    found = {(CATALOG, name) for name in files.names(CATALOG) if name.startswith(f"{brand}/")}
    return found | {(RESULTS, name) for name in files.names(RESULTS) if _is_result(name, brand, uploads)}


def _is_result(name: str, brand: str, uploads: Collection[int]) -> bool:
    directory, _, rest = name.partition("/")
    upload = None if _TOP.fullmatch(rest) else _UPLOAD.fullmatch(directory)
    return directory == brand if upload is None else int(upload[1]) in uploads


def _uploads(store: Store, brand: str) -> set[int]:
    return {id_ for (id_,) in store.rows(sa.select(tables.upload.c.id).where(tables.upload.c.brand == brand))}


def _erase(tx: Transaction, brand: str, left: set[Blob], by: str) -> tuple[dict[str, int], list[Blob], set[Blob]]:
    """Delete its rows; give how many by table, its blobs (`left` are some), and those of them that others have too."""
    queue.lock_whole(tx, brand)
    mine = sorted(_blobs(tx.conn, brand) | left)
    rows = {table.name: _delete(tx, table, brand) for table in _TABLES}
    tx.conn.execute(sa.delete(tables.brand).where(tables.brand.c.name == brand))
    kept = referenced(tx.conn, mine)
    tx.emit("brand.erased", brand=brand, rows=sum(rows.values()), blobs=len(mine) - len(kept), by=by)
    return rows, mine, kept


def _is_back(store: Store, blob: Blob) -> bool:
    """Whether the same bytes came from another brand while others were deleted."""
    with store.read() as conn:
        return bool(referenced(conn, [blob]))


def referenced(conn: sa.Connection, blobs: Iterable[Blob]) -> set[Blob]:
    """Give those blobs that some row still refers to."""
    by_area: dict[str, list[str]] = {}
    for area, name in blobs:
        by_area.setdefault(area, []).append(name)
    found: set[Blob] = set()
    for area, names in by_area.items():
        for start in range(0, len(names), BATCH):
            batch = names[start : start + BATCH]
            for query in _references(area, batch):
                found |= {(area, name) for (name,) in conn.execute(query) if name}
    return found


def _references(area: str, names: list[str]) -> list[sa.Select[Any]]:
    """Give the queries for every column that may name a blob of an area."""
    queries: list[sa.Select[Any]] = [sa.select(_file.blob).where(_file.area == area, _file.blob.in_(names))]
    naming = ((column, which) for of, column, which in _NAMING if of == area)
    return [*queries, *(sa.select(column).where(column.in_(names), which) for column, which in naming)]


def _blobs(conn: sa.Connection, brand: str) -> set[Blob]:
    found: set[Blob] = set()
    for area, column, which in _NAMING:
        query = sa.select(column).where(column.table.c.brand == brand, which)
        found |= {(area, name) for (name,) in conn.execute(query) if name}
    listed = sa.select(_file.area, _file.blob).where(_file.brand == brand)
    return found | {(area, blob) for area, blob in conn.execute(listed)}


def _delete(tx: Transaction, table: sa.Table, brand: str) -> int:
    return tx.conn.execute(sa.delete(table).where(table.c.brand == brand)).rowcount
