"""Looks at a workbook before it is opened: a sheet is held in memory as a rectangle, so a far cell or a lie about sizes is fatal.

Real sizes are counted by inflating every part; nothing is built from what is read here.
"""

import codecs
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from isal import isal_zlib

from sftp_gateway import errors
from sftp_gateway.catalog.read import bounds
from sftp_gateway.catalog.read.packing import unpack
from sftp_gateway.catalog.read.sheets import (
    biff,
    biffcells,
    dangling,
    extent,
    formulas,
    odscells,
    sharedtexts,
    sheetpart,
    zerofill,
)
from sftp_gateway.catalog.read.sheets.seen import Seen
from sftp_gateway.catalog.read.source import Hints

_CHUNK = 1024**2
_ODS_PARTS = "META-INF/manifest.xml"
_HARMLESS = re.compile(rb"<!--|<!\[CDATA\[")
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, "<?".encode("utf-16-le"), "<?".encode("utf-16-be"))
_OF_A_SHEET = (
    "[Content_Types].xml",
    "_rels/",
    "content.xml",
    "xl/_rels/",
    "xl/sharedStrings",
    "xl/workbook",
    "xl/worksheets/",
)
_LONGEST_SIGN = 64
"""What tells of a doubtful cell is shorter."""


def check(path: Path, kind: str, hints: Hints) -> frozenset[str]:
    """Refused FILE_BOMB or FILE_TOO_LARGE where opening the workbook would cost too much; Incomplete if it is cut off.

    Gives the parts in which a cell may show what the library does not give.
    """
    if kind == "xls":
        rows, columns, is_doubtful = biff.extent(path, hints)
        _check_area(rows, columns)
        return frozenset([biffcells.PART] * is_doubtful)
    doubtful: set[str] = set()
    with unpack.zip_names(path, hints) as archive, path.open("rb") as file:
        entries = archive.infolist()
        _check_declared(entries, path.stat().st_size, hints)
        total, texts = 0, sharedtexts.Shared()
        for entry in entries:
            size, is_doubtful = _check_part(file, entry, hints, path.stat().st_size, total, texts)
            total += size
            if is_doubtful:
                doubtful.add(entry.filename)
        if texts.may_exceed():
            for entry in entries:
                texts.read(entry.filename, _inflate(file, entry))
    return frozenset(doubtful)


def _check_declared(entries: list[zipfile.ZipInfo], packed: int, hints: Hints) -> None:
    declared = sum(entry.file_size for entry in entries)
    if len(entries) > 10_000 or (declared > bounds.RATIO_AFTER_BYTES and declared > packed * bounds.RATIO):
        raise unpack.bomb(f"a workbook of {len(entries)} parts and {declared:,} bytes unpacked")
    if declared > min(hints.max_file_bytes, bounds.SHEET_BYTES):
        raise _too_large(f"{declared:,} bytes unpacked")
    if any(entry.flag_bits & 1 for entry in entries):
        raise unpack.protected()
    if any(entry.filename.endswith("workbook.bin") for entry in entries):
        raise errors.Refused("FILE_FORMAT", "XLSB workbooks are not read.", "Save it as XLSX or CSV.")


def _check_part(  # noqa: PLR0913, PLR0917 - what was seen of the parts before
    file: BinaryIO, entry: zipfile.ZipInfo, hints: Hints, packed: int, before: int, texts: sharedtexts.Shared
) -> tuple[int, bool]:
    """Inflate one part and look at its cells; gives its real size, and whether a cell of it may show more than the library gives."""
    limit = max(bounds.RATIO_AFTER_BYTES, packed * bounds.RATIO)
    seen = extent.of(entry.filename)
    may_have = odscells.may_have if entry.filename == odscells.PART else _may_have
    size, carry, doubtful, last = 0, b"", False, b""
    for chunk in _inflate(file, entry):
        if not size and chunk.startswith(_UTF_16) and entry.filename.endswith((".xml", ".rels")):
            _refuse_utf_16(entry.filename)
        if not size and entry.filename.endswith((".xml", ".rels")) and b"<!" in _HARMLESS.sub(b"", chunk[:4096]):
            raise unpack.bomb("a part of the workbook declares entities")
        size += len(chunk)
        if entry.filename == _ODS_PARTS and b":encryption-data" in last + chunk:
            raise unpack.protected()
        doubtful = doubtful or may_have(last + chunk)
        last = chunk[-_LONGEST_SIGN:]
        if before + size > limit:
            raise unpack.bomb(f"more than {bounds.RATIO} times as large unpacked as packed")
        if before + size > min(hints.max_file_bytes, bounds.SHEET_BYTES):
            raise _too_large("its real size unpacked is above the limit")
        texts.see(entry.filename, chunk)
        carry = seen.see(carry + chunk)
        _check_area(seen.rows, seen.columns)
        if seen.texts > bounds.SHEET_CELLS:
            raise unpack.damaged("workbook", ValueError(f"it says that it has {seen.texts:,} different texts"))
        if seen.text_bytes > bounds.SHEET_TEXT_BYTES:
            raise unpack.bomb("a text that is repeated too often")
    return size, doubtful


