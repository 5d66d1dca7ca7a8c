"""What the cells of a column have in common, and a damaged one has not: their shape, their length, the few answers there are."""

import re
from collections.abc import Sequence

_LETTERS, _DIGITS = re.compile(rb"(?:[A-Za-z]|[\x80-\xff])+"), re.compile(rb"\d+")
_FEW_SHAPES, _ONE_IN, _LEAST = 3, 4, 2


def completes(half: bytes, whole: bytes, others: Sequence[bytes]) -> bool:
    """Whether `whole` has what all other cells have in common, and `half` has not."""
    if len(others) < _LEAST:
        return False
    shapes, known = set(map(_shape, others)), set(others)
    if len(shapes) <= _FEW_SHAPES and _shape(half) not in shapes:
        return _shape(whole) in shapes
    if len(known) * _ONE_IN <= len(others) and half not in known:
        return whole in known
    sizes = set(map(len, others))
    if len(sizes) == 1 and len(half) not in sizes:
        return len(whole) in sizes
    return all(map(_is_capital, others)) and not _is_capital(half) and _is_capital(whole)


def _shape(cell: bytes) -> bytes:
    return _LETTERS.sub(b"a", _DIGITS.sub(b"9", cell[:64]))


def _is_capital(cell: bytes) -> bool:
    return cell.decode(errors="replace")[:1].isupper()
