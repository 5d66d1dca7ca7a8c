"""How the products of a JSON text are held together: an array, an object that holds one, or an object in each line."""

import re
from collections.abc import Collection

from sftp_gateway import errors
from sftp_gateway.catalog.folding import fold
from sftp_gateway.catalog.read import elements, encoding, product, remnant
from sftp_gateway.catalog.read.encoding import Recoded
from sftp_gateway.catalog.read.jsonrecords import SPACE, Shape, loads
from sftp_gateway.catalog.read.source import Hints

_ARRAY_OF_OBJECTS = re.compile(rb'"((?:[^"\\]|\\.)*+)"\s*:\s*\[\s*[\]{]')
_PRODUCTS = b"products"
_WRAPPERS = {_PRODUCTS, b"items", b"data", b"catalog", b"rows", b"records", b"results"}
_OBJECT = re.compile(rb'\{\s*+"(?:[^"\\]|\\.)*+"\s*+:')
_REACH = 65536
"""The array begins before; and lines are looked at up to there."""


def of(sample: Recoded, hints: Hints) -> Shape | None:
    """Tell the shape from the beginning of the text; None if it is no JSON, FILE_FORMAT if it has another shape."""
    text = sample.text
    begin = len(text) - len(text.lstrip(SPACE))
    if text[begin : begin + 1] == b"[":
        return _array(sample, begin + 1, b"")
    if text[begin : begin + 1] != b"{":
        return None
    line = text[begin:].split(b"\n", 1)[0].strip()
    complete = loads(line)
    top = complete if isinstance(complete, dict) else remnant.of(text[begin : begin + _REACH])
    wrapped = _wrapped(text, begin, top, hints)
    if isinstance(complete, dict) and (wrapped is None or b"\n" in text[begin:].strip(SPACE)):
        return Shape(lines=True)
    if wrapped is not None and not _goes_on_in_lines(text[begin : begin + _REACH]):
        return _array(sample, wrapped, text[:wrapped])
    if b":" in line:
        return Shape(lines=True)
    if _OBJECT.match(text, begin):
        raise errors.Refused(
            "FILE_FORMAT",
            "The file is JSON, but neither a list of products nor one product in each line.",
            'Send an array ([{…}, {…}]), an object that holds one ({"products": […]}), or a line for each product.',
        )
    return None


def _array(sample: Recoded, skip: int, prelude: bytes) -> Shape:
    return Shape(False, skip, int(sample.raw_anywhere(encoding.positions(skip))[0]), prelude)


def _goes_on_in_lines(text: bytes) -> bool:
    """Whether whole objects stand behind the first line as they cannot in an array: without a comma before or between them."""
    first, *rest = [line.strip() for line in text.split(b"\n")]
    needed = 2 if first.endswith((b"[", b",", b":")) else 1
    following = [line for line in rest if line][:needed]
    return len(following) == needed and all(isinstance(loads(line), dict) for line in following)


def _wrapped(text: bytes, begin: int, top: Collection[str], hints: Hints) -> int | None:
    """Where the array in `{"products": [ … ]}` begins; `products` beats other names. None for a list of a product's own."""
    found = None
    beside = _columns(top, hints)
    own = len(beside) > 1 and bool(hints.keys) and all(beside & key for key in hints.keys)
    for match in _ARRAY_OF_OBJECTS.finditer(text, begin, min(len(text), begin + _REACH)):
        name = match.group(1)
        if name in _WRAPPERS and elements.level_after(text[begin : match.start()]) == 1:
            place = text.index(b"[", match.end(1)) + 1
            if name == _PRODUCTS:
                # A collection has an id and a name, too: its products are richer in columns.
                return None if own and len(_columns(_first(text, place), hints)) <= len(beside) else place
            found = found or (None if own else place)
    return found


def _first(text: bytes, place: int) -> Collection[str]:
    """Give the names in the first object of an array."""
    found = elements.find(text[place : place + _REACH])
    return product.keys(text[place + int(found.start[0]) : place + int(found.end[0])]) if len(found.start) else ()


def _columns(names: Collection[str], hints: Hints) -> frozenset[str]:
    return frozenset(map(fold, names)) & hints.known_headers
