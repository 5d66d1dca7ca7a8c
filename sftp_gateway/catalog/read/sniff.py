"""Which delimiter and quote a text has, and where its header is: judged on the first records.

A dialect is right when the records have the same number of cells *and* the header holds names that
we know; a title line above the header, or one odd row, does not change the verdict.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sftp_gateway import errors
from sftp_gateway.catalog.read import bounds, careful, heading, mending, rewriting, separators
from sftp_gateway.catalog.read.dialect import DELIMITERS, QUOTES, Dialect
from sftp_gateway.catalog.read.heading import Heading
from sftp_gateway.catalog.read.rewriting import Rewriting
from sftp_gateway.catalog.read.sampling import Record, Sample
from sftp_gateway.catalog.read.source import Hints

_QUOTED = 0.05
"""What cells between `'` are worth: more than one row in twenty that has another width then."""
_ALL_QUOTED = 0.6
"""What they are worth where nearly all cells are so: more than all rows being strict."""
_UNUSUAL = 0.25
"""How much better than a usual delimiter another sign must be that does not fit all records."""
_FEW_COLUMNS = 2
_MOST, _ODD = 0.8, 0.05
"""How many records a longer delimiter must fit at least, and how many fewer than the one that is a part of it."""
_QUOTED_TEXT = re.compile(rb""" "[^"\r\n]*" | '[^'\r\n]*' """, re.VERBOSE)
_NAMES = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "none": ""}


@dataclass(frozen=True, slots=True)
class Layout:
    """How a delimited text begins: its dialect, its records up to the sample's end, its header."""

    dialect: Dialect
    records: tuple[Record, ...]
    heading: Heading
    rewriting: Rewriting | None = None
    """What the text was rewritten by before it was told apart."""


def layout(text: bytes, hints: Hints, *, whole: bool = False) -> Layout:
    """Find dialect and header of a text's first bytes; Refused FILE_DELIMITER where no delimiter fits.

    `whole`: the sample is the whole file.
    """
    sample = Sample(text)
    dialect = _usual(sample, hints)
    way: Rewriting | None = None
    if not hints.delimiter:
        found = _unusual(sample, dialect, hints)
        dialect, way = found.dialect, found.rewriting
        sample = Sample(way.text(text)) if way else sample
    records = sample.records(dialect, bounds.WHOLE_RECORDS if whole else bounds.SAMPLE_RECORDS)
    if _is_literal(sample.text, dialect, records):
        dialect = replace(dialect, literal=True)
    if _is_padded(records):
        dialect = replace(dialect, padded=True)
        records = tuple(replace(record, cells=_unpadded(record.cells)) for record in records)
    records = _unwrapped(records, dialect)
    head = heading.find([record.cells for record in records], hints, whole=whole)
    if len(head.names) == 1 and not (head.known or hints.delimiter or hints.lenient):
        raise errors.Refused(
            "FILE_DELIMITER",
            "No delimiter was found: with comma, semicolon, tab and pipe alike, the rows have one column.",
            "Separate the columns with commas, or set `delimiter` for this brand.",
        )
    return Layout(dialect, records, head, way)


def _usual(sample: Sample, hints: Hints) -> Dialect:
    """Give the best dialect with one of the usual delimiters."""
    tried: list[tuple[float, Dialect]] = []
    for quote in _candidates(hints.quote, QUOTES):
        for delimiter in _candidates(hints.delimiter, DELIMITERS):
            if delimiter.encode() not in sample.text and not hints.delimiter and delimiter != ",":
                continue
            more = _apostrophes(sample.text, delimiter) if quote == "'" and not hints.quote else 0.0
            if more is None:
                continue
            dialect = Dialect(delimiter, quote)
            tried.append((_judge(sample.records(dialect), hints) + more, dialect))
    best = max(tried, key=lambda each: each[0])  # a comma is always tried
    if not _separates_first(sample, best[1]):
        # More columns in the rows are worth less than the same ones in all lines, the first too: a decimal comma.
        best = max((each for each in tried if _separates_all(sample, each[1])), key=lambda each: each[0], default=best)
    return best[1] if hints.delimiter else _by_spaces(sample, best[1], hints)


def _separates_first(sample: Sample, dialect: Dialect) -> bool:
    return any(len(record.cells) > 1 for record in sample.filled(dialect)[:1])


def _separates_all(sample: Sample, dialect: Dialect) -> bool:
    """Whether all records have the same columns, and more than one."""
    fit = sample.fit(dialect)
    return fit.width > 1 and fit.rows == len(sample.filled(dialect)) > 2


