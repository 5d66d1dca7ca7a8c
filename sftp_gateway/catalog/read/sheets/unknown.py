"""What programs write into XLSX sheets and the library that opens workbooks does not know: one such cell would cost the whole file.

Errors: it knows the seven of ECMA-376 §18.17.3; others (`#ERROR!`, `#SPILL!`) come from spreadsheets of later years and other makers.
Cells that are said to be numbers or truths and hold something else, cells of an unknown type: what is written there is a text.
A sheet that says in words which are none how far it reaches: that need not be said at all.
A text that is not in the workbook (dangling.py), and a sheet to which a way with `./` or `%31` in it leads.
In ODS, room between cells, as a program writes it that indents what it writes.
"""

import io
import re
import zipfile
from collections.abc import Iterator
from functools import partial
from typing import IO

import python_calamine

from sftp_gateway.catalog.read.sheets import cellplaces, dangling, formulas, odscells, sheetpart
from sftp_gateway.catalog.read.sheets.cellplaces import END, TAG

_SAID = (
    "Unsupported cell error value",
    "Parse float error",
    "Unrecognized boolean cell value",
    "Unknown cell 't' attribute",
    "Range is missing",
    "Expecting 'dimension' node",
    "Expecting alphanumeric character",
    "Expecting 'table-cell'",
    "Cannot detect file format",  # the same, of a file whose name does not say that it is ODS
    dangling.SAID,
)
_KNOWN = {b"#DIV/0!", b"#N/A", b"#NAME?", b"#NULL!", b"#NUM!", b"#REF!", b"#VALUE!"}
_STANDS_FOR_IT = b"#VALUE!"
_TYPED = re.compile(
    rb"(" + TAG + rb"c\s(?:[^<>]*?\s)?)t\s*=\s*[\"']([^<>\"']*+)[\"']([^<>]*+>\s*+"
    rb"(?:" + TAG + rb"f(?:\s[^<>]*)?(?:/>|>[^<]*" + END + rb"f>)\s*+)?(?:" + TAG + rb"v[^<>]*+>([^<]*+))?)"
)
"""A cell that says its type, up to what it holds."""
_OTHER_TYPES = {b"s", b"str", b"inlineStr", b"e", b"d"}
_TRUTHS = {b"0", b"1", b"true", b"false", b""}
_REACH = re.compile(TAG + rb"dimension\b[^<>]*+(?<=/)>")
_ROOM = re.compile(rb"(?:\A|(?<=>))\s++(?=</?(?:[\w.-]+:)?(?:covered-)?table-(?:cell|row)\b)")
"""Of the cells and rows of an ODS sheet; texts are deeper in them."""
_CHUNK = 1024**2
_LONGEST_CELL = 65536


def is_meant(error: BaseException) -> bool:
    """Whether the library gave up for this reason."""
    if isinstance(error, python_calamine.WorksheetNotFound):
        return True  # it is asked for sheets only that the workbook says it has
    return isinstance(error, python_calamine.CalamineError) and any(said in str(error) for said in _SAID)


def without(archive: zipfile.ZipFile) -> io.BytesIO:
    """Give a copy of a workbook that the library can read: all that it would not know is said in a way that it knows.

    Known errors stand for all others; what they are can still be seen in the original.
    """
    out, texts = io.BytesIO(), dangling.count(archive)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as copy:
        for entry in archive.infolist():
            with archive.open(entry) as part, copy.open(entry.filename, "w", force_zip64=True) as file:
                is_ods = entry.filename == odscells.PART
                for piece in _pieces(part, b">" if is_ods else b"c>"):
                    if is_ods:
                        file.write(_ROOM.sub(b"", piece))
                    elif entry.filename == sheetpart.LINKS:
                        file.write(sheetpart.TARGET.sub(_straight, piece))
                    else:
                        file.write(_known(piece, texts) if entry.filename.endswith(".xml") else piece)
    out.seek(0)
    return out


def _pieces(part: IO[bytes], end: bytes) -> Iterator[bytes]:
    """Give a part in pieces that end behind a tag that ends so, where there is one."""
    rest = b""
    while chunk := part.read(_CHUNK):
        text = rest + chunk
        cut = text.rfind(end) + len(end) if end in text else 0
        if len(text) - cut > _LONGEST_CELL:
            cut = len(text)
        yield text[:cut]
        rest = text[cut:]
    yield rest


def _straight(link: re.Match[bytes]) -> bytes:
    """Say the way to a part from the root on, where it is said in another way (RFC 3986 §5.2, §6.2.2)."""
    return link[1] + sheetpart.way(link[2]).encode() + link[3]


def _known(piece: bytes, texts: int | None) -> bytes:
    return _TYPED.sub(partial(_untyped, texts=texts), formulas.FAILED.sub(_mended, _REACH.sub(b"", piece)))


def _untyped(cell: re.Match[bytes], texts: int | None) -> bytes:
    """Leave out a type that what the cell holds is not of, or that is none; a cell without one is a number or else a text."""
    kind, value = cell[2], cell[4]
    if kind == b"s" and value is not None and dangling.is_so(value, texts):
        return cell[1] + cell[3]
    if kind in _OTHER_TYPES or (kind == b"b" and (value or b"").lower() in _TRUTHS):
        return cell[0]
    return cell[1] + cell[3]


def _mended(cell: re.Match[bytes]) -> bytes:
    if cell[2] in _KNOWN or cellplaces.attributes(cell[1]).get(b"t") != b"e":
        return cell[0]
    begin, end = (place - cell.start() for place in cell.span(2))
    return cell[0][:begin] + _STANDS_FOR_IT + cell[0][end:]
