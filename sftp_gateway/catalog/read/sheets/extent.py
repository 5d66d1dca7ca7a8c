"""How far the cells of a workbook's part reach, told from its tags alone: what a sheet will cost when it is opened."""

import html
import re
from collections import defaultdict

from sftp_gateway.catalog.read.sheets import plain, tags
from sftp_gateway.catalog.read.sheets.merged import Range
from sftp_gateway.catalog.read.sheets.tags import TAG

_REFERENCE = re.compile(rb"""\sr\s*+=\s*+["']([A-Za-z]*+)(\d*+)""")
"""Where a row or cell says it stands, in any spelling: the library that opens workbooks takes them all."""
_CELL_BEGINS, _ROW_BEGINS, _EMPTY_CELLS = (b"<c", b":c"), (b"<row", b":row"), (b"<c/>", b"<c>")
_BARE = rb"(?![\w.:-])(?!\s(?:[^<>]*?\s)?r\s*=)"
"""Does not say where it stands: one further than the one before."""
_BARE_ROW, _BARE_CELL = re.compile(TAG + rb"row" + _BARE), re.compile(TAG + rb"c" + _BARE)
_ROW = re.compile(TAG + rb"row(?![\w.:-])")
_TEXTS = re.compile(rb"""uniqueCount\s*=\s*["'](\d{1,19})""")
_ODS_TAG = re.compile(
    rb"""<(/?)(?:table|text):(table-row|table-cell|covered-table-cell|table|s)(?![\w-])((?:[^>"'/]++|"[^"]*+"|'[^']*+'|/(?!>))*+)(/?)>"""
)
_ODS_VALUE = re.compile(rb"\soffice:(?:\w+-)?value\s*=")
_REPEATED = {
    "row": re.compile(rb"""number-rows-repeated\s*=\s*["'](\d{1,19})"""),
    "cell": re.compile(rb"""number-columns-repeated\s*=\s*["'](\d{1,19})"""),
    "space": re.compile(rb"""text:c\s*=\s*["'](\d{1,19})"""),
    "span": re.compile(rb"""number-rows-spanned\s*=\s*["'](\d{1,9})["']"""),
}


def of(name: str) -> "Xlsx | Ods":
    """Give what a part of a workbook is to be looked through with: a sheet may have any name."""
    return Ods() if name == "content.xml" else Xlsx()


class Xlsx:
    """The rectangle that a sheet's cell references span, at least; and how many texts it is said that there are."""

    def __init__(self) -> None:
        self.texts = self.text_bytes = 0
        self._row = self._column = self._bare_rows = self._longest = self._run = 0
        self._named_row = self._named_column = 0

    @property
    def rows(self) -> int:
        """The last row that may have a cell; cells outside any row are in one, too."""
        return max(self._row + self._bare_rows, int(self._longest > 0))

    @property
    def columns(self) -> int:
        """The last column that may have a cell."""
        return self._column + self._longest

    def see(self, text: bytes) -> bytes:
        """Look at more of the part; gives what must come again with what follows."""
        cut = text.rfind(b">") + 1
        reach = plain.reach(text[:cut])
        if reach is None:
            self._see_any(text[:cut])
        else:
            self._named_row, self._named_column = (
                max(self._named_row, reach.rows),
                max(self._named_column, reach.columns),
            )
            self._row, self._column = max(self._row, reach.filled_rows), max(self._column, reach.filled_columns)
        if text.find(b"uniqueCount", 0, cut) >= 0:
            self.texts = max([self.texts, *map(int, _TEXTS.findall(text, 0, cut))])
        return text[cut:][-65536:]

    def _see_any(self, text: bytes) -> None:
        """Look at references in any spelling, and at what has none: that stands behind whatever was named, filled or not."""
        self._row, self._column = max(self._row, self._named_row), max(self._column, self._named_column)
        found = _REFERENCE.findall(text) if b"=" in text else ()
        if found:
            self._row = max(self._row, *(int(row[:19] or 0) for row in {row for _, row in found}))
            self._column = max(self._column, *(_column(letters[:9]) for letters in {letters for letters, _ in found}))
        rows = sum(map(text.count, _ROW_BEGINS))
        if rows + sum(map(text.count, _CELL_BEGINS)) != len(found):
            self._count_bare(text, has_rows=rows > 0)

    def _count_bare(self, text: bytes, *, has_rows: bool) -> None:
        """Count the rows, and the longest run of cells, that do not say where they stand."""
        if has_rows:
            self._bare_rows += len(_BARE_ROW.findall(text))
        if not _BARE_CELL.search(text):
            return
        runs = [_bare_cells(row) for row in (_ROW.split(text) if has_rows else [text])]
        runs[0] += self._run
        self._run = runs[-1]
        self._longest = max(self._longest, *runs)


def _bare_cells(text: bytes) -> int:
    """Count the cells that do not say where they stand; a bomb has nothing but empty ones, and millions of them."""
    empty = sum(map(text.count, _EMPTY_CELLS))
    return empty if empty == sum(map(text.count, _CELL_BEGINS)) else len(_BARE_CELL.findall(text))


def _column(letters: bytes) -> int:
    """Count a column: `A` and `a` are 1, `XFD` 16,384; without letters 0."""
    place = 0
    for letter in letters.upper():
        place = place * 26 + letter - 64
    return place


class Ods:
    """The rectangle of filled cells of an ODS sheet, where rows and cells are repeated by a number."""

    def __init__(self) -> None:
        self.rows = self.columns = self.text_bytes = self.texts = 0
        self._row = self._column = self._before = self._opened = 0
        self._row_repeat = self._repeat = 1
        self._name = ""
        self.spans: defaultdict[str, list[Range]] = defaultdict(list)
        """Merged cells by sheet: the library knows of none."""

    def see(self, text: bytes) -> bytes:
        """Look at more of the part; gives what must come again with what follows."""
        cut = text.rfind(b">") + 1
        for tag in _ODS_TAG.finditer(text, 0, cut):
            end, kind, attributes, alone = tag.groups()
            if kind == b"s":
                self.text_bytes += _repeated("space", attributes) * self._repeat * self._row_repeat
            elif kind == b"table":
                self._row = 0
                self._name = html.unescape(tags.attributes(attributes).get(b"table:name", b"").decode(errors="replace"))
            elif kind == b"table-row":
                self._begin_row(attributes) if not end else self._end_row()
                if alone:
                    self._end_row()
            elif end:
                self.text_bytes += (self._before + tag.start() - self._opened) * self._repeat * self._row_repeat
            else:
                self._cell(attributes, filled=not alone or _ODS_VALUE.search(attributes) is not None)
                self._opened = self._before + tag.end()
        rest = text[cut:][-65536:]
        self._before += len(text) - len(rest)
        return rest

    def _begin_row(self, attributes: bytes) -> None:
        self._column, self._row_repeat = 0, _repeated("row", attributes)

    def _end_row(self) -> None:
        self._row += self._row_repeat

    def _cell(self, attributes: bytes, *, filled: bool) -> None:
        self._repeat = _repeated("cell", attributes)
        self._column += self._repeat
        if filled:
            self.columns = max(self.columns, self._column)
            self.rows = max(self.rows, self._row + self._row_repeat)
            spanned = _repeated("span", attributes)
            if spanned > 1 == self._row_repeat:
                first = self._column - self._repeat
                self.spans[self._name].append(((self._row, first), (self._row + spanned - 1, first)))


def _repeated(kind: str, attributes: bytes) -> int:
    says = kind == "space" or b"number-" in attributes  # most say nothing
    match = _REPEATED[kind].search(attributes) if says else None
    return int(match.group(1)) if match else 1
