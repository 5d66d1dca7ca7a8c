"""The part of an XLSX workbook that holds a sheet, a piece at a time, and where its cells say they stand."""

import html
import posixpath
import re
import zipfile
from collections.abc import Iterator

TAG = rb"<(?:[\w.-]+:)?"
END = rb"</(?:[\w.-]+:)?"
_ATTRIBUTE = re.compile(rb"""(?<![\w:.-])([\w:.-]++)\s*+=\s*+(?:"([^"]*+)"|'([^']*+)')""")
_SHEET, _LINK = (re.compile(TAG + name + rb"(\s[^<>]*)>") for name in (b"sheet", b"Relationship"))
_PLACE = re.compile(rb"([A-Za-z]{1,3})(\d{1,7})")
_BOOK, _LINKS = "xl/workbook.xml", "xl/_rels/workbook.xml.rels"
_CHUNK = 4 * 1024**2
_REACH = 65536
"""A cell with its formula is shorter."""


def pieces(archive: zipfile.ZipFile, part: str) -> Iterator[bytes]:
    """Give the bytes of a part; each piece begins with the end of the one before, so that every cell is whole in one."""
    with archive.open(part) as file:
        text = b""
        while chunk := file.read(_CHUNK):
            text = text[-_REACH:] + chunk
            yield text


def attributes(tag: bytes) -> dict[bytes, bytes]:
    """Give the attributes of a tag by name, as they are written."""
    return {name: double or single for name, double, single in _ATTRIBUTE.findall(tag)}


def placed(tag: bytes) -> tuple[dict[bytes, bytes], tuple[int, int] | None]:
    """Give what a cell says of itself, and its row and column from 0."""
    said = attributes(tag)
    place = _PLACE.fullmatch(said.get(b"r", b""))
    return said, None if place is None else (int(place[2]) - 1, _column(place[1]))


def name(archive: zipfile.ZipFile, sheet: str) -> str:
    """Give the name of the part that holds a sheet; '' where the workbook does not say it in the usual places."""
    names = set(archive.namelist())
    if not {_BOOK, _LINKS} <= names:
        return ""
    sheets = [attributes(found) for found in _SHEET.findall(archive.read(_BOOK))]
    links = [attributes(found) for found in _LINK.findall(archive.read(_LINKS))]
    number = next((_linked(said) for said in sheets if html.unescape(said.get(b"name", b"").decode()) == sheet), None)
    target = next((said[b"Target"].decode() for said in links if said.get(b"Id") == number and b"Target" in said), "")
    part = posixpath.normpath(posixpath.join("/xl", target)).lstrip("/") if target else ""
    return part if part in names else ""


def _linked(said: dict[bytes, bytes]) -> bytes | None:
    return next((value for name, value in said.items() if name.endswith(b":id")), None)


def _column(letters: bytes) -> int:
    place = 0
    for letter in letters.upper():
        place = place * 26 + letter - 64
    return place - 1
