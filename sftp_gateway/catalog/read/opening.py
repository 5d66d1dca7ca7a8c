"""Open a file that a brand sent: what it is packed in, which format it is by its content, and the reader for it."""

from pathlib import Path

from sftp_gateway import errors
from sftp_gateway.catalog.read import bounds, delimited, encoding, unpack
from sftp_gateway.catalog.read.source import Hints, Source


def open_source(path: Path, hints: Hints) -> Source:
    """Open `path` and give its headers; Refused with a FILE_* code, Incomplete where it stops in the middle."""
    with path.open("rb") as file:
        head = file.read(64)
    if not head:
        raise errors.Refused("FILE_EMPTY", "The file is empty.", "Send a file with a header and products.")
    packed = unpack.find(path, head, hints)
    encoded = encoding.detect(packed, hints)
    return delimited.open_delimited(packed, encoded, hints)
