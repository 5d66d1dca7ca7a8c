"""Lists of objects in a JSON text that may be the products: by their name, or by what the first object has."""

import re
from collections.abc import Collection

import numpy as np
from msgspec import Struct

from sftp_gateway.catalog.folding import fold
from sftp_gateway.catalog.read.json import elements, jsonnodes, product
from sftp_gateway.catalog.read.source import Hints

PRODUCTS = b"products"
_NAMES = {PRODUCTS, b"items", b"data", b"catalog", b"rows", b"records", b"results"}
_USUAL = {*_NAMES, jsonnodes.EDGES, jsonnodes.NODES}
"""With those of GraphQL, in which anything may be."""
_ARRAY_OF_OBJECTS = re.compile(rb'"((?:[^"\\]|\\.)*+)"\s*:\s*\[\s*[\]{]')
_DEEPEST = 4
_REACH = 65536
"""The first object of a list is looked for so far."""


class List(Struct, frozen=True):
    """A list of that `name`, the elements of which begin at `place`; `level`: so many objects are around it, and no array."""

    name: bytes
    place: int
    level: int

    @property
    def is_named(self) -> bool:
        """Whether its name and place alone say that it holds the products."""
        return self.level == 1 and self.name in _NAMES


def find(text: bytes, begin: int, end: int) -> list[List]:
    """Give the lists between two places of a text."""
    found = list(_ARRAY_OF_OBJECTS.finditer(text, begin, end))
    around = elements.open_at(text[begin:end], np.array([match.start() - begin for match in found], np.int64))
    return [
        List(match[1].lower(), text.index(b"[", match.end(1)) + 1, level)
        for match, level, arrays in zip(found, *(counts.tolist() for counts in around), strict=True)
        if level <= _DEEPEST and arrays <= 0
    ]


def only(text: bytes, lists: list[List], hints: Hints) -> List | None:
    """Give the one whose first object has columns of ours; one with a usual name beats others. None if several may be meant."""
    found = [one for one in lists if _is_of_products(text, one, hints)]
    found = [one for one in found if one.name in _USUAL] or found
    return found[0] if len(found) == 1 else None


def has_another(text: bytes, name: bytes, hints: Hints) -> bool:
    """Whether a list in this text may be meant as well as the one of that name."""
    lists = find(text, 0, len(text))
    return any(one.name in _USUAL if name in _USUAL else _is_of_products(text, one, hints) for one in lists)


def _is_of_products(text: bytes, one: List, hints: Hints) -> bool:
    return len(columns(first(text, one.place), hints)) > 1


def first(text: bytes, place: int) -> Collection[str]:
    """Give the names in the first object of a list."""
    found = elements.find(text[place : place + _REACH])
    if not len(found.start):
        return ()
    start, end = jsonnodes.inside(text, place + int(found.start[0]), place + int(found.end[0]))
    return product.keys(text[start:end])


def columns(names: Collection[str], hints: Hints) -> frozenset[str]:
    """Give those of the names that are columns of ours, folded."""
    return frozenset(map(fold, names)) & hints.known_headers
