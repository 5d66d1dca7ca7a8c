"""Records that cannot be read as rows, as columns: a file may have millions of them, and an object each is dear."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from msgspec.structs import replace

from sftp_gateway.catalog import codes, findings
from sftp_gateway.catalog.findings import Finding

Positions = npt.NDArray[np.int64]
_NUMBERS = ("row", "line", "byte_offset", "start", "end", "sure")
_TEXTS = ("code", "message", "suggestion", "cells")
UNASKED = -1
"""How many cells are sure is asked where it matters: the first of them is, and the key is that in most files."""


class Reject(Struct, frozen=True):
    """A record that cannot be read as a row: its bytes as sent (without the line end) and why.

    `cells` are what could still be told apart, best effort; the first `sure` of them (None: all; UNASKED) stand under
    their own headers, and the key may be among these.
    """

    finding: Finding
    raw: bytes
    cells: tuple[str, ...] = ()
    sure: int | None = None


class Rejects(Struct, frozen=True, eq=False):
    """Rejects in the order of the file: where they stand, what is said of them, their cells; as many of each.

    `cells` is an array of lists of text, the first `sure` of each are under their headers. Record i has the bytes [start[i], end[i]) of `data`. Line 0: it has no place (sheets).
    """

    row: Positions
    line: Positions
    byte_offset: Positions
    code: pa.Array
    message: pa.Array
    suggestion: pa.Array
    cells: pa.ListArray
    data: bytes
    start: Positions
    end: Positions
    sure: Positions
    ask: Callable[[Sequence[bytes]], int] | None = None
    """Says of cells how many of them are sure, where that is UNASKED."""

    @classmethod
    def of(cls, items: Sequence[Reject]) -> "Rejects":
        """Make columns of a few."""
        told = [item.finding for item in items]
        ends = np.cumsum([len(item.raw) for item in items], dtype=np.int64)
        return cls(
            np.array([finding.row or 0 for finding in told], np.int64),
            np.array([finding.line or 0 for finding in told], np.int64),
            np.array([finding.byte_offset or 0 for finding in told], np.int64),
            pa.array([finding.code for finding in told], pa.string()),
            pa.array([finding.message for finding in told], pa.string()),
            pa.array([finding.suggestion for finding in told], pa.string()),
            listed([item.cells for item in items]),
            b"".join(item.raw for item in items),
            np.concatenate([np.zeros(1, np.int64), ends[:-1]])[: len(items)],
            ends,
            np.array([len(item.cells) if item.sure is None else item.sure for item in items], np.int64),
        )

    def __len__(self) -> int:
        return len(self.row)

    @overload
    def __getitem__(self, index: int) -> Reject: ...
    @overload
    def __getitem__(self, index: slice) -> "Rejects": ...
    def __getitem__(self, index: int | slice) -> "Reject | Rejects":
        if isinstance(index, slice):
            return self.take(np.arange(len(self))[index])
        return next(iter(self.take(np.arange(len(self))[index : index + 1 or None])))

    def __iter__(self) -> Iterator[Reject]:
        columns = (self.row, self.line, self.byte_offset, self.start, self.end, self._asked())
        texts = (self.code, self.message, self.suggestion, self.cells)
        for row, line, offset, start, end, sure, code, message, suggestion, cells in zip(
            *(column.tolist() for column in columns), *(column.to_pylist() for column in texts), strict=True
        ):
            finding = Finding(code, message, suggestion, row=row, line=line, byte_offset=offset)
            yield Reject(finding, self.data[start:end], tuple(cells), sure)

    def take(self, places: Positions) -> "Rejects":
        """Give those at `places`."""
        at = pa.array(places, pa.int64())
        numbers = {name: getattr(self, name)[places] for name in _NUMBERS}
        return replace(self, **numbers, **{name: getattr(self, name).take(at) for name in _TEXTS})

    def joined(self, others: "Rejects") -> "Rejects":
        """Give these and others of the same bytes, in the order of the file."""
        if not others:
            return self
        numbers, texts = (
            {name: join([getattr(each, name) for each in (self, others)]) for name in names}
            for join, names in ((np.concatenate, _NUMBERS), (pa.concat_arrays, _TEXTS))
        )
        both = replace(others, ask=self.ask or others.ask, **numbers, **texts)
        return both.take(np.argsort(both.row, kind="stable"))

    def column(self, place: int) -> pa.Array:
        """Give the cell at `place` of each, '' where it has none for sure."""
        offsets = np.asarray(self.cells.offsets)
        at = offsets[:-1] + place
        here = (at < offsets[1:]) & (place < (self._asked() if place else np.abs(self.sure)))
        return pc.fill_null(self.cells.values.take(pa.array(at, mask=~here)), "")

    def _asked(self) -> Positions:
        sure, places = self.sure.copy(), np.flatnonzero(self.sure == UNASKED)
        for place, cells in zip(places.tolist(), self.cells.take(pa.array(places)).to_pylist(), strict=True):
            assert self.ask is not None
            sure[place] = self.ask([cell.encode() for cell in cells])
        return sure

    def findings(self, keys: pa.Array) -> pa.Table:
        """Give what is said of them as a table of `findings.SCHEMA`."""
        count = len(self)
        coded = pc.dictionary_encode(self.code)
        severities = pa.array([codes.CODES[code] for code in coded.dictionary.to_pylist()], pa.string())
        empty = pa.repeat(pa.scalar("", pa.string()), count)
        columns: dict[str, Any] = {
            "row": pa.array(self.row),
            "line": pa.array(self.line, mask=self.line == 0),
            "byte_offset": pa.array(self.byte_offset, mask=self.line == 0),
            "key": keys,
            "column": empty,
            "value": empty,
            "code": self.code,
            "severity": severities.take(coded.indices),
            "message": self.message,
            "suggestion": self.suggestion,
        }
        return findings.of(columns)


def listed(rows: Sequence[Sequence[str]]) -> pa.ListArray:
    """Make an array of lists of texts."""
    offsets = np.cumsum([0, *map(len, rows)], dtype=np.int32)
    flat = pa.array(list(itertools.chain.from_iterable(rows)), pa.string())
    return pa.ListArray.from_arrays(pa.array(offsets), flat)


def slices(data: bytes, start: Positions, end: Positions) -> pa.Array:
    """Give stretches of bytes that do not overlap, in their order; nothing of the others is copied."""
    edges = np.stack([start, end], axis=1).ravel().astype(np.int32)
    # every second piece is what lies between two of them
    pieces = pa.Array.from_buffers(pa.binary(), len(edges) - 1, [None, pa.py_buffer(edges), pa.py_buffer(data)])
    return pieces.take(pa.array(np.arange(0, len(edges) - 1, 2)))


NONE = Rejects.of(())
