"""Text rewritten line by line before it is told apart: delimiters of several bytes, lines in quotes as a whole, in a frame, or padded.

No line end comes or goes, so that places in the file are still told by counting them (`encoding.Recoded`).
"""

import itertools
import re

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from msgspec.structs import replace

from sftp_gateway.catalog.findings import Finding
from sftp_gateway.catalog.read.csv import printing
from sftp_gateway.catalog.read.csv.printing import STAND_IN
from sftp_gateway.catalog.read.source import Block
from sftp_gateway.catalog.read.text.encoding import Recoded

_WRAPPED = re.compile(rb"""(?:\A|(?<=[\r\n]))"((?:[^"]|"")*+)"[ \t]*(?=[\r\n]|\Z)""")
_FORMULA = re.compile(
    rb'''(?:\A|(?<=[,;\t|\r\n]))(?:="([0-9A-Za-z\x80-\xff][^"\r\n]*+)"|"=""([^"\r\n]++)""")(?=[,;\t|\r\n]|\Z)'''
)
"""A cell that is a formula for a text, between two of the usual delimiters. Not in quotes itself, it begins with a letter or a figure:
a quoted cell that ends with `;=` is none together with the delimiter behind it and what begins the next one."""
_FILLED_LINE = re.compile(rb"[^\r\n]++")
_BAR, _BLANK = b"|", b" "
"""A blank line keeps a byte: an empty one's begin and end could not be told apart in the file (`encoding.Recoded`)."""
_MOST_LINES = 200
_DAMAGED, _FEW_DAMAGED = 0.03, 2
"""Share of the lines that may stand in no frame, and how many may in a short table."""
_LEAST_BARS = 3


