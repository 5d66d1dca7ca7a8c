"""A large file that is taken for UTF-8 by its beginning, and watched while it is read.

A pass over the whole of it, only to be sure, costs as much as reading it from the disk once more. Where a block
is something else, the whole file is looked at after all, and read anew if it is in another encoding.
"""

import itertools

import pyarrow as pa
from msgspec.structs import replace

from sftp_gateway.catalog.read import bounds
from sftp_gateway.catalog.read.packing.unpack import Packed
from sftp_gateway.catalog.read.source import Hints
from sftp_gateway.catalog.read.text import encoding, survey
from sftp_gateway.catalog.read.text.encoding import Encoding

LEAST_BYTES = 2 * bounds.BLOCK_BYTES
"""Smaller files are looked at whole."""


class Misread(Exception):
    """The file is in another encoding than its beginning had it: all that was read of it is void."""


def presume(packed: Packed, hints: Hints) -> Encoding | None:
    """Take a file for UTF-8 if its first block is; None where the whole file has to be looked at."""
    size = packed.path.stat().st_size
    if not hints.presume or packed.compression or size < LEAST_BYTES:
        return None
    seen = survey.of(itertools.islice(packed.blocks(bounds.BLOCK_BYTES), 1), whole=False)
    found = encoding.told(seen, hints)
    if not found.clean:
        return None
    with packed.path.open("rb") as file:
        file.seek(-1, 2)
        newline = file.read() in {b"\n", b"\r"}
    return replace(found, total_bytes=size, ends_with_newline=newline, presumed=True)


class Watch:
    """Looks at the blocks of a file one after the other."""

    def __init__(self, packed: Packed, presumed: Encoding) -> None:
        self._packed, self._encoding = packed, presumed
        self._cut = b""

    def look(self, block: bytes, *, final: bool) -> Encoding:
        """Give the encoding that the file has by now, which is UTF-8, damaged or not; raises Misread where it is none."""
        if not self._encoding.presumed:
            return self._encoding
        block = self._cut + block if self._cut else block
        end = len(block) if final or block.isascii() else survey.whole_characters(block)
        self._cut = block[end:]
        if not survey.is_utf8(pa.py_buffer(block).slice(0, end)):
            self._encoding = encoding.detect(self._packed, self._packed.hints)
            if not self._encoding.utf8:
                raise Misread
        return self._encoding
