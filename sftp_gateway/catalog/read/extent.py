"""How far the cells of a workbook's part reach, told from its tags alone: what a sheet will cost when it is opened."""

import re

_CELL = re.compile(rb'\br="([A-Z]{0,3})(\d{1,7})"')
_ODS_TAG = re.compile(rb"<(/?)table:(table-row|table-cell|covered-table-cell|table)\b([^>]*?)(/?)>")
_REPEATED = {
    "row": re.compile(rb'number-rows-repeated="(\d{1,9})"'),
    "cell": re.compile(rb'number-columns-repeated="(\d{1,9})"'),
}


def of(name: str) -> "Xlsx | Ods | None":
    """Give what a part of a workbook is to be looked through with; None if it has no cells."""
    if name.startswith("xl/worksheets/") and name.endswith(".xml"):
        return Xlsx()
    return Ods() if name == "content.xml" else None


class Xlsx:
    """The rectangle that a sheet's cell references span."""

    def __init__(self) -> None:
        self.rows = self.columns = 0
        self.text_bytes = 0
        """Of cells that repeat a text: none, shared ones are counted by `sharedtexts`."""

    def see(self, text: bytes) -> bytes:
        """Look at more of the part; gives what must come again with what follows."""
        cut = text.rfind(b">") + 1
        found = _CELL.findall(text, 0, cut)
        if found:
            self.rows = max(self.rows, *(int(row) for row in {row for _, row in found}))
            self.columns = max(self.columns, *(_column(letters) for letters in {letters for letters, _ in found}))
        return text[cut:][-65536:]


class Ods:
    """The rectangle of filled cells of an ODS sheet, where rows and cells are repeated by a number."""

    def __init__(self) -> None:
        self.rows = self.columns = self.text_bytes = 0
        self._row = self._column = self._before = self._opened = 0
        self._row_repeat = self._repeat = 1

    def see(self, text: bytes) -> bytes:
        """Look at more of the part; gives what must come again with what follows."""
        cut = text.rfind(b">") + 1
        for tag in _ODS_TAG.finditer(text, 0, cut):
            end, kind, attributes, alone = tag.groups()
            if kind == b"table":
                self._row = 0
            elif kind == b"table-row":
                self._begin_row(attributes) if not end else self._end_row()
                if alone:
                    self._end_row()
            elif end:
                self.text_bytes += (self._before + tag.start() - self._opened) * self._repeat * self._row_repeat
            else:
                self._cell(attributes, filled=not alone)
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


def _repeated(kind: str, attributes: bytes) -> int:
    match = _REPEATED[kind].search(attributes)
    return int(match.group(1)) if match else 1


def _column(letters: bytes) -> int:
    """Count a column: `A` is 1, `XFD` 16,384."""
    place = 0
    for letter in letters:
        place = place * 26 + letter - 64
    return place
