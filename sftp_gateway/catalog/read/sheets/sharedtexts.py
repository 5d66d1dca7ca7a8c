"""What an XLSX's shared texts cost: each cell that refers to one gets a copy of it, so a long one and many cells are a bomb."""

import re
from collections.abc import Iterable

import numpy as np

from sftp_gateway.catalog.read import bounds
from sftp_gateway.catalog.read.packing import unpack

_PART = "xl/sharedStrings.xml"
_END = re.compile(rb"</si>|<si/>")
_REFERENCE = re.compile(rb't="s"[^>]*><v>(\d{1,9})</v>')


class Shared:
    """Counts as parts pass by; where the sum might be too large, `read` them again to know."""

    def __init__(self) -> None:
        self._cells = self._longest = self._length = 0
        self._lengths: list[int] = []

    def see(self, name: str, chunk: bytes) -> None:
        """Look at more of a part; FILE_BOMB if one text is longer than a row may be."""
        if name.startswith("xl/worksheets/"):
            self._cells += chunk.count(b't="s"')
        elif name == _PART:
            start = 0
            for end in _END.finditer(chunk):
                self._measured(self._length + end.start() - start)
                self._length, start = 0, end.end()
            self._length += len(chunk) - start
            self._measured(self._length, whole=False)

    def _measured(self, length: int, *, whole: bool = True) -> None:
        self._longest = max(self._longest, length)
        if length > bounds.RECORD_BYTES:
            raise unpack.bomb(f"a cell of more than {bounds.RECORD_BYTES:,} bytes")
        if whole:
            self._lengths.append(length)

    def may_exceed(self) -> bool:
        """Whether the copies could be too large if every cell held the longest text."""
        return self._cells * self._longest > bounds.SHEET_TEXT_BYTES

    def read(self, name: str, chunks: Iterable[bytes]) -> None:
        """Add up what the cells of a part really hold; FILE_BOMB where that is too much."""
        if not name.startswith("xl/worksheets/"):
            return
        lengths, total, carry = np.array(self._lengths or [0], np.int64), 0, b""
        for chunk in chunks:
            text = carry + chunk
            cut = text.rfind(b"</c>") + 1
            found = np.array(_REFERENCE.findall(text, 0, cut), np.bytes_).astype(np.int64) if cut else lengths[:0]
            total += int(lengths[np.minimum(found, len(lengths) - 1)].sum())
            if total > bounds.SHEET_TEXT_BYTES:
                raise unpack.bomb("long texts that too many cells share")
            carry = text[cut:][-65536:]