def _unusual(sample: Sample, dialect: Dialect, hints: Hints) -> separators.Spelling:
    """Give the dialect, or an unusual one (and what the text is rewritten by) if that fits where it does not."""
    fit = sample.fit(dialect)
    if found := _framed(sample, dialect, hints) or _longer(sample, dialect):
        return found
    if separators.is_shielded(sample.text, dialect.delimiter):
        return separators.Spelling(dialect, Rewriting(shielded=dialect.delimiter))
    if fit.perfect:
        # Each line of words may have as many spaces as the others by chance: a sign that gives more columns was meant.
        by_sign = _fitting(sample, _tried(sample), fit) if dialect.delimiter == " " else None
        return by_sign or separators.Spelling(dialect)
    cells = [record.cells for record in sample.filled(dialect)]
    for way in separators.rewritings(sample.text, cells, fit):
        inner = Sample(way.text(sample.text))
        usual = _usual(inner, hints)
        if inner.fit(usual).perfect:
            return separators.Spelling(usual, way)
    if heading.known_names(cells[0] if cells else (), hints) > 1:
        return separators.Spelling(dialect)
    return _by_signs(sample, dialect, fit, hints)


def _framed(sample: Sample, dialect: Dialect, hints: Hints) -> separators.Spelling | None:
    """Give the spelling of a table in a frame of bars."""
    if dialect.delimiter != "|" or not rewriting.is_framed(sample.text):
        return None
    way = Rewriting(framed=True)
    return separators.Spelling(_usual(Sample(way.text(sample.text)), replace(hints, delimiter="|")), way)


def _by_signs(sample: Sample, dialect: Dialect, fit: separators.Fit, hints: Hints) -> separators.Spelling:
    """Give the dialect, or the spelling with another sign, or several, that fits where it (`fit`) does not."""
    tried = _tried(sample)
    if found := _fitting(sample, tried, fit):
        return found
    least = _judge(sample.records(dialect), hints) + (0.0 if fit.alone else _UNUSUAL)
    scores = [_judge(text.records(spelling.dialect), hints) for spelling, text in tried]
    best = max(range(len(tried)), key=lambda place: scores[place], default=-1)
    if best >= 0 and scores[best] > least and tried[best][1].fit(tried[best][0].dialect).width > _FEW_COLUMNS:
        return _longest(sample, tried[best][0])
    return separators.Spelling(dialect)


def _tried(sample: Sample) -> list[tuple[separators.Spelling, Sample]]:
    return [(spelling, _spelled(sample, spelling)) for spelling in separators.candidates(sample.text)]


def _fitting(
    sample: Sample, tried: Sequence[tuple[separators.Spelling, Sample]], fit: separators.Fit
) -> separators.Spelling | None:
    """Give the first that fits; what gives two columns only (a colon in each address) gives way to what nearly fits with more."""
    fits = [(spelling, text.fit(spelling.dialect)) for spelling, text in tried]
    found = next(((spelling, own) for spelling, own in fits if own.beats(fit)), None)
    if found is not None and found[1].width <= _FEW_COLUMNS:
        wider = (one for one in fits if one[1].width > _FEW_COLUMNS and one[1].share >= _MOST)
        found = next(wider, found)
    return None if found is None else _longest(sample, found[0])


def _longest(sample: Sample, spelling: separators.Spelling) -> separators.Spelling:
    return (None if spelling.rewriting else _longer(sample, spelling.dialect)) or spelling


def _longer(sample: Sample, dialect: Dialect) -> separators.Spelling | None:
    """Give the spelling with a longer delimiter that fits as well."""
    if separators.is_doubled(sample.text, dialect.delimiter, [record.cells for record in sample.filled(dialect)]):
        return separators.spelling(dialect.delimiter * 2, dialect.quote)
    longer = list(separators.longer(sample.text, dialect.delimiter))
    if not longer:
        return None
    usual = sample.fit(dialect)
    for delimiter in longer:
        for quote in separators.quotes(sample.text, delimiter):
            found = separators.spelling(delimiter, quote)
            text = _spelled(sample, found)
            fit, inner = text.fit(found.dialect), text.inner_fit(found.dialect)
            if fit.better(usual) and (usual.perfect or fit.width > _FEW_COLUMNS):
                return found
            least = max(_MOST, sample.inner_fit(dialect).share - _ODD)
            if inner.width > _FEW_COLUMNS and (
                inner.share >= least or separators.is_always(sample.text, delimiter, quote)
            ):
                return found
    return None


def _spelled(sample: Sample, spelling: separators.Spelling) -> Sample:
    return Sample(spelling.rewriting.text(sample.text)) if spelling.rewriting else sample


def _by_spaces(sample: Sample, dialect: Dialect, hints: Hints) -> Dialect:
    """Give the dialect, or spaces where it hardly fits and they give each record the same columns, known ones."""
    filled = sample.filled(dialect)
    strict = sum(record.strict and len(record.cells) > 1 for record in filled)
    delimiter = dialect.delimiter.encode()
    # What stands in quotes is put aside: a delimiter in each line outside them was meant as one.
    outside = all(delimiter in _QUOTED_TEXT.sub(b"", line) for line in _filled_lines(sample.text, delimiter))
    if strict * 2 > len(filled) or outside:
        return dialect
    spaced = replace(dialect, delimiter=" ")
    records = sample.filled(spaced)
    widths = {len(record.cells) for record in records}
    fits = len(records) > 1 and len(widths) == 1 and min(widths) > 1 and all(record.strict for record in records)
    return spaced if fits and (hints.lenient or heading.known_names(records[0].cells, hints) > 1) else dialect


