"""Looks at a workbook before it is opened: a sheet is held in memory as a rectangle, so a far cell or a lie about sizes is fatal.

Real sizes are counted by inflating every part; nothing is built from what is read here.
"""

import codecs
import itertools
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO
from xml.parsers import expat

from isal import isal_zlib
from msgspec import Struct, field

from sftp_gateway import errors
from sftp_gateway.catalog.read import bounds
from sftp_gateway.catalog.read.packing import unpack
from sftp_gateway.catalog.read.sheets import biff, extent, mending, odscells, sharedtexts, zerofill
from sftp_gateway.catalog.read.sheets.merged import Range
from sftp_gateway.catalog.read.source import Hints

Spans = Mapping[str, list[Range]]
"""Merged cells by the name of their sheet."""
_CHUNK = 1024**2
_ODS_PARTS = "META-INF/manifest.xml"
_HARMLESS = re.compile(rb"<!--|<!\[CDATA\[")
_TAGS_ALONE = bytes(
    byte if byte in b"\t\n\r" or (32 <= byte < 128 and byte != ord("&")) else ord("x") for byte in range(256)
)
"""Makes a letter of each byte that may be none in XML, and of the sign of an entity: tags alone are looked at."""
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
_LONGEST_SIGN = 512
"""What tells of a doubtful cell is shorter."""


def check(path: Path, kind: str, hints: Hints) -> tuple[bool, Spans]:
    """Refused FILE_BOMB or FILE_TOO_LARGE where opening the workbook would cost too much; Incomplete if it is cut off.

    Gives whether a cell may show what the library does not give, and the merged cells that it does not know of.
    """
    if kind == "xls":
        rows, columns, is_doubtful = biff.extent(path, hints)
        _check_area(rows, columns)
        return is_doubtful, {}
    with unpack.zip_names(path, hints) as archive, path.open("rb") as file:
        entries = archive.infolist()
        _check_declared(entries, path.stat().st_size, hints)
        parts = _Parts(file, hints, path.stat().st_size)
        for entry in entries:
            parts.check(entry)
        if parts.texts.may_exceed():
            for entry in entries:
                parts.texts.read(entry.filename, _inflate(file, entry))
        return parts.doubtful or bool(zerofill.widths(archive)), parts.spans


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


class _Parts(Struct):
    """What was seen of the parts of a workbook so far."""

    file: BinaryIO
    hints: Hints
    packed: int
    """Bytes of the file."""
    bytes: int = 0
    texts: sharedtexts.Shared = field(default_factory=sharedtexts.Shared)
    doubtful: bool = False
    spans: Spans = field(default_factory=dict)

    def check(self, entry: zipfile.ZipInfo) -> None:
        """Inflate one more part and look at its cells."""
        name, seen, carry, last = entry.filename, extent.of(entry.filename), b"", b""
        may_need = odscells.may_need if name == odscells.PART else mending.may_need
        for chunk in _inflate(self.file, entry):
            if not last and name.endswith((".xml", ".rels")):
                _check_begin(name, chunk)
            if name == _ODS_PARTS and b":encryption-data" in last + chunk:
                raise unpack.protected()
            self.doubtful = self.doubtful or may_need(last + chunk)
            last = chunk[-_LONGEST_SIGN:]
            self.bytes += len(chunk)
            self._check_size()
            self.texts.see(name, chunk)
            carry = seen.see(carry + chunk)
            _check_area(seen.rows, seen.columns)
            if seen.texts > bounds.SHEET_CELLS:
                raise unpack.damaged("workbook", ValueError(f"it says that it has {seen.texts:,} different texts"))
            if seen.text_bytes > bounds.SHEET_TEXT_BYTES:
                raise unpack.bomb("a text that is repeated too often")
        if isinstance(seen, extent.Ods):
            self.spans = seen.spans
            _check_whole(_inflate(self.file, entry))

    def _check_size(self) -> None:
        if self.bytes > max(bounds.RATIO_AFTER_BYTES, self.packed * bounds.RATIO):
            raise unpack.bomb(f"more than {bounds.RATIO} times as large unpacked as packed")
        if self.bytes > min(self.hints.max_file_bytes, bounds.SHEET_BYTES):
            raise _too_large("its real size unpacked is above the limit")


def _check_begin(part: str, chunk: bytes) -> None:
    """Refuse a part that declares entities, or one that the library takes for empty or damaged; no known program writes one."""
    if chunk.startswith(_UTF_16) and part.startswith(_OF_A_SHEET):
        text = f"The part {part} of the workbook is in UTF-16; only UTF-8 is read."
        raise errors.Refused("FILE_FORMAT", text, "Open the workbook in a spreadsheet, save it and send it again.")
    if b"<!" in _HARMLESS.sub(b"", chunk[:4096]):
        raise unpack.bomb("a part of the workbook declares entities")


def _check_whole(part: Iterator[bytes]) -> None:
    """Refuse an ODS part in which something has no end: the library looks for that behind the end of the part, too, for ever."""
    parser = expat.ParserCreate("utf-8")
    begin = next(part, b"").removeprefix(codecs.BOM_UTF8).lstrip()
    try:
        for chunk in itertools.chain([begin], part):
            parser.Parse(chunk.translate(_TAGS_ALONE), False)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise unpack.damaged("ODS", ValueError(f"its {odscells.PART} is no whole XML ({error})")) from error


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
