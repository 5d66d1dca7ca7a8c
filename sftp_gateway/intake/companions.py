"""Files that speak of another one: its marker, its checksums. Found in the store, compared with the bytes. Blocks."""

from collections.abc import Iterable, Mapping
from typing import Any

from sftp_gateway import errors, upload_name
from sftp_gateway.blobs import Area
from sftp_gateway.brand import BrandSettings
from sftp_gateway.intake import sources
from sftp_gateway.intake.desk import Desk
from sftp_gateway.store import drafts
from sftp_gateway.store.database import Store
from sftp_gateway.store.drafts import Entry, Place


def beside(store: Store, brand: str, rows: Iterable[Entry], own: BrandSettings) -> dict[str, Entry]:
    """Find what has the names of the rows' companions."""
    paths = [name for row in rows if row.path for name in upload_name.companions(row.path, own.marker)]
    with store.read() as conn:
        return drafts.at(conn, brand, paths) if paths else {}


def fresh(row: Entry, own: BrandSettings, found: Mapping[str, Entry]) -> dict[str, Entry]:
    """Give the companions of a file by kind: those that speak of nothing else yet."""
    if row.path is None:
        return {}
    kinds = upload_name.companions(row.path, own.marker)
    named = [(kind, found[name]) for name, kind in kinds.items() if name in found]
    # Of two that speak, the one written as agreed is heard: it comes first.
    return {kind: item for kind, item in reversed(named) if item.place in {Place.OPEN, Place.CLOSED}}


def contradiction(desk: Desk, row: Entry, sha256: str, companions: Mapping[str, Entry]) -> dict[str, Any] | None:
    """Compare a file with the checksums that came along; gives the reason to refuse it, if there is one."""
    for kind, item in companions.items():
        if kind == "marker":
            continue
        if (text := _text(desk, item)) is None:
            continue
        told = upload_name.checksum(text, kind, upload_name.base(row.path or row.sent))
        real = _digest(desk, row, sha256, kind)
        if told != real:
            return sources.mismatch(kind, upload_name.base(item.path or item.sent), told, real)
    return None


def is_late(desk: Desk, row: Entry, own: BrandSettings) -> bool:
    """Whether a checksum is that of the file of its name that was taken in before it came: it says nothing of the next one."""
    about = upload_name.subject(row.path, own.marker) if row.path else None
    if about is None or about[1] == "marker":
        return False
    path, kind = about
    with desk.store.read() as conn:
        before = drafts.at(conn, row.brand, [path]).get(path)
    if before is None or before.place is not Place.ACCEPTED or not before.sha256:
        return False
    told = upload_name.checksum(_text(desk, row) or "", kind, upload_name.base(path))
    try:
        return told is not None and told == _digest(desk, before, before.sha256, kind)
    except errors.NotFound:  # its bytes are kept no longer
        return False


def _text(desk: Desk, row: Entry) -> str | None:
    try:
        with desk.staging.file(row.id).open("rb") as source:
            return sources.companion_text(source.read(sources.LONGEST_COMPANION_BYTES))
    except FileNotFoundError:
        return None


def _digest(desk: Desk, row: Entry, sha256: str, kind: str) -> str:
    """Hash the bytes of a file, wherever they are now."""
    if kind == "sha256":
        return sha256
    file = desk.staging.file(row.id)
    if file.exists():
        return sources.digest(file, kind, desk.stopping.is_set)
    with desk.files.local(Area.SOURCES, sha256) as blob:
        return sources.digest(blob, kind, desk.stopping.is_set)
