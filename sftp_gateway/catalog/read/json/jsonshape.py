"""How the products of a JSON text are held together: an array, an object that holds one, or an object in each line."""

import re
from collections.abc import Collection

from msgspec.structs import replace

from sftp_gateway import errors
from sftp_gateway.catalog.folding import fold
from sftp_gateway.catalog.read import bounds
from sftp_gateway.catalog.read.json import elements, jsonlists, jsonnodes, remnant
from sftp_gateway.catalog.read.json.jsonrecords import SPACE, Shape, loads
from sftp_gateway.catalog.read.source import Hints
from sftp_gateway.catalog.read.text import encoding
from sftp_gateway.catalog.read.text.encoding import Recoded

_OBJECT = re.compile(rb'\{\s*+"(?:[^"\\]|\\.)*+"\s*+:')
_NAMED = re.compile(rb'\{\s*+"((?:[^"\\]|\\.)*+)"\s*+:\s*+(?=\{)')
_BY_COLUMN = re.compile(rb'\{\s*+"(?:[^"\\]|\\.)*+"\s*+:\s*+\{\s*+"0"\s*+:[^\r\n]*+\s*+\Z')
"""One column after the other, each value by the number of its row, on one line: what pandas writes if not told otherwise."""
_DEEPEST = 3
_REACH = 65536
"""The array begins before; and lines are looked at up to there."""


def of(sample: Recoded, hints: Hints) -> Shape | None:
    """Tell the shape from the beginning of the text; None if it is no JSON, FILE_FORMAT if it has another shape."""
    text = sample.text
    begin = len(text) - len(text.lstrip(SPACE))
    if text[begin : begin + 1] == b"[":
        return _array(sample, begin + 1, b"")
    return _of_objects(sample, begin, hints) if text[begin : begin + 1] == b"{" else None


def _of_objects(sample: Recoded, begin: int, hints: Hints) -> Shape | None:
    """Tell the shape of a text that begins with an object."""
    text = sample.text
    line = text[begin:].split(b"\n", 1)[0].strip()
    complete = loads(line)
    top = complete if isinstance(complete, dict) else remnant.of(text[begin : begin + _REACH])
    wrapped = _wrapped(text, begin, top, hints)
    if wrapped is None and not jsonlists.columns(top, hints) and _is_keyed(text, begin, hints):
        raise errors.Refused(
            "FILE_FORMAT",
            'The products stand under names of their own ({"A1": {…}, "A2": {…}}), not in a list.',
            'Send a list, and the name as a value where it is the key: [{"sku": "A1", …}, {"sku": "A2", …}].',
        )
    in_lines, by_column = Shape(lines=True, returns=b"\n" not in text), _BY_COLUMN.match(text, begin)
    if (
        isinstance(complete, dict)
        and not by_column
        and (wrapped is None or b"\n" in text.strip(SPACE + bounds.END_MARKS))
    ):
        return in_lines
    if wrapped is not None and not _goes_on_in_lines(text[begin : begin + _REACH]):
        shape = _array(sample, wrapped.place, text[: wrapped.place])
        return replace(shape, deep=b"" if wrapped.is_named else wrapped.name, nodes=wrapped.name == jsonnodes.EDGES)
    if _is_loose(text[begin:]):
        return replace(_array(sample, begin, b""), loose=True)
    if by_column or (b":" not in line and _OBJECT.match(text, begin)):
        raise errors.Refused(
            "FILE_FORMAT",
            "The file is JSON, but neither a list of products nor one product in each line.",
            'Send an array ([{…}, {…}]), an object that holds one ({"products": […]}), or a line for each product.',
        )
    return in_lines if b":" in line else None


def _array(sample: Recoded, skip: int, prelude: bytes) -> Shape:
    return Shape(False, skip, int(sample.raw_anywhere(encoding.positions(skip))[0]), prelude)


def _is_keyed(text: bytes, begin: int, hints: Hints) -> bool:
    """Whether an object, or one in it, has products for its values: the first is one, and its name is no column."""
    for _ in range(_DEEPEST):
        named = _NAMED.match(text, begin)
        if named is None or fold(named[1].decode(errors="replace")) in hints.known_headers:
            return False
        begin = named.end()
        if len(jsonlists.columns(jsonlists.first(text, begin), hints)) > 1:
            return True
    return False


def _is_loose(text: bytes) -> bool:
    """Whether objects stand one behind the other, and not one in each line: the first two do."""
    if any(isinstance(loads(line), dict) for line in re.split(rb"[\r\n]+", text[:_REACH], maxsplit=3)[:3]):
        return False
    found = elements.find(text[:_REACH])
    pairs = [slice(*span) for span in zip(found.start[:2].tolist(), found.end[:2].tolist(), strict=True)]
    if len(pairs) < 2 or pairs[0].start:
        return False
    between = text[pairs[0].stop : pairs[1].start].strip(SPACE)
    return between in {b"", b","} and all(isinstance(loads(text[pair]), dict) for pair in pairs)


def _goes_on_in_lines(text: bytes) -> bool:
    """Whether whole objects stand behind the first line as they cannot in an array: without a comma before or between them."""
    first, *rest = [line.strip() for line in text.split(b"\n")]
    needed = 2 if first.endswith((b"[", b",", b":")) else 1
    following = [line for line in rest if line][:needed]
    return len(following) == needed and all(isinstance(loads(line), dict) for line in following)


def _wrapped(text: bytes, begin: int, top: Collection[str], hints: Hints) -> jsonlists.List | None:
    """Find the array in `{"products": [ … ]}`; `products` beats other names. None for a list of a product's own."""
    found = None
    beside = jsonlists.columns(top, hints)
    own = len(beside) > 1 and bool(hints.keys) and hints.name_key(beside)
    lists = jsonlists.find(text, begin, min(len(text), begin + _REACH))
    for one in lists:
        if not one.is_named:
            continue
        if one.name == jsonlists.PRODUCTS:
            # A collection has an id and a name, too: its products are richer in columns.
            richer = len(jsonlists.columns(jsonlists.first(text, one.place), hints)) > len(beside)
            return one if richer or not own else None
        found = found or (None if own else one)
    return found or (None if beside else jsonlists.only(text, lists, hints))
