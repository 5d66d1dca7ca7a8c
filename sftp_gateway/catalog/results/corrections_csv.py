"""Correction files as CSV in the sender's dialect, encoding and line ends, a block at a time.

A record is written byte for byte as it was sent, ours behind it, unless a spreadsheet would execute a cell of it or
its quotes had to be repaired. One that lacks cells is padded, so that ours stand under their headers (`read.returned`).
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sftp_gateway import disk
from sftp_gateway.catalog import cells
from sftp_gateway.catalog.kinds import Kinds
from sftp_gateway.catalog.read import escaping
from sftp_gateway.catalog.read.csv import returned
from sftp_gateway.catalog.read.rejects import Reject, Rejects, slices
from sftp_gateway.catalog.read.source import Block, Rows, Source
from sftp_gateway.catalog.results.rejected import Ours, Rejected
from sftp_gateway.catalog.types.cells import Cells, replaced, table

_FORBIDDEN = re.compile(r"[\r\n\"']+")
_EDGES = table(bytes([*range(0x21), *range(0x80, 256)]))
"""What may be a byte of white space that a cell begins or ends with."""


class Delimited:
    """A CSV correction file being written to `path`; of a correction, our columns are made anew."""

    def __init__(self, path: Path, source: Source) -> None:
        form = source.format
        self._delimiter, self._quote = form.delimiter or ",", form.quote or '"'
        self._encoding = form.encoding or "utf-8"
        self._layout = returned.Layout(source.headers)
        self._own = self._layout.own
        self._strip = len(source.headers) - len(self._own)
        self._end = source.line_end if form.format == "csv" else "\r\n"
        special = re.escape(self._delimiter + self._quote)
        self._needs_quotes = rf"[{special}\r\n]|^[\s\p{{Z}}\x0b\x1c-\x1f]|[\s\p{{Z}}\x0b\x1c-\x1f]$"
        self._plain = ~table(f"{self._delimiter}{self._quote}\r\n".encode())
        self._file = path.open("wb", buffering=0)
        self._behind = disk.Behind(self._file.fileno())
        self._behind.write(source.bom)
        ours = self._delimiter + self._delimiter.join(escaping.OURS) + self._end
        if source.header_raw and not self._strip and not any(map(escaping.is_dangerous, source.headers)):
            self._behind.write(source.header_raw + self._bytes(ours))
        else:
            names = [pa.array([source.headers[place]], pa.string()) for place in self._own]
            self._behind.write(self._bytes(self._joined(names)[0].as_py() + ours))

    def make(self, rejected: Rejected) -> pa.Buffer:
        """Give rejected records as lines in their order in the file."""
        anew = self._must_be_made(rejected.block, rejected.indices)
        if not rejected.broken and not anew.any():
            return cells.text_of(self._as_sent(rejected, None))
        kept, made = np.flatnonzero(~anew), np.flatnonzero(anew)
        broken = np.arange(len(rejected.broken)) + len(anew)
        numbers = rejected.numbers[np.concatenate([kept, made, broken])]
        lines = pa.concat_arrays(
            [self._as_sent(rejected, kept), self._made(rejected, made), self._broken(rejected.broken, rejected.told)]
        )
        return cells.text_of(lines.take(pa.array(np.argsort(numbers, kind="stable"))))

    def add(self, made: pa.Buffer) -> None:
        """Append lines."""
        self._behind.write(made)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _must_be_made(self, block: Block, indices: Rows) -> npt.NDArray[np.bool_]:
        """Tell the rows that cannot go back as they were sent: executable, repaired, or not separated as the header is."""
        if self._strip or block.offset is None or block.end is None:
            return np.ones(len(indices), dtype=np.bool_)
        dangerous = np.isin(indices, list(block.reshaped | block.repaired))
        for place in self._own:
            risky = cells.risky(Cells(block.cells[place]), indices)
            if risky.size:
                dangerous[np.searchsorted(indices, risky)] = True
        return dangerous

    def _as_sent(self, rejected: Rejected, places: Rows | None) -> Any:
        """Give rows, their own bytes and ours behind them. `places` tells which of the rejected; None: all."""
        indices, ours = rejected.indices, rejected.ours
        if places is not None:
            indices, ours = indices[places], tuple(column.take(pa.array(places)) for column in ours)
        if not indices.size:
            return pa.array([], pa.binary())
        return pc.binary_join_element_wise(_sent(rejected.block, indices), self._encoded(self._after(ours)), b"")

    def _after(self, ours: Sequence[Any]) -> Any:
        """Give what is put behind records: a delimiter, ours, and the line end."""
        number, *texts = ours
        kinds = Kinds(texts)
        return pc.binary_join_element_wise(
            "", self._quoted(number), kinds.each(self._ended(kinds.columns)), self._delimiter
        )

    def _made(self, rejected: Rejected, places: Rows) -> Any:
        take = pa.array(rejected.indices[places])
        sent = [rejected.block.cells[place].take(take) for place in self._own]
        return self._encoded(self._ended([*sent, *(column.take(pa.array(places)) for column in rejected.ours)]))

    def _broken(self, rejects: Rejects, told: Sequence[Any]) -> Any:
        """Write damaged records as they were sent, ragged ones by their cells."""
        ragged = np.asarray(pc.equal(rejects.code, "ROW_COLUMNS")) & (np.diff(np.asarray(rejects.cells.offsets)) > 0)
        by_cells, others = np.flatnonzero(ragged), np.flatnonzero(~ragged)
        reasons = zip(*(column.take(pa.array(others)).to_pylist() for column in told), strict=True)
        damaged = [self._damaged(*each) for each in zip(rejects.take(others), reasons, strict=True)]
        lines = [self._ragged(rejects.cells, told, by_cells), pa.array(damaged, pa.binary())]
        return pa.concat_arrays(lines).take(pa.array(np.argsort(np.concatenate([by_cells, others]))))

    def _ragged(self, rows: pa.ListArray, told: Sequence[Any], places: Rows) -> Any:
        if not places.size:
            return pa.array([], pa.binary())
        if len(places) < len(rows):
            rows, told = rows.take(pa.array(places)), [column.take(pa.array(places)) for column in told]
        rows, missing = self._layout.own_cells(rows)
        flat = self._quoted(cells.safe(rows.values))
        sent = pc.binary_join(pa.ListArray.from_arrays(rows.offsets, flat), self._delimiter)
        if missing.any():
            blank = pa.array([self._delimiter * count for count in range(returned.PADDED + 1)], pa.string())
            sent = pc.binary_join_element_wise(sent, blank.take(pa.array(missing)), "")
        return self._encoded(pc.binary_join_element_wise(sent, self._after(told), ""))

    def _damaged(self, reject: Reject, ours: Ours) -> bytes:
        """Give a damaged record; our texts lose what could be taken for its quotes."""
        raw = self._without_ours(reject.raw) if self._strip else reject.raw
        if self._encoding in ("utf-8", "cp1252"):
            raw = escaping.escape_raw(raw, self._delimiter, self._quote)
        plain = [_FORBIDDEN.sub(" ", text).replace(self._delimiter, " ") for text in map(escaping.escape_plain, ours)]
        return raw + self._bytes(self._delimiter + self._delimiter.join(plain) + self._end)

    def _without_ours(self, raw: bytes) -> bytes:
        """Take ours from a damaged record of a correction where they are: behind it as we put them, or in front of it."""
        mark = self._bytes(self._delimiter)
        parts = raw.split(mark)
        last = -len(escaping.OURS)
        if returned.begin([part.decode(self._encoding, "replace") for part in parts[last:]]) == 0:
            parts = parts[:last]
        return mark.join(parts[self._own[0] if self._own else 0 :])

    def _ended(self, columns: Sequence[Any]) -> Any:
        return pc.binary_join_element_wise(self._joined(columns), self._end, "")

    def _joined(self, columns: Sequence[Any]) -> Any:
        """Join columns of one length cell by cell; all are looked at as one, for they are many and short."""
        rows = len(columns[0])
        flat = self._quoted(cells.safe(pa.concat_arrays(columns)))
        quoted = [flat.slice(place * rows, rows) for place in range(len(columns))]
        return pc.binary_join_element_wise(*quoted, self._delimiter)

    def _quoted(self, column: Any) -> Any:
        sent = Cells(column)
        some = np.flatnonzero(self._may_need_quotes(sent))
        taken = sent.array.take(pa.array(some))
        special = np.asarray(pc.match_substring_regex(taken, self._needs_quotes))
        if not special.any():
            return sent.array
        doubled = pc.replace_substring(taken.filter(pa.array(special)), self._quote, self._quote * 2)
        return replaced(sent.array, some[special], pc.binary_join_element_wise(self._quote, doubled, self._quote, ""))

    def _may_need_quotes(self, sent: Cells) -> npt.NDArray[np.bool_]:
        """Tell the few cells that are worth a pattern."""
        may = sent.holding_other(self._plain)
        filled = np.flatnonzero(sent.lengths)
        may[filled] |= _EDGES[sent.data[sent.offsets[filled]]] | _EDGES[sent.data[sent.offsets[filled + 1] - 1]]
        return may

    def _encoded(self, texts: Any) -> Any:
        if self._encoding == "utf-8":
            return pc.cast(texts, pa.binary())
        return pa.array([self._bytes(text) for text in texts.to_pylist()], pa.binary())

    def _bytes(self, text: str) -> bytes:
        return text.encode(self._encoding, "replace")


def _sent(block: Block, indices: Rows) -> Any:
    """Give records as sent, without their line ends; nothing else of the block is copied, as few rows of most are rejected."""
    assert block.offset is not None
    assert block.end is not None
    return slices(block.data, block.offset[indices] - block.data_offset, block.end[indices] - block.data_offset)