def _may_have(chunk: bytes) -> bool:
    return formulas.may_have(chunk) or dangling.may_have(chunk)


def _refuse_utf_16(part: str) -> None:
    """Refuse a part that the library takes for empty, or for damaged; no program that is known writes one."""
    if part.startswith(_OF_A_SHEET):
        text = f"The part {part} of the workbook is in UTF-16; only UTF-8 is read."
        raise errors.Refused("FILE_FORMAT", text, "Open the workbook in a spreadsheet, save it and send it again.")


def _inflate(file: BinaryIO, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """Give the real bytes of a part, whatever the directory says of their number (APPNOTE 4.3.7)."""
    file.seek(max(entry.header_offset, 0))
    header = file.read(30)
    if entry.header_offset < 0 or len(header) < 30 or header[:4] != unpack.ZIP:
        raise unpack.damaged("workbook", ValueError(f"{entry.filename} is not where its directory says"))
    file.seek(int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"), 1)
    left = entry.compress_size
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise unpack.damaged("workbook", ValueError(f"{entry.filename} is packed in an unusual way"))
    inflater = isal_zlib.decompressobj(-zlib.MAX_WBITS) if entry.compress_type == zipfile.ZIP_DEFLATED else None
    while left and (chunk := file.read(min(left, 65536))):
        left -= len(chunk)
        if inflater is None:
            yield chunk
            continue
        while chunk:
            try:
                yield inflater.decompress(chunk, _CHUNK)
            except unpack.DAMAGED as error:
                raise unpack.damaged("workbook", error) from error
            chunk = inflater.unconsumed_tail


def _check_area(rows: int, columns: int) -> None:
    if rows * columns <= bounds.SHEET_CELLS:
        return
    if columns > bounds.MAX_COLUMNS:
        raise unpack.bomb(f"a sheet of {rows:,} rows and {columns:,} columns")
    raise _too_large(f"a sheet of {rows:,} rows and {columns:,} columns")


def _too_large(what: str) -> errors.Refused:
    return errors.Refused("FILE_TOO_LARGE", f"The workbook is too large: {what}.", "Send it as CSV or Parquet.")


def seen(path: Path, kind: str, sheet: str, hints: Hints, doubtful: frozenset[str]) -> Seen:
    """Give the cells of a sheet in which a person sees something else than the library gives; `doubtful` as `check` says."""
    found = Seen()
    if kind == "xls":
        if biffcells.PART in doubtful:
            biffcells.find(biff.workbook(path, hints), sheet, found)
        return found
    with zipfile.ZipFile(path) as archive:
        if kind == "ods":
            if odscells.PART in doubtful:
                odscells.find(archive, sheet, found)
            return found
        _look(archive, sheetpart.name(archive, sheet), found, doubtful)
    return found


def _look(archive: zipfile.ZipFile, part: str, found: Seen, doubtful: frozenset[str]) -> None:
    """Note the cells of an XLSX part; what is noted last counts."""
    widths, is_doubtful = zerofill.widths(archive), part in doubtful
    if not part or not (widths or is_doubtful):
        return
    texts = dangling.count(archive) if is_doubtful else None
    for text in sheetpart.pieces(archive, part):
        if widths:
            zerofill.look(text, widths, found)
        if is_doubtful:
            formulas.look(text, found)
            dangling.look(text, texts, found)
