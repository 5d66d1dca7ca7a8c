"""Plain bytes out of a file, whatever it is packed in: gzip, zstd, zip with one member, or nothing.

Every unpacked byte counts against a budget and a ratio, so that a bomb is refused after a few
megabytes; a packed file that stops in the middle is told from a broken one.
"""

import gzip
import os
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO, Protocol, cast

import zstandard
from isal import igzip
from isal.igzip_lib import IsalError
from msgspec import Struct

from sftp_gateway import disk, errors
from sftp_gateway.catalog.read import bounds
from sftp_gateway.catalog.read.packing import gzipend, truncation, zstdframes
from sftp_gateway.catalog.read.source import Hints

_DESKTOP = {".DS_Store", "Thumbs.db", "desktop.ini"}
GZIP, ZSTD, ZIP = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04"


class Readable(Protocol):
    """What blocks are read from."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; b'' at the end."""
        ...


class Packed(Struct, frozen=True):
    """A file and how it is packed: `compression` gzip, zstd, zip or None; `member` of the zip."""

    path: Path
    compression: str | None
    hints: Hints
    member: str = ""

    @contextmanager
    def open(self) -> Iterator[Readable]:
        """Read the unpacked bytes from the start; Refused FILE_BOMB, FILE_TOO_LARGE, Incomplete on the way."""
        with self.path.open("rb", buffering=0) as file:
            if self.compression is None:
                yield _Plain(file, self.hints)
            elif self.compression == "gzip":
                with igzip.IGzipFile(fileobj=file) as unpacked:  # type: ignore[no-untyped-call]  # isal has types for half
                    yield _Counted(cast("BinaryIO", unpacked), self)
            elif self.compression == "zstd":
                zstdframes.check(file, self.hints)
                file.seek(0)
                yield _Counted(cast("BinaryIO", _zstd(file)), self)
            else:
                with zipfile.ZipFile(file) as archive, self._open_member(archive) as unpacked:
                    yield _Counted(cast("BinaryIO", unpacked), self)

    def _open_member(self, archive: zipfile.ZipFile) -> IO[bytes]:
        try:
            return archive.open(self.member)
        except DAMAGED as error:
            raise damaged("zip", error) from error

    def blocks(self, size: int = bounds.BLOCK_BYTES) -> Iterator[bytes]:
        """Give the unpacked bytes, `size` at a time."""
        with self.open() as file:
            while block := fill(file, size):
                yield block


class Copy:
    """Bytes in a file without a name: it is gone with this object, however the process ends."""

    def __init__(self, blocks: Iterable[bytes | memoryview]) -> None:
        with tempfile.TemporaryFile() as file:
            file.writelines(blocks)
            file.flush()
            self._descriptor = os.dup(file.fileno())
        self.path = Path(f"/proc/self/fd/{self._descriptor}")

    def __del__(self) -> None:
        os.close(self._descriptor)


def find(path: Path, head: bytes, hints: Hints) -> Packed:
    """Tell how a file is packed from its first bytes; a zip must hold exactly one readable member."""
    if head.startswith(GZIP):
        return Packed(path, "gzip", hints)
    if head.startswith(ZSTD) or (head[1:4] == b"\x2a\x4d\x18" and 0x50 <= head[0] <= 0x5F):  # RFC 8878 §3.1.2
        return Packed(path, "zstd", hints)
    if head.startswith((ZIP, b"PK\x05\x06")):
        return Packed(path, "zip", hints, _member(path, hints))
    return Packed(path, None, hints)


def fill(file: Readable, size: int) -> bytes:
    """Read `size` bytes, fewer only at the end of the file."""
    block = file.read(size)
    if len(block) == size or not block:
        return block
    parts, missing = [block], size - len(block)
    while missing and (block := file.read(missing)):
        parts.append(block)
        missing -= len(block)
    return b"".join(parts)


def protected() -> errors.Refused:
    """Give the refusal of a workbook that only a password opens."""
    return errors.Refused("FILE_FORMAT", "The workbook is protected by a password.", "Save it without a password.")


def skip(file: Readable, size: int) -> None:
    """Read over `size` bytes."""
    while size > 0 and (block := file.read(min(size, bounds.BLOCK_BYTES))):
        size -= len(block)


def zip_names(path: Path, hints: Hints) -> zipfile.ZipFile:
    """Open a zip's directory; a zip without its end is cut off, one that makes no sense FILE_FORMAT."""
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise truncation.cut_off("its zip directory is missing", hints) from error
    except (OSError, NotImplementedError, ValueError) as error:
        raise damaged("zip", error) from error


