"""What reading gives: a `Source` with its headers, and `Block`s of consecutive records."""

from collections.abc import Collection, Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from msgspec import Struct, field
from msgspec.structs import replace

from sftp_gateway.catalog.findings import Finding
from sftp_gateway.catalog.read import rejects as broken
from sftp_gateway.catalog.read.rejects import Rejects

Rows = npt.NDArray[np.int64]
Numbers = tuple[npt.NDArray[np.bool_] | None, ...]
"""Of each column, which of its cells the format says are numbers with a fraction; None: none, () where none is in any."""


class Hints(Struct, frozen=True):
    """What a brand pinned, and what is known of headers; empty strings: find out."""

    encoding: str = ""
    delimiter: str = ""
    quote: str = ""
    sheet: str = ""
    known_headers: frozenset[str] = frozenset()
    """Folded (`headers.fold`) names under which a catalog column may come."""
    keys: tuple[frozenset[str], ...] = ()
    """Of each column of the key, the folded names under which it may come."""
    columns: tuple[frozenset[str], ...] = ()
    """Of each column, the folded names under which it may come."""
    lists: frozenset[str] = frozenset()
    """Folded names under which a column that is a list may come."""
    required: tuple[str, ...] = ()
    """Columns that every product has: the header of a file of which no product can be read."""
    max_file_bytes: int = 10 * 1024**3
    """Budget for decompressed bytes."""
    must_end_with_newline: bool = False
    complete: bool = False
    """Complete by definition: a missing last newline, quote or column is no FILE_INCOMPLETE."""
    lenient: bool = False
    """`inspect`: read what can be read where the pipeline would refuse the header, width or delimiter."""
    presume: bool = False
    """A large file may be taken for UTF-8 by its beginning: the caller begins anew on `presumed.Misread`."""

    def name_key(self, names: Collection[str]) -> bool:
        """Whether folded names hold one for each column of the key; True if none is known."""
        return not any(key.isdisjoint(names) for key in self.keys)

    def meant(self, name: str) -> Collection[str]:
        """Give all folded names of the column that one means; itself if it means none."""
        return next((names for names in self.columns if name in names), (name,))


class Format(Struct, frozen=True):
    """What the reader understood of the file; None where it does not apply (receipt `file`)."""

    format: str
    """csv, json, jsonl, xlsx, xls, ods, parquet"""
    compression: str | None = None
    """gzip, zstd, zip"""
    encoding: str | None = None
    delimiter: str | None = None
    quote: str | None = None
    sheet: str | None = None
    ends_with_newline: bool | None = None
    """Of a plain delimited file; None: of any other the end tells on its own whether it is whole."""


Marks = npt.NDArray[np.uint64]
"""A hash of each record's bytes, line end included."""


class Sieve(Protocol):
    """Tells which records need not be read because their rows are known (`catalog.reuse`)."""

    def marks(self, data: bytes, start: Rows, stop: Rows) -> Marks:
        """Hash records that follow one another, each [start, stop)."""
        ...

    def places(self, marks: Marks) -> Rows:
        """Give where the row of each record is known, -1 where it is not."""
        ...


class Known(Struct, frozen=True):
    """Records of a block that were not read: where they stand, and `place`: where their rows are known."""

    row: Rows
    line: Rows
    offset: Rows
    place: Rows

    def __len__(self) -> int:
        return len(self.row)

    def between(self, least: int, below: int | None) -> "Known | None":
        """Give those from row `least` on, up to `below`; None if there is none."""
        start, stop = np.searchsorted(self.row, [least, self.row[-1] + 1 if below is None else below])
        part = slice(int(start), int(stop))
        return Known(self.row[part], self.line[part], self.offset[part], self.place[part]) if start < stop else None


