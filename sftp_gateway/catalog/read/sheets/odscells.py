"""Cells of an ODS sheet that show an error, a number with leading zeros, or lines, or are merged with those below them.

The library gives a blank, the number, or the lines as one word, and knows nothing of merged cells.

Each cell says its value and the text that is shown (OpenDocument 1.3 part 3, §19.385), so nothing need be known of styles.
"""

import re
import sys
import zipfile
from typing import Any
from xml.parsers import expat

from sftp_gateway.catalog.read import bounds
from sftp_gateway.catalog.read.sheets.seen import Seen

PART = "content.xml"
_TABLE = "urn:oasis:names:tc:opendocument:xmlns:table:1.0 "
_TEXT = "urn:oasis:names:tc:opendocument:xmlns:text:1.0 "
_OFFICE = "urn:oasis:names:tc:opendocument:xmlns:office:1.0 "
_EXTENDED = "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0 "
_CELLS = (f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell")
_SIGNS = re.compile(
    rb"""value-type=["'](?:error|time)|<text:(?:p|span)\b[^<>]*+>0\d|rows-spanned=["'](?!1["'])|<text:(?:line-break|tab)\b"""
)
_BREAKS = {f"{_TEXT}line-break": "\n", f"{_TEXT}tab": "\t"}
_DURATION = re.compile(r"(-?)P(?:(\d{1,9})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9})(?:[.,](\d{1,9}))?S)?)?")
_MOST_SPACES = 1024
_MOST_LETTERS = 64
_CHUNK = 1024**2


def may_have(chunk: bytes) -> bool:
    """Whether a piece of the part may hold such a cell."""
    return _SIGNS.search(chunk) is not None


def find(archive: zipfile.ZipFile, sheet: str, seen: Seen) -> None:
    """Note such cells of a sheet; what cannot be parsed is left to the library to complain of."""
    walk = _Walk(sheet, seen)
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler, parser.EndElementHandler = walk.begin, walk.end
    parser.CharacterDataHandler = walk.text
    parser.EntityDeclHandler = _refuse
    with archive.open(PART) as file:
        try:
            while chunk := file.read(_CHUNK):
                parser.Parse(chunk)
        except (expat.ExpatError, ValueError):
            return


def _refuse(*_: object) -> None:
    raise ValueError("a sheet declares no entities")


class _Walk:
    """Goes along the elements of the part; knows where in the sheet it is."""

    def __init__(self, sheet: str, seen: Seen) -> None:
        self._sheet, self._seen = sheet, seen
        self._ours = False
        self._row = self._column = self._depth = 0
        self._rows = self._columns = self._spanned = 1
        self._number: str | None = None
        """The value of the cell if it is a number, '' if it is an error, else None."""
        self._shown = ""
        self._text: list[str] | None = None
        """What the cell says if it is a text, piece by piece."""
        self._lasts: str | None = None
        """How long the cell lasts, if it is a time."""
        self._broken = False
        """Whether it has what the library leaves out: ends of lines, tabs."""
        self._open: list[str] = []
        """Elements inside the cell."""
        self._left = bounds.SHEET_CELLS

    def begin(self, name: str, said: dict[str, Any]) -> None:
        if self._open:
            self._open.append(name)
            self._begin_inside(name, said)
        elif name == f"{_TABLE}table":
            self._depth += 1
            if self._depth == 1:
                self._ours, self._row = said.get(f"{_TABLE}name") == self._sheet, 0
        elif self._ours and name == f"{_TABLE}table-row":
            self._rows, self._column = _number(said, "rows-repeated"), 0
        elif self._ours and name in _CELLS:
            self._columns, self._open, self._shown = _number(said, "columns-repeated"), [name], ""
            self._spanned = _number(said, "rows-spanned")
            kind = said.get(f"{_OFFICE}value-type")
            self._number = said.get(f"{_OFFICE}value") if kind == "float" else None
            self._text = [] if kind == "string" and f"{_OFFICE}string-value" not in said else None
            self._broken = False
            self._lasts = said.get(f"{_OFFICE}time-value") if kind == "time" else None
            if said.get(f"{_EXTENDED}value-type") == "error":
                self._number, self._text = "", None

    def _begin_inside(self, name: str, said: dict[str, Any]) -> None:
        if self._text is None or self._open[1] != f"{_TEXT}p":
            return
        if len(self._open) == 2:
            self._text.append("\n")
        elif name in _BREAKS:
            self._text.append(_BREAKS[name])
            self._broken = True
        elif name == f"{_TEXT}s":
            spaces = str(said.get(f"{_TEXT}c", "1"))
            self._text.append(" " * min(int(spaces) if spaces.isdecimal() else 1, _MOST_SPACES))

    def text(self, text: str) -> None:
        if len(self._open) < 2 or self._open[1] != f"{_TEXT}p":
            return
        if self._text is not None:
            self._text.append(text)
        elif self._number is not None:
            self._shown = (self._shown + text)[:_MOST_LETTERS]

    def end(self, name: str) -> None:
        if self._open:
            self._open.pop()
            if not self._open:
                self._end_cell()
        elif name == f"{_TABLE}table":
            self._depth -= 1
            self._ours = self._ours and self._depth > 0
        elif self._ours and name == f"{_TABLE}table-row":
            self._row += self._rows

    def _end_cell(self) -> None:
        what = self._what()
        if what and self._rows * self._columns <= self._left:
            self._left -= self._rows * self._columns
            for row in range(self._row, self._row + self._rows):
                for column in range(self._column, self._column + self._columns):
                    self._seen.add(row, column, what)
        if self._spanned > 1 == self._rows:
            last = self._row + self._spanned - 1
            self._seen.spans.append(((self._row, self._column), (last, self._column)))
        self._column += self._columns

    def _what(self) -> str | int | None:
        """Give the error that is shown, or the lines, or how many digits are."""
        if self._lasts is not None:
            return _clock(self._lasts)
        if self._text is not None:
            return "".join(self._text)[1:] if self._broken else None
        shown, number = self._shown, self._number
        if not number:
            # `Err:502` and its kin are what other spreadsheets, and this one in other formats, call so
            return None if number is None else sys.intern(shown) if shown.startswith("#") else "#VALUE!"
        filled = shown.startswith("0") and shown.isdecimal() and number.isdecimal()
        same = filled and len(shown) > len(number) and shown.lstrip("0") == number.lstrip("0")
        return len(shown) if same else None


def _clock(lasts: str) -> str | None:
    """Write a duration (ISO 8601) as sheets of other formats have it: 36:00:00; None for a time of day, which the library reads."""
    found = _DURATION.fullmatch(lasts)
    if found is None or lasts[-1] in "PT":
        return None
    sign, *parts, fraction = found.groups()
    days, hours, minutes, seconds = (int(part or 0) for part in parts)
    if not sign and parts[0] is None and None not in parts[1:] and hours < 24:
        return None
    minutes, seconds = minutes + seconds // 60, seconds % 60
    hours, minutes = 24 * days + hours + minutes // 60, minutes % 60
    rest = (fraction or "").rstrip("0")
    return f"{sign}{hours}:{minutes:02}:{seconds:02}" + f".{rest}" * bool(rest)


def _number(said: dict[str, Any], what: str) -> int:
    number = str(said.get(f"{_TABLE}number-{what}", "1"))
    return int(number) if number.isdecimal() and len(number) < 10 else 1