def _zstd(file: BinaryIO) -> zstandard.ZstdDecompressionReader:
    # Windows above 128 MiB are a way to eat memory; zstd itself advises this limit (RFC 8878 §3.1.1.1.2).
    decompressor = zstandard.ZstdDecompressor(max_window_size=1 << 27)
    return decompressor.stream_reader(file, read_across_frames=True)


def _member(path: Path, hints: Hints) -> str:
    with zip_names(path, hints) as archive:
        entries = [entry for entry in archive.infolist() if not _litter(entry.filename)]
    if len(entries) != 1:
        raise errors.Refused(
            "FILE_FORMAT",
            f"The zip holds {len(entries)} files; it must hold exactly one.",
            "Send each file on its own.",
        )
    if entries[0].flag_bits & 1:
        raise errors.Refused("FILE_FORMAT", "The zip is encrypted.", "Send it without a password.")
    if entries[0].file_size > hints.max_file_bytes:
        raise too_large(hints)
    return entries[0].filename


def _litter(name: str) -> bool:
    """Whether an entry is a directory, or what a desktop adds by itself: `._…` beside each file (AppleDouble), a view, a picture."""
    last = name.rpartition("/")[2]
    return not last or name.startswith("__MACOSX/") or last.startswith("._") or last in _DESKTOP


def too_large(hints: Hints) -> errors.Refused:
    """Make the error for a file beyond the byte budget."""
    return errors.Refused(
        "FILE_TOO_LARGE",
        f"The file has more than {hints.max_file_bytes:,} bytes.",
        "Split it, or ask for a larger limit.",
    )


def too_wide() -> errors.Refused:
    """Make the error for a file of too many columns."""
    return errors.Refused("FILE_FORMAT", f"The file has more than {bounds.MAX_COLUMNS:,} columns.", "Send fewer.")


def bomb(what: str) -> errors.Refused:
    """Make the error for a file made to exhaust us."""
    return errors.Refused("FILE_BOMB", f"The file is refused as a decompression bomb: {what}.", "Send it unpacked.")


def damaged(kind: str, error: Exception) -> errors.Refused:
    """Make the error for a file that breaks the rules of its own format."""
    why = str(error) or "a part of it ends too early"
    return errors.Refused("FILE_FORMAT", f"The {kind} file is damaged: {why}.", "Make the file again.")


def _followed() -> errors.Refused:
    what = "Other bytes follow the end of the gzip stream; it cannot be told whether they belong to the catalog."
    return errors.Refused("FILE_FORMAT", what, "Pack the file again, and send it as binary.")


DAMAGED: tuple[type[Exception], ...] = (
    cast("type[Exception]", IsalError),  # its stub says that it is an instance
    zstandard.ZstdError,
    zipfile.BadZipFile,
    zlib.error,
    OSError,
    ValueError,
    NotImplementedError,  # a zip member by a method that zipfile lacks
    RuntimeError,  # an encrypted one
    EOFError,  # one that says of itself that it is longer than the file
)
"""What unpackers raise for damaged bytes."""


class _Plain:
    def __init__(self, file: BinaryIO, hints: Hints) -> None:
        self._file, self._hints, self._seen = file, hints, 0
        self._stays = os.fstat(file.fileno()).st_size <= disk.LARGE_BYTES

    def read(self, size: int, /) -> bytes:
        block = self._file.read(size)
        if not self._stays:
            disk.forget(self._file.fileno(), self._seen, len(block))
        self._seen += len(block)
        if self._seen > self._hints.max_file_bytes:
            raise too_large(self._hints)
        return block


class _Counted:
    """Unpacked bytes, counted against budget and ratio."""

    def __init__(self, file: BinaryIO, packed: Packed) -> None:
        self._file, self._packed, self._seen = file, packed, 0
        self._limit = max(bounds.RATIO_AFTER_BYTES, packed.path.stat().st_size * bounds.RATIO)

    def read(self, size: int, /) -> bytes:
        kind = self._packed.compression or ""
        try:
            # In steps, so that a bomb is noticed after 1 MiB more, not after a block.
            block = self._file.read(min(size, 1024**2))
        except (EOFError, gzip.BadGzipFile) as error:
            if kind == "gzip" and gzipend.is_followed(self._packed.path):
                raise _followed() from error
            if not isinstance(error, EOFError):
                raise damaged(kind, error) from error
            raise truncation.cut_off(f"the {kind} stream has no end", self._packed.hints) from error
        except DAMAGED as error:
            raise damaged(kind, error) from error
        self._seen += len(block)
        if self._seen > self._packed.hints.max_file_bytes:
            raise too_large(self._packed.hints)
        if self._seen > self._limit:
            raise bomb(f"more than {bounds.RATIO} times as large unpacked as packed")
        return block