class Rewriting(Struct, frozen=True):
    """`delimiter`: of several bytes, '' if it has one. `wrapped`: each line is one quoted cell that holds the record.

    `shielded`: the delimiter that has a backslash before it where it is part of a cell, '' if none has.
    """

    delimiter: str = ""
    wrapped: bool = False
    escaped: bool = False
    """A quote inside a quoted cell has a backslash before it; it is doubled instead."""
    shielded: str = ""
    formulas: bool = False
    """Cells may be formulas for a text: `="0012"`, so that a spreadsheet keeps the zeros."""
    framed: bool = False
    """Each line begins and ends with a bar, as tables are drawn in texts; rules may stand between the lines."""
    printed: printing.Columns | None = None
    """The columns that the cells of each line are padded to."""

    def text(self, text: bytes) -> bytes:
        """Rewrite UTF-8."""
        if self.formulas:
            text = _FORMULA.sub(lambda found: b'"%b"' % (found[1] or found[2]), text)
        if self.framed:
            text = _FILLED_LINE.sub(lambda found: _unframed(found[0]), text)
        if (columns := self.printed) is not None:
            text = _FILLED_LINE.sub(lambda found: _cut(found[0], columns), text)
        if self.wrapped:
            text = _WRAPPED.sub(lambda found: found[1].replace(b'""', b'"'), text)
        if self.escaped:
            text = text.replace(b'\\"', b'""')
        hidden = self.delimiter or ("\\" + self.shielded if self.shielded else "")
        return text.replace(hidden.encode(), STAND_IN.encode()) if hidden else text

    def recoded(self, recoded: Recoded) -> Recoded:
        """Rewrite a stretch of a file."""
        return replace(recoded, text=self.text(recoded.text))

    def names(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Put back what stands in for the delimiter."""
        return tuple(name.replace(STAND_IN, self._meant) for name in names)

    @property
    def _meant(self) -> str:
        return self.delimiter or self.shielded

    def said(self) -> tuple[Finding, ...]:
        """Say what is done to each line."""
        told = []
        if self.wrapped:
            text = "Each line stands in quotes as a whole; they were taken away, and doubled quotes inside read as one."
            told.append(Finding("ROW_QUOTE_REPAIRED", text, "Quote single cells, not whole lines."))
        if self.framed:
            text = "Each line stands between two bars; they, rules, and the spaces around the cells were left out."
            told.append(Finding("FILE_PREAMBLE", text))
        if self.printed:
            text = f"The rows are padded to {self.printed.count} columns; rules, and the spaces around the cells were left out."
            told.append(Finding("FILE_PREAMBLE", text))
        if self.escaped:
            text = "Quotes inside quoted cells have a backslash before them; it was taken away."
            told.append(Finding("ROW_QUOTE_REPAIRED", text, "Double every quote inside a quoted cell."))
        if self.formulas:
            text = 'Cells are written as formulas for a text (="0012"); the text was read.'
            told.append(Finding("ROW_QUOTE_REPAIRED", text, "Write the text alone, in quotes."))
        if self.shielded:
            text = f"Delimiters ({self.shielded}) inside cells have a backslash before them; it was taken away."
            told.append(Finding("ROW_QUOTE_REPAIRED", text, "Put cells that hold a delimiter in quotes."))
        return tuple(told)

    def block(self, block: Block) -> Block:
        """Put back what stands in for the delimiter; say of rows that their bytes do not fit the header, or are read otherwise."""
        if self._meant:
            rejects = block.rejects
            listed = rejects.cells
            values = self._restored(listed.values)
            rejects = replace(
                rejects, message=self._restored(rejects.message), cells=pa.ListArray.from_arrays(listed.offsets, values)
            )
            block = replace(block, cells=tuple(map(self._restored, block.cells)), rejects=rejects)
        if self.reshapes:
            return replace(block, reshaped=frozenset(range(len(block))))
        otherwise = self.escaped or self.shielded or self.formulas
        return replace(block, repaired=frozenset(range(len(block)))) if otherwise else block

    @property
    def reshapes(self) -> bool:
        """Whether a line's bytes are no record as they are."""
        return self.wrapped or self.framed or self.printed is not None

    def _restored(self, column: pa.Array) -> pa.Array:
        return pc.replace_substring(column, STAND_IN, self._meant)


NONE = Rewriting()
"""The text is told apart as it is."""


def has_formulas(text: bytes) -> bool:
    """Whether a cell is a formula for a text."""
    return b'="' in text and _FORMULA.search(text) is not None


def count_wrapped(text: bytes) -> int:
    """How many lines stand in quotes as a whole."""
    return len(_WRAPPED.findall(text))


def is_wrapped(text: bytes) -> bool:
    """Whether most lines stand in quotes as a whole."""
    return count_wrapped(text) * 2 > sum(bool(line.strip()) for line in text.splitlines())


def is_framed(sample: bytes) -> bool:
    """Whether the first line that has bars, and (nearly) all others, begin and end with one and hold two cells or more."""
    lines = (found[0].strip(b" \t") for found in _FILLED_LINE.finditer(sample))
    barred = list(itertools.islice((line for line in lines if _BAR in line), _MOST_LINES))
    framed = [line.startswith(_BAR) and line.endswith(_BAR) and line.count(_BAR) >= _LEAST_BARS for line in barred]
    other = framed.count(False)
    return (
        framed[:1] == [True]
        and other <= max(_DAMAGED * len(barred), _FEW_DAMAGED)
        and other * 2 + 1 < framed.count(True)
    )


def _cut(line: bytes, columns: printing.Columns) -> bytes:
    """Separate the cells of a line by stand-ins; a blank line is left of a rule."""
    cells = columns.cut(line.decode("utf-8", "surrogateescape"))
    return line if cells is None else cells.encode("utf-8", "surrogateescape") or _BLANK


def _unframed(line: bytes) -> bytes:
    """Take a line out of its frame, and the spaces from around its cells; a blank line is left of a rule."""
    text = line.strip(b" \t")
    if text and not text.strip(b"+-="):
        return _BLANK
    if len(text) < 2 or not (text.startswith(_BAR) and text.endswith(_BAR)):
        return line
    cells = [cell.strip(b" \t") for cell in text[1:-1].split(_BAR)]
    if any(cell.startswith(b'"') and cell.count(b'"') % 2 for cell in cells):
        return text[1:-1]  # a bar may stand in quotes, and spaces beside it
    return _BAR.join(cells) or _BLANK
