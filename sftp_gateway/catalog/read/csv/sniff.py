"""Which delimiter and quote a text has, and where its header is: judged on the first records.

A dialect is right when the records have the same number of cells *and* the header holds names that
we know; a title line above the header, or one odd row, does not change the verdict.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from sftp_gateway import errors
from sftp_gateway.catalog.read import bounds
from sftp_gateway.catalog.read.csv import mending, printing, readings, rewriting, separators, signs, spacing, undivided
from sftp_gateway.catalog.read.csv.dialect import DELIMITERS, NAMES, QUOTES, Dialect
from sftp_gateway.catalog.read.csv.rewriting import Rewriting
from sftp_gateway.catalog.read.csv.sampling import Record, Sample
from sftp_gateway.catalog.read.header import heading, ournames
from sftp_gateway.catalog.read.header.heading import Heading
from sftp_gateway.catalog.read.source import Hints

_QUOTED = 0.05
"""What cells between `'` are worth: more than one row in twenty that has another width then."""
_ALL_QUOTED = 0.6
"""What they are worth where nearly all cells are so: more than all rows being strict."""
_ESCAPING = 0.005
"""What they are worth by one cell in which they are doubled, or have a backslash."""
_NEARLY_ALL = 0.95
_MANY_RECORDS = 8
_NONE = separators.Fit(1, 0, 0.0, first=False)


class Layout(Struct, frozen=True):
    """How a delimited text begins: its dialect, its records up to the sample's end, its header."""

    dialect: Dialect
    records: tuple[Record, ...]
    heading: Heading
    rewriting: Rewriting
    """What the text was rewritten by before it was told apart."""


def layout(text: bytes, hints: Hints, *, whole: bool = False) -> Layout:
    """Find dialect and header of a text's first bytes; Refused FILE_DELIMITER where no delimiter fits.

    `whole`: the sample is the whole file.
    """
    formulas = hints.quote != "'" and rewriting.has_formulas(text)
    sample = Sample(Rewriting(formulas=True).text(text) if formulas else text)
    found = separators.Spelling(_usual(sample, hints))
    if not hints.delimiter:
        usual = found.dialect
        found = _told(sample, hints) or _unusual(sample, usual, hints)
        if found == separators.Spelling(usual):
            column = undivided.column(sample, usual, lenient=hints.lenient)
            found = (column != usual and signs.whole(sample, quoted=False)) or separators.Spelling(column)
    dialect, way = found.dialect, replace(found.rewriting, formulas=formulas)
    sample = signs.spelled(sample, found)
    records = sample.records(dialect, bounds.WHOLE_RECORDS if whole else bounds.SAMPLE_RECORDS)
    if _is_literal(sample, dialect, records):
        dialect = replace(dialect, literal=True)
    if _is_padded(records):
        dialect = replace(dialect, padded=True)
        records = tuple(replace(record, cells=_unpadded(record.cells)) for record in records)
    records = _unwrapped(records, dialect)
    head = heading.find([record.cells for record in records], hints, whole=whole)
    if len(head.names) == 1 and not (head.known or head.absent or hints.lenient):
        raise _undivided(hints)
    return Layout(dialect, records, head, way)


def _undivided(hints: Hints) -> errors.Refused:
    """Say that nothing separates the header."""
    if hints.delimiter:
        name = NAMES.get(hints.delimiter, hints.delimiter)
        text = f"The {name}, which is set as this brand's delimiter, does not separate the header."
        return errors.Refused(
            "FILE_DELIMITER", text, f"Separate the columns with it ({name}), or have `delimiter` set anew."
        )
    text = "No delimiter was found: with comma, semicolon, tab and pipe alike, the rows have one column."
    return errors.Refused(
        "FILE_DELIMITER", text, "Separate the columns with commas, or set `delimiter` for this brand."
    )


def _told(sample: Sample, hints: Hints) -> separators.Spelling | None:
    """Give the spelling that a first line says (`sep=;`, as spreadsheets write it) if most records have the same columns by it."""
    delimiter, begin = separators.told(sample.text)
    if not delimiter:
        return None
    below = Sample(sample.text[begin:])
    dialect = _usual(below, replace(hints, delimiter=delimiter))
    quoted = [replace(dialect, quote=quote) for quote in hints.quote or QUOTES]
    dialect = max([dialect, *quoted], key=lambda each: below.fit(each).first)  # the first of several that fit
    fit = below.fit(dialect)
    if found := _rewritten(below, dialect, fit, replace(hints, delimiter=delimiter)):
        return found
    if fit.width < 2 or fit.rows * 2 < len(below.filled(dialect)):
        return None
    return signs.longer(below, dialect) or separators.Spelling(dialect)


