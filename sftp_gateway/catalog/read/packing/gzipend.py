"""What stands behind the last whole stream of a gzip file: the unpacker only says that it finds no end there. Serves unpack."""

import zlib
from pathlib import Path

_BYTES = 1024**2
_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = 31  # zlib's way to ask for a gzip header


def is_followed(path: Path) -> bool:
    """Whether bytes follow a whole stream that begin no other one; NUL bytes are padding."""
    with path.open("rb") as file:
        unpacker, rest, whole = zlib.decompressobj(_GZIP_WINDOW), b"", False
        while data := rest or file.read(_BYTES):
            if whole:
                begin = data.lstrip(b"\0")
                begin += file.read(1) if begin == _MAGIC[:1] else b""
                if begin and not begin.startswith(_MAGIC):
                    return begin != _MAGIC[:1]
                whole, rest = not begin, begin
                continue
            try:
                unpacker.decompress(data, _BYTES)
            except zlib.error:
                return False
            rest = unpacker.unconsumed_tail
            if unpacker.eof:
                rest, whole = unpacker.unused_data, True
                unpacker = zlib.decompressobj(_GZIP_WINDOW)
    return False
