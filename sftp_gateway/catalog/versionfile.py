"""The Parquet file of a version: written in row groups, lengthened without a rewrite.

Appending is done by the format's own means: row groups lie anywhere in the file and the footer at
its end says where (Apache Parquet, File Format). So more groups take the place of the old footer and
a new one lists all of them.

Statistics of text columns cost a quarter of the writing and serve nobody; how many cells of a column are
filled stands in the footer instead, for the rows that the file was made with. Appended groups have statistics.
"""

import io
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sftp_gateway import disk
from sftp_gateway.catalog import retyped
from sftp_gateway.catalog.checking.typed import BASE

GROUP_ROWS = 100_000
_SAMPLE_ROWS = 20_000
_PAGE_BYTES = 4 * 1024**2
_ZEROS = bytes(1024**2)
_FILLED = b"sftp_gateway.filled"


class Writer:
    """Writes a version file; tables are gathered to row groups of `GROUP_ROWS`. Use with `with`."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path, self.schema = path, schema
        self._writer: Any = None
        self._held: list[pa.Table] = []
        self._held_rows = 0
        self._begun_bytes = 0
        self.rows = 0
        self.filled = dict.fromkeys(schema.names, 0)
        """Filled cells of each column so far."""

    def write(self, table: pa.Table) -> None:
        """Append rows, `shaped` where they have other columns."""
        if table.num_rows:
            table = table if table.schema.equals(self.schema) else shaped(table, self.schema)
            self._held.append(table)
            self._held_rows += table.num_rows
            self.rows += table.num_rows
            for name, column in zip(table.column_names, table.columns, strict=True):
                self.filled[name] += table.num_rows - column.null_count
        if self._held_rows >= GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        table = pa.concat_tables(self._held) if self._held else self.schema.empty_table()
        if self._writer is None:
            self._writer = _open(str(self.path), self.schema, table)
        if table.num_rows:
            self._writer.write_table(table, row_group_size=GROUP_ROWS * 2)
            # Whoever syncs the file waits for all of it else, at the end, where nothing else is left to do.
            self._begun_bytes = disk.begun(self.path, self._begun_bytes)
        self._held, self._held_rows = [], 0

    def close(self) -> None:
        """Write what is held and the footer."""
        if self._held or self._writer is None:
            self._flush()
        self._writer.add_key_value_metadata({_FILLED: json.dumps({"rows": self.rows, "filled": self.filled})})
        self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, failed: object, *_: object) -> None:
        if failed is None:
            self.close()
        elif self._writer is not None:
            self._writer.close()


def write(path: Path, schema: pa.Schema, parts: Iterable[pa.Table]) -> None:
    """Make a version file of these rows."""
    with Writer(path, schema) as writer:
        for table in parts:
            writer.write(table)


def _open(sink: Any, schema: pa.Schema, sample: pa.Table, collector: list[Any] | None = None) -> Any:
    extra = {} if collector is None else {"metadata_collector": collector}
    return pq.ParquetWriter(
        sink,
        schema,
        compression="zstd",
        compression_level=1,
        use_dictionary=_repeating(sample),
        # `_open` for appending (with a collector): what is appended is counted by its statistics.
        write_statistics=collector is not None
        or [field.name for field in schema if not pa.types.is_string(field.type)],
        data_page_size=_PAGE_BYTES,
        **extra,
    )


def _repeating(sample: pa.Table) -> list[str]:
    """Name the columns worth a dictionary; trying one on unique texts costs more than it saves."""
    head = sample.slice(0, _SAMPLE_ROWS)
    return [
        name for name in head.column_names if pc.count_distinct(head[name], mode="all").as_py() * 4 <= head.num_rows
    ]


class _Tail:
    """Passes bytes to a file but for the first `skip`: a sink that seems to begin at 0."""

    def __init__(self, file: Any, skip: int) -> None:
        self.file, self.skip, self.closed = file, skip, False

    def write(self, data: bytes) -> int:
        if self.skip:
            self.skip -= len(data)
        else:
            self.file.write(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is buffered here."""

    def close(self) -> None:
        self.closed = True


