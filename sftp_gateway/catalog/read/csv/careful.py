"""One record at a time where the text is damaged: repair it if only one reading is possible, else give it up and go on.

The promise is that a bad quote costs one row: a damaged record ends where the first line that is a
whole record by itself begins, or where an unclosed quote has gone too far (bounds.QUOTE_*).
"""

import re
from dataclasses import dataclass, field

from msgspec import Struct
from msgspec.structs import replace

from sftp_gateway.catalog.read import bounds
from sftp_gateway.catalog.read.csv import barren
from sftp_gateway.catalog.read.csv.dialect import Dialect
from sftp_gateway.catalog.read.csv.readings import lenient, readings

LINE_END = re.compile(rb"\r\n|\n|\r")
_SAMPLE_BYTES = 65536
"""A longer record is not looked for where a dialect is only tried."""
_MOST_LINES = 100
"""What a line that has all columns opens is not looked for any further: a file may have a million such lines."""


class Found(Struct, frozen=True):
    """A record at [start, end), the next one beginning at `stop`; with code '' and no cells it is clean.

    `code`: ROW_QUOTE_REPAIRED (then `cells` are its reading), ROW_QUOTE, ROW_COLUMNS. `open`: the
    text ended inside its quotes.
    """

    end: int
    stop: int
    code: str = ""
    message: str = ""
    cells: tuple[bytes, ...] | None = None
    open: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """A stretch of a file from a record's start on: `final` if the file ends where `data` ends."""

    data: bytes
    dialect: Dialect
    width: int
    final: bool
    fruitless: barren.Lines = field(default_factory=barren.Lines, compare=False)
    """At which lines no record begins, as far as that was looked for."""
    escape: list[int] = field(default_factory=lambda: [0, -1], compare=False)
    """From where a backslash before a quote was looked for last, and where it is."""

    def escape_behind(self, start: int) -> int:
        """Where the first backslash before a quote is from `start` on; the end of the data if there is none."""
        since, found = self.escape
        if not since <= start <= found:
            found = self.data.find(b"\\" + self.dialect.sign, start)
            self.escape[:] = start, found if found >= 0 else len(self.data)
        return self.escape[1]


def resolve(text: Text, start: int, *, distrust: bool = False) -> Found | None:
    """Find the record at `start`; None if more of the file must be seen to tell.

    `distrust`: do not take a strict record over several lines at its word.
    """
    whole = _strict(text, start, bounds.RECORD_BYTES, text.dialect.record)
    around = None if distrust or whole is not None or text.dialect.literal else _around(text, start)
    if len(text.data) in (whole, around) and not text.final:
        return None
    line = _line(text, start)
    if line is None:
        return None
    if whole is not None:
        end = end_of(text.data, whole, start)
        lines = len(LINE_END.findall(text.data, start, end))
        if not lines or not distrust:
            columns = len(text.dialect.cells(text.data[start:end]) or ())
            if columns == text.width:
                return Found(end, whole)
            if not lines:
                return Found(end, whole, "ROW_COLUMNS")
    found = None if around is None else _repaired(text, start, around)
    return found or _damaged(text, start, line, None if distrust else whole)


def unsure(found: Found) -> Found:
    """Give up a record that can be read, but may as well be the end of the one before, in which a quote opens."""
    return replace(
        found, code="ROW_QUOTE", message="It may be the end of the row above, whose quote does not close", cells=None
    )


def _repaired(text: Text, start: int, stop: int) -> Found | None:
    """Give the record up to `stop` in its only reading, None if it has none."""
    end = end_of(text.data, stop, start)
    cells = readings(text.data[start:end], text.dialect, text.width)
    return None if cells is None else Found(end, stop, "ROW_QUOTE_REPAIRED", "", cells)


def _damaged(text: Text, start: int, line: tuple[int, int], whole: int | None) -> Found | None:
    """Read a record that is not strict. `whole`: where its strict reading, of a wrong width, ends."""
    end, stop = line
    of_line = _literal if text.dialect.literal else readings
    if (cells := of_line(text.data[start:end], text.dialect, text.width)) is not None:
        return Found(end, stop, "ROW_QUOTE_REPAIRED", "", cells)
    quote = text.dialect.sign
    count, escaped = (text.data.count(mark, start, end) for mark in (quote, b"\\" + quote))
    if count % 2 == 0 and escaped % 2 == 0:
        return Found(end, stop, "ROW_QUOTE", _why(text.data[start:end], text.dialect))
    opened = _extent(text, start, end, stop, whole)
    if opened is None:
        return None
    end, stop, at_end = opened
    if at_end is False and stop == whole:
        return Found(end, stop, "ROW_COLUMNS")
    complete = text.data.count(text.dialect.mark, start, line[0]) == text.width - 1
    far = complete and text.data.count(b"\n", start, end) > _MOST_LINES
    if end != line[0] and not far and (found := _repaired(text, start, stop)) is not None:
        return found
    if complete:
        # The first line has all columns by itself: what follows it is none of this row's business.
        at_end, (end, stop) = at_end and stop == line[1], line
    lines = len(LINE_END.findall(text.data, start, end)) + 1
    where = "before the end of the file" if at_end else f"within {lines:,} lines" if lines > 1 else "in its row"
    return Found(end, stop, "ROW_QUOTE", f"A quote opens and does not close {where}.", open=at_end)


