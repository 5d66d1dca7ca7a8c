"""How far the cells of an old XLS workbook reach, from its BIFF records ([MS-XLS] §2.4, [MS-CFB]).

calamine holds the whole rectangle, so one cell in the far corner of a tiny file would cost half a gigabyte. It also
makes room for as many cells as a sheet says it has, before it reads one: where that room is not to be had, the whole
process is aborted.
"""

import struct
from pathlib import Path

from sftp_gateway import errors
from sftp_gateway.catalog.read.packing import truncation, unpack
from sftp_gateway.catalog.read.sheets import biffcells
from sftp_gateway.catalog.read.source import Hints

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_CELLS = {0x0006, 0x0201, 0x0203, 0x0204, 0x0205, 0x00FD, 0x027E, 0x00D6}
"""FORMULA BLANK NUMBER LABEL BOOLERR LABELSST RK RSTRING: row and column come first."""
_RUNS = {0x00BD, 0x00BE}
"""MULRK MULBLANK: the last column comes last."""
_DIMENSIONS = 0x0200
"""First row, the row after the last, first column, the column after the last (§2.4.90)."""
_FILEPASS = 0x002F
"""From here on all is encrypted (§2.4.117)."""
_MOST_CELLS = 65536 * 256
"""Of a sheet of this format."""
_FREE = 0xFFFFFFFA
_MINI = 64
"""Bytes of a sector that short streams share; [MS-CFB] §2.2 has no other size."""


def extent(path: Path, hints: Hints) -> tuple[int, int, bool]:
    """Rows and columns that the cells of an XLS file span, and whether some may show what the library does not give.

    Incomplete if its sectors are not all there.
    """
    rows = columns = position = 0
    doubtful = False
    stream = workbook(path, hints)
    while position + 4 <= len(stream):
        kind, size = struct.unpack_from("<HH", stream, position)
        if kind in biffcells.DOUBTFUL and not doubtful:
            doubtful = biffcells.may_have(kind, stream[position + 4 : position + 4 + size])
        if size >= 6 and kind in _CELLS | _RUNS and position + 8 <= len(stream):
            row, column = struct.unpack_from("<HH", stream, position + 4)
            if kind in _RUNS and position + 4 + size <= len(stream):
                (column,) = struct.unpack_from("<H", stream, position + 2 + size)
            rows, columns = max(rows, row + 1), max(columns, column + 1)
        elif kind == _FILEPASS:
            raise unpack.protected()
        elif kind == _DIMENSIONS:
            _refuse_absurd(stream[position + 4 : position + 4 + size])
        position += 4 + size
    return rows, columns, doubtful


def _refuse_absurd(dimensions: bytes) -> None:
    """Refuse a sheet that says it ends before it begins, or is larger than a sheet can be; it need not be true."""
    if len(dimensions) not in (10, 14):  # of BIFF5, of BIFF8; others calamine does not read
        return
    begin, end, left, right = struct.unpack_from("<IIHH" if len(dimensions) == 14 else "<HHHH", dimensions)
    rows, columns = end - begin, right - left
    if end and right and (rows < 0 or columns < 0 or rows * columns > _MOST_CELLS):
        raise unpack.damaged("XLS", ValueError("a sheet of it says that it has a size which no sheet can have"))


def workbook(path: Path, hints: Hints) -> bytes:
    """Give the bytes of the stream `Workbook` (or `Book`); b'' if there is none, which calamine will say."""
    data = path.read_bytes()
    if len(data) < 512:
        raise truncation.cut_off("its header is not whole", hints)
    sector = 1 << min(struct.unpack_from("<H", data, 30)[0], 12)
    if sector < 512:  # [MS-CFB] 2.2: it is 512 or 4,096
        raise unpack.damaged("XLS", ValueError("its sectors are too small"))
    fat = _fat(data, sector, hints)
    directory_start, small, mini_start = struct.unpack_from("<I4xII", data, 48)
    _refuse_loops(fat, [directory_start, mini_start])
    directory = _chain(data, fat, directory_start, sector, hints)
    mini = _table(_chain(data, fat, mini_start, sector, hints))
    _refuse_stream_loops(directory, fat, mini, small)
    root_start = 0
    for place in range(0, len(directory) - 127, 128):
        entry = directory[place : place + 128]
        name = entry[: max(0, struct.unpack_from("<H", entry, 64)[0] - 2)].decode("utf-16-le", "replace").lower()
        start, size = struct.unpack_from("<II", entry, 116)
        if entry[66] == 5:
            root_start = start
        elif name == "encryptedpackage":  # a workbook of a later format, with a password ([MS-OFFCRYPTO] §2.3.4.4)
            raise unpack.protected()
        elif name in ("workbook", "book") and entry[66] == 2:
            if size >= small:
                return _chain(data, fat, start, sector, hints)[:size]
            # A short one shares sectors with others; not every program writes it first ([MS-CFB] §2.4).
            shared = b"\0" * _MINI + _chain(data, fat, root_start, sector, hints)
            return _chain(shared, mini, start, _MINI, hints)[:size]
    return b""


def _fat(data: bytes, sector: int, hints: Hints) -> list[int]:
    places = [place for place in struct.unpack_from("<109I", data, 76) if place < _FREE]
    more, seen = struct.unpack_from("<I", data, 68)[0], 0
    while more < _FREE and seen <= len(data) // sector:
        block = _sector(data, more, sector, hints)
        *found, more = struct.unpack(f"<{sector // 4}I", block)
        places += [place for place in found if place < _FREE]
        seen += 1
    if more < _FREE:
        raise _endless()
    return [entry for place in places for entry in _table(_sector(data, place, sector, hints))]


def _table(sectors: bytes) -> list[int]:
    return list(struct.unpack(f"<{len(sectors) // 4}I", sectors))


def _refuse_stream_loops(directory: bytes, fat: list[int], mini: list[int], small: int) -> None:
    """Refuse a file with a stream that never ends; streams below `small` bytes lie in mini sectors."""
    streams = [struct.unpack_from("<II", directory, place + 116) for place in range(0, len(directory) - 127, 128)]
    _refuse_loops(fat, [start for start, size in streams])
    _refuse_loops(mini, [start for start, size in streams if size < small])


def _refuse_loops(fat: list[int], starts: list[int]) -> None:
    """Refuse a file whose chain of sectors comes back to itself: calamine would follow it until memory ends."""
    known = [0] * len(fat)
    for path, start in enumerate(starts, 1):
        place = start
        while place < len(fat) and not known[place]:
            known[place] = path
            place = fat[place]
        if place < len(fat) and known[place] == path:
            raise _endless()


def _endless() -> errors.Refused:
    return unpack.damaged("XLS", ValueError("a part of it has no end"))


def _chain(data: bytes, fat: list[int], start: int, sector: int, hints: Hints) -> bytes:
    parts: list[bytes] = []
    while start < len(fat) and len(parts) <= len(fat):
        parts.append(_sector(data, start, sector, hints))
        start = fat[start]
    return b"".join(parts)


def _sector(data: bytes, place: int, sector: int, hints: Hints) -> bytes:
    begin = (place + 1) * sector
    block = data[begin : begin + sector]
    if not block:
        raise truncation.cut_off("a part of the workbook is missing", hints)
    return block.ljust(sector, b"\0")
