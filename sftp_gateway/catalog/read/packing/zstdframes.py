"""Is a zstd file whole? zstandard's stream reader ends a cut frame without a word, so the frames are walked (RFC 8878 §3)."""

from typing import BinaryIO

from sftp_gateway import errors
from sftp_gateway.catalog.read.packing import truncation
from sftp_gateway.catalog.read.source import Hints

_RLE = 1
_DICTIONARY_BYTES = (0, 1, 2, 4)
_SIZE_BYTES = (0, 2, 4, 8)


def check(file: BinaryIO, hints: Hints) -> None:
    """Walk every frame by its block headers, reading a few bytes of each; Incomplete where one is cut."""
    end = file.seek(0, 2)
    position = 0
    while position < end:
        position = _frame(file, position)
        if position > end:
            raise truncation.cut_off("its last zstd frame has no end", hints)


def _frame(file: BinaryIO, position: int) -> int:
    """Where the frame at `position` ends; beyond the file's end if it is cut."""
    file.seek(position)
    head = file.read(10)
    if len(head) < 5:
        return position + 9
    if head[1:4] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50:
        return position + 8 + int.from_bytes(head[4:8].ljust(4, b"\xff"), "little")
    if head[:4] != b"\x28\xb5\x2f\xfd":
        raise errors.Refused("FILE_FORMAT", "The zstd file has something else behind its end.", "Make the file again.")
    flags = head[4]
    single = flags >> 5 & 1
    named = 6 - single
    if any(head[named : named + _DICTIONARY_BYTES[flags & 3]]):
        raise errors.Refused(
            "FILE_FORMAT",
            "The file was packed by zstd with a dictionary that it does not hold.",
            "Pack it without a dictionary, or with gzip.",
        )
    position += 5 + (1 - single) + _DICTIONARY_BYTES[flags & 3] + (_SIZE_BYTES[flags >> 6] or single)
    last = 0
    while not last:
        file.seek(position)
        header = file.read(3)
        if len(header) < 3:
            return position + 4
        block = int.from_bytes(header, "little")
        last = block & 1
        position += 3 + (1 if block >> 1 & 3 == _RLE else block >> 3)
    return position + 4 * (flags >> 2 & 1)
