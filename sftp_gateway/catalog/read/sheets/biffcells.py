"""Cells of an XLS sheet that show an error, or a number with leading zeros ([MS-XLS] §2.4): the library gives a blank, or the number."""

import struct
from collections.abc import Iterator

from sftp_gateway.catalog.read.sheets import zerofill
from sftp_gateway.catalog.read.sheets.seen import Seen

_FORMULA, _BOOLERR, _NUMBER, _RK, _MULRK = 0x0006, 0x0205, 0x0203, 0x027E, 0x00BD
_FORMAT, _XF, _SHEET, _BEGIN, _END = 0x041E, 0x00E0, 0x0085, 0x0809, 0x000A
DOUBTFUL = frozenset((_FORMULA, _BOOLERR, _FORMAT))
"""Records that may tell of such a cell."""
_BIFF8 = 0x0600
_ERRORS = {0: "#NULL!", 7: "#DIV/0!", 15: "#VALUE!", 23: "#REF!", 29: "#NAME?", 36: "#NUM!", 42: "#N/A"}
"""§2.5.10, Bes"""


def may_have(kind: int, body: bytes) -> bool:
    """Whether a record of one of the DOUBTFUL kinds tells of such a cell."""
    if kind == _FORMAT:
        return b"00" in body.replace(b"\0", b"")
    return _error(kind, body) is not None


def find(stream: bytes, sheet: str) -> Seen:
    """Find such cells of a sheet; what makes no sense is left to the library to complain of."""
    seen = Seen()
    begin, widths = _globals(stream, sheet)
    if begin is None:
        return seen
    for kind, body in _records(stream, begin):
        if len(body) < 6:
            continue
        row, column, style = struct.unpack_from("<HHH", body)
        if kind == _MULRK:
            for place in range((len(body) - 6) // 6):
                (style,) = struct.unpack_from("<H", body, 4 + 6 * place)
                _note(seen, row, column + place, widths.get(style))
        elif kind in {_NUMBER, _RK}:
            _note(seen, row, column, widths.get(style))
        elif kind in {_FORMULA, _BOOLERR}:
            _note(seen, row, column, _error(kind, body) or widths.get(style))
    return seen


def _note(seen: Seen, row: int, column: int, what: str | int | None) -> None:
    if what:
        seen.add(row, column, what)


def _error(kind: int, body: bytes) -> str | None:
    """Give the error that a cell shows (§2.5.133, FormulaValue; §2.4.24, BoolErr)."""
    if kind == _FORMULA and body[6:7] == b"\2" and body[12:14] == b"\xff\xff":
        return _ERRORS.get(body[8])
    if kind == _BOOLERR and body[7:8] == b"\1":
        return _ERRORS.get(body[6])
    return None


def _globals(stream: bytes, sheet: str) -> tuple[int | None, dict[int, int]]:
    """Give where a sheet begins, and how many digits the numbers of each style have at least."""
    begin: int | None = None
    formats: dict[int, int] = {}
    styles: list[int] = []
    wide = True
    for kind, body in _records(stream, 0):
        if kind == _BEGIN and len(body) >= 2:
            wide = struct.unpack_from("<H", body)[0] == _BIFF8
        elif kind == _FORMAT and len(body) >= 4:
            (number,) = struct.unpack_from("<H", body)
            formats[number] = zerofill.width(_text(body[2:], wide=wide, long=wide))
        elif kind == _XF and len(body) >= 4:
            styles.append(struct.unpack_from("<H", body, 2)[0])
        elif kind == _SHEET and len(body) >= 8 and _text(body[6:], wide=wide, long=False) == sheet:
            (begin,) = struct.unpack_from("<I", body)
    return begin, {style: formats[kind] for style, kind in enumerate(styles) if formats.get(kind)}


def _text(data: bytes, *, wide: bool, long: bool) -> str:
    """Read a text: its length in one byte or two (`long`), and in BIFF8 (`wide`) whether it has two bytes a letter."""
    head = 2 if long else 1
    count = int.from_bytes(data[:head], "little")
    if not wide:
        return data[head : head + count].decode("cp1252", "replace")
    if data[head : head + 1] == b"\1":
        return data[head + 1 : head + 1 + 2 * count].decode("utf-16-le", "replace")
    return data[head + 1 : head + 1 + count].decode("latin-1")


def _records(stream: bytes, position: int) -> Iterator[tuple[int, bytes]]:
    """Give the records of one substream, to its EOF; those of charts inside it are left out."""
    depth = 0
    while position + 4 <= len(stream):
        kind, size = struct.unpack_from("<HH", stream, position)
        depth += (kind == _BEGIN) - (kind == _END)
        if depth <= 1:
            yield kind, stream[position + 4 : position + 4 + size]
        if depth <= 0:
            return
        position += 4 + size
