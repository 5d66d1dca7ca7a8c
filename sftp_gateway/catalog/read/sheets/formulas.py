"""Cells of an XLSX sheet whose formula fails or was never reckoned: the library that opens workbooks gives them as blank."""

import re
import sys

from sftp_gateway.catalog.read.sheets import cellplaces
from sftp_gateway.catalog.read.sheets.cellplaces import END, TAG
from sftp_gateway.catalog.read.sheets.seen import Seen

# Blanks are never given back (`*+`): a stranger may send millions of them.
_CELL = TAG + rb"c(\s[^<>]*)>\s*+"
_FORMULA = TAG + rb"f(?:\s[^<>]*)?(?:/>|>[^<]*" + END + rb"f>)\s*+"
FAILED = re.compile(_CELL + rb"(?:" + _FORMULA + rb")?" + TAG + rb"v>(#[^<]{1,20})<")
"""A cell with an error, as far as that; or with a text that begins like one."""
_NOT_RECKONED = re.compile(
    _CELL + _FORMULA + rb"(?:" + TAG + rb"v\s*+/>|" + TAG + rb"v>\s*+" + END + rb"v>)?\s*+" + END + rb"c>"
)
NOT_RECKONED = "#FORMULA!"
"""What stands for a formula whose result the workbook does not hold: programs write such, a spreadsheet reckons when it opens them."""
_SIGNS_OF_IT = (b"f></", b"f><v/", b"f><v /", b"f><v></")


def may_have(chunk: bytes) -> bool:
    """Whether a piece of a part may hold a cell that shows an error, or a formula without its result."""
    if b"#" in chunk and (b">#" in chunk or chunk.startswith(b"#")):
        return True
    return b"f>" in chunk and any(sign in chunk for sign in _SIGNS_OF_IT)


def look(text: bytes, seen: Seen) -> None:
    """Note the cells of a text of tags that show an error, or would if they were reckoned."""
    for cell in FAILED.finditer(text):
        said, place = cellplaces.placed(cell[1])
        if said.get(b"t") == b"e" and place is not None:
            seen.add(*place, sys.intern(cell[2].decode(errors="replace")))
    for cell in _NOT_RECKONED.finditer(text):
        said, place = cellplaces.placed(cell[1])
        if said.get(b"t") != b"str" and place is not None:  # an empty text is a result, too
            seen.add(*place, NOT_RECKONED)
