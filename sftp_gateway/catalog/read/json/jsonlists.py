"""Lists of objects in a JSON text whose name says that they may be the products."""

import re
from dataclasses import dataclass

from sftp_gateway.catalog.read.json import elements, jsonnodes

PRODUCTS = b"products"
ANSWERS = frozenset({jsonnodes.EDGES, jsonnodes.NODES})
"""Of GraphQL; anything may be in them."""
_NAMES = {PRODUCTS, b"items", b"data", b"catalog", b"rows", b"records", b"results", *ANSWERS}
_ARRAY_OF_OBJECTS = re.compile(rb'"((?:[^"\\]|\\.)*+)"\s*:\s*\[\s*[\]{]')
_DEEPEST = 4


@dataclass(frozen=True, slots=True)
class List:
    """A list of that `name`, the elements of which begin at `place`; `level`: so many objects are around it, and no array."""

    name: bytes
    place: int
    level: int


def find(text: bytes, begin: int, end: int) -> list[List]:
    """Give the lists between two places of a text."""
    found = []
    for match in _ARRAY_OF_OBJECTS.finditer(text, begin, end):
        if match[1] not in _NAMES:
            continue
        level = _level(text[begin : match.start()])
        if level <= _DEEPEST:
            found.append(List(match[1], text.index(b"[", match.end(1)) + 1, level))
    return found


def _level(text: bytes) -> int:
    """How many objects are open at the end of a text; more than there may be where an array is."""
    level = elements.level_after(text)
    return level if level <= 1 or not elements.is_array_open(text) else _DEEPEST + 1
