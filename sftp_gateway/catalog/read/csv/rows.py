"""Records of a stretch of text as a `Block` of cells: Arrow's parser for the clean ones, our own reading for the rest.

The parser's rows and refusals must add up to the records; where they do not, the stretch is taken
apart record by record.
"""

import codecs

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import replace

from sftp_gateway.catalog.findings import Finding
from sftp_gateway.catalog.read import bounds
from sftp_gateway.catalog.read.csv import breaks, parsing, ragged, returned, tail
from sftp_gateway.catalog.read.csv.stretch import BLANK, CLEAN, KNOWN, REJECT, REPAIRED, SKIPPED, Stretch
from sftp_gateway.catalog.read.header import naming, titles
from sftp_gateway.catalog.read.rejects import Reject, Rejects
from sftp_gateway.catalog.read.source import Block, Known, Sieve, Tally

_OTHER_QUOTE = {ord('"'): ord("'"), ord("'"): ord('"')}
_MANY = 5
"""Where more than one record in so many is quoted otherwise, the sender means it."""


def block(stretch: Stretch, tally: Tally, other: tail.Other, *, final: bool) -> Block:
    """Read the cells of a stretch, count it and make its block; `final`: footers at its end are skipped.

    `other` remembers from stretch to stretch whether the rows are those of another table.
    """
    _classify(stretch)
    if stretch.sieve is not None and not final:  # at the end of a file all are read, for a footer is looked for
        _keep_back(stretch, stretch.sieve)
    while not parsing.parse(stretch):
        if not len(stretch.kinds):  # the records are others now, and all are read
            _classify(stretch)
    for judge in (_judge_blanks, _judge_spaces, _judge_ends):
        judge(stretch)
        stretch.settle()
    tail.judge_headers(stretch, tally)
    tail.skip_tables(stretch, tally, other)
    if final:
        tail.skip_footer(stretch, tally)
    breaks.judge(stretch)
    stretch.settle()
    return _assemble(stretch, tally)


def _keep_back(stretch: Stretch, sieve: Sieve) -> None:
    """Keep back the clean records whose rows are known."""
    assert stretch.marks is not None
    stretch.places = sieve.places(stretch.marks)
    stretch.kinds[(stretch.places >= 0) & (stretch.kinds == CLEAN)] = KNOWN


def _classify(stretch: Stretch) -> None:
    """Sort out, before parsing, what is blank, too long, damaged, or the header again."""
    records, text = stretch.records, stretch.text
    if stretch.sieve is not None:
        stretch.marks = stretch.sieve.marks(text.data, records.start, records.stop)
    sizes = records.end - records.start
    stretch.kinds = np.zeros(len(sizes), np.int8)
    stretch.kinds[sizes == 0] = BLANK
    empty = text.dialect.mark * (text.width - 1)
    marked = [codecs.BOM_UTF8 + record for record in stretch.header[:1]]  # files were joined, each with its mark
    for same, kind in (*((record, SKIPPED) for record in (*stretch.header, *marked)), (empty, BLANK)):
        for index in np.flatnonzero(sizes == len(same)).tolist() if same else ():
            if stretch.bytes_of(index) == same:
                stretch.kinds[index] = kind
    _judge_damaged(stretch)
    _judge_beginnings(stretch)
    for index in np.flatnonzero(sizes > bounds.RECORD_BYTES).tolist():
        _too_large(stretch, index)


def _judge_damaged(stretch: Stretch) -> None:
    """Mend or reject the records that do not obey the rules; a mark that the file ends counts as a blank one."""
    ended = stretch.ends_with_marks()
    if ended:
        stretch.kinds[-1] = BLANK
    for index, found in stretch.records.odd.items():
        if ended and index == len(stretch.kinds) - 1:
            continue
        if found.code == "ROW_QUOTE_REPAIRED":
            stretch.judge_repaired(index, found.cells or ())
        elif found.code == "ROW_COLUMNS":
            stretch.judge_width(index)
        elif stretch.kinds[index] == CLEAN and not stretch.mend(index, stretch.cells_of(index)):
            stretch.give_up(index, found.code, found.message, "Double every quote inside a quoted cell.")


