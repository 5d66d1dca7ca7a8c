"""Cells of an XLSX sheet that refer to a text which the workbook does not have, or by what is no number.

For the one the library refuses the whole file, and for the other it takes the first text: a wrong value.
"""

import re
import zipfile

from sftp_gateway.catalog.read.sheets import cellplaces
from sftp_gateway.catalog.read.sheets.cellplaces import END, TAG
from sftp_gateway.catalog.read.sheets.seen import Seen

STANDS_FOR_IT = "#TEXT!"
"""What is seen in place of the text."""
SAID = "Cell string index not found"
"""By the library, of a number that no text has."""
_TEXTS = "xl/sharedstrings.xml"
_TEXT = re.compile(TAG + rb"si(?=[\s/>])")
_FORMULA = rb"(?:" + TAG + rb"f(?:\s[^<>]*)?(?:/>|>[^<]*" + END + rb"f>)\s*+)?+"
_TYPE, _VALUE = rb"""s["'][^<>]*+>\s*+""" + _FORMULA, TAG + rb"v>"
_NO_NUMBER = re.compile(rb"=[\"']" + _TYPE + _VALUE + rb"(?!(?:\d{1,9})?+</)")
_UNUSUAL = re.compile(rb"""="s"(?![^<>]*+><v>\d{1,9}</)|='s'""")
"""Is looked for in a third of the time."""
_CELL = re.compile(TAG + rb"c(\s[^<>]*)>\s*+" + _FORMULA + _VALUE + rb"([^<]*+)<")
_LONGEST_NUMBER = 9
_CHUNK, _REACH = 1024**2, 65536


def may_have(chunk: bytes) -> bool:
    """Whether a piece of a part may hold a cell whose reference is no number."""
    return _UNUSUAL.search(chunk) is not None and _NO_NUMBER.search(chunk) is not None


def count(archive: zipfile.ZipFile) -> int | None:
    """Count the texts of a workbook; None if they are not where they usually are."""
    part = next((name for name in archive.namelist() if name.lower() == _TEXTS), None)
    if part is None:
        return None
    found, rest = 0, b""
    with archive.open(part) as file:
        while chunk := file.read(_CHUNK):
            text = rest + chunk
            cut = max(text.rfind(b"<"), 0)
            found += len(_TEXT.findall(text, 0, cut))
            rest = text[cut:][-_REACH:]
    return found + len(_TEXT.findall(rest))


def is_so(reference: bytes, texts: int | None) -> bool:
    """Whether no text is meant by what a cell refers to, of so many; nothing at all is a blank cell."""
    if not reference:
        return False
    is_number = reference.isdigit() and len(reference) <= _LONGEST_NUMBER
    return not is_number or (texts is not None and int(reference) >= texts)


def look(text: bytes, texts: int | None, seen: Seen) -> None:
    """Note such cells of a text of tags."""
    for cell in _CELL.finditer(text):
        said, place = cellplaces.placed(cell[1])
        if said.get(b"t") == b"s" and place is not None and is_so(cell[2], texts):
            seen.add(*place, STANDS_FOR_IT)
