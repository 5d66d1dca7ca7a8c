"""What a version did, line by line: `op,key,column,before,after` as CSV (spec §8).

A created or removed product is one line, an updated one a line for each column that changed. The
lines come in this order: updated, created, deleted, removed, each by position.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from sftp_gateway import disk
from sftp_gateway.catalog import cells, engine, keys, versionfile
from sftp_gateway.catalog.checking.typed import DELETED
from sftp_gateway.catalog.comparing import diff
from sftp_gateway.catalog.engine import Connection, identifier
from sftp_gateway.catalog.stage import Positions, Stage

COLUMNS = ["op", "key", "column", "before", "after"]

_LONGEST_LINE = 32 * 1024**2
"""Two values of a record each, which has 4 MiB at the most, with quotes twice."""
COUNTED_COLUMNS = 6
"""Columns compared in one join: DuckDB sets aside about 6 MB for every column that goes through one."""


class Writer:
    """The change file of one version; use with `with`."""

    def __init__(self, csv: Path) -> None:
        self._csv = csv.open("wb", buffering=0)
        self._behind = disk.Behind(self._csv.fileno())
        self._behind.write(cells.BOM + cells.csv_header(COLUMNS, escape=True))
        self.lines = 0
        """Written so far."""

    def add(self, table: pa.Table) -> None:
        """Append lines of `COLUMNS`."""
        self._behind.write(cells.csv([column.combine_chunks() for column in table.columns], escape=True))
        self.lines += table.num_rows

    def add_whole(self, op: str, keys: pa.Array) -> None:
        """Append a line for each of these products, which came or went whole; there may be millions."""
        if len(keys) == 0:
            return
        self._behind.write(cells.csv_around(f"{op},", keys, ",,,"))
        self.lines += len(keys)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._csv.close()


def changed_keys(paths: Sequence[Path]) -> pa.Array:
    """Give the keys of the products that these change files tell of, each once."""
    wanted = pacsv.ConvertOptions(include_columns=["key"], column_types={"key": pa.string()})
    lines = pacsv.ParseOptions(newlines_in_values=True)
    large = pacsv.ReadOptions(block_size=_LONGEST_LINE)
    told: list[pa.Array] = []
    for path in paths:
        with pacsv.open_csv(path, large, lines, wanted) as reader:
            told += [batch["key"] for batch in reader]
    sent = pa.chunked_array(told, pa.string())
    return pc.unique(pc.replace_substring_regex(sent, r"^'('*[=+\-@\t\r])", r"\1"))  # as `cells.safe` escaped them


def fetch(connection: Connection, new: pa.Schema, base: pa.Schema, *, keep: str) -> None:
    """Copy the rows that are needed whole, in the columns of `new` and `base`, to `fresh` and `old`.

    `fresh`: those of `open_live` that update a product. `old`: those of `open_base` that are updated or deleted,
    or that stay although they are absent, as `keep` (SQL over `kept`) says.
    """
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE fresh AS SELECT {_listed(new)} FROM open_live WHERE _pos IN "  # noqa: S608 - names are quoted
        "(SELECT pos FROM pairs WHERE pos IS NOT NULL AND bpos IS NOT NULL AND NOT removes)"
    )
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE old AS SELECT {_listed(base)} FROM open_base WHERE _pos IN (
            SELECT bpos FROM pairs WHERE pos IS NOT NULL AND bpos IS NOT NULL
            UNION ALL SELECT bpos FROM kept WHERE {keep})
        """  # noqa: S608 - the condition is ours
    )


def _listed(schema: pa.Schema) -> str:
    return ", ".join([*(identifier(name) for name in schema.names), "_pos"])


_MOST_EXACT = 999
"""Shares of a price below it are compared as decimals."""
_UPDATED = "FROM pairs p JOIN fresh n ON n._pos = p.pos JOIN old b ON b._pos = p.bpos WHERE NOT p.removes"


def tell_updated(
    connection: Connection, columns: Sequence[diff.Compared], writer: Writer, *, move: float
) -> dict[str, tuple[int, int]]:
    """Write what changed in each updated product; `old` holds what they were.

    Gives of each money column how many of these have a price on both sides, and how many of them moved far, by more than
    the share `move`. First it is counted which columns changed at all: a day's changes are in few.
    """
    prices: dict[str, tuple[int, int]] = {}
    changed = []
    for first in range(0, len(columns), COUNTED_COLUMNS):
        group = columns[first : first + COUNTED_COLUMNS]
        counts = list(engine.one(connection, _counting(group, move)))
        for column in group:
            if counts.pop(0):
                changed.append(column)
            if column.is_price:
                prices[column.name] = counts.pop(0), counts.pop(0)
    if changed:
        for batch in engine.reader(connection, _showing(changed), rows=10_000):
            writer.add(_told(batch, changed))
    return prices