def _judge_beginnings(stretch: Stretch) -> None:
    """Look at clean records that begin with a number sign, or with the quote that the file does not use, if they are few.

    Only their first bytes are looked at before: most files have none.
    """
    dialect, start = stretch.text.dialect, stretch.records.start
    codes = np.frombuffer(stretch.text.data, np.uint8)
    first = codes[start] if len(start) and start[-1] < len(codes) else np.zeros(len(start), np.uint8)
    other = _OTHER_QUOTE.get(dialect.quote_byte, 0)
    for index in np.flatnonzero(first == codecs.BOM_UTF8[0]).tolist():
        _judge_mark(stretch, index)
    for byte, judge in ((ord("#"), _judge_comment), (other, Stretch.judge_quotes)):
        found = np.flatnonzero(first == byte) if byte else first[:0]
        if len(found) and len(found) * _MANY <= max(len(start), 2 * _MANY):
            for index in found[stretch.kinds[found] == CLEAN].tolist():
                judge(stretch, index)


def _judge_mark(stretch: Stretch, index: int) -> None:
    """Read a row behind the mark that a file began with before another was put before it."""
    record = stretch.bytes_of(index)
    bare = record.removeprefix(codecs.BOM_UTF8)
    cells = stretch.text.dialect.cells(bare) if bare != record and stretch.kinds[index] != SKIPPED else None
    if cells is not None and len(cells) == stretch.text.width:
        said = "A byte order mark stands before the row; it was left out."
        stretch.repair(index, cells, said, reshaped="Join files without the mark that each begins with.")


def _judge_comment(stretch: Stretch, index: int) -> None:
    """Skip a record that begins as a comment does and does not look like the others; of an upload with `# `, for a key may be `#A`."""
    cells = stretch.text.dialect.cells(stretch.bytes_of(index)) or []
    comment = len(cells) == stretch.text.width and (
        naming.is_comment(cells) if stretch.lenient else cells[0].startswith(b"# ")
    )
    sentence = stretch.lenient and titles.is_prose(cells) and not stretch.profile.knows_prose(cells)
    if comment and (sentence or not stretch.profile.fits(cells)):
        stretch.kinds[index] = SKIPPED


def _judge_blanks(stretch: Stretch) -> None:
    """Take rows of nothing but blanks, in quotes or not, for blank ones: they are as those of delimiters alone."""
    if not stretch.columns or not len(stretch.parsed):
        return
    left = np.ones(len(stretch.parsed), np.bool_)
    for column in stretch.columns:
        left &= np.asarray(pc.equal(pc.utf8_trim_whitespace(column), ""))
        if not left.any():
            return
    stretch.kinds[stretch.parsed[left]] = BLANK


def _judge_spaces(stretch: Stretch) -> None:
    """Look at the rows whose second cell begins with a space, if they are few: one may stand behind each delimiter."""
    if len(stretch.columns) < 2 or stretch.text.dialect.padded:
        return
    places = np.flatnonzero(np.asarray(pc.starts_with(stretch.columns[1], " ")))
    if not len(places) or len(places) * _MANY > max(len(stretch.parsed), 2 * _MANY):
        return
    for index in stretch.parsed[places].tolist():
        stretch.judge_spaces(index)


def _judge_ends(stretch: Stretch) -> None:
    """Reject the rows that have a cell where the delimiter stands that ends most rows, and not the header.

    Such a row has a cell too many, and its others are not under their names.
    """
    width = stretch.text.width
    if not stretch.spare or not stretch.columns or not stretch.header:
        return
    named = len(stretch.text.dialect.cells(stretch.header[-1]) or ()) or width
    found = np.zeros(len(stretch.parsed), np.bool_)
    for column in range(max(named, width - stretch.spare), width):
        if stretch.profile.is_mostly_blank(column):
            found |= np.asarray(pc.not_equal(pc.utf8_trim_whitespace(stretch.columns[column]), ""))
    for index in stretch.parsed[found].tolist():
        stretch.give_up(index, "ROW_COLUMNS", *returned.say_width(width, named))


def _too_large(stretch: Stretch, index: int) -> None:
    size = int(stretch.records.end[index] - stretch.records.start[index])
    stretch.reject_beginning(index, too_large(size))


def too_large(size: int) -> Finding:
    """Say that a row is beyond the limit."""
    return Finding(
        "ROW_TOO_LARGE", f"The row has {size:,} bytes; {bounds.RECORD_BYTES:,} are allowed.", "Shorten its cells."
    )


def only(reject: Reject, width: int) -> Block:
    """Make a block without rows that holds one reject."""
    none = np.zeros(0, np.int64)
    marks = np.zeros(0, np.uint64)
    return Block(
        (pa.array([], pa.string()),) * width, none, none, none, none, rejects=Rejects.of([reject]), marks=marks
    )


