"""The companions of files in drop folders: the checksums and the marker that lie beside one. Blocks."""

from pathlib import Path
from typing import Any

from sftp_gateway import errors, upload_name
from sftp_gateway.blobs import Area, Files
from sftp_gateway.intake import folder
from sftp_gateway.intake.folder import Found
from sftp_gateway.intake.sources import digest, mismatch


def compared(
    directory: int, found: Found, marker: str, copy: Path, sha256: str
) -> tuple[dict[str, Any] | None, list[str]]:
    """Compare a file with the checksums that lie beside it; gives the first contradiction, and the names of all companions."""
    names, reason = [], None
    for path, kind in upload_name.companions(found.path, marker).items():
        name = upload_name.base(path)
        text = folder.read(directory, name)
        if text is None:
            continue
        names.append(name)
        if kind == "marker" or reason is not None:
            continue
        told = upload_name.checksum(text, kind, found.name)
        real = sha256 if kind == "sha256" else digest(copy, kind)
        if told != real:
            reason = mismatch(kind, name, told, real)
    return reason, names


def speaks_of(directory: int, companion: str, about: tuple[str, str], files: Files, sha256: str) -> bool:
    """Whether a companion speaks of this file, which was taken before it came; a marker does, whatever the bytes."""
    path, kind = about
    if kind == "marker":
        return True
    told = upload_name.checksum(folder.read(directory, companion) or "", kind, upload_name.base(path))
    if told is None or not sha256 or kind == "sha256":
        return told is not None and told == sha256
    try:
        with files.local(Area.SOURCES, sha256) as blob:
            return told == digest(blob, kind)
    except errors.NotFound:  # its bytes are kept no longer
        return False