def _usual(sample: Sample, hints: Hints) -> Dialect:
    """Give the best dialect with one of the usual delimiters."""
    scores: dict[Dialect, float] = {}
    for quote in hints.quote or QUOTES:
        for delimiter in hints.delimiter or DELIMITERS:
            if delimiter.encode() not in sample.text and not hints.delimiter and delimiter != ",":
                continue
            more = _apostrophes(sample, delimiter) if quote == "'" and not hints.quote else 0.0
            if more is None:
                continue
            dialect = Dialect(delimiter, quote)
            scores[dialect] = signs.judge(sample.records(dialect), hints) + more
    best = _headed(sample, max(scores, key=scores.__getitem__), scores)  # a comma is always tried
    if not sample.separates_first(best) or separators.is_of_figures(sample.text, best.delimiter):
        # More columns in the rows are worth less than the same ones in all lines, the first too: a decimal comma.
        others = (each for each in scores if each.delimiter != best.delimiter and sample.separates_all(each))
        best = max(others, key=scores.__getitem__, default=best)
    return best if hints.delimiter else spacing.by_spaces(sample, best, hints)


def _headed(sample: Sample, best: Dialect, tried: Iterable[Dialect]) -> Dialect:
    """Give the other quote with which all records have the header's columns, where with the best one only the rows agree.

    Cells that are cut at a delimiter in each row are more, and alike.
    """
    others = [each for each in tried if each.delimiter == best.delimiter and each != best]
    if not others or sample.inner_fit(best).first:
        return best
    return next((each for each in others if _is_headed(sample, each)), best)


def _is_headed(sample: Sample, dialect: Dialect) -> bool:
    """Whether (nearly) all records have the header's columns, be it with blanks around their quotes."""
    fit = sample.inner_fit(dialect)
    return fit.perfect or (fit.first and fit.width > 1 and fit.rows >= _NEARLY_ALL * len(sample.filled(dialect)))


def _unusual(sample: Sample, dialect: Dialect, hints: Hints) -> separators.Spelling:
    """Give the dialect, or an unusual one (and what the text is rewritten by) if that fits where it does not."""
    fit = sample.fit(dialect)
    if (
        found := _framed(sample, dialect, hints)
        or _printed(sample, dialect, fit, lenient=hints.lenient)
        or (not fit.perfect and _rewritten(sample, dialect, fit, hints))
        or _by_header(sample, dialect, fit)
        or signs.longer(sample, dialect)
    ):
        return found
    if separators.is_shielded(sample.text, dialect.delimiter):
        return separators.Spelling(dialect, Rewriting(shielded=dialect.delimiter))
    if fit.perfect:
        # Each line of words may have as many spaces as the others by chance: a sign that gives more columns was meant.
        by_sign = signs.fitting(sample, dialect, fit) if dialect.delimiter == " " else None
        return by_sign or separators.Spelling(dialect)
    cells = [cells for cells, _ in sample.told(dialect)]
    if ournames.known_names(cells[0] if cells else (), hints) > 1 or sample.names_below(dialect):
        return separators.Spelling(dialect)
    return signs.by_signs(sample, dialect, fit, hints)


def _rewritten(sample: Sample, dialect: Dialect, fit: separators.Fit, hints: Hints) -> separators.Spelling | None:
    """Give the spelling by which most records have the same columns once the text is rewritten, where they do not fit as they are."""
    cells = [cells for cells, _ in sample.told(dialect)]
    for way in separators.rewritings(sample.text, cells, fit):
        inner = Sample(way.text(sample.text))
        usual = _usual(inner, hints)
        own = inner.fit(usual)
        found = _by_header(inner, usual, own) or signs.longer(inner, usual) or signs.fitting(inner, usual, own)
        spelling = found or separators.Spelling(usual)
        fits = signs.spelled(inner, spelling).inner_fit(spelling.dialect)
        if fits.width > 1 and fits.first and fits.share >= separators.WRAPPED:
            return replace(spelling, rewriting=replace(way, delimiter=spelling.rewriting.delimiter))
    return None


def _by_header(sample: Sample, dialect: Dialect, fit: separators.Fit) -> separators.Spelling | None:
    """Give a sign that separates the header and all rows, where the dialect does not separate the header: it stands in cells."""
    spaces = dialect.delimiter == " "
    if sample.separates_first(dialect) and not (spaces and not fit.first):
        return signs.of_comment(sample, dialect, fit)
    return signs.fitting(sample, dialect, _NONE if spaces else fit) or signs.whole(sample)


def _framed(sample: Sample, dialect: Dialect, hints: Hints) -> separators.Spelling | None:
    """Give the spelling of a table in a frame of bars."""
    if dialect.delimiter != "|" or not rewriting.is_framed(sample.text):
        return None
    way = Rewriting(framed=True)
    return separators.Spelling(_usual(Sample(way.text(sample.text)), replace(hints, delimiter="|")), way)


def _unwrapped(records: tuple[Record, ...], dialect: Dialect) -> tuple[Record, ...]:
    """Take a header out of the quotes in which it stands as a whole."""
    widths = Counter(len(record.cells) for record in records if len(record.cells) > 1)
    width = widths.most_common(1)[0][0] if widths else 1
    first = records[: bounds.PREAMBLE_RECORDS + 1]
    inner = [mending.unwrapped(record.cells, dialect, width) for record in first]
    told = (replace(record, cells=cells or record.cells) for record, cells in zip(first, inner, strict=True))
    return (*told, *records[len(first) :])


