"""Records of a stretch of text as a `Block` of cells: Arrow's parser for the clean ones, our own reading for the rest.

The parser's rows and refusals must add up to the records; where they do not, the stretch is taken
apart record by record.
"""

import re
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from sftp_gateway.catalog.findings import Finding
from sftp_gateway.catalog.read import bounds, careful, encoding, footer
from sftp_gateway.catalog.read.careful import Text
from sftp_gateway.catalog.read.encoding import Recoded
from sftp_gateway.catalog.read.records import Records
from sftp_gateway.catalog.read.source import Block, Known, Marks, Reject, Sieve, Tally

_CLEAN, _REPAIRED, _REJECT, _BLANK, _SKIPPED, _KNOWN = range(6)
_LINE_END = re.compile(rb"\r\n|\n|\r")
Kinds = npt.NDArray[np.int8]


@dataclass(slots=True)
class Place:
    """Where in the file a stretch begins: records, physical lines and source bytes before it."""

    row: int = 0
    line: int = 0
    offset: int = 0


@dataclass(slots=True)
class Stretch:
    """One stretch of text on its way to a block."""

    text: Text
    recoded: Recoded
    records: Records
    place: Place
    header: bytes
    """The header record: one met again is skipped."""
    clean: bool = False
    """Known to be UTF-8 throughout."""
    ours: int = 0
    """How many of the last columns are ours, in a correction file: people do not count them."""
    sieve: Sieve | None = None
    marks: Marks | None = None
    """Of every record, if there is a sieve."""
    places: npt.NDArray[np.int64] | None = None
    """Where the rows of records are known, -1 where they are not."""
    kinds: Kinds = field(default_factory=lambda: np.zeros(0, np.int8))
    why: dict[int, Finding] = field(default_factory=dict)
    """What is said of a record that is rejected or repaired."""
    cells: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """What could be told apart of a record that is rejected, and the whole row of a repaired one."""
    columns: list[pa.Array] = field(default_factory=list)
    parsed: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """Which records `columns` hold, in order."""

    def bytes_of(self, index: int) -> bytes:
        """Record `index` in UTF-8, without its line end."""
        return self.text.data[int(self.records.start[index]) : int(self.records.end[index])]

    def give_up(self, index: int, code: str, message: str, suggestion: str = "") -> None:
        """Reject a record."""
        self.kinds[index] = _REJECT
        self.why[index] = Finding(code, message, suggestion)
        cells = _cells_of(self.bytes_of(index), self.text)
        self.cells[index] = cells[: -self.ours] if self.ours and len(cells) > self.ours else cells


def block(stretch: Stretch, tally: Tally, *, final: bool) -> Block:
    """Read the cells of a stretch, count it and make its block; `final`: footers at its end are skipped."""
    _classify(stretch)
    if stretch.sieve is not None:
        _sieve(stretch, stretch.sieve, final=final)
    while not _parse(stretch):
        pass
    if final:
        _skip_footer(stretch, tally)
    return _assemble(stretch, tally)


def _sieve(stretch: Stretch, sieve: Sieve, *, final: bool) -> None:
    """Keep back the clean records whose rows are known; at the end of a file all are read, for a footer is looked for."""
    records = stretch.records
    stretch.marks = sieve.marks(stretch.text.data, records.start, records.stop)
    if final:
        return
    stretch.places = sieve.places(stretch.marks)
    stretch.kinds[(stretch.places >= 0) & (stretch.kinds == _CLEAN)] = _KNOWN


def _classify(stretch: Stretch) -> None:
    """Sort out, before parsing, what is blank, too long, damaged, or the header again."""
    records, text = stretch.records, stretch.text
    sizes = records.end - records.start
    stretch.kinds = np.zeros(len(sizes), np.int8)
    stretch.kinds[sizes == 0] = _BLANK
    empty = bytes([text.dialect.delimiter_byte]) * (text.width - 1)
    for same, kind in ((stretch.header, _SKIPPED), (empty, _BLANK)):
        for index in np.flatnonzero(sizes == len(same)).tolist() if same else ():
            if stretch.bytes_of(index) == same:
                stretch.kinds[index] = kind
    for index, found in records.odd.items():
        if found.code == "ROW_QUOTE_REPAIRED":
            _repaired(stretch, index, found.cells or ())
        elif found.code == "ROW_COLUMNS":
            _ragged(stretch, index)
        elif stretch.kinds[index] == _CLEAN:
            stretch.give_up(index, found.code, found.message, "Double every quote inside a quoted cell.")
    for index in np.flatnonzero(sizes > bounds.RECORD_BYTES).tolist():
        _too_large(stretch, index)


