"""Arrow tables that may be many: in memory while small, in a file beyond, read back in order.

Serves findings (10 M of them in constant memory) and the keys of rejected rows.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

LIMIT_BYTES = 8 * 1024**2
BATCH_ROWS = 65_536


class Spool:
    """Tables of one schema, added in order and read back in order, any number of times.

    Up to LIMIT_BYTES stay in memory; then everything goes to `path`, an Arrow IPC stream.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path, self.schema = path, schema
        self.rows = 0
        self._held: list[pa.Table] = []
        self._held_bytes = 0
        self._writer: Any = None
        self._on_disk = False

    def add(self, table: pa.Table) -> None:
        """Append the rows of a table of this schema."""
        if table.num_rows == 0:
            return
        self.rows += table.num_rows
        self._held.append(table)
        self._held_bytes += table.get_total_buffer_size()
        if self._held_bytes > LIMIT_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._writer is None:
            options = pa.ipc.IpcWriteOptions(compression="lz4")
            self._writer = pa.ipc.new_stream(str(self.path), self.schema, options=options)
            self._on_disk = True
        self._join()
        for table in self._held:
            self._writer.write_table(table, max_chunksize=BATCH_ROWS)
        self._held, self._held_bytes = [], 0

    def _join(self) -> None:
        """Make one table of what is held: each batch costs its reader some milliseconds, however few its rows."""
        if len(self._held) > 1:
            self._held = [pa.concat_tables(self._held).combine_chunks()]

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Give everything added so far, in order; nothing can be added afterwards."""
        if self._on_disk:
            if self._writer is not None:
                self._flush()
                self._writer.close()
                self._writer = None
            # read, not mapped: mapped pages would count as this process's memory
            with pa.OSFile(str(self.path)) as file, pa.ipc.open_stream(file) as stream:
                yield from stream
        else:
            self._join()
            for table in self._held:
                yield from table.to_batches(max_chunksize=BATCH_ROWS)

    def reader(self) -> pa.RecordBatchReader:
        """Give the same as one Arrow reader, as DuckDB takes it."""
        return pa.RecordBatchReader.from_batches(self.schema, self.batches())

    def remove(self) -> None:
        """Forget everything and delete the file."""
        if self._writer is not None:
            self._writer.close()
        self._writer, self._held, self._on_disk = None, [], False
        self.path.unlink(missing_ok=True)
