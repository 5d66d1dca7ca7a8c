"""Reads changes.csv as `changes.Writer` wrote it: from a place, change by change, or product by product."""

import csv
import re
from collections.abc import Iterator
from itertools import groupby, islice
from typing import BinaryIO

from sftp_gateway.errors import Refused

Change = dict[str, str]
ESCAPED = re.compile(r"'+[=+\-@\t\r]")
csv.field_size_limit(2**24)  # a long list or map of images and attributes


def read(stream: BinaryIO, offset: int = 0) -> Iterator[tuple[Change, int]]:
    """Read from a record's byte offset: each change, and the offset of the next. Refused for another offset.

    The offset is exact because csv pulls one line at a time and only those its record needs.
    """
    names = next(csv.reader([stream.readline().decode("utf-8-sig")]), [])
    place = max(offset, stream.tell())
    stream.seek(place - 1)
    if stream.read(1) != b"\n":
        raise Refused("CURSOR", "cursor must be `next` of the page before")

    def lines() -> Iterator[str]:
        nonlocal place
        while line := stream.readline():
            place += len(line)
            yield line.decode("utf-8", "replace")

    for cells in csv.reader(lines()):
        yield dict(zip(names, (cell[1:] if ESCAPED.match(cell) else cell for cell in cells), strict=False)), place


def page(stream: BinaryIO, size: int, limit: int, offset: int | None = None) -> tuple[list[Change], int | None]:
    """Give changes, and the offset of the next page; `size`: bytes of the stream."""
    found = list(islice(read(stream, offset or 0), limit))
    return [change for change, _ in found], found[-1][1] if found and found[-1][1] < size else None


def products(stream: BinaryIO, most: int, columns: int) -> list[tuple[str, str, list[Change]]]:
    """Give the first changed products: key, op, the first of their changes."""
    grouped = groupby((change for change, _ in read(stream)), key=lambda change: (change["key"], change["op"]))
    return [(key, op, list(islice(parts, columns))) for (key, op), parts in islice(grouped, most)]
