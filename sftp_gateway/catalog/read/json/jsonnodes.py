"""Products as GraphQL answers them: each in an object of its own beside its place (`{"cursor": "…", "node": {…}}`), a page at a time.

https://relay.dev/graphql/connections.htm
"""

import re

from sftp_gateway import errors
from sftp_gateway.catalog.read.json import elements

EDGES, NODES = b"edges", b"nodes"
_BESIDE = rb'"(?:cursor|__typename)"\s*+:\s*+(?:"(?:[^"\\]|\\.)*+"|null)'
_BEGIN = re.compile(rb"\{\s*+(?:" + _BESIDE + rb'\s*+,\s*+)*+"node"\s*+:\s*+(?=\{)')
_END = re.compile(rb"\s*+(?:,\s*+" + _BESIDE + rb"\s*+)*+\}")
_MORE = re.compile(rb'"hasNextPage"\s*+:\s*+true')


def inside(text: bytes, start: int, end: int) -> tuple[int, int]:
    """Give where the product of an edge stands in a text; all of the edge where it says more of it than its place."""
    begin = _BEGIN.match(text, start, end)
    if begin is None:
        return start, end
    found = elements.find(text[begin.end() : end])
    stop = begin.end() + int(found.end[0]) if len(found.end) else end
    return (begin.end(), stop) if _END.fullmatch(text, stop, end) else (start, end)


def check_whole(around: bytes) -> None:
    """Refuse one page of several by what stands around its products; FILE_FORMAT."""
    if _MORE.search(around):
        text = "The file is one page of several: it says that there are more products (hasNextPage)."
        raise errors.Refused("FILE_FORMAT", text, "Send all products in one file.")
