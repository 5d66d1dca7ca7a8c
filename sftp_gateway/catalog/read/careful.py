"""One record at a time where the text is damaged: repair it if only one reading is possible, else give it up and go on.

The promise is that a bad quote costs one row: a damaged record ends where the first line that is a
whole record by itself begins, or where an unclosed quote has gone too far (bounds.QUOTE_*).
"""

import re
from dataclasses import dataclass

from sftp_gateway.catalog.read import bounds
from sftp_gateway.catalog.read.dialect import Dialect

_LINE_END = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class Found:
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


def resolve(text: Text, start: int, *, distrust: bool = False) -> Found | None:
    """Find the record at `start`; None if more of the file must be seen to tell.

    `distrust`: do not take a strict record over several lines at its word.
    """
    whole = _strict(text, start, bounds.RECORD_BYTES)
    if whole == len(text.data) and not text.final:
        return None
    line = _line(text, start)
    if line is None:
        return None
    if whole is not None:
        end = _end(text.data, whole, start)
        lines = len(_LINE_END.findall(text.data, start, end))
        if not lines or not distrust:
            columns = len(text.dialect.cells(text.data[start:end]) or ())
            if columns == text.width:
                return Found(end, whole)
            if not lines:
                return Found(end, whole, "ROW_COLUMNS")
    return _damaged(text, start, line, None if distrust else whole)


def _damaged(text: Text, start: int, line: tuple[int, int], whole: int | None) -> Found | None:
    """Read a record that is not strict. `whole`: where its strict reading, of a wrong width, ends."""
    end, stop = line
    of_line = _literal if text.dialect.literal else readings
    if (cells := of_line(text.data[start:end], text.dialect, text.width)) is not None:
        return Found(end, stop, "ROW_QUOTE_REPAIRED", "", cells)
    if text.data.count(text.dialect.quote.encode(), start, end) % 2 == 0:
        return Found(end, stop, "ROW_QUOTE", _why(text.data[start:end], text.dialect))
    opened = _extent(text, start, end, stop, whole)
    if opened is None:
        return None
    end, stop, at_end = opened
    if at_end is False and stop == whole:
        return Found(end, stop, "ROW_COLUMNS")
    if end != line[0] and (cells := readings(text.data[start:end], text.dialect, text.width)) is not None:
        return Found(end, stop, "ROW_QUOTE_REPAIRED", "", cells)
    if text.data.count(text.dialect.delimiter.encode(), start, line[0]) == text.width - 1:
        # The first line has all columns by itself: what follows it is none of this row's business.
        at_end, (end, stop) = at_end and stop == line[1], line
    lines = len(_LINE_END.findall(text.data, start, end)) + 1
    where = "before the end of the file" if at_end else f"within {lines:,} lines" if lines > 1 else "in its row"
    return Found(end, stop, "ROW_QUOTE", f"A quote opens and does not close {where}.", open=at_end)


def _extent(text: Text, start: int, end: int, stop: int, whole: int | None) -> tuple[int, int, bool] | None:
    """How far a record with an open quote goes: (end, stop, whether the file ended in it); None: see more."""
    for _ in range(bounds.QUOTE_LINES):
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
        end, stop = line
    return end, stop, False


def _begins(text: Text, start: int, until: int | None) -> bool | None:
    """Whether a record of the right width begins at a line; None if more must be seen to tell.

    `until`: where the strict record that goes over this line ends. The quote in its last line is its closing one.
    """
    whole = _strict(text, start, bounds.QUOTE_BYTES)
    if whole is not None:
        if whole == len(text.data) and not text.final:
            return None
        record = text.data[start : _end(text.data, whole, start)]
        return len(text.dialect.cells(record) or ()) == text.width
    line = _line(text, start)
    if line is None:
        return None
    return line[1] != until and readings(text.data[start : line[0]], text.dialect, text.width) is not None


def _strict(text: Text, start: int, limit: int) -> int | None:
    """Where the strict record at `start` stops, line end included; None if there is none within `limit` bytes."""
    edge = min(len(text.data), start + limit)
    match = text.dialect.record.match(text.data, start, edge)
    if match is None or (match.end() == edge < len(text.data) and text.data[edge - 1] not in b"\r\n"):
        return None
    return match.end()


def _line(text: Text, start: int) -> tuple[int, int] | None:
    """(end, next start) of the physical line at `start`; None if its end is not in sight."""
    match = _LINE_END.search(text.data, start)
    if match is None:
        return (len(text.data), len(text.data)) if text.final else None
    if match.end() == len(text.data) and match.group() == b"\r" and not text.final:
        return None
    return match.start(), match.end()


def _end(data: bytes, stop: int, start: int) -> int:
    """Where a record ends whose line end is before `stop`."""
    if stop > start and data[stop - 1] == 10:
        stop -= 1
        return stop - 1 if stop > start and data[stop - 1] == 13 else stop
    return stop - 1 if stop > start and data[stop - 1] == 13 else stop


def _why(line: bytes, dialect: Dialect) -> str:
    """Say which cell cannot be read; only that cell is shown, whatever stands behind it."""
    quote, delimiter = dialect.quote.encode(), dialect.delimiter.encode()
    cells = line.split(delimiter)
    odd = next((cell for cell in cells if quote in cell.strip(b" ") and dialect.cells(cell) is None), b"")
    shown = f": {odd[:40].decode(errors='replace')}" if odd else ""
    return f"A quote ({dialect.quote}) stands where it can be read in more than one way{shown}"