def _unwrapped(records: tuple[Record, ...], dialect: Dialect) -> tuple[Record, ...]:
    """Take a header out of the quotes in which it stands as a whole."""
    widths = Counter(len(record.cells) for record in records if len(record.cells) > 1)
    width = widths.most_common(1)[0][0] if widths else 1
    first = records[: bounds.PREAMBLE_RECORDS + 1]
    inner = [mending.unwrapped(record.cells, dialect, width) for record in first]
    told = (replace(record, cells=cells or record.cells) for record, cells in zip(first, inner, strict=True))
    return (*told, *records[len(first) :])


def _is_literal(sample: bytes, dialect: Dialect, records: Sequence[Record]) -> bool:
    """Whether a sender quotes nothing: each line has all columns without it, and rows break where a quote is believed.

    One such row alone may be damaged; and who quotes doubles the quotes in a cell, or has delimiters in it.
    """
    if all(record.strict for record in records) or not dialect.quote:
        return False
    quote, delimiter = dialect.quote.encode(), dialect.delimiter.encode()
    lines = _filled_lines(sample, delimiter)
    widths = Counter(line.count(delimiter) for line in lines)
    width, whole = widths.most_common(1)[0]
    if not width or len(lines) - whole > len(lines) // 1000:
        return False
    quoting = [line for line in lines if quote in line]
    if any(cell.strip(quote).find(quote * 2) >= 0 for line in quoting for cell in line.split(delimiter)):
        return False
    return sum(_breaks(line, dialect, width + 1) for line in quoting if line.count(delimiter) == width) > 1


def _filled_lines(sample: bytes, delimiter: bytes) -> list[bytes]:
    """Give the lines that hold more than delimiters and spaces."""
    return [line for line in re.split(rb"\r\n|\n|\r", sample) if line.strip(b" " + delimiter)]


def _breaks(line: bytes, dialect: Dialect, width: int) -> bool:
    return dialect.cells(line) is None and careful.readings(line, dialect, width) is None


def _is_padded(records: Sequence[Record]) -> bool:
    """Whether a space stands behind every delimiter."""
    cells = [cell for record in records if record.strict for cell in record.cells[1:]]
    return bool(cells) and len(records) > 1 and all(cell.startswith(b" ") for cell in cells)


def _unpadded(cells: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return (cells[0], *(cell.removeprefix(b" ") for cell in cells[1:]))


def _candidates(pinned: str, every: Sequence[str]) -> Sequence[str]:
    return (_NAMES.get(pinned.lower(), pinned),) if pinned else every


def _apostrophes(sample: bytes, delimiter: str) -> float | None:
    """Say what `'` is worth as the quote; None if no cell begins or none ends with it, or `"` is the quote.

    Apostrophes are common in text: where few stand so, there must be a cell that needs quotes.
    """
    d = delimiter.encode()
    opening, others = (
        sum(sample.count(before + quote) for before in (d, b"\n", b"\r")) + sample.startswith(quote)
        for quote in (b"'", b'"')
    )
    if others * 5 > opening:
        return None  # one row in five may be quoted as no other is
    closing = sum(sample.count(b"'" + after) for after in (d, b"\n", b"\r")) + sample.endswith(b"'")
    cells, doubled = min(opening, closing), sample.count(b"''")
    if not cells:
        return None
    single = sample.count(b"'") - 2 * doubled - sample.count(b"\\'")
    if cells == 1 - bool(doubled) or cells * 2 <= single * 0.6:
        edge = rb"[%b\r\n]" % re.escape(d)
        needed = re.search(rb"(?:\A|%b)'[^']*%b[^']*'(?=%b|\Z)" % (edge, edge, edge), sample)
        return 0.0 if needed else None
    filled = _filled_lines(sample, d)
    every = cells > 0.6 * (sum(line.count(d) for line in filled) + len(filled))
    return _ALL_QUOTED if every else _QUOTED


def _judge(records: Sequence[Record], hints: Hints) -> float:
    """Score a dialect by the records that it gives."""
    filled = [record for record in records if not record.blank]
    widths = Counter(len(record.cells) for record in filled)
    width = max(widths, key=lambda columns: (widths[columns] * (columns > 1), columns)) if widths else 1
    share = widths[width] / max(1, len(filled)) if width > 1 else 0.0
    strict = sum(record.strict for record in filled) / max(1, len(filled))
    header, known = heading.find_header([record.cells for record in records[:200]], width, hints)
    names = len(records[header].cells) if records else 1
    return share * (1 - 1 / width) * (0.5 + 0.5 * strict) + 2 * known / max(1, names) * (names > 1) + 0.001 * known