def _too_large(stretch: Stretch, index: int) -> None:
    size = int(stretch.records.end[index] - stretch.records.start[index])
    stretch.kinds[index] = _REJECT
    stretch.why[index] = too_large(size)


def too_large(size: int) -> Finding:
    """Say that a row is beyond the limit."""
    return Finding(
        "ROW_TOO_LARGE", f"The row has {size:,} bytes; {bounds.RECORD_BYTES:,} are allowed.", "Shorten its cells."
    )


def first_line_end(text: bytes) -> tuple[int, int] | None:
    """(position of the first line end, position behind it), None if there is none."""
    match = _LINE_END.search(text)
    return None if match is None else match.span()


def only(reject: Reject, width: int) -> Block:
    """Make a block without rows that holds one reject."""
    none = np.zeros(0, np.int64)
    return Block((pa.array([], pa.string()),) * width, none, none, none, none, rejects=(reject,))


def _repaired(stretch: Stretch, index: int, cells: tuple[bytes, ...]) -> None:
    try:
        stretch.cells[index] = tuple(cell.decode() for cell in cells)
    except UnicodeDecodeError:
        stretch.give_up(index, *_undecodable())
        return
    stretch.kinds[index] = _REPAIRED
    stretch.why[index] = Finding(
        "ROW_QUOTE_REPAIRED",
        "A quote stands where none may; only one reading gives the header's columns, and it was taken.",
        "Double every quote inside a quoted cell.",
    )


def _undecodable() -> tuple[str, str, str]:
    return "ROW_ENCODING", "The row has bytes that are no text in the file's encoding.", "Send the file as UTF-8."


def _ragged(stretch: Stretch, index: int) -> None:
    raw = stretch.bytes_of(index)
    if not raw.strip():
        stretch.kinds[index] = _BLANK
        return
    told = stretch.text.dialect.cells(raw) or []
    if stretch.ours and len(told) > stretch.ours:
        told = told[: -stretch.ours]
    width, columns = stretch.text.width - stretch.ours, len(told)
    cells = f"{columns} cell" + "s" * (columns != 1)
    more = "missing" if columns < width else "too many, or one that has the delimiter in it is not quoted"
    stretch.kinds[index] = _REJECT
    message = f"The row has {cells}, the header {width}."
    stretch.why[index] = Finding("ROW_COLUMNS", message, f"Look for {abs(width - columns)} {more}.")
    stretch.cells[index] = tuple(cell.decode(errors="replace") for cell in told[: bounds.MAX_COLUMNS])


def _cells_of(record: bytes, text: Text) -> tuple[str, ...]:
    """Give what can be told of a record that is given up."""
    first = record[:65536]
    cells = text.dialect.cells(first) or first.split(bytes([text.dialect.delimiter_byte]))
    return tuple(cell.decode(errors="replace") for cell in cells[: bounds.MAX_COLUMNS])


def _parse(stretch: Stretch) -> bool:
    """Parse the clean records; False if some proved not to be and all must be parsed again."""
    clean = np.flatnonzero(stretch.kinds == _CLEAN)
    refused: list[Any] = []
    data = _joined(stretch, clean)
    # Before parsing: Arrow cannot hand over a refused row that is not UTF-8.
    if not stretch.clean and not encoding.is_utf8(data) and _reject_undecodable(stretch, clean):
        return False
    try:
        table = _arrow(data, stretch.text, refused)
    except pa.ArrowInvalid:
        return _parse_slowly(stretch, clean)
    lost = clean[[row.number - 1 for row in refused]] if refused else clean[:0]
    if table.num_rows + len(lost) != len(clean):
        return _parse_slowly(stretch, clean)
    for index in lost.tolist():
        if _has_line_end(stretch.bytes_of(index)) and _tell_apart_anew(stretch, index):
            return False
    for index in lost.tolist():
        _ragged(stretch, index)
    stretch.parsed = np.delete(clean, np.searchsorted(clean, lost)) if len(lost) else clean
    stretch.columns = [
        column.combine_chunks() if column.num_chunks != 1 else column.chunk(0) for column in table.columns
    ]
    return True


def _has_line_end(record: bytes) -> bool:
    return b"\n" in record or b"\r" in record