def _printed(sample: Sample, dialect: Dialect, fit: separators.Fit, *, lenient: bool) -> separators.Spelling | None:
    """Give the spelling of a table padded to columns: under a rule, or where no delimiter separates the names, or into fewer."""
    apart = dialect.delimiter != " " and sample.separates_first(dialect)
    apart = apart and not separators.is_of_figures(sample.text, dialect.delimiter)
    least = fit.width + 1 if apart else 2
    columns = printing.columns(sample.text, ruled=apart and fit.perfect, least=least, gaps=lenient)
    return separators.Spelling(Dialect(printing.STAND_IN, ""), Rewriting(printed=columns)) if columns else None


def _is_literal(sample: Sample, dialect: Dialect, records: Sequence[Record]) -> bool:
    """Whether a sender quotes nothing: each line has all columns without it, and rows break where a quote is believed.

    One such row alone may be damaged; and who quotes doubles the quotes in a cell, or has delimiters in it. Where
    nothing breaks but cells that begin with their only quote, it may as well be the quotes that close which were lost.
    """
    if all(record.strict for record in records) or not dialect.quote:
        return False
    quote, delimiter = dialect.sign, dialect.mark
    lines = sample.filled_lines(delimiter)
    widths = Counter(line.count(delimiter) for line in lines)
    width, whole = widths.most_common(1)[0]
    if not width or lines[0].count(delimiter) != width or len(lines) - whole > len(lines) // 1000:
        return False
    quoting = [line for line in lines if quote in line]
    if any(cell.strip(quote).find(quote * 2) >= 0 for line in quoting for cell in line.split(delimiter)):
        return False
    odd = (line for line in quoting if line.count(delimiter) == width and dialect.cells(line) is None)
    breaking = [line for line in odd if readings.readings(line, dialect, width + 1) is None]
    return len(breaking) > 1 and not all(_never_closes(line, dialect) for line in breaking)


def _never_closes(line: bytes, dialect: Dialect) -> bool:
    """Whether all that is wrong with a line is cells that begin with a quote and have no other."""
    quote = dialect.sign
    odd = [cell for cell in line.split(dialect.mark) if dialect.cells(cell) is None]
    return all(cell.lstrip().startswith(quote) and cell.count(quote) == 1 for cell in odd)


def _is_padded(records: Sequence[Record]) -> bool:
    """Whether a space stands behind every delimiter; of many records one may be damaged."""
    inner = [record.cells[1:] for record in records if record.strict and len(record.cells) > 1]
    inner = [cells[: len(cells) - (len(cells) > 1 and not cells[-1])] for cells in inner]  # a delimiter may end a row
    odd = sum(not all(cell.startswith(b" ") for cell in cells) for cells in inner)
    return len(records) > 1 and bool(inner) and odd <= (len(inner) > _MANY_RECORDS)


def _unpadded(cells: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return (cells[0], *(cell.removeprefix(b" ") for cell in cells[1:]))


def _closed(text: bytes, mark: bytes) -> int:
    """How many cells stand in `"`: not those that begin with a word in quotes."""
    d = re.escape(mark)
    cells = re.compile(rb'(?:\A|(?<=[%b\r\n]))"[^"]*+(?:(?:(?<=\\)"|"")[^"]*+)*+"(?=[%b\r\n]|\Z)' % (d, d))
    return len(cells.findall(text))


def _apostrophes(sample: Sample, delimiter: str) -> float | None:
    """Say what `'` is worth as the quote; None if no cell begins or none ends with it, or `"` is the quote.

    Apostrophes are common in text: where few stand so, there must be a cell that needs quotes.
    """
    d, text = delimiter.encode(), sample.text
    opening, others = (
        sum(text.count(before + quote) for before in (d, b"\n", b"\r")) + text.startswith(quote)
        for quote in (b"'", b'"')
    )
    if others * 5 > opening and (not opening or _closed(text, d) * 5 > opening):
        return None  # one row in five may be quoted as no other is
    edge, blanks = rb"[%b\r\n]" % re.escape(d), b"" if d == b" " else b" *+"
    closing = len(re.findall(rb"'%b(?=%b|\Z)" % (blanks, edge), text)) if opening else 0
    cells, doubled = min(opening, closing), text.count(b"''")
    if not cells:
        return None
    inner = rb"'[^'\r\n]*(?:(?:''|\\')[^'\r\n]*)+'"
    escaping = len(re.findall(rb"(?:\A|(?<=%b))%b(?=%b|\Z)" % (edge, inner, edge), text))
    filled = sample.filled_lines(d)
    shielded = 0.5 * escaping / max(1, len(filled)) if b"\\'" in text else 0.0  # rows with a backslash are not strict
    single = text.count(b"'") - 2 * doubled - text.count(b"\\'")
    if cells == 1 - bool(doubled) or cells * 2 <= single * 0.6:
        needed = re.search(rb"(?:\A|%b)'[^']*%b[^']*'%b(?=%b|\Z)" % (edge, edge, blanks, edge), text)
        return _ESCAPING + shielded if escaping else 0.0 if needed else None
    every = cells > 0.6 * (sum(line.count(d) for line in filled) + len(filled))
    return (_ALL_QUOTED if every else _QUOTED) + shielded
