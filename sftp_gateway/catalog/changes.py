"""What a version did, line by line: `op,key,column,before,after` as Parquet and CSV (spec §8).

A created or removed product is one line, an updated one a line for each column that changed. The
lines come in this order: updated, created, deleted, removed, each by position.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sftp_gateway.catalog import cells, diff, engine
from sftp_gateway.catalog.engine import Connection, identifier

SCHEMA = pa.schema([(name, pa.string()) for name in ("op", "key", "column", "before", "after")])


@dataclass(slots=True)
class Prices:
    """Of one money column: products that have a price on both sides of an update, and how many moved far."""

    both: int = 0
    moved: int = 0


@dataclass(slots=True)
class Told:
    """What was written: products updated in at least one column, and how prices moved."""

    updated: int = 0
    prices: dict[str, Prices] = field(default_factory=dict)


class Writer:
    """The two change files of one version; use with `with`. Without paths it only counts."""

    def __init__(self, parquet: Path | None, csv: Path | None) -> None:
        self._parquet = None if parquet is None else pq.ParquetWriter(parquet, SCHEMA, compression="zstd")
        self._csv: Any = None if csv is None else csv.open("wb")
        if self._csv is not None:
            self._csv.write(cells.BOM + cells.csv_header(SCHEMA.names, escape=True))

    def add(self, table: pa.Table) -> None:
        """Append lines of `SCHEMA`."""
        if table.num_rows == 0:
            return
        if self._parquet is not None:
            self._parquet.write_table(table)
        if self._csv is not None:
            self._csv.write(cells.csv([column.combine_chunks() for column in table.columns], escape=True))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in (self._parquet, self._csv):
            if file is not None:
                file.close()


def fetch(connection: Connection, *, keep: str) -> None:
    """Copy the rows that are needed whole to `fresh` and `old`.

    `fresh`: those of `live` that update a product. `old`: those of `base_rows` that are updated or deleted,
    or that stay although they are absent, as `keep` (SQL over `kept`) says.
    """
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE fresh AS SELECT * FROM live WHERE _pos IN "
        "(SELECT pos FROM pairs WHERE pos IS NOT NULL AND bpos IS NOT NULL AND NOT removes)"
    )
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE old AS SELECT * FROM base_rows WHERE _pos IN (
            SELECT bpos FROM pairs WHERE pos IS NOT NULL AND bpos IS NOT NULL
            UNION ALL SELECT bpos FROM kept WHERE {keep})
        """  # noqa: S608 - the condition is ours
    )


def tell_updated(connection: Connection, columns: Sequence[diff.Compared], writer: Writer, *, move: float) -> Told:
    """Write what changed in each updated product; `old` holds what they were. `move`: share of a far price."""
    parts = ["p.pos", "p.k"]
    for index, column in enumerate(columns):
        name = identifier(column.name)
        parts += [
            f"n.{name} AS n{index}" if column.new else f"NULL::VARCHAR AS n{index}",
            f"b.{name} AS b{index}" if column.base else f"NULL::VARCHAR AS b{index}",
            f"{column.new or 'NULL'} IS DISTINCT FROM {column.base or 'NULL'} AS d{index}",
        ]
    query = (
        f"SELECT {', '.join(parts)} FROM pairs p JOIN fresh n ON n._pos = p.pos JOIN old b ON b._pos = p.bpos "  # noqa: S608 - names are quoted
        "WHERE NOT p.removes ORDER BY p.pos"
    )
    told = Told()
    for batch in engine.reader(connection, query, rows=20_000):
        _tell_batch(batch, columns, writer, told, move)
    return told


def _tell_batch(
    batch: pa.RecordBatch, columns: Sequence[diff.Compared], writer: Writer, told: Told, move: float
) -> None:
    lines: list[pa.Table] = []
    touched = np.zeros(batch.num_rows, dtype=bool)
    for index, column in enumerate(columns):
        new, old = batch.column(f"n{index}"), batch.column(f"b{index}")
        if pa.types.is_decimal(new.type) and new.type == old.type and new.type.scale == 4:
            _count_moves(new, old, told.prices.setdefault(column.name, Prices()), move)
        changed = np.asarray(batch.column(f"d{index}").to_pylist(), dtype=bool)
        if changed.any():
            touched |= changed
            lines.append(_lines(batch, pa.array(changed), column.name, index))
    told.updated += int(touched.sum())
    if lines:
        table = pa.concat_tables(lines).sort_by([("pos", "ascending"), ("index", "ascending")])
        writer.add(table.select(SCHEMA.names))


def _lines(batch: pa.RecordBatch, mask: pa.Array, name: str, index: int) -> pa.Table:
    new, old = batch.column(f"n{index}"), batch.column(f"b{index}")
    positions = batch.column("pos").filter(mask)
    rows = len(positions)
    return pa.table(
        {
            "pos": positions,
            "index": pa.array(np.full(rows, index)),
            "op": pa.array(["updated"] * rows, pa.string()),
            "key": batch.column("k").filter(mask),
            "column": pa.array([name] * rows, pa.string()),
            "before": pc.fill_null(cells.text(old.filter(mask)), ""),
            "after": pc.fill_null(cells.text(new.filter(mask)), ""),
        }
    )


def _count_moves(new: pa.Array, old: pa.Array, prices: Prices, move: float) -> None:
    both = pc.and_(pc.is_valid(new), pc.is_valid(old))
    after, before = (_units(side.filter(both)) for side in (new, old))
    prices.both += len(after)
    prices.moved += int((np.abs(after - before) > np.abs(before) * move).sum())


def _units(prices: pa.Array) -> Any:
    """Give decimal(18,4) as whole ten-thousandths: the low half of its 128 bits."""
    whole = np.frombuffer(prices.buffers()[1], dtype="<i8")[::2]
    return whole[prices.offset : prices.offset + len(prices)]


def tell_created(connection: Connection, writer: Writer) -> None:
    """Write a line for each new product."""
    _tell_whole(connection, writer, "created", "SELECT k FROM pairs WHERE bpos IS NULL AND NOT removes ORDER BY pos")


def tell_deleted(connection: Connection, writer: Writer) -> None:
    """Write a line for each product that an `_op` deleted."""
    _tell_whole(connection, writer, "deleted", "SELECT k FROM pairs WHERE bpos IS NOT NULL AND removes ORDER BY pos")


def tell_removed(connection: Connection, writer: Writer) -> None:
    """Write a line for each product that a full file no longer has."""
    _tell_whole(connection, writer, "removed", "SELECT k FROM kept WHERE NOT retained ORDER BY bpos")


def _tell_whole(connection: Connection, writer: Writer, op: str, query: str) -> None:
    for batch in engine.reader(connection, query):
        blank = pa.array([""] * batch.num_rows, pa.string())
        columns = [pa.array([op] * batch.num_rows, pa.string()), batch["k"], blank, blank, blank]
        writer.add(pa.table(columns, schema=SCHEMA))
