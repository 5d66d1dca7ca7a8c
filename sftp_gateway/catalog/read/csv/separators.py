"""Unusual ways to separate cells, looked for where none of the usual delimiters gives all records the header's columns.

A delimiter may be any sign, or several; each line may stand in quotes as a whole. Such a reading is believed
only if (nearly) every record, the header too, has the same columns by it.
"""

import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from sftp_gateway.catalog.read import bounds
from sftp_gateway.catalog.read.csv import rewriting
from sftp_gateway.catalog.read.csv.dialect import DELIMITERS, QUOTES, Dialect
from sftp_gateway.catalog.read.csv.printing import STAND_IN
from sftp_gateway.catalog.read.csv.rewriting import Rewriting
from sftp_gateway.catalog.read.header import bodies, naming

_SIGNS = re.compile(rb"""(?:[,;|:^~#*!=\t\x01-\x08\x1c-\x1f\x80-\xff]|\\t)+""")
"""What may separate cells: signs that stand in few values, and `\\t` where it was written out."""
_BESIDE = re.compile(rb"[ ,;|:^~#*!=\t]")
"""What may be a part of a delimiter of several signs, at its edge."""
_TOLD = re.compile(rb"""["']?sep=([^\w\r\n"'\x80-\xff])["',;\t]*(?:\r\n|\n|\r)\s*([^\r\n]*)""", re.IGNORECASE)
_LETTERS = re.compile(rb"[\xc2-\xf4][\x80-\xbf]+")
_OF_FIGURES = frozenset("°№‰±")
_MOST_SIGNS = 4
_LINES_BYTES = 65536
_QUOTED = re.compile(rb'"[^"]*"')
WRAPPED = 0.8
"""Share of the records that must stand in quotes as a whole."""
_NEARLY = 0.03
"""Share of the records that may be damaged."""
_ENOUGH = 8
"""Of so many records one may be."""
_HALF, _TWO_THIRDS = 0.5, 2 / 3
_LEAST_WIDE = 3
"""Two lines with more columns than that are a table, whatever stands above them."""
_THREE = 3
_LEAST_DOUBLED = 3
"""Columns with blank ones between; a header that names the latter tells that they are columns. One may be of use if it is filled anywhere."""
_MOST_TRIED = 8
_LINES = 25


class Spelling(Struct, frozen=True):
    """A dialect, and how the text is rewritten for it."""

    dialect: Dialect
    rewriting: Rewriting = rewriting.NONE


class Fit(Struct, frozen=True):
    """What a dialect makes of the records: `width` that `rows` have, more than any other, `share` strictly, `first` too."""

    width: int
    rows: int
    share: float
    first: bool
    odd: int = 0
    """How many have not, or not strictly."""

    @classmethod
    def of(cls, rows: Sequence[tuple[Sequence[bytes], bool]]) -> "Fit":
        """Judge filled records: their cells, and whether they are strict."""
        width = bodies.usual_width([cells for cells, _ in rows])
        usual = [strict for cells, strict in rows if len(cells) == width]
        good = sum(usual)
        first = bool(rows) and len(rows[0][0]) == width
        return cls(width, len(usual), good / max(1, len(rows)), first, len(rows) - good)

    @property
    def perfect(self) -> bool:
        """Whether (nearly) all records have two columns or more, and as many as the first."""
        damaged = self.odd == 1 and self.rows >= _ENOUGH
        return self.width > 1 and self.first and (damaged or self.share >= 1 - _NEARLY)

    @property
    def alone(self) -> bool:
        """Whether a single record has columns by it: what stands in one line separates nothing."""
        return self.width > 1 and self.rows == 1

    def beats(self, usual: "Fit") -> bool:
        """Whether it fits, and a usual delimiter does not fit half of the records, or gives fewer columns.

        Or that fits not all of them, and not the header, as the commas in amounts do.
        """
        amounts = self.width >= _THREE and not usual.first and usual.share < 1 - _NEARLY
        return self.perfect and (usual.share < _HALF or self.width > usual.width or amounts)

    def better(self, than: "Fit") -> bool:
        """Whether it fits, and as many records as another."""
        return self.width > 1 and self.first and self.share >= min(than.share, 1 - _NEARLY)


def inner(rows: Sequence[tuple[Sequence[bytes], bool]]) -> Sequence[tuple[Sequence[bytes], bool]]:
    """Leave out titles and footers, if they are fewer than the rest, or that is a table beyond doubt."""
    start, stop = 0, len(rows)
    while start < min(bounds.PREAMBLE_RECORDS, stop - 1) and len(rows[start][0]) == 1:
        start += 1
    while stop - 1 > max(start, len(rows) - bounds.FOOTER_RECORDS) and len(rows[stop - 1][0]) == 1:
        stop -= 1
    kept = rows[start:stop]
    wide = len(kept) > 1 and min(len(cells) for cells, _ in kept) > _LEAST_WIDE
    return kept if wide or len(kept) * 2 > len(rows) else rows


