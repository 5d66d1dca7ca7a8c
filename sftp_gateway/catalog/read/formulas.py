"""Cells of an XLSX sheet whose formula fails or was never reckoned: the library that opens workbooks gives them as blank."""

import html
import posixpath
import re
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path

_TAG = rb"<(?:[\w.-]+:)?"
_END = rb"</(?:[\w.-]+:)?"
# Blanks are never given back (`*+`): a stranger may send millions of them.
_CELL = _TAG + rb"c(\s[^<>]*)>\s*+"
_FORMULA = _TAG + rb"f(?:\s[^<>]*)?(?:/>|>[^<]*" + _END + rb"f>)\s*+"
_FAILED = re.compile(_CELL + rb"(?:" + _FORMULA + rb")?" + _TAG + rb"v>(#[^<]{1,20})<")
_NOT_RECKONED = re.compile(
    _CELL + _FORMULA + rb"(?:" + _TAG + rb"v\s*+/>|" + _TAG + rb"v>\s*+" + _END + rb"v>)?\s*+" + _END + rb"c>"
)
NOT_RECKONED = "#FORMULA!"
"""What stands for a formula whose result the workbook does not hold: programs write such, a spreadsheet reckons when it opens them."""
_SIGNS_OF_IT = (b"f></", b"f><v/", b"f><v /", b"f><v></")
_ATTRIBUTE = re.compile(rb"""(?<![\w:.-])([\w:.-]++)\s*+=\s*+["']([^"']*)["']""")
_SHEET, _LINK = (re.compile(_TAG + name + rb"(\s[^<>]*)>") for name in (b"sheet", b"Relationship"))
_PLACE = re.compile(rb"([A-Za-z]{1,3})(\d{1,7})")
_BOOK, _LINKS = "xl/workbook.xml", "xl/_rels/workbook.xml.rels"
_CHUNK = 4 * 1024**2
_REACH = 65536
"""A cell with its formula is shorter."""

Errors = dict[tuple[int, int], str]
"""What stands at (row, column), both from 0."""


def failed(path: Path, sheet: str, parts: Collection[str]) -> Errors:
    """Give the cells of a sheet that show an error, if it is one of the `parts` that may have some."""
    found: Errors = {}
    if not parts:
        return found
    with zipfile.ZipFile(path) as archive:
        part = _part(archive, sheet)
        if part not in parts:
            return found
        with archive.open(part) as file:
            text = b""
            while chunk := file.read(_CHUNK):
                text = text[-_REACH:] + chunk
                found.update(_look(text))
    return found


def may_have(chunk: bytes) -> bool:
    """Whether a piece of a part may hold a cell that shows an error, or a formula without its result."""
    if b"#" in chunk and (b">#" in chunk or chunk.startswith(b"#")):
        return True
    return b"f>" in chunk and any(sign in chunk for sign in _SIGNS_OF_IT)


def _look(text: bytes) -> Iterator[tuple[tuple[int, int], str]]:
    for cell in _FAILED.finditer(text):
        said, place = _placed(cell[1])
        if said.get(b"t") == b"e" and place is not None:
            yield place, cell[2].decode(errors="replace")
    for cell in _NOT_RECKONED.finditer(text):
        said, place = _placed(cell[1])
        if said.get(b"t") != b"str" and place is not None:  # an empty text is a result, too
            yield place, NOT_RECKONED


def _placed(attributes: bytes) -> tuple[dict[bytes, bytes], tuple[int, int] | None]:
    said = dict(_ATTRIBUTE.findall(attributes))
    place = _PLACE.fullmatch(said.get(b"r", b""))
    return said, None if place is None else (int(place[2]) - 1, _column(place[1]))


def _column(letters: bytes) -> int:
    place = 0
    for letter in letters.upper():
        place = place * 26 + letter - 64
    return place - 1


def _part(archive: zipfile.ZipFile, sheet: str) -> str:
    """Give the name of the part that holds a sheet; '' where the workbook does not say it in the usual places."""
    names = set(archive.namelist())
    if not {_BOOK, _LINKS} <= names:
        return ""
    sheets = [dict(_ATTRIBUTE.findall(found)) for found in _SHEET.findall(archive.read(_BOOK))]
    links = [dict(_ATTRIBUTE.findall(found)) for found in _LINK.findall(archive.read(_LINKS))]
    number = next((_linked(said) for said in sheets if html.unescape(said.get(b"name", b"").decode()) == sheet), None)
    target = next((said[b"Target"].decode() for said in links if said.get(b"Id") == number and b"Target" in said), "")
    return posixpath.normpath(posixpath.join("/xl", target)).lstrip("/") if target else ""


def _linked(said: dict[bytes, bytes]) -> bytes | None:
    return next((value for name, value in said.items() if name.endswith(b":id")), None)
