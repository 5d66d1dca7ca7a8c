"""The part of an XLSX workbook that holds a sheet, a piece at a time, with the place of every cell in its tag."""

import html
import posixpath
import re
import zipfile
from collections.abc import Iterator
from urllib import parse

from sftp_gateway.catalog.read.sheets import cellplaces
from sftp_gateway.catalog.read.sheets.cellplaces import TAG, attributes

_SHEET, _LINK = (re.compile(TAG + name + rb"(\s[^<>]*)>") for name in (b"sheet", b"Relationship"))
BOOK, LINKS = "xl/workbook.xml", "xl/_rels/workbook.xml.rels"
TARGET = re.compile(rb"""(\bTarget\s*+=\s*+["'])([^"':<>]*+)(["'])""")
"""Of another file (`https://…`) it is none of ours."""
_CHUNK = 4 * 1024**2
_REACH = 65536
"""A cell with its formula is shorter."""


def pieces(archive: zipfile.ZipFile, part: str) -> Iterator[bytes]:
    """Give the bytes of a part; each piece begins with the end of the one before, so that every cell is whole in one.

    Cells say in which place they stand, also those that leave it out.
    """
    with archive.open(part) as file:
        text, places = b"", cellplaces.Places()
        while chunk := file.read(_CHUNK):
            text = text[-_REACH:] + places.put_into(chunk)
            yield text


def name(archive: zipfile.ZipFile, sheet: str) -> str:
    """Give the name of the part that holds a sheet; '' where the workbook does not say it in the usual places."""
    names = set(archive.namelist())
    if not {BOOK, LINKS} <= names:
        return ""
    sheets = [attributes(found) for found in _SHEET.findall(archive.read(BOOK))]
    number = next((_linked(said) for said in sheets if html.unescape(said.get(b"name", b"").decode()) == sheet), None)
    target = next(
        (said[b"Target"] for said in links(archive, LINKS) if said.get(b"Id") == number and b"Target" in said), b""
    )
    part = way(target).lstrip("/") if target else ""
    return part if part in names else ""


def links(archive: zipfile.ZipFile, part: str) -> list[dict[bytes, bytes]]:
    """Give what a part with links says of each."""
    return [attributes(found) for found in _LINK.findall(archive.read(part))]


def way(target: bytes, folder: str = "/xl") -> str:
    """Give the way from the root of the package to what is linked to from a part in a folder; old programs write backslashes."""
    said = parse.unquote(target.decode(errors="replace")).replace("\\", "/")
    return posixpath.normpath(posixpath.join(folder, said))


def _linked(said: dict[bytes, bytes]) -> bytes | None:
    return next((value for name, value in said.items() if name.endswith(b":id")), None)
