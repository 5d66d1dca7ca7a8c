"""Bytes on their way from staging to the sources: hashed, compared with what a companion says, kept. Blocks."""

import codecs
import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from sftp_gateway import errors
from sftp_gateway.blobs import Area, Files

LONGEST_COMPANION_BYTES = 4096
BLOCK_BYTES = 1 << 20


def companion_text(read: bytes) -> str:
    """Read what a companion says: UTF-8, or UTF-16 with its mark, as `>` of Windows PowerShell writes it."""
    marked = read.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return read.decode("utf-16" if marked else "utf-8-sig", "replace")


def digest(file: Path, kind: str, given_up: Callable[[], bool] = lambda: False) -> str:
    """Hash a file; gives lower-case hex (blocks, unless it is given up: Unavailable)."""
    hashed = hashlib.new(kind)
    with file.open("rb", buffering=0) as source:
        while block := source.read(BLOCK_BYTES):
            if given_up():
                raise errors.Unavailable("the gateway stops; the next one hashes this file")
            hashed.update(block)
    return hashed.hexdigest()


def keep(files: Files, drafts: Iterable[tuple[str, Path]]) -> None:
    """Put staging files among the sources, each under its hash; they stay where they are until the rows say so too."""
    # What could not be synced is thrown away; what was acknowledged must outlive that.
    seconds = [(sha256, file, file.with_name(f"{file.name}.claim")) for sha256, file in drafts]
    try:
        for _, file, second in seconds:
            try:
                os.link(file, second)
            except FileExistsError:  # left by a claim that died
                second.unlink()
                os.link(file, second)
        files.keep_all(Area.SOURCES, [(sha256, second) for sha256, _, second in seconds])
    except BaseException:
        for *_, second in seconds:
            second.unlink(missing_ok=True)
        raise


def mismatch(kind: str, name: str, told: str | None, real: str) -> dict[str, Any]:
    """Say that a checksum file contradicts its file, as a reason of a refusal."""
    text = f"{name} says {told}, the file that arrived has {kind} {real}"
    if told is None:
        text = f"{name} has no {kind} checksum in it"
    return {
        "code": "FILE_CHECKSUM",
        "text": text,
        "suggestion": f"Send the file and then {name} again; or leave {name} away",
    }
