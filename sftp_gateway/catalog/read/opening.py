"""Open a file that a brand sent: what it is packed in, which format it is by its content, and the reader for it."""

from pathlib import Path

from msgspec.structs import replace

from sftp_gateway import errors
from sftp_gateway.catalog.read import strangers
from sftp_gateway.catalog.read.columnar import parquet
from sftp_gateway.catalog.read.csv import delimited
from sftp_gateway.catalog.read.json import jsonfile
from sftp_gateway.catalog.read.packing import unpack
from sftp_gateway.catalog.read.packing.unpack import Packed
from sftp_gateway.catalog.read.sheets import biff, sheet
from sftp_gateway.catalog.read.source import Hints, Source
from sftp_gateway.catalog.read.text import encoding, presumed

_HEAD_BYTES = 512


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
    strangers.refuse_kind(head)
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
    strangers.refuse_text(sample, start.lower())
    return delimited.open_delimited(packed, encoded, hints)


def _sample(packed: Packed, encoded: encoding.Encoding) -> bytes:
    with packed.open() as file:
        unpack.skip(file, encoded.bom)
        raw = unpack.fill(file, 65536)
    return encoding.recode(raw, encoded, final=False)[0].text


def _workbook(path: Path, head: bytes, hints: Hints) -> str:
    """`xlsx`, `ods` or `xls` if the file is a workbook, else ''."""
    if head.startswith(biff.MAGIC):
        return "xls"
    if not head.startswith((unpack.ZIP, b"PK\x05\x06")):
        return ""
    with unpack.zip_names(path, hints) as archive:
        names = archive.namelist()
        strangers.refuse_parts(names)
        if any(name.startswith(("xl/", "xl\\")) for name in names):
            return "xlsx"
        return "ods" if "content.xml" in names and "mimetype" in names else ""


def _inside(packed: Packed, head: bytes, hints: Hints) -> Source:
    """Open a workbook or Parquet file that is packed once more: both need a file to seek in, so it is unpacked to one."""
    copy = unpack.Copy(packed.blocks())
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
