"""Cells of an XLSX sheet whose formula fails: the library that opens workbooks gives them as blank, a person sees `#N/A`."""

import html
import posixpath
import re
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path

_TAG = rb"<(?:[\w.-]+:)?"
_END = rb"</(?:[\w.-]+:)?"
_FAILED = re.compile(
    _TAG
    + rb"c(\s[^<>]*)>\s*(?:"
    + _TAG
    + rb"f(?:\s[^<>]*)?(?:/>|>[^<]*"
    + _END
    + rb"f>)\s*)?"
    + _TAG
    + rb"v>(#[^<]{1,20})<"
)
_ATTRIBUTE = re.compile(rb"""([\w:.-]+)\s*=\s*["']([^"']*)["']""")
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


def _look(text: bytes) -> Iterator[tuple[tuple[int, int], str]]:
    for cell in _FAILED.finditer(text):
        said = dict(_ATTRIBUTE.findall(cell[1]))
        place = _PLACE.fullmatch(said.get(b"r", b""))
        if said.get(b"t") == b"e" and place is not None:
            yield (int(place[2]) - 1, _column(place[1])), cell[2].decode(errors="replace")


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