def _joined(stretch: Stretch, clean: npt.NDArray[np.int64]) -> pa.Buffer:
    """Give the bytes of the clean records, one after the other; no copy where nothing stands between them."""
    records, data = stretch.records, stretch.text.data
    if not len(clean):
        return pa.py_buffer(b"")
    starts, stops = records.start[clean], records.stop[clean]
    gaps = np.flatnonzero(starts[1:] != stops[:-1])
    if not len(gaps):
        return pa.py_buffer(data).slice(int(starts[0]), int(stops[-1] - starts[0]))
    begins = starts[np.concatenate([[0], gaps + 1])]
    finishes = stops[np.concatenate([gaps, [len(stops) - 1]])]
    spans = zip(begins.tolist(), finishes.tolist(), strict=True)
    return pa.py_buffer(b"".join([data[begin:finish] for begin, finish in spans]))


def _arrow(data: pa.Buffer, text: Text, refused: list[Any]) -> pa.Table:
    names = [str(number) for number in range(text.width)]

    def refuse(row: Any) -> str:
        refused.append(row)
        return "skip"

    if not data.size:
        return pa.table({name: pa.array([], pa.string()) for name in names})
    return pa.csv.read_csv(
        pa.BufferReader(data),
        # One Arrow block for all: row numbers are exact only so, and only with a single thread.
        read_options=pa.csv.ReadOptions(column_names=names, block_size=data.size + 1, use_threads=False),
        parse_options=pa.csv.ParseOptions(
            delimiter=text.dialect.delimiter,
            quote_char=text.dialect.quote or False,
            double_quote=True,
            escape_char=False,
            newlines_in_values=True,
            ignore_empty_lines=True,
            invalid_row_handler=refuse,
        ),
        convert_options=pa.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False, check_utf8=False
        ),
    )


def _reject_undecodable(stretch: Stretch, clean: npt.NDArray[np.int64]) -> bool:
    found = False
    for index in clean.tolist():
        record = stretch.bytes_of(index)
        if not record.isascii() and not encoding.is_utf8(record):
            stretch.give_up(index, *_undecodable())
            found = True
    return found


def _parse_slowly(stretch: Stretch, clean: npt.NDArray[np.int64]) -> bool:
    rows: list[list[str]] = []
    kept: list[int] = []
    for index in clean.tolist():
        cells = stretch.text.dialect.cells(stretch.bytes_of(index))
        if cells is None or len(cells) != stretch.text.width:
            _ragged(stretch, index)
        else:
            rows.append([cell.decode() for cell in cells])
            kept.append(index)
    stretch.parsed = np.array(kept, np.int64)
    stretch.columns = [pa.array([row[place] for row in rows], pa.string()) for place in range(stretch.text.width)]
    return True


def _tell_apart_anew(stretch: Stretch, index: int) -> bool:
    """Split a record over several lines whose width is wrong: a quote that is not closed may have made it.

    False if it really is one.
    """
    records = stretch.records
    start, stop = int(records.start[index]), int(records.stop[index])
    part = Text(stretch.text.data[start:stop], stretch.text.dialect, stretch.text.width, final=True)
    founds, position = [], 0
    while position < len(part.data):
        found = careful.resolve(part, position)
        assert found is not None  # the text is final
        founds.append((position + start, replace(found, end=found.end + start, stop=found.stop + start)))
        position = found.stop
    if len(founds) == 1 and founds[0][1].code in ("", "ROW_COLUMNS"):
        return False
    anew = Records(
        np.array([place for place, _ in founds], np.int64),
        np.array([found.end for _, found in founds], np.int64),
        np.array([found.stop for _, found in founds], np.int64),
        {number: found for number, (_, found) in enumerate(founds) if found.code},
        records.line_ends,
        records.cut,
    )
    stretch.records = records.replaced(index, anew)
    stretch.why.clear()
    stretch.cells.clear()
    _classify(stretch)  # all are read now: `places` is of the records as they were told apart before
    if stretch.sieve is not None:
        stretch.marks = stretch.sieve.marks(stretch.text.data, stretch.records.start, stretch.records.stop)
    return True


def _skip_footer(stretch: Stretch, tally: Tally) -> None:
    """Take footer records off the end."""
    kinds, skipped = stretch.kinds, 0
    last = len(kinds) - 1
    while last >= 0 and skipped < bounds.FOOTER_RECORDS:
        if kinds[last] == _BLANK:
            last -= 1
            continue
        ragged = kinds[last] == _REJECT and stretch.why[last].code == "ROW_COLUMNS"
        if not ragged and kinds[last] != _CLEAN:
            break
        cells = stretch.cells[last] if ragged else _cells_of(stretch.bytes_of(last), stretch.text)
        before = last > 0 and kinds[last - 1] == _BLANK
        if not footer.is_footer(cells, stretch.text.width, after_blank=before, ragged=ragged):
            break
        kinds[last] = _SKIPPED
        stretch.why.pop(last, None)
        skipped += 1
        first, last = last, last - 1
    if skipped:
        keep = int(np.searchsorted(stretch.parsed, first))
        gone = stretch.parsed[keep:]
        assert (kinds[gone] == _SKIPPED).all()
        stretch.parsed = stretch.parsed[:keep]
        stretch.columns = [column.slice(0, keep) for column in stretch.columns]
        text = stretch.bytes_of(first)[:80].decode(errors="replace")
        row = stretch.place.row + first + 1
        tally.late.append(Finding("FILE_FOOTER", f"Skipped after the last product: row {row} on ({text})."))


