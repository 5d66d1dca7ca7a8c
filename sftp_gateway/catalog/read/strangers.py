"""Files that are no catalogs, or in a format that is not read: each is refused with what it is, and what to do."""

import re
import struct

from sftp_gateway import errors
from sftp_gateway.catalog.read import bounds

_WANTED = "Send CSV, JSON, JSON Lines, XLSX, XLS, ODS or Parquet."
_SAVE = "Open it in a spreadsheet program and save it as XLSX or CSV."
_KINDS = {
    b"%PDF": "a PDF",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"BZh": "packed with bzip2",
    b"\xfd7zXZ\0": "packed with xz",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"\x7fELF": "a program",
    b"SQLite format 3": "a SQLite database",
}
_TAR, _TAR_AT = b"ustar", 257
"""POSIX.1-2017, pax, ustar Interchange Format: the magic of the first header, whose fields are filled up with NULs."""
_BARE_XLS = (b"\x09\0\x04\0", b"\x09\x02\x06\0", b"\x09\x04\x06\0", b"\x09\x08\x08\0", b"\x09\x08\x10\0")
"""The record that begins a sheet (BOF) of Excel 2, 3 and 4; and of later ones, without the [MS-CFB] file that belongs around it."""
_DBF = frozenset(b"\x02\x03\x04\x30\x31\x32\x43\x63\x83\x8b\x8c\xcb\xf5\xfb")
"""Versions of dBase, FoxPro and Clipper."""
_DBF_NAME = re.compile(rb"[A-Za-z_]\w{0,9}\0")
_SYLK = re.compile(rb'ID;P[^;\r\n]*+(?:;[NE])*+[\r\n].*?^C;(?:(?:[XY]\d++;)++K|K")', re.DOTALL | re.MULTILINE)
"""A cell must follow, with its place or in quotes: `ID;PRICE` begins many a CSV, and `C;Kiwi` stands in some."""
_DIF = re.compile(rb"TABLE[ \t]*+[\r\n]++0,1[ \t]*+[\r\n]")
_MARKUP = re.compile(rb"<[!?a-z]")
_MARKED = {
    (b"urn:schemas-microsoft-com:office:spreadsheet",): "a spreadsheet saved as XML (XML Spreadsheet 2003)",
    (b"opendocument.spreadsheet", b"<office:spreadsheet"): "a spreadsheet saved as flat XML (FODS)",
    (b"<table", b"<tr>", b"<tr "): "a web page (HTML) with a table",
}
"""Markup that spreadsheet programs open, by what tells it."""
_TEXT = frozenset((1, 9, 10, 11, 12, 13, 27, 28, 29, 30, 31))
"""Control characters that texts have: white space, escape, and what databases separate cells with."""


def refuse_kind(head: bytes) -> None:
    """Refuse what the first 512 bytes of a file tell; FILE_FORMAT."""
    for magic, what in _KINDS.items():
        if head.startswith(magic):
            raise errors.Refused("FILE_FORMAT", f"The file is {what}, no catalog.", _WANTED)
    if head.startswith(b"MZ") and b"\0" in head:  # alone, it begins a header, too
        raise errors.Refused("FILE_FORMAT", "The file is a program, no catalog.", _WANTED)
    if head.startswith(_TAR, _TAR_AT) and b"\0" in head[:_TAR_AT]:
        raise errors.Refused(
            "FILE_FORMAT", "The file is a tar archive, no catalog.", "Send the file in it on its own, plain or as gzip."
        )
    if head.startswith(_BARE_XLS):
        raise _saved_as("a spreadsheet in a form that Excel had before version 5 (BIFF)")
    if _is_dbf(head):
        raise _saved_as("a dBase table (DBF)")


def refuse_parts(names: list[str]) -> None:
    """Refuse what the names in a zip tell; FILE_FORMAT."""
    if "Index/Document.iwa" in names:
        raise _saved_as("a document of Apple's Numbers, Pages or Keynote")


def refuse_text(sample: bytes, start: bytes) -> None:
    """Refuse what the first text of a file tells, `start` in small letters; FILE_FORMAT."""
    if _SYLK.match(sample):
        raise _saved_as("a spreadsheet saved as SYLK")
    if _DIF.match(sample):
        raise _saved_as("a spreadsheet saved as DIF")
    if _MARKUP.match(start):
        text = sample.lower()
        for signs, what in _MARKED.items():
            if any(sign in text for sign in signs):
                raise _saved_as(what)
    if start.startswith((b"<?xml", b"<!doctype", b"<html", b"<table", b"<rss")):
        raise errors.Refused("FILE_FORMAT", "The file is XML or HTML, no catalog.", _WANTED)
    text = sample.rstrip(bounds.END_MARKS + b" \t\r\n") or sample
    controls = sum(text.count(code) for code in range(32) if code not in _TEXT)
    if controls > max(8, 0.05 * len(text)):
        raise errors.Refused("FILE_FORMAT", "The file is no text.", _WANTED)


def _saved_as(what: str) -> errors.Refused:
    """Refuse what a spreadsheet program opens: who sent it must save it anew."""
    return errors.Refused("FILE_FORMAT", f"The file is {what}, whatever its name says.", _SAVE)


def _is_dbf(head: bytes) -> bool:
    """Whether a file begins with a day, the length of its header and the first field of it, as dBase tables do."""
    if len(head) < 64 or head[0] not in _DBF or head[2] > 12 or head[3] > 31:
        return False
    (length,) = struct.unpack_from("<H", head, 8)
    return length > 64 and head[43:44].isalpha() and _DBF_NAME.match(head, 32, 43) is not None