class Block(Struct, frozen=True):
    """Consecutive records of a file, in order.

    `cells` holds one string array per sender's column (never null; an absent or null cell is ''),
    all of one length. `row` counts as spec §1; `line` and `offset` are None for sheets and Parquet.
    `offset` and `end` are byte positions in the decompressed source (`end` exclusive, without the
    line end). `raw(i)` gives record i's bytes as sent, b'' where there are none (sheets, Parquet).
    """

    cells: tuple[pa.Array, ...]
    row: Rows
    line: Rows | None = None
    offset: Rows | None = None
    end: Rows | None = None
    data: bytes = b""
    """The source bytes of this block; the first one is at `data_offset` of the source."""
    data_offset: int = 0
    rejects: Rejects = broken.NONE
    notes: tuple[Finding, ...] = ()
    """Findings about rows kept or blank: ROW_QUOTE_REPAIRED, ROW_BLANK."""
    reshaped: frozenset[int] = frozenset()
    """Rows that were not separated as the header is: their bytes cannot be put under it again."""
    repaired: frozenset[int] = frozenset()
    """Rows that were read otherwise than they are written, those among them: a spreadsheet may not read them so."""
    marks: Marks | None = None
    """Of each row, where a sieve asked for them."""
    known: Known | None = None
    """Records that a sieve kept back: they are none of the block's rows."""
    numbers: Numbers = ()
    """Their texts have a `.` whatever the decimal mark of others (JSON, sheets, Parquet)."""
    corrects: frozenset[str] = frozenset()
    """Of a correction: the uploads that its rejected rows name, as far as it can be told."""

    def __len__(self) -> int:
        return len(self.row)

    def parts(self, rows: int) -> Iterator["Block"]:
        """Give the block in parts of at most so many rows; what is no row goes with the rows before it."""
        for start in range(0, max(len(self), 1), rows):
            part = slice(start, start + rows)
            least = int(self.row[start]) if start else 0
            below = int(self.row[part.stop]) if part.stop < len(self) else None
            yield replace(
                self,
                cells=tuple(column[part] for column in self.cells),
                rejects=self._rejects(least, below),
                notes=tuple(note for note in self.notes if _within(note, least, below)),
                reshaped=_shifted(self.reshaped, part),
                repaired=_shifted(self.repaired, part),
                known=None if self.known is None else self.known.between(least, below),
                **self._chosen(part),
            )

    def _chosen(self, rows: Any) -> dict[str, Any]:
        """Give what is told of some rows: a slice or a mask."""
        columns = {name: getattr(self, name) for name in ("row", "line", "offset", "end", "marks")}
        told = {name: column[rows] for name, column in columns.items() if column is not None}
        return {"numbers": chosen(self.numbers, rows), **told}

    def _rejects(self, least: int, below: int | None) -> Rejects:
        first = np.searchsorted(self.rejects.row, least)
        last = len(self.rejects) if below is None else np.searchsorted(self.rejects.row, below)
        return self.rejects if last - first == len(self.rejects) else self.rejects[int(first) : int(last)]

    def without(self, rejected: Rows) -> "Block":
        """Give the block without some of its rows (by index), and what is noted of them."""
        keep = np.ones(len(self), np.bool_)
        keep[rejected] = False
        gone = set(self.row[rejected].tolist())
        place = np.cumsum(keep) - 1
        reshaped, repaired = (
            frozenset(int(place[index]) for index in indices if keep[index])
            for indices in (self.reshaped, self.repaired)
        )
        return replace(
            self,
            cells=tuple(column.filter(pa.array(keep)) for column in self.cells),
            notes=tuple(note for note in self.notes if note.row not in gone),
            reshaped=reshaped,
            repaired=repaired,
            **self._chosen(keep),
        )

    def raw(self, index: int) -> bytes:
        """Record `index` of this block as sent, without its line end; b'' if it would not fit the header."""
        if self.offset is None or self.end is None or index in self.reshaped:
            return b""
        return self.data[int(self.offset[index]) - self.data_offset : int(self.end[index]) - self.data_offset]


def chosen(numbers: Numbers, rows: Any) -> Numbers:
    """Give what is known of some rows: a slice, indices or a mask."""
    return tuple(None if column is None else column[rows] for column in numbers)


def _shifted(indices: frozenset[int], part: slice) -> frozenset[int]:
    return frozenset(index - part.start for index in indices if part.start <= index < part.stop)


def _within(finding: Finding, least: int, below: int | None) -> bool:
    row = finding.row or 0
    return row >= least and (below is None or row < below)


class Tally(Struct):
    """Counts of what was seen, complete once `blocks()` is exhausted. Bytes add up to the file's."""

    readable: int = 0
    rejected: int = 0
    blank: int = 0
    skipped: int = 0
    readable_bytes: int = 0
    rejected_bytes: int = 0
    blank_bytes: int = 0
    skipped_bytes: int = 0
    """Title lines, header, footer, other tables."""
    total_bytes: int = 0
    late: list[Finding] = field(default_factory=list)
    """Whole-file findings known only at the end (FILE_FOOTER …)."""


class Source(Struct, kw_only=True):
    """An opened file: `read.opening.open_source(path, hints)` gives one.

    Raises errors.Refused with a fatal FILE_* code, or errors.Incomplete, at opening or while
    iterating. `blocks()` may be called again: it reads from the start (tally begins anew).
    """

    format: Format
    headers: tuple[str, ...]
    """As sent, in order; for JSON the union of keys in order of appearance in the first block
    (later new keys end up in `late` as FILE_HEADER_UNKNOWN if unknown, else the file is surveyed)."""
    header_raw: bytes = b""
    """The header record as sent, without its line end; b'' for sheets, JSON, Parquet."""
    findings: tuple[Finding, ...] = ()
    """Whole-file findings known at opening."""
    tally: Tally
    line_end: str = "\n"
    """How the header ends its line (`\n`, `\r\n`, `\r`)."""
    bom: bytes = b""
    """The byte order mark at the file's start."""

    @property
    def correction_of(self) -> bool:
        """Whether a `_correction_of` column is among the headers."""
        return "_correction_of" in self.headers

    def blocks(self) -> Iterator[Block]:
        """Read the records, about 6 MiB at a time."""
        raise NotImplementedError