def readings(record: bytes, dialect: Dialect, width: int) -> tuple[bytes, ...] | None:
    r"""Give the cells of a damaged record if exactly one reading gives `width` cells, else None.

    Quotes inside a plain cell are literal; inside a quoted one, a quote that does not stand before a
    delimiter or the end is. Closing at every chance gives the most cells, so a reading of the
    right width that does so is the only one; the variants are `\\"` and a quote doubled at the end.
    """
    escaped = b"\\" + dialect.quote.encode() in record
    found: set[tuple[bytes, ...]] = set()
    for backslash in (True, False) if escaped else (False,):
        for even_closes in (False, True):
            cells = _read(record, dialect, backslash, even_closes)
            if cells is not None and len(cells) == width:
                found.add(tuple(cells))
        if found:
            break
    return found.pop() if len(found) == 1 else None


def _literal(line: bytes, dialect: Dialect, width: int) -> tuple[bytes, ...] | None:
    """Give the cells of a line whose sender quotes nothing; but one that is quoted as it should be comes without."""
    cells = line.split(dialect.delimiter.encode())
    if len(cells) != width:
        return None
    return tuple((dialect.cells(cell) or [cell])[0] for cell in cells)


def lenient(record: bytes, dialect: Dialect) -> list[bytes] | None:
    """Give the cells of a damaged line, read so that most of them come out; None if a quote does not close."""
    return _read(record, dialect, backslash=False, even_closes=False)


def _read(record: bytes, dialect: Dialect, backslash: bool, even_closes: bool) -> list[bytes] | None:
    delimiter, quote = dialect.delimiter.encode(), dialect.quote.encode()
    cells: list[bytes] = []
    plain: list[bytes] = []
    position, size = 0, len(record)
    while True:
        opening = position
        while opening < size and record[opening] == 0x20:
            opening += 1
        if record[opening : opening + 1] == quote:
            closed = _close(record, opening + 1, dialect, backslash, even_closes)
            if closed is None:
                return None
            content, position = closed
            if _names_twice(content, quote, delimiter):
                return None
            cells.append(_unescape(content, quote, backslash))
        else:
            end = record.find(delimiter, position)
            end = size if end < 0 else end
            cell = record[position:end]
            if b"\n" in cell or b"\r" in cell:
                return None
            cells.append(_unescape_plain(cell, quote) if backslash else cell)
            plain.append(cell)
            position = end
        if position >= size:
            lost = _lost_opening(plain, len(cells), quote) or _lost_delimiter(plain, quote)
            return None if lost else cells
        position += 1


def _lost_opening(plain: list[bytes], count: int, quote: bytes) -> bool:
    """Whether the only cell that is not quoted ends with a quote, which may have had one before it."""
    return len(plain) == 1 and count > 1 and plain[0].endswith(quote)


def _lost_delimiter(plain: list[bytes], quote: bytes) -> bool:
    """Whether a quote opens behind and right before other text and closes a later cell: `red"Toys, Games"`."""
    marked = [cell for cell in plain if quote in cell]
    if [cell.count(quote) for cell in marked] != [1, 1]:
        return False
    before, _, after = marked[0].partition(quote)
    return before.strip() != b"" and after[:1].strip() != b"" and marked[1].endswith(quote)


def _names_twice(content: bytes, quote: bytes, delimiter: bytes) -> bool:
    """Whether a cell like `"A" and "B"` may as well be text that begins and ends with a quoted word."""
    parts = content.split(quote)
    if len(parts) < 3 or len(parts) % 2 == 0 or delimiter in content or b"\n" in content or b"\r" in content:
        return False
    return parts[0][-1:].strip() != b"" and parts[1][:1] == b" " and parts[-2][-1:] == b" " and parts[-1][:1] != b" "


def _close(record: bytes, start: int, dialect: Dialect, backslash: bool, even_closes: bool) -> tuple[bytes, int] | None:
    """Find the quote that closes a cell whose content begins at `start`: (content, position behind it)."""
    quote, size, at = dialect.quote.encode(), len(record), start
    while (first := record.find(quote, at)) >= 0:
        if backslash and first > start and record[first - 1] == 0x5C:
            at = first + 1
            continue
        last = first
        while record[last + 1 : last + 2] == quote:
            last += 1
        after = last + 1
        while after < size and record[after] == 0x20:
            after += 1
        closes = (last - first) % 2 == 0 or even_closes
        if closes and (after == size or record[after] == dialect.delimiter_byte):
            return record[start:last], after
        at = last + 1
    return None


def _unescape_plain(cell: bytes, quote: bytes) -> bytes:
    """Take the backslashes from the quotes of a cell that is not quoted, if all of them have one."""
    escaped = b"\\" + quote
    return cell.replace(escaped, quote) if cell.count(escaped) == cell.count(quote) else cell


def _unescape(content: bytes, quote: bytes, backslash: bool) -> bytes:
    if backslash:
        content = content.replace(b"\\" + quote, quote)
    return content.replace(quote * 2, quote)
