"""Accepted rows between checking and publishing, and where in the file each one stood.

A small stage is a table in memory; a large one is already written as the Parquet file that becomes
the version, so that in the usual case no row is written twice. Serves run, unique, diff, publish.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from sftp_gateway.catalog import engine, keys, versionfile

MEMORY_BYTES = 16 * 1024**2
Positions = npt.NDArray[np.int64]


class Places:
    """Row, line and byte offset of each accepted row, -1 where there is none; 24 bytes a row."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("wb")

    def add(self, row: Positions, line: Positions | None, offset: Positions | None) -> None:
        """Append the places of rows in order."""
        places = np.empty((len(row), 3), dtype=np.int64)
        places[:, 0], places[:, 1], places[:, 2] = row, -1 if line is None else line, -1 if offset is None else offset
        self._file.write(places.data)

    def at(self, positions: Positions) -> Positions:
        """Give an (n, 3) array: row, line, offset of the rows at these positions of the stage."""
        self._file.flush()
        if len(positions) == 0:
            return np.empty((0, 3), dtype=np.int64)
        return np.asarray(np.memmap(self.path, dtype=np.int64, mode="r").reshape(-1, 3)[positions])

    def close(self) -> None:
        """Delete the file."""
        self._file.close()
        self.path.unlink(missing_ok=True)


class Staged(Struct, frozen=True):
    """Accepted rows of a block, in order, and where they stand in the file."""

    table: pa.Table
    row: Positions
    line: Positions | None = None
    offset: Positions | None = None


class Stage:
    """Accepted rows in file order. `add` all, then `finish`, then read."""

    def __init__(self, scratch: Path) -> None:
        self.path = scratch / "stage.parquet"
        self.places = Places(scratch / "places.bin")
        self.rows = 0
        self.schema: pa.Schema = pa.schema([])
        self.filled: dict[str, int] = {}
        self.table: pa.Table | None = None
        self._held: list[pa.Table] = []
        self._held_bytes = 0
        self._writer: versionfile.Writer | None = None

    def add(self, rows: Staged) -> None:
        """Append rows; all tables have one schema."""
        table = rows.table
        if not self._held and self._writer is None:
            self.schema = table.schema
        self.rows += table.num_rows
        self.places.add(rows.row, rows.line, rows.offset)
        for name, column in zip(table.column_names, table.columns, strict=True):
            self.filled[name] = self.filled.get(name, 0) + table.num_rows - column.null_count
        if self._writer is not None:
            self._writer.write(table)
            return
        self._held.append(table)
        self._held_bytes += table.get_total_buffer_size()
        if self._held_bytes > MEMORY_BYTES:
            self._to_disk()

    def may_repeat(self, columns: Sequence[str]) -> bool:
        """Whether two rows may have the same value in these columns, joined; of rows on disk only the database knows."""
        if self.table is None:
            return True
        values = keys.texts(self.table, columns)
        return bool(pc.count_distinct(values).as_py() < len(values) - values.null_count)

    def _to_disk(self) -> None:
        self._writer = versionfile.Writer(self.path, self.schema)
        for table in self._held:
            self._writer.write(table)
        self._held = []

    def finish(self) -> None:
        """No more rows come."""
        if self._writer is None:
            self.table = pa.concat_tables(self._held) if self._held else self.schema.empty_table()
            self._held = []
        else:
            self._writer.close()

    @property
    def on_disk(self) -> bool:
        """Whether the rows are in `path`, as a version file."""
        return self._writer is not None

    def tables(self, columns: list[str] | None = None) -> Iterator[pa.Table]:
        """Read the rows in order; all columns, or these."""
        if self.table is not None:
            yield self.table if columns is None else self.table.select(columns)
        else:
            yield from versionfile.tables(self.path, columns)

    def save(self, path: Path, gone: Positions, schema: pa.Schema, more: Iterable[pa.Table] | None = None) -> None:
        """Make a version file of all rows but `gone` (sorted), and of `more` behind them.

        Where none goes, the file that there is becomes it: nothing can be read here any more.
        """
        if self.on_disk and len(gone) == 0 and schema.equals(self.schema):
            self.path.rename(path)
            if more is not None:
                versionfile.append(path, more)
        else:
            versionfile.write(path, schema, itertools.chain(versionfile.without(self.tables(), gone), more or ()))

    def show(self, connection: engine.Connection, name: str) -> None:
        """Make the rows readable in DuckDB as `name`."""
        if self.table is not None:
            engine.add_table(connection, name, self.table)
        else:
            engine.add_file(connection, name, self.path)

    def close(self) -> None:
        """Delete what is left."""
        self.places.close()
        self.path.unlink(missing_ok=True)