def _assemble(stretch: Stretch, tally: Tally) -> Block:
    records, place, kinds = stretch.records, stretch.place, stretch.kinds
    repaired = np.flatnonzero(kinds == _REPAIRED)
    readable = stretch.parsed
    columns = stretch.columns
    if len(repaired):
        both = np.concatenate([readable, repaired])
        order = np.argsort(both, kind="stable")
        readable = both[order]
        extra = [[stretch.cells[index][number] for index in repaired.tolist()] for number in range(len(columns))]
        columns = [
            pc.take(pa.concat_arrays([column, pa.array(cells, pa.string())]), pa.array(order))
            for column, cells in zip(columns, extra, strict=True)
        ]
    offset = stretch.recoded.raw_positions(records.start) + place.offset
    end = stretch.recoded.raw_positions(records.end) + place.offset
    stop = stretch.recoded.raw_positions(records.stop) + place.offset
    line = records.lines_before(records.start) + place.line + 1
    _count(stretch, tally, stop - np.append(place.offset, stop[:-1]))

    def finding(index: int) -> Finding:
        return replace(
            stretch.why[index], row=place.row + index + 1, line=int(line[index]), byte_offset=int(offset[index])
        )

    def raw(index: int) -> bytes:
        start = int(offset[index]) - place.offset
        return stretch.recoded.raw[start : min(int(end[index]) - place.offset, start + bounds.RECORD_BYTES)]

    rejected = np.flatnonzero(kinds == _REJECT).tolist()
    rejects = tuple(Reject(finding(index), raw(index), stretch.cells.get(index, ())) for index in rejected)
    for index in np.flatnonzero(kinds == _BLANK).tolist():
        stretch.why[index] = Finding("ROW_BLANK", "The row is blank.")
    noted = np.flatnonzero((kinds == _BLANK) | (kinds == _REPAIRED)).tolist()
    _tell_repeated_header(stretch, tally)
    return Block(
        cells=tuple(columns),
        row=readable + place.row + 1,
        line=line[readable],
        offset=offset[readable],
        end=end[readable],
        data=stretch.recoded.raw,
        data_offset=place.offset,
        rejects=rejects,
        notes=tuple(finding(index) for index in noted),
        marks=None if stretch.marks is None else stretch.marks[readable],
        known=_known(stretch, line, offset),
    )


def _known(stretch: Stretch, line: npt.NDArray[np.int64], offset: npt.NDArray[np.int64]) -> Known | None:
    index = np.flatnonzero(stretch.kinds == _KNOWN)
    if stretch.places is None or not len(index):
        return None
    return Known(index + stretch.place.row + 1, line[index], offset[index], stretch.places[index])


def _tell_repeated_header(stretch: Stretch, tally: Tally) -> None:
    for index in np.flatnonzero(stretch.kinds == _SKIPPED).tolist():
        if stretch.header and stretch.bytes_of(index) == stretch.header:
            row = stretch.place.row + index + 1
            tally.late.append(Finding("FILE_PREAMBLE", f"Row {row} is the header again; it was skipped."))


def _count(stretch: Stretch, tally: Tally, sizes: npt.NDArray[np.int64]) -> None:
    kinds = stretch.kinds
    counts = np.bincount(kinds, minlength=6)
    totals = np.bincount(kinds, weights=sizes, minlength=6).astype(np.int64).tolist()
    tally.readable += int(counts[_CLEAN] + counts[_REPAIRED] + counts[_KNOWN])
    tally.rejected += int(counts[_REJECT])
    tally.blank += int(counts[_BLANK])
    tally.skipped += int(counts[_SKIPPED])
    tally.readable_bytes += totals[_CLEAN] + totals[_REPAIRED] + totals[_KNOWN]
    tally.rejected_bytes += totals[_REJECT]
    tally.blank_bytes += totals[_BLANK]
    tally.skipped_bytes += totals[_SKIPPED]
