"""Open a file that a brand sent: what it is packed in, which format it is by its content, and the reader for it."""

import re
from dataclasses import replace
from pathlib import Path

from sftp_gateway import errors
from sftp_gateway.catalog.read import bounds
from sftp_gateway.catalog.read.columnar import parquet
from sftp_gateway.catalog.read.csv import delimited
from sftp_gateway.catalog.read.json import jsonfile
from sftp_gateway.catalog.read.packing import unpack
from sftp_gateway.catalog.read.packing.unpack import Packed
from sftp_gateway.catalog.read.sheets import biff, sheet
from sftp_gateway.catalog.read.source import Hints, Source
from sftp_gateway.catalog.read.text import encoding, presumed

_OTHERS = {
    b"%PDF": "a PDF",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"BZh": "packed with bzip2",
    b"\xfd7zXZ\0": "packed with xz",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"\x7fELF": "a program",
    b"MZ": "a program",
    b"SQLite format 3": "a SQLite database",
}
_TAR, _TAR_AT = b"ustar", 257
"""POSIX.1-2017, pax, ustar Interchange Format: the magic of the first header, whose fields are filled up with NULs."""
_HEAD_BYTES = 512
_TEXT = frozenset((1, 9, 10, 11, 12, 13, 27, 28, 29, 30, 31))
"""Control characters that texts have: white space, escape, and what databases separate cells with."""
_MARKUP = re.compile(rb"<[!?a-z]")
_SHEETS = {
    (b"urn:schemas-microsoft-com:office:spreadsheet",): "a spreadsheet saved as XML (XML Spreadsheet 2003)",
    (b"opendocument.spreadsheet", b"<office:spreadsheet"): "a spreadsheet saved as flat XML (FODS)",
    (b"<table", b"<tr>", b"<tr "): "a web page (HTML) with a table",
}
"""Markup that spreadsheet programs open, by what tells it."""
_WANTED = "Send CSV, JSON, JSON Lines, XLSX, XLS, ODS or Parquet."


def open_source(path: Path, hints: Hints) -> Source:
    """Open `path` and give its headers; Refused with a FILE_* code, Incomplete where it stops in the middle."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not head:
        raise errors.Refused("FILE_EMPTY", "The file is empty.", "Send a file with a header and products.")
    if path.stat().st_size > hints.max_file_bytes:
        raise unpack.too_large(hints)
    workbook = _workbook(path, head, hints)
    if workbook:
        return sheet.open_sheet(path, workbook, hints)
    if head.startswith(parquet.MAGIC):
        return parquet.open_parquet(path, hints)
    packed = unpack.find(path, head, hints)
    if packed.compression:
        with packed.open() as unpacked:
            head = unpack.fill(unpacked, _HEAD_BYTES)
    return _open_packed(packed, head, hints)


def _open_packed(packed: Packed, head: bytes, hints: Hints) -> Source:
    if packed.compression and head.startswith((unpack.GZIP, unpack.ZSTD, unpack.ZIP, biff.MAGIC, parquet.MAGIC)):
        return _inside(packed, head, hints)
    _refuse_other_kind(head)
    encoded = presumed.presume(packed, hints) or encoding.detect(packed, hints)
    if not encoded.total_bytes:
        raise errors.Refused("FILE_EMPTY", "The file is empty.", "Send a file with a header and products.")
    sample = _sample(packed, encoded)
    start = sample.lstrip()[:64]
    if start.startswith((b"{", b"[")):
        encoded = encoding.detect(packed, hints) if encoded.presumed else encoded
        # JSON is Unicode (RFC 8259 §8.1): what is not, is damage, and a guess from it may swallow quotes.
        found = jsonfile.open_json(packed, encoding.unguessed(encoded), hints)
        if found is not None:
            return found
    _refuse_other_text(sample, start.lower())
    return delimited.open_delimited(packed, encoded, hints)


def _refuse_other_kind(head: bytes) -> None:
    for magic, what in _OTHERS.items():
        if head.startswith(magic):
            raise errors.Refused("FILE_FORMAT", f"The file is {what}, no catalog.", _WANTED)
    if head.startswith(_TAR, _TAR_AT) and b"\0" in head[:_TAR_AT]:
        raise errors.Refused(
            "FILE_FORMAT", "The file is a tar archive, no catalog.", "Send the file in it on its own, plain or as gzip."
        )


def _sample(packed: Packed, encoded: encoding.Encoding) -> bytes:
    with packed.open() as file:
        unpack.skip(file, encoded.bom)
        raw = unpack.fill(file, 65536)
    return encoding.recode(raw, encoded, final=False)[0].text


def _refuse_other_text(sample: bytes, start: bytes) -> None:
    if _MARKUP.match(start):
        _refuse_saved_sheet(sample.lower())
    if start.startswith((b"<?xml", b"<!doctype", b"<html", b"<table", b"<rss")):
        raise errors.Refused("FILE_FORMAT", "The file is XML or HTML, no catalog.", _WANTED)
    text = sample.rstrip(bounds.END_MARKS + b" \t\r\n") or sample
    controls = sum(text.count(code) for code in range(32) if code not in _TEXT)
    if controls > max(8, 0.05 * len(text)):
        raise errors.Refused("FILE_FORMAT", "The file is no text.", _WANTED)


def _refuse_saved_sheet(text: bytes) -> None:
    """Refuse what a spreadsheet opens though it is markup, whatever its name says: who sent it must save it anew."""
    for signs, what in _SHEETS.items():
        if any(sign in text for sign in signs):
            raise errors.Refused(
                "FILE_FORMAT",
                f"The file is {what}, whatever its name says.",
                "Open it in a spreadsheet program and save it as XLSX or CSV.",
            )


def _workbook(path: Path, head: bytes, hints: Hints) -> str:
    """`xlsx`, `ods` or `xls` if the file is a workbook, else ''."""
    if head.startswith(biff.MAGIC):
        return "xls"
    if not head.startswith((unpack.ZIP, b"PK\x05\x06")):
        return ""
    with unpack.zip_names(path, hints) as archive:
        names = archive.namelist()
        if any(name.startswith("xl/") for name in names):
            return "xlsx"
        return "ods" if "content.xml" in names and "mimetype" in names else ""


def _inside(packed: Packed, head: bytes, hints: Hints) -> Source:
    """Open a workbook or Parquet file that is packed once more: both need a file to seek in, so it is unpacked to one."""
    copy = unpack.Copy(packed)
    path = copy.path
    kind = _workbook(path, head, hints)
    source: Source
    if kind:
        source = sheet.open_sheet(path, kind, hints)
    elif head.startswith(parquet.MAGIC):
        source = opened = parquet.open_parquet(path, hints)
        opened.kept = copy
    else:
        raise errors.Refused(
            "FILE_FORMAT", f"Inside the {packed.compression} file is another packed file.", "Pack it only once."
        )
    source.format = replace(source.format, compression=packed.compression)
    return source
