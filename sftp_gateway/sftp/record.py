"""A record of the journal as it lies in a segment: header, row as JSON, bytes of the file. For journal and replay."""

import hashlib
import struct
import zlib
from collections.abc import Iterator

from msgspec import Struct, json

from sftp_gateway.store.drafts import Entry

HEADER = struct.Struct(">4s8sQIII")
"""Mark, generation, number of the record, lengths of row and bytes, CRC-32 of this and the row, whose SHA-256 is that
of the bytes."""
MARK = b"SGJ2"
_ROW = json.Decoder(Entry)


class Record(Struct, frozen=True):
    """A closed draft: `number` rises through all segments of a process's journal."""

    number: int
    entry: Entry
    data: bytes


def read(segment: bytes) -> Iterator[Record]:
    """Give the records of a segment up to the first that is not whole, or of an older generation."""
    at, generation = 0, segment[4:12]
    while at + HEADER.size <= len(segment):
        mark, own, number, row_bytes, data_bytes, crc = HEADER.unpack_from(segment, at)
        start = at + HEADER.size
        middle, end = start + row_bytes, start + row_bytes + data_bytes
        if mark != MARK or own != generation or end > len(segment):
            return
        row, data = segment[start:middle], segment[middle:end]
        if zlib.crc32(row, zlib.crc32(segment[at : start - 4])) != crc:
            return
        entry = _ROW.decode(row)
        if hashlib.sha256(data).hexdigest() != entry.sha256:
            return
        yield Record(number, entry, data)
        at = end


def head(generation: bytes, number: int, entry: Entry, size: int) -> bytes:
    """Make what goes before the bytes of a record: header and row."""
    row = json.encode(entry)
    begin = HEADER.pack(MARK, generation, number, len(row), size, 0)[:-4]
    return b"".join((begin, zlib.crc32(row, zlib.crc32(begin)).to_bytes(4, "big"), row))