def _assemble(stretch: Stretch, tally: Tally) -> Block:
    records, place, kinds = stretch.records, stretch.place, stretch.kinds
    readable, columns = _readable(stretch)
    offset = stretch.recoded.raw_positions(records.start) + place.offset
    end = stretch.recoded.raw_positions(records.end) + place.offset
    stop = stretch.recoded.raw_positions(records.stop) + place.offset
    line = records.lines_before(records.start) + place.line + 1
    _count(stretch, tally, stop - np.append(place.offset, stop[:-1]))

    def finding(index: int) -> Finding:
        said = stretch.told[index].finding if kinds[index] == REPAIRED else Finding("ROW_BLANK", "The row is blank.")
        return replace(said, row=place.row + index + 1, line=int(line[index]), byte_offset=int(offset[index]))

    noted = np.flatnonzero((kinds == BLANK) | (kinds == REPAIRED)).tolist()
    _tell_repeated_header(stretch, tally)
    return Block(
        cells=tuple(columns),
        row=readable + place.row + 1,
        line=line[readable],
        offset=offset[readable],
        end=end[readable],
        data=stretch.recoded.raw,
        data_offset=place.offset,
        rejects=ragged.rejects(stretch, line, offset, end),
        notes=tuple(finding(index) for index in noted),
        reshaped=frozenset(np.searchsorted(readable, sorted(stretch.reshaped)).tolist()),
        repaired=frozenset(np.searchsorted(readable, np.flatnonzero(kinds == REPAIRED)).tolist()),
        marks=None if stretch.marks is None else stretch.marks[readable],
        known=_known(stretch, line, offset),
        corrects=frozenset(stretch.corrects),
    )


def _readable(stretch: Stretch) -> tuple[npt.NDArray[np.int64], list[pa.Array]]:
    """Give which records are rows, the repaired ones among them, and their cells by column."""
    repaired = np.flatnonzero(stretch.kinds == REPAIRED)
    readable = stretch.parsed
    columns = stretch.columns
    if len(repaired):
        both = np.concatenate([readable, repaired])
        order = np.argsort(both, kind="stable")
        readable = both[order]
        extra = [[stretch.told[index].cells[number] for index in repaired.tolist()] for number in range(len(columns))]
        columns = [
            pc.take(pa.concat_arrays([column, pa.array(cells, pa.string())]), pa.array(order))
            for column, cells in zip(columns, extra, strict=True)
        ]
    if stretch.text.dialect.padded:
        columns = [*columns[:1], *map(_unpadded, columns[1:])]
    return readable, columns


def _known(stretch: Stretch, line: npt.NDArray[np.int64], offset: npt.NDArray[np.int64]) -> Known | None:
    index = np.flatnonzero(stretch.kinds == KNOWN)
    if stretch.places is None or not len(index):
        return None
    return Known(index + stretch.place.row + 1, line[index], offset[index], stretch.places[index])


def _unpadded(column: pa.Array) -> pa.Array:
    return pc.if_else(pc.starts_with(column, " "), pc.utf8_slice_codeunits(column, 1), column)


def _tell_repeated_header(stretch: Stretch, tally: Tally) -> None:
    for index in np.flatnonzero(stretch.kinds == SKIPPED).tolist():
        record, row = stretch.bytes_of(index), stretch.place.row + index + 1
        again = record.removeprefix(codecs.BOM_UTF8) in stretch.header[:1]
        if again or record.startswith(b"# "):
            what = "the header again" if again else "a comment"
            tally.late.append(Finding("FILE_PREAMBLE", f"Row {row} is {what}; it was skipped."))


def _count(stretch: Stretch, tally: Tally, sizes: npt.NDArray[np.int64]) -> None:
    kinds = stretch.kinds
    counts = np.bincount(kinds, minlength=6)
    totals = np.bincount(kinds, weights=sizes, minlength=6).astype(np.int64).tolist()
    tally.readable += int(counts[CLEAN] + counts[REPAIRED] + counts[KNOWN])
    tally.rejected += int(counts[REJECT])
    tally.blank += int(counts[BLANK])
    tally.skipped += int(counts[SKIPPED])
    tally.readable_bytes += totals[CLEAN] + totals[REPAIRED] + totals[KNOWN]
    tally.rejected_bytes += totals[REJECT]
    tally.blank_bytes += totals[BLANK]
    tally.skipped_bytes += totals[SKIPPED]
