"""Other signs than the usual ones, and several, as delimiters: each is tried, and judged by the records it gives."""

from collections.abc import Sequence

from sftp_gateway.catalog.read import bounds
from sftp_gateway.catalog.read.csv import separators
from sftp_gateway.catalog.read.csv.dialect import Dialect
from sftp_gateway.catalog.read.csv.sampling import Record, Sample
from sftp_gateway.catalog.read.header import bodies, heading, naming
from sftp_gateway.catalog.read.source import Hints

_UNUSUAL = 0.25
"""How much better than a usual delimiter another sign must be that does not fit all records."""
_FEW_COLUMNS, _MANY_COLUMNS = 2, 4
_LEAST_ROWS = 3
"""Fewer lines between titles have a sign by chance."""
_MOST, _ODD = 0.8, 0.05
"""How many records a longer delimiter must fit at least, and how many fewer than the one that is a part of it."""
_COMMON = frozenset(":=*#!")
"""Signs that stand in times, addresses and formulas."""


def by_signs(sample: Sample, dialect: Dialect, fit: separators.Fit, hints: Hints) -> separators.Spelling:
    """Give the dialect, or the spelling with another sign, or several, that fits where it (`fit`) does not."""
    if found := fitting(sample, dialect, fit):
        return found
    tried = [one for one in _tried(sample) if one[0].dialect.quote]  # without quotes anything is strict
    least = judge(sample.records(dialect), hints) + (0.0 if fit.alone else _UNUSUAL)
    scores = [judge(text.records(spelling.dialect), hints) for spelling, text in tried]
    best = max(range(len(tried)), key=lambda place: scores[place], default=-1)
    if best >= 0 and scores[best] > least and tried[best][1].fit(tried[best][0].dialect).width > _FEW_COLUMNS:
        return _longest(sample, tried[best][0])
    return separators.Spelling(dialect)


def _tried(sample: Sample) -> list[tuple[separators.Spelling, Sample]]:
    return [(spelling, spelled(sample, spelling)) for spelling in separators.candidates(sample.text)]


def fitting(sample: Sample, dialect: Dialect, fit: separators.Fit) -> separators.Spelling | None:
    """Give the first that fits; what gives two columns only (a colon in each address) gives way to what nearly fits with more."""
    tried = _tried(sample)
    fits = [(spelling, text.fit(spelling.dialect)) for spelling, text in tried]
    found = next((one for one in fits if _beats(*one, fit)), None)
    if found is None or found[1].width <= _FEW_COLUMNS:
        fits = [(spelling, _inner_fit(sample, text, spelling, dialect)) for spelling, text in tried]
    if found is None:
        found = next((one for one in fits if _beats(*one, fit) and one[1].rows >= _LEAST_ROWS), None)
    if found is not None and found[1].width <= _FEW_COLUMNS:
        least = (one for one in fits if one[1].first or found[1].odd)
        wider = (one for one in least if one[1].width > _FEW_COLUMNS and one[1].share >= _MOST)
        found = next(wider, found)
    return None if found is None else _longest(sample, found[0])


def of_comment(sample: Sample, dialect: Dialect, fit: separators.Fit) -> separators.Spelling | None:
    """Give a sign that gives all records more columns, the first, too, which is a comment by the dialect: `#CHROM~POS~ID`."""
    if len(sample.filled(dialect)[0].cells) > 1 or not naming.is_comment(sample.filled(dialect)[0].cells):
        return None
    for spelling, text in _tried(sample):
        own, records = text.fit(spelling.dialect), text.filled(spelling.dialect)
        if own.perfect and own.width > fit.width and len(records[0].cells) == own.width:
            return _longest(sample, spelling)
    return None


def whole(sample: Sample, *, quoted: bool = True) -> separators.Spelling | None:
    """Give the first sign that gives each line the same columns, be one damaged, and be they fewer than those of the dialect."""
    tried = (one for one in _tried(sample) if one[0].dialect.quote or not quoted)
    fits = ((spelling, text.fit(spelling.dialect), len(text.filled(spelling.dialect))) for spelling, text in tried)
    found = next(
        (
            one
            for one, fit, count in fits
            if fit.perfect and fit.rows >= _LEAST_ROWS and (not fit.odd or fit.rows == count)
        ),
        None,
    )
    return None if found is None else _longest(sample, found)