def candidates(sample: bytes) -> Iterable[Spelling]:
    """Give spellings with the delimiters that the first line suggests, or those behind any titles; the more frequent first."""
    lines = list(itertools.islice(_filled_lines(sample), _LINES))
    found = Counter(_signs(_bare(lines[0])) if lines else ())
    if len(lines) > 2:
        half = len(lines) // 2  # what begins inside quotes may hide the sign: the next line is looked at, too
        for line in (*lines[half : half + 2], lines[-1]):
            found |= Counter(_signs(_bare(line)))
    for sign in sorted(found, key=lambda sign: (-found[sign], -len(sign)))[:_MOST_TRIED]:
        delimiter = sign.decode(errors="replace")
        usual = delimiter[0] in DELIMITERS and not delimiter.strip(delimiter[0])  # twice: `is_doubled` tells
        begins = [line.startswith(sign) and line.count(sign) == 1 for line in lines[1:] if sign in line]
        if not usual and not (begins and all(begins)) and "\ufffd" not in delimiter:
            yield from (spelling(delimiter, quote) for quote in _quotes_or_none(sample, delimiter))


def told(sample: bytes) -> tuple[str, int]:
    """Give the delimiter that a first line tells, if the next line has it, and where that begins; '' if none does."""
    found = _TOLD.match(sample)
    return (found[1].decode(), found.start(2)) if found and found[1] in found[2] else ("", 0)


def quotes(sample: bytes, delimiter: str) -> Sequence[str]:
    """Give the quotes that cells begin with, the more frequent first; `"` if there are none."""
    before = (delimiter, "\n", "\r")
    counts = {quote: sum(sample.count((sign + quote).encode()) for sign in before) for quote in QUOTES}
    return sorted(filter(counts.get, QUOTES), key=lambda quote: -counts[quote]) or ['"']


def _quotes_or_none(sample: bytes, delimiter: str) -> Sequence[str]:
    """Give the quotes, and '' where no cell begins with one: those inside cells are parts of them."""
    begins = re.compile(rb"(?:\A|[\r\n]|%b)[\"']" % re.escape(delimiter.encode()))
    found = quotes(sample, delimiter)
    return found if begins.search(sample) else [*found, ""]


def spelling(delimiter: str, quote: str) -> Spelling:
    """Give the dialect for a delimiter of one byte or several."""
    if len(delimiter.encode()) == 1:
        return Spelling(Dialect(delimiter, quote))
    return Spelling(Dialect(STAND_IN, quote), Rewriting(delimiter))


def _filled_lines(sample: bytes) -> Iterator[bytes]:
    return (line for line in sample[:_LINES_BYTES].splitlines() if line.strip())


def _bare(line: bytes) -> bytes:
    """Give a line without what stands in quotes."""
    return _QUOTED.sub(b'""', line)


def _signs(line: bytes) -> Iterable[bytes]:
    """Give what may separate the cells of a line: signs by themselves and in runs."""
    for match in _SIGNS.finditer(_LETTERS.sub(_kept, line)):
        run = match.group()
        if len(run) <= _MOST_SIGNS:
            yield run
        if len(run) > 1 and len(set(run)) == 1:
            yield run[:1]
            yield run[:2]
        elif len(run) > 1 and run.isascii():
            yield from (run[place : place + 1] for place in range(len(run)) if run != b"\\t")


def _kept(letter: re.Match[bytes]) -> bytes:
    """Keep a sign beyond ASCII, take a letter for a letter, and so what belongs to figures: `£`, `°`."""
    sign = letter.group().decode(errors="replace")
    return b"x" if sign.isalnum() or sign in _OF_FIGURES or unicodedata.category(sign[:1]) == "Sc" else letter.group()


def longer(sample: bytes, delimiter: str) -> Iterable[str]:
    """Give longer delimiters of which the one that was found may be a part, by the first line that has it."""
    if STAND_IN.encode() in sample:
        return  # a delimiter of several signs could not be told from it
    mark = delimiter.encode()
    lines = map(_bare, itertools.islice(_filled_lines(sample), bounds.PREAMBLE_RECORDS + 1))
    told = [line.split(mark) for line in lines if mark in line]
    # A title that is padded to all columns has one cell filled.
    header = next((cells for cells in told if sum(map(bool, cells[::2])) > 1), told[0] if told else [b""])
    before, after = [cell[-1:] for cell in header[:-1]], [cell[:1] for cell in header[1:]]
    between = set(header[1::2])
    filled = sum(map(bool, header[::2]))
    if filled > 1 and len(header) % 2 and len(between) == 1 and re.fullmatch(rb"[^\w\s\"']{0,2}", min(between)):
        yield delimiter + min(between).decode(errors="replace") + delimiter
    if not before or len(set(after)) > 1 or not _BESIDE.fullmatch(after[0]):
        return
    if len(set(before)) == 1 and _BESIDE.fullmatch(before[0]):
        yield before[0].decode() + delimiter + after[0].decode()
    ends = [line.endswith(mark) for line in itertools.islice(_filled_lines(sample), _LINES)]
    if after[0] != b" " or sum(ends) * 2 < len(ends):  # else the space is none of it: the last one has none
        yield delimiter + after[0].decode()


