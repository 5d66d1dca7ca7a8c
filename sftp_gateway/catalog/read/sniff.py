"""Which delimiter and quote a text has, and where its header is: judged on the first records.

A dialect is right when the records have the same number of cells *and* the header holds names that
we know; a title line above the header, or one odd row, does not change the verdict.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sftp_gateway import errors
from sftp_gateway.catalog.folding import fold
from sftp_gateway.catalog.read import bounds, careful, footer
from sftp_gateway.catalog.read.dialect import DELIMITERS, QUOTES, Dialect
from sftp_gateway.catalog.read.source import Hints

_NAMES = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "none": ""}


@dataclass(frozen=True, slots=True)
class Record:
    """A record of the sample; `strict` if it obeys the rules of its dialect."""

    start: int
    end: int
    stop: int
    cells: tuple[bytes, ...]
    strict: bool

    @property
    def blank(self) -> bool:
        """Whether no cell holds anything."""
        return not any(cell.strip() for cell in self.cells)


@dataclass(frozen=True, slots=True)
class Layout:
    """How a delimited text begins: its dialect, its records up to the sample's end, which one is the header."""

    dialect: Dialect
    records: tuple[Record, ...]
    header: int
    known: int
    """How many of the header's cells we know."""

    @property
    def headers(self) -> tuple[str, ...]:
        """The header's cells."""
        return tuple(cell.decode(errors="replace") for cell in self.records[self.header].cells)


def layout(sample: bytes, hints: Hints) -> Layout:
    """Find dialect and header of a text's first bytes; Refused FILE_DELIMITER where no delimiter fits."""
    best: tuple[float, Layout] | None = None
    for quote in _candidates(hints.quote, QUOTES):
        for delimiter in _candidates(hints.delimiter, DELIMITERS):
            if delimiter.encode() not in sample and not hints.delimiter and delimiter != ",":
                continue
            if quote == "'" and not hints.quote and not _quotes_cells(sample, delimiter, quote):
                continue
            scored = _judge(sample, Dialect(delimiter, quote), hints)
            if best is None or scored[0] > best[0]:
                best = scored
    assert best is not None  # a comma is always tried
    found = best[1]
    if len(found.headers) == 1 and not (found.known or hints.delimiter or hints.lenient):
        raise errors.Refused(
            "FILE_DELIMITER",
            "No delimiter was found: with comma, semicolon, tab and pipe alike, the rows have one column.",
            "Separate the columns with commas, or set `delimiter` for this brand.",
        )
    return found


def _candidates(pinned: str, every: Sequence[str]) -> Sequence[str]:
    return (_NAMES.get(pinned.lower(), pinned),) if pinned else every


def _quotes_cells(sample: bytes, delimiter: str, quote: str) -> bool:
    """Whether cells are really quoted by `'`: apostrophes are common in text."""
    d, q = delimiter.encode(), quote.encode()
    opening = sample.count(d + q) + sample.count(b"\n" + q) + sample.startswith(q)
    closing = sample.count(q + d) + sample.count(q + b"\n") + sample.count(q + b"\r")
    return (
        opening >= 2 and closing >= 2 and min(opening, closing) * 2 > sample.count(q) * 0.6 and d + b'"' not in sample
    )


def records_of(sample: bytes, dialect: Dialect) -> tuple[Record, ...]:
    """Give the first records of a text; one that is not strict is read leniently, on its line."""
    found: list[Record] = []
    position = 0
    while position < len(sample) and len(found) < bounds.SAMPLE_RECORDS:
        match = dialect.record.match(sample, position)
        if match is not None:
            record = sample[position : match.end()]
            cells = dialect.cells(record.rstrip(b"\r\n") if record[-1:] in b"\r\n" else record)
            found.append(_record(sample, position, match.end(), tuple(cells or (record,)), strict=cells is not None))
        else:
            stop = _next_line(sample, position)
            line = sample[position:stop].rstrip(b"\r\n")
            cells = careful.lenient(line, dialect) or line.split(dialect.delimiter.encode())
            found.append(_record(sample, position, stop, tuple(cells), strict=False))
        position = found[-1].stop
    return tuple(found)


def _record(sample: bytes, start: int, stop: int, cells: tuple[bytes, ...], *, strict: bool) -> Record:
    end = stop
    if sample[end - 1] == 10:
        end -= 1
    if end > start and sample[end - 1] == 13:
        end -= 1
    return Record(start, end, stop, cells, strict)


def _next_line(sample: bytes, position: int) -> int:
    feed, back = sample.find(b"\n", position), sample.find(b"\r", position)
    if back >= 0 and (feed < 0 or back < feed - 1):
        return back + 1
    return feed + 1 if feed >= 0 else len(sample)