def append(path: Path, tables: Iterable[pa.Table]) -> int:
    """Add rows, `shaped`, at the end of a version file, in place, without touching what is there; their number."""
    metadata = pq.read_metadata(path)
    schema = pq.read_schema(path)
    start = _footer_start(path)
    os.truncate(path, start)
    collected: list[Any] = []
    rows = 0
    with path.open("ab") as file:
        sink = pa.PythonFile(_Tail(file, start), mode="w")
        writer: Any = None
        for table in tables:
            if writer is None:
                writer = _open(sink, schema, shaped(table, schema), collected)
                _advance(sink, start)
            writer.write_table(shaped(table, schema), row_group_size=GROUP_ROWS)
            rows += table.num_rows
        if writer is not None:
            writer.close()  # leaves a footer of its own, a few KB nobody reads
            metadata.append_row_groups(collected[0])
        file.write(_footer(metadata))
    return rows


def _advance(sink: Any, start: int) -> None:
    while (missing := start - sink.tell()) > 0:
        sink.write(_ZEROS[:missing])


def _footer(metadata: Any) -> bytes:
    whole = io.BytesIO()
    metadata.write_metadata_file(whole)
    return whole.getvalue()[4:]


def _footer_start(path: Path) -> int:
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(size - 8)
        return size - 8 - int.from_bytes(file.read(4), "little")


def tables(path: Path, columns: list[str] | None = None, rows: int = GROUP_ROWS) -> Iterator[pa.Table]:
    """Read a version file in order, in parts of at most `rows`."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=rows, columns=columns):
            yield pa.Table.from_batches([batch])


def without(parts: Iterable[pa.Table], dropped: npt.NDArray[np.int64]) -> Iterator[pa.Table]:
    """Leave out the rows at the given positions (sorted) of a sequence of tables."""
    start = 0
    for table in parts:
        end = start + table.num_rows
        low, high = np.searchsorted(dropped, (start, end))
        if low == high:
            yield table
        else:
            keep = np.ones(table.num_rows, dtype=bool)
            keep[dropped[low:high] - start] = False
            yield table.filter(pa.array(keep))
        start = end


def only(parts: Iterable[pa.Table], kept: npt.NDArray[np.int64]) -> Iterator[pa.Table]:
    """Give only the rows at the given positions (sorted) of a sequence of tables."""
    start = 0
    for table in parts:
        end = start + table.num_rows
        low, high = np.searchsorted(kept, (start, end))
        if high > low:
            yield table.take(pa.array(kept[low:high] - start))
        start = end


def shaped(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Give a table the columns and types of another version: absent ones are null, extra ones go.

    What another type cannot hold becomes null. A measure that was none before gets its amount in base units.
    """
    return pa.table([_column(table, field) for field in schema], schema=schema)


def _column(table: pa.Table, field: pa.Field) -> Any:
    if field.name in table.column_names:
        values = table[field.name]
        return values if values.type == field.type else retyped.cast(values, field.type)
    measure = field.name.removeprefix(BASE)
    if measure != field.name and measure in table.column_names:
        return retyped.in_base_units(table[measure])
    return pa.nulls(table.num_rows, field.type)


def filled(path: Path) -> dict[str, int]:
    """Count the filled cells of each column, from the footer alone."""
    metadata = pq.read_metadata(path)
    told = json.loads((metadata.metadata or {}).get(_FILLED, b'{"rows": 0, "filled": {}}'))
    counts: dict[str, int] = dict(told["filled"])
    start = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        start += group.num_rows
        if start <= told["rows"]:
            continue
        for index in range(metadata.num_columns):
            column = group.column(index)
            empty = column.statistics.null_count if column.statistics is not None else 0
            name = column.path_in_schema
            counts[name] = counts.get(name, 0) + group.num_rows - (empty or 0)
    return counts