def is_always(sample: bytes, delimiter: str, quote: str) -> bool:
    """Whether a sign stands nowhere without what is beside it: two others, or a space that quoted cells follow."""
    sign, count = delimiter[-2].encode(), sample.count(delimiter.encode())
    if " " not in delimiter:
        return len(delimiter) == _THREE and count > 1 and count >= (1 - _NEARLY) * sample.count(sign)
    if len(delimiter) == _THREE or (delimiter + quote).encode() not in sample:
        return False
    cells = re.compile(rb"%b[^%b\r\n]*%b" % ((quote.encode(),) * 3))
    outside = cells.sub(b"", sample)
    return count > 1 and outside.count(delimiter.encode()) >= (1 - _NEARLY) * outside.count(sign)


def is_doubled(sample: bytes, delimiter: str, rows: Sequence[Sequence[bytes]]) -> bool:
    """Whether a delimiter stands twice wherever it stands: by one alone every second column of `rows` is blank."""
    if STAND_IN.encode() in sample:
        return False
    if _stands_in_twos(sample, delimiter.encode()):
        return True
    widths = Counter(len(cells) for cells in rows if len(cells) >= _LEAST_DOUBLED and len(cells) % 2)
    if not widths:
        return False
    width, count = widths.most_common(1)[0]
    if count * 2 <= sum(len(cells) > 1 for cells in rows):
        return False  # most rows have it once
    between = [b"".join(cells[1::2]).strip() for cells in rows if len(cells) == width]
    least = count if width == _LEAST_DOUBLED else (1 - _NEARLY) * count
    return count > 1 and not between[0] and between.count(b"") >= least


def is_shielded(sample: bytes, delimiter: str) -> bool:
    """Whether a delimiter inside a cell has a backslash before it: lines with such a one have, without it, the others' columns."""
    mark = delimiter.encode()
    shielded = b"\\" + mark
    if shielded not in sample or STAND_IN.encode() in sample:
        return False
    filled = list(_filled_lines(sample))
    # In quotes a backslash is text as any other.
    single = re.compile(rb"(?:\A|(?<=%b))'(?:[^']|'')*+'(?=%b|\Z)" % ((re.escape(mark),) * 2))
    lines = [single.sub(b"''", _bare(line)) for line in filled]
    escaping = [line for line in lines if shielded in line]
    if not escaping:
        return False
    plain = Counter(line.count(mark) for line in lines if shielded not in line)
    told = [line.count(mark) - line.count(shielded) for line in escaping]
    usual = plain.most_common(1)[0][0] if plain else 0
    # One line may hold a path that ends with a backslash; in a correction it came from a file that was read so.
    least = 1 if b"_correction_of" in filled[0] and not _other_backslash(mark).search(escaping[0]) else 2
    return usual > 0 and told.count(usual) >= max(least, (1 - _NEARLY) * len(told))


def _other_backslash(mark: bytes) -> re.Pattern[bytes]:
    """Match a backslash that stands before neither a delimiter nor a quote."""
    return re.compile(rb"\\(?!%b|\")" % re.escape(mark))


def is_of_figures(sample: bytes, delimiter: str) -> bool:
    """Whether a delimiter stands between figures wherever it stands, but in quotes and comments: it may be a part of numbers."""
    mark = delimiter.encode()
    lines = [_bare(line) for line in _filled_lines(sample) if mark in line and not naming.is_comment([line])]
    between = re.compile(rb"(?<=\d)%b(?=\d)" % re.escape(mark))
    return any(map(between.search, lines)) and not any(mark in between.sub(b"", line) for line in lines)


def _stands_in_twos(sample: bytes, sign: bytes) -> bool:
    """Whether nearly all lines have a sign twice or more in pairs, and half as often alone at most (in an address)."""
    runs = re.compile(re.escape(sign) + rb"+")
    lines = [
        [len(run) % 2 for run in runs.findall(_bare(line))] for line in itertools.islice(_filled_lines(sample), _LINES)
    ]
    told = [odd for odd in lines if odd]
    if told and told[0].count(1) > 1:
        return False  # the header names columns that are blank below
    good = sum(odd.count(0) > 1 and odd.count(1) * 2 <= odd.count(0) for odd in told)
    return good > 1 and good >= _TWO_THIRDS * len(told)


def rewritings(sample: bytes, rows: Sequence[Sequence[bytes]], fit: Fit) -> Iterable[Rewriting]:
    """Give what a text may be rewritten by whose records (`rows`) do not fit.

    Lines may stand in quotes as a whole: then nearly all have one cell, but for a header that does not. Quotes may
    have a backslash before them: in front of a delimiter it makes one cell of two, in all rows alike.
    """
    single = sum(len(cells) == 1 for cells in rows)
    mostly = len(rows) > 1 and single >= min(WRAPPED * len(rows), len(rows) - 1)
    if mostly and rewriting.count_wrapped(sample) >= WRAPPED * max(1, single):
        yield Rewriting(wrapped=True)
    if b'\\"' in sample and (not fit.first or fit.share <= _HALF):
        yield Rewriting(escaped=True)
