"""Errors of XLSX cells that the library which opens workbooks does not know (`#ERROR!`, `#SPILL!`): one would cost the whole file.

It knows the seven of ECMA-376 §18.17.3; others come from spreadsheets of later years and other makers.
"""

import io
import re
import zipfile
from collections.abc import Iterator
from typing import IO

import python_calamine

from sftp_gateway.catalog.read import cellplaces, formulas

_SAID = "Unsupported cell error value"
_KNOWN = {b"#DIV/0!", b"#N/A", b"#NAME?", b"#NULL!", b"#NUM!", b"#REF!", b"#VALUE!"}
_STANDS_FOR_IT = b"#VALUE!"
_CHUNK = 1024**2
_LONGEST_CELL = 65536


def is_meant(error: BaseException) -> bool:
    """Whether the library gave up for this reason."""
    return isinstance(error, python_calamine.CalamineError) and _SAID in str(error)


def without(archive: zipfile.ZipFile) -> io.BytesIO:
    """Give a copy of a workbook in which known errors stand for all others; what they are can still be seen in the original."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as copy:
        for entry in archive.infolist():
            with archive.open(entry) as part, copy.open(entry.filename, "w", force_zip64=True) as file:
                for piece in _pieces(part):
                    file.write(formulas.FAILED.sub(_mended, piece))
    out.seek(0)
    return out


def _pieces(part: IO[bytes]) -> Iterator[bytes]:
    """Give a part in pieces that end behind a tag of a cell's end, where there is one."""
    rest = b""
    while chunk := part.read(_CHUNK):
        text = rest + chunk
        last = text.rfind(b"c>")
        cut = last + 2 if last >= 0 else 0
        if len(text) - cut > _LONGEST_CELL:
            cut = len(text)
        yield text[:cut]
        rest = text[cut:]
    yield rest


def _mended(cell: re.Match[bytes]) -> bytes:
    if cell[2] in _KNOWN or cellplaces.attributes(cell[1]).get(b"t") != b"e":
        return cell[0]
    begin, end = (place - cell.start() for place in cell.span(2))
    return cell[0][:begin] + _STANDS_FOR_IT + cell[0][end:]