def _judge(sample: bytes, dialect: Dialect, hints: Hints) -> tuple[float, Layout]:
    records = records_of(sample, dialect)
    filled = [record for record in records if not record.blank]
    widths = Counter(len(record.cells) for record in filled)
    width = max(widths, key=lambda columns: (widths[columns] * (columns > 1), columns)) if widths else 1
    share = widths[width] / max(1, len(filled)) if width > 1 else 0.0
    strict = sum(record.strict for record in filled) / max(1, len(filled))
    header, known = find_header([record.cells for record in records[:200]], width, hints)
    names = len(records[header].cells) if records else 1
    # Cells that end up quoted tell that the quote is one; a tie goes to the earlier candidate.
    score = share * (1 - 1 / width) * (0.5 + 0.5 * strict) + 2 * known / max(1, names) * (names > 1) + 0.001 * known
    return score, Layout(dialect, records, header, known)


def find_header(rows: Sequence[Sequence[bytes]], width: int, hints: Hints) -> tuple[int, int]:
    """Which row is the header, and how many of its names we know; `width`: the usual number of cells."""
    first = [number for number, cells in enumerate(rows) if any(cell.strip() for cell in cells)]
    first = first[: bounds.PREAMBLE_RECORDS + 1]
    if not first:
        return 0, 0
    scores = {number: known_names(rows[number], hints) for number in first}
    best = max(first, key=lambda number: scores[number])
    if scores[best] >= 2 or (scores[best] == 1 and len(rows[best]) == 1):
        return best, scores[best]
    for number in first:
        if len(rows[number]) > 1 and sum(bool(cell.strip()) for cell in rows[number]) * 2 > width:
            return number, scores[number]
    return first[0], scores[first[0]]


def known_names(cells: Sequence[bytes], hints: Hints) -> int:
    """How many of the cells are names of columns."""
    count = 0
    for cell in cells:
        if len(cell) < 256 and cell.strip():
            text = cell.decode(errors="replace")
            count += is_known(text, hints)
    return count


def is_known(header: str, hints: Hints) -> bool:
    """Whether a header is one that a catalog column goes by; `variation:Width` is, if `variation` is."""
    name = fold(header)
    return name in hints.known_headers or (":" in name and name.partition(":")[0] in hints.known_headers)


def check_width(found: Layout, hints: Hints, *, whole: bool) -> None:
    """Refused FILE_HEADER_COLUMNS where no row has as many cells as the header; `whole`: the sample is the file."""
    header = found.records[found.header]
    width = len(header.cells)
    rows = [record for record in found.records[found.header + 1 :] if not record.blank]
    if rows and whole and not hints.complete and rows[-1].end == rows[-1].stop and len(rows[-1].cells) < width:
        rows.pop()  # cut off: the reader says so
    rows = [
        row
        for row in rows
        if not footer.is_footer(
            [cell.decode(errors="replace") for cell in row.cells], width, ragged=len(row.cells) != width
        )
    ]
    if not rows or any(len(row.cells) == width for row in rows):
        return
    columns, count = Counter(len(row.cells) for row in rows).most_common(1)[0]
    if not whole and count < 0.9 * len(rows):
        return
    raise errors.Refused(
        "FILE_HEADER_COLUMNS",
        f"The header has {width} columns, but the rows have {columns}.{_place(found.headers, columns, found.dialect, hints)}",
        "Mend the header row so that it has one name for each column, and send the file again.",
    )


def usual_width(found: Layout) -> int:
    """How many cells the rows have: the header's number, unless no row of the sample has it (`lenient` reading)."""
    width = len(found.records[found.header].cells)
    widths = Counter(len(row.cells) for row in found.records[found.header + 1 :] if not row.blank)
    return width if not widths or width in widths else widths.most_common(1)[0][0]


def _place(headers: Sequence[str], columns: int, dialect: Dialect, hints: Hints) -> str:
    if len(headers) > columns:
        empty = [str(number) for number, header in enumerate(headers, 1) if not header.strip()]
        return f" Column {', '.join(empty)} of the header has no name." if empty else ""
    for number, header in enumerate(headers, 1):
        parts = _two_headers(header, hints)
        if parts:
            name = {"\t": "tab", ",": "comma", ";": "semicolon", "|": "pipe"}.get(dialect.delimiter, "delimiter")
            return (
                f" Column {number}, `{header}`, looks like two headers: is the {name} missing "
                f"between `{parts[0]}` and `{parts[1]}`?"
            )
    return ""


def _two_headers(header: str, hints: Hints) -> tuple[str, str] | None:
    words = header.split()
    if is_known(header, hints):
        return None
    for cut in range(1, len(words)):
        one, two = " ".join(words[:cut]), " ".join(words[cut:])
        if is_known(one, hints) and is_known(two, hints):
            return one, two
    return None