def _around(text: Text, start: int) -> int | None:
    """Where a record over several lines stops that has blanks around cells in quotes, or a backslash before a quote.

    None if it is none. A line that is a row by itself shows that a quote was not closed, where the first line has no such backslash.
    """
    line = _line(text, start)
    if line is None or not text.dialect.quote:
        return None
    stop = _strict(text, start, bounds.QUOTE_BYTES, text.dialect.spaced) or 0
    if stop > line[1] and _is_one(text, start, line, stop):
        return stop
    escape = text.escape_behind(start)
    if escape >= min(start + bounds.QUOTE_BYTES, len(text.data)):
        return None
    stop = _strict(text, start, bounds.QUOTE_BYTES, text.dialect.escaped) or 0
    if stop <= max(escape, line[1]):
        return None
    return stop if escape < line[0] or _is_one(text, start, line, stop) else None


def _is_one(text: Text, start: int, line: tuple[int, int], stop: int) -> bool:
    """Whether no line within a record, whose first is `line`, is a row by itself."""
    last = LINE_END.split(text.data[start : end_of(text.data, stop, start)])[-1]
    if readings(last, text.dialect, text.width) is not None:
        return False
    opened = _extent(text, start, *line, stop)
    return opened is not None and opened[1] == stop


def _extent(text: Text, start: int, end: int, stop: int, whole: int | None) -> tuple[int, int, bool] | None:
    """How far a record with an open quote goes: (end, stop, whether the file ended in it); None: see more."""
    known, lines = text.fruitless if whole is None else barren.Lines(), 0
    while lines < bounds.QUOTE_LINES:
        passed, stop = known.leap(stop, bounds.QUOTE_LINES - lines, start + bounds.QUOTE_BYTES)
        if passed:
            lines, end = lines + passed, end_of(text.data, stop, start)
            continue
        if stop == whole:
            return end, stop, False
        if stop >= len(text.data):
            return (end, stop, True) if text.final else None
        begins = _begins(text, stop, whole)
        if begins is None:
            return None
        if begins or stop - start > bounds.QUOTE_BYTES:
            break
        line = _line(text, stop)
        if line is None:
            return None
        known.add(stop, line[1])
        lines, (end, stop) = lines + 1, line
    return end, stop, False


def _begins(text: Text, start: int, until: int | None) -> bool | None:
    """Whether a record of the right width begins at a line; None if more must be seen to tell.

    `until`: where the strict record that goes over this line ends. The quote in its last line is its closing one.
    """
    whole = _strict(text, start, bounds.QUOTE_BYTES, text.dialect.record)
    if whole is not None:
        if whole == len(text.data) and not text.final:
            return None
        record = text.data[start : end_of(text.data, whole, start)]
        return len(text.dialect.cells(record) or ()) == text.width
    line = _line(text, start)
    if line is None:
        return None
    return line[1] != until and readings(text.data[start : line[0]], text.dialect, text.width) is not None


def _strict(text: Text, start: int, limit: int, pattern: re.Pattern[bytes]) -> int | None:
    """Where the record at `start` stops by a pattern, line end included; None if there is none within `limit` bytes."""
    edge = min(len(text.data), start + limit)
    match = pattern.match(text.data, start, edge)
    if match is None or (match.end() == edge < len(text.data) and text.data[edge - 1] not in b"\r\n"):
        return None
    return match.end()


def _line(text: Text, start: int) -> tuple[int, int] | None:
    """(end, next start) of the physical line at `start`; None if its end is not in sight."""
    match = LINE_END.search(text.data, start)
    if match is None:
        return (len(text.data), len(text.data)) if text.final else None
    if match.end() == len(text.data) and match.group() == b"\r" and not text.final:
        return None
    return match.start(), match.end()


def end_of(data: bytes, stop: int, start: int) -> int:
    """Give where a record ends whose line end is before `stop`."""
    for byte in b"\n\r":
        if stop > start and data[stop - 1] == byte:
            stop -= 1
    return stop


def _why(line: bytes, dialect: Dialect) -> str:
    """Say which cell cannot be read; only that cell is shown, whatever stands behind it."""
    quote, delimiter = dialect.sign, dialect.mark
    cells = line.split(delimiter)
    odd = next((cell for cell in cells if quote in cell.strip(b" ") and dialect.cells(cell) is None), b"")
    shown = f": {odd[:40].decode(errors='replace')}" if odd else ""
    return f"A quote ({dialect.quote}) stands where it can be read in more than one way{shown}"


def _literal(line: bytes, dialect: Dialect, width: int) -> tuple[bytes, ...] | None:
    """Give the cells of a line whose sender quotes nothing; but one that is quoted as it should be comes without."""
    cells = line.split(dialect.mark)
    if len(cells) != width:
        return None
    return tuple((dialect.cells(cell) or [cell])[0] for cell in cells)


def over_lines(text: bytes, start: int, dialect: Dialect) -> tuple[int, list[bytes]] | None:
    """Give where a record stops that goes over several lines in quotes with blanks around them, and its cells, if it does.

    None of its lines but the first may have as many delimiters: then a quote was not closed.
    """
    edge = min(len(text), start + _SAMPLE_BYTES)
    match = dialect.spaced.match(text, start, edge) if dialect.quote else None
    if match is None or match.end() == edge < len(text):
        return None
    record = text[start : end_of(text, match.end(), start)]
    _, *more = LINE_END.split(record)
    cells = lenient(record, dialect) if more else None
    if cells is None or any(line.count(dialect.mark) >= len(cells) - 1 for line in more):
        return None
    return match.end(), cells
