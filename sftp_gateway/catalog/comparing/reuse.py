"""Rows of the current version whose bytes come again: neither read nor checked a second time (exactly the same comes out).

A version keeps a hash of each row's bytes in the hidden column `_raw`, null for a row of which anything
was found: its findings must come again. Its file also says under which terms the rows were made (rules,
settings, header, dialect, evidence, software): only under equal terms do equal bytes give equal rows.
Rows are met in the order of the version, give or take REACH; a file in another order is checked whole.
A changed row is taken for a known one with chance 2**-64 for each row of the version near it.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec.structs import asdict

from sftp_gateway import __version__
from sftp_gateway.catalog import engine, spool
from sftp_gateway.catalog.checking.evidence import Evidence
from sftp_gateway.catalog.comparing.met import RAW, Current
from sftp_gateway.catalog.engine import Connection
from sftp_gateway.catalog.job import Job
from sftp_gateway.catalog.read.csv.delimited import DelimitedSource
from sftp_gateway.catalog.read.source import Block, Known, Marks, Rows
from sftp_gateway.catalog.stage import Positions, Staged
from sftp_gateway.catalog.types.cells import taken

FIELD = pa.field(RAW, pa.uint64())
TERMS = b"sftp_gateway.terms"
LEAST_BYTES = 8 * 1024**2
"""Smaller files are checked whole: that is quicker than asking."""
FEW = 50_000
"""More new rows than this, and more than known ones: the whole versions are compared."""
_POS = pa.field("_pos", pa.int64())


def terms(job: Job, rules: str, source: DelimitedSource, evidence: Evidence | None) -> bytes:
    """Give a digest of all that decides what a record's bytes mean, besides themselves."""
    parts = [
        rules,
        job.brand,
        source.headers,
        (source.format.encoding, asdict(source.dialect)),
        asdict(evidence or Evidence()),
        (__version__, duckdb.__version__),  # DuckDB does not promise its hash stable between releases
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest().encode()


class Carry:
    """One pass over a file: gives its blocks without the known records, and puts their rows back in their places.

    `current` None: no row is known, all are only hashed. It is the sieve of the thread that reads.
    """

    def __init__(self, source: DelimitedSource, marked: bytes, current: Current | None, scratch: Path) -> None:
        self._source, self._terms, self._current = source, marked, current
        self._hashing = engine.open_hashing()
        self._fresh_path = scratch / "fresh.arrow"
        self._fresh: spool.Spool | None = None
        self._places: list[Rows] = []
        self.rows = self.known = 0
        """Accepted rows so far, and how many of them were known."""

    def blocks(self) -> Iterator[Block]:
        """Read the file; each block tells of the records that were kept back."""
        return self._source.blocks(self)

    def marks(self, data: bytes, start: Rows, stop: Rows) -> Marks:
        """Hash records that follow one another, each [start, stop)."""
        if not len(start) or (start[1:] != stop[:-1]).any():
            return np.zeros(len(start), np.uint64)
        offsets = pa.py_buffer(np.append(start, stop[-1]).astype(np.int32))
        records = pa.Array.from_buffers(pa.binary(), len(start), [None, offsets, pa.py_buffer(data)])
        relation = self._hashing.from_arrow(pa.table({"record": records}))
        found: Marks = relation.project("hash(record) AS mark").fetchnumpy()["mark"]
        return found

    def places(self, marks: Marks) -> Rows:
        """Give where in the current version the row of each record is, -1 where it is not."""
        return np.full(len(marks), -1, np.int64) if self._current is None else self._current.find(marks)

    def joined(self, block: Block, staged: Staged, found: pa.Table) -> Staged:
        """Give accepted rows with their marks, and the known rows of the block among them, in the order of the file.

        `found`: all findings of the block; a row with one gets no mark.
        """
        assert block.marks is not None
        marks = block.marks[np.searchsorted(block.row, staged.row)]
        unmarked = (marks == 0) | np.isin(staged.row, found["row"].to_numpy())
        fresh = staged.table.append_column(FIELD, pa.array(marks, mask=unmarked))
        staged = Staged(fresh, staged.row, staged.line, staged.offset)
        if self._current is not None:
            staged = self._among(staged, block.known, self._current)
        self.rows += staged.table.num_rows
        return Staged(
            staged.table.replace_schema_metadata({TERMS: self._terms}), staged.row, staged.line, staged.offset
        )

    def _among(self, fresh: Staged, known: Known | None, current: Current) -> Staged:
        if known is None:
            self._note(fresh.table, np.arange(len(fresh.row)), np.full(len(fresh.row), -1, np.int64))
            return fresh
        table = current.rows(known.place)
        row = np.concatenate([known.row, fresh.row])
        order = np.argsort(row, kind="stable")
        at = np.concatenate([known.place - known.place.min(), np.arange(len(fresh.row)) + table.num_rows])[order]
        place = np.concatenate([known.place, np.full(len(fresh.row), -1, np.int64)])[order]
        both = taken(pa.concat_tables([table, fresh.table]), at)
        self.known += len(known)
        self._note(fresh.table, np.flatnonzero(place < 0), place)
        assert fresh.line is not None
        assert fresh.offset is not None
        line, offset = np.concatenate([known.line, fresh.line]), np.concatenate([known.offset, fresh.offset])
        return Staged(both, row[order], line[order], offset[order])

    def _note(self, fresh: pa.Table, index: Rows, place: Rows) -> None:
        """Keep what the comparison needs: rows that are new, and where the others are in the current version."""
        assert self._current is not None
        if not self._current.tells_apart:
            return
        if self._fresh is None:
            self._fresh = spool.Spool(self._fresh_path, fresh.schema.append(_POS))
        self._places.append(place.astype(np.int32))
        self._fresh.add(fresh.append_column(_POS, pa.array(index + self.rows)))
        if self._fresh.rows > max(FEW, self.known):
            self._current.tells_apart = False
            self._fresh.remove()
            self._fresh, self._places = None, []

    @property
    def meets_once(self) -> bool:
        """Whether no row of the current version was met twice: then no two known rows have the same key."""
        return self._current is not None and self._current.met_rows == self.known

    def show(self, connection: Connection) -> bool:
        """Make `fresh_rows`, the rows that are new, and `left_rows`, of the current version those not met.

        False: nothing is known of that.
        """
        if self._current is None or self._fresh is None or not self._current.tells_apart:
            return False
        engine.copy(connection, "fresh_rows", self._fresh.reader())
        engine.copy(connection, "left_rows", self._current.left().reader())
        return True

    def narrow(self, connection: Connection, gone: Positions) -> None:
        """Leave only rows that may differ in the views `open_live` and `open_base`; after `show`.

        `gone`: positions, sorted, of staged rows that do not count.
        """
        place = np.concatenate(self._places)
        dropped = place[gone]
        back = dropped[dropped >= 0]
        if len(back):
            back = np.setdiff1d(back, np.delete(place, gone))
        engine.copy(connection, "gone_rows", pa.table({"pos": pa.array(gone)}))
        engine.copy(connection, "back_rows", pa.table({"pos": pa.array(back)}))
        connection.execute(
            "CREATE OR REPLACE TEMP VIEW open_live AS SELECT * FROM fresh_rows WHERE _pos NOT IN (SELECT pos FROM gone_rows)"
        )
        # A known row that lost to a later one of its key: the product it stood for is open again.
        more = " UNION ALL SELECT * FROM base_rows WHERE _pos IN (SELECT pos FROM back_rows)" if len(back) else ""
        connection.execute(f"CREATE OR REPLACE TEMP VIEW open_base AS SELECT * FROM left_rows{more}")  # noqa: S608 - ours

    def close(self) -> None:
        """Delete what is left."""
        self._hashing.close()
        if self._fresh is not None:
            self._fresh.remove()
        if self._current is not None:
            self._current.close()


def opened(job: Job, marked: bytes, source: DelimitedSource, schema: pa.Schema, scratch: Path) -> Carry:
    """Begin a pass under the terms `marked`; `schema`: the columns of accepted rows."""
    current = None
    if job.base is not None:
        kept = pq.read_schema(job.base.path)
        same = kept.remove_metadata().equals(schema.append(FIELD).remove_metadata())
        if same and (kept.metadata or {}).get(TERMS) == marked:
            current = Current(job.base.path, scratch)
    return Carry(source, marked, current, scratch)