def _beats(spelling: separators.Spelling, own: separators.Fit, usual: separators.Fit) -> bool:
    """Whether a spelling fits where the usual one does not; without quotes anything is strict, so it must give more columns."""
    return own.beats(usual) and (spelling.dialect.quote != "" or own.width > usual.width)


def _inner_fit(sample: Sample, text: Sample, spelling: separators.Spelling, usual: Dialect) -> separators.Fit:
    """Judge a sign that no text has but as a delimiter by the records between titles above and notes below.

    So another sign with many columns, if the usual delimiter does not find its columns in those titles.
    """
    fit, inner = text.fit(spelling.dialect), text.inner_fit(spelling.dialect)
    own = sample.fit(usual)
    width = own.width if own.width > 1 and not own.alone else 0  # what separates nothing finds no columns in a title
    titles = [record.cells for record in text.filled(spelling.dialect)[: bounds.PREAMBLE_RECORDS]]
    count = next((number for number, cells in enumerate(titles) if len(cells) > 1), 0)
    more = (width - 1, width)  # a delimiter may end all rows and not their header
    headed = any(1 < len(record.cells) in more for record in sample.filled(usual)[:count])
    common = (spelling.rewriting.delimiter or spelling.dialect.delimiter) in _COMMON
    return inner if not headed and (not common or inner.width >= _MANY_COLUMNS) else fit


def _longest(sample: Sample, spelling: separators.Spelling) -> separators.Spelling:
    return (None if spelling.rewriting.delimiter else longer(sample, spelling.dialect)) or spelling


def longer(sample: Sample, dialect: Dialect) -> separators.Spelling | None:
    """Give the spelling with a longer delimiter that fits as well."""
    if separators.is_doubled(sample.text, dialect.delimiter, [record.cells for record in sample.filled(dialect)]):
        return separators.spelling(dialect.delimiter * 2, dialect.quote)
    longer, usual = list(separators.longer(sample.text, dialect.delimiter)), sample.fit(dialect)
    if not longer or usual.alone:
        return None
    for delimiter in longer:
        for quote in separators.quotes(sample.text, delimiter):
            found = separators.spelling(delimiter, quote)
            text = spelled(sample, found)
            fit, inner = text.fit(found.dialect), text.inner_fit(found.dialect)
            if fit.better(usual) and (usual.perfect or fit.width > _FEW_COLUMNS):
                return found
            shorter = sample.inner_fit(dialect)
            least = max(_MOST, shorter.share - _ODD)
            # Titles may have it, and no row that the part of it separates.
            enough = inner.width > _FEW_COLUMNS and inner.share >= least and inner.rows >= _MOST * shorter.rows
            mostly = inner.width > 1 and inner.share * 2 > 1  # else a space stands behind commas of sentences
            if enough or (mostly and separators.is_always(sample.text, delimiter, quote)):
                return found
    return None


def spelled(sample: Sample, spelling: separators.Spelling) -> Sample:
    """Give the sample as it is rewritten for a spelling."""
    text = spelling.rewriting.text(sample.text)
    return sample if text is sample.text else Sample(text)


def judge(records: Sequence[Record], hints: Hints) -> float:
    """Score a dialect by the records that it gives."""
    filled = [record for record in records if not record.blank]
    width = bodies.usual_width([record.cells for record in filled])
    share = sum(len(record.cells) == width > 1 for record in filled) / max(1, len(filled))
    strict = sum(record.strict for record in filled) / max(1, len(filled))
    header, known = heading.find_header([record.cells for record in records[:200]], width, hints)
    names = len(records[header].cells) if records else 1
    return share * (1 - 1 / width) * (0.5 + 0.5 * strict) + 2 * known / max(1, names) * (names > 1) + 0.001 * known