def _counting(columns: Sequence[diff.Compared], move: float) -> str:
    """Give SQL that counts of each column changes and, of prices, pairs and far moves.

    Sums of 0 and 1, not FILTER: that would copy all columns of a pair once for every count.
    """
    counts = []
    for column in columns:
        counts.append(_times(column.differs))
        if column.is_price:
            name = identifier(column.name)
            counts.append(_times(f"n.{name} IS NOT NULL AND b.{name} IS NOT NULL"))
            counts.append(_times(f"abs(n.{name} - b.{name}) > {_allowed(f'abs(b.{name})', move)}"))
    return f"SELECT {', '.join(counts)} {_UPDATED}"


def _allowed(price: str, move: float) -> str:
    """Give SQL for how far a price may move: exact, but for shares that decimals have no room for."""
    exact = move < _MOST_EXACT
    return f"{price}::DECIMAL(28, 4) * {move:.6f}::DECIMAL(9, 6)" if exact else f"{price}::DOUBLE * {move!r}::DOUBLE"


def _times(condition: str) -> str:
    return f"sum(({condition})::INTEGER)"


def _showing(columns: Sequence[diff.Compared]) -> str:
    parts = ["p.pos", "p.k"]
    for index, column in enumerate(columns):
        name = identifier(column.name)
        parts += [
            f"n.{name} AS n{index}" if column.new else f"NULL::VARCHAR AS n{index}",
            f"b.{name} AS b{index}" if column.base else f"NULL::VARCHAR AS b{index}",
            f"{column.differs} AS d{index}",
        ]
    return f"SELECT {', '.join(parts)} {_UPDATED} ORDER BY p.pos"


def _told(batch: pa.RecordBatch, columns: Sequence[diff.Compared]) -> pa.Table:
    """Give the lines of a batch of products, product by product, in the order of the columns."""
    lines = [_lines(batch, column.name, index) for index, column in enumerate(columns)]
    table = pa.concat_tables(lines).sort_by([("pos", "ascending"), ("index", "ascending")])
    return table.select(COLUMNS)


def _lines(batch: pa.RecordBatch, name: str, index: int) -> pa.Table:
    batch = batch.select(["pos", "k", f"b{index}", f"n{index}", f"d{index}"])  # or all columns are filtered for each
    batch = batch.filter(batch.column(f"d{index}"))
    rows = batch.num_rows
    return pa.table(
        {
            "pos": batch.column("pos"),
            "index": pa.array(np.full(rows, index)),
            "op": pa.array(["updated"] * rows, pa.string()),
            "key": batch.column("k"),
            "column": pa.array([name] * rows, pa.string()),
            "before": pc.fill_null(cells.text(batch.column(f"b{index}")), ""),
            "after": pc.fill_null(cells.text(batch.column(f"n{index}")), ""),
        }
    )


def tell_first(stage: Stage, gone: Positions, key: Sequence[str], writer: Writer) -> int:
    """Write a line for each row of a first version, `gone` and deleted ones left out; gives their number."""
    deletes = DELETED in stage.schema.names
    for table in versionfile.without(stage.tables([*key, *([DELETED] if deletes else [])]), gone):
        writer.add_whole("created", keys.texts(table.filter(pc.invert(table[DELETED])) if deletes else table, key))
    return writer.lines


_WHOLE = {
    "created": "SELECT k FROM pairs WHERE bpos IS NULL AND NOT removes ORDER BY pos",
    "deleted": "SELECT k FROM pairs WHERE bpos IS NOT NULL AND removes ORDER BY pos",
    "removed": "SELECT k FROM kept WHERE NOT retained ORDER BY bpos",
}
"""`deleted` by an `_op`; `removed`: a full file no longer has them."""


def tell_whole(connection: Connection, writer: Writer, *ops: str) -> None:
    """Write a line for each product that came or went whole, of these kinds one after the other."""
    for op in ops:
        for batch in engine.reader(connection, _WHOLE[op]):
            writer.add_whole(op, batch["k"])
