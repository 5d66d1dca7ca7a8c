"""Cells and lines made to keep a pattern busy: whatever looks at a stranger's text ends at once, however long that is."""

import functools

import pytest

from sftp_gateway.catalog.read import escaping
from sftp_gateway.catalog.read.csv import profile, separators
from sftp_gateway.catalog.read.header import footer, naming
from sftp_gateway.catalog.read.json import jsonrecords
from sftp_gateway.catalog.read.sheets import mending, odscells, zerofill
from sftp_gateway.catalog.types import maps, units

LENGTH = 100_000
UNITS = [
    " ",
    "1",
    "a",
    "A",
    '"',
    "'",
    ",",
    ";",
    "\n",
    "\t",
    "-",
    "(",
    "/",
    ".",
    "=",
    ":",
    "1 ",
    "1,",
    "- ",
    "a ",
    " \n",
    ".,",
    "a:",
    "é",
    '\\"',
    "<c ",
    "<table:table-cell>",
    "<text:p>",
    "<f>",
    "='",
    's="5"',
    "[0]",
]
HOSTILE = [
    start + unit * (length // len(unit)) + end
    for unit in UNITS
    for start in ("", "+", "a: ", "1")
    for end in ("", "x", " x", "\0")
    for length in (500, 1_000, LENGTH)
] + [one * 500 + " " * length + end for one in "1-a(" for length in (500, LENGTH) for end in ("x", "")]

CELLS = (b"<c ", b"<c r='A1'>", b"<c r='A1'><f>", b"<c r='A1'><f>1</f>", b"<c r='A1'><f>1</f><v>", b"<c r='A1'><v>#")

MENDED = functools.partial(mending._mended, texts=1, widths={b"5": 5})


def tag(text):
    return b"<c r='A1'" + text.encode().replace(b"<", b"") + b" s='5' t='e'><v>#N/A</v></c>"


TABLE_CELL = b'<table:table-cell office:value-type="time" '
ODS_CELLS = (
    TABLE_CELL,
    TABLE_CELL + b"/>",
    TABLE_CELL + b"><text:p>",
    b"<text:tab ",
    TABLE_CELL + b"><office:annotation>",
)

LOOKS = {
    "cells": lambda text: [mending._CELL.sub(MENDED, cell + text.encode()) for cell in CELLS],
    "attributes": lambda text: mending._CELL.sub(MENDED, tag(text)),
    "styles": lambda text: mending._cell(mending._STYLED % b"5|7").sub(MENDED, tag(text)),
    "signs": lambda text: [mending.may_need(b'<c t="s"' + cell + text.encode()) for cell in CELLS],
    "ods": lambda text: [odscells.mended(cell + text.encode()) for cell in ODS_CELLS],
    "number format": zerofill.width,
    "scalars": lambda text: [
        jsonrecords._with_scalars(b'"' + text.encode() + end, [], 10**6) for end in (b"", b"\\\n")
    ],
    "kind": lambda text: profile.kind(text.encode()),
    "is_value": lambda text: naming.is_value(text.encode()),
    "begins_table": lambda text: naming.begins_table([text.encode(), b"1" + text.encode(), b"2" + text.encode()]),
    "contrasts": lambda text: naming.contrasts([text.encode()] * 2, [[text.encode()] * 2] * 2, codes=True),
    "is_dangerous": escaping.is_dangerous,
    "escape_raw": lambda text: escaping.escape_raw(text.encode(), ",", '"'),
    "is_footer": lambda text: footer.is_footer([text, "", ""], 3),
    "is_total": lambda text: footer.is_footer([text, "1", "2"], 3),
    "map": maps.parse,
    "unit": units.of_header,
    "candidates": lambda text: list(separators.candidates(text.encode())),
    "longer": lambda text: list(separators.longer(text.encode(), ",")),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("look", LOOKS)
def test_nothing_takes_long_over_a_hostile_text(look):
    for text in HOSTILE:
        LOOKS[look](text)
