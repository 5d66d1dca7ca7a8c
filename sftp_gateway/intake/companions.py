"""Files that speak of another one: its marker, its checksums. Found in the store, compared with the bytes. Blocks."""

from collections.abc import Iterable, Mapping
from typing import Any

from sftp_gateway import upload_name
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
        try:
            with desk.staging.file(item.id).open("rb") as source:
                text = source.read(sources.LONGEST_COMPANION_BYTES).decode("utf-8", "replace")
        except FileNotFoundError:
            continue
        told = upload_name.checksum(text, kind, upload_name.base(row.path or row.sent))
        real = _digest(desk, row, sha256, kind)
        if told != real:
            return sources.mismatch(kind, upload_name.base(item.path or item.sent), told, real)
    return None


def _digest(desk: Desk, row: Entry, sha256: str, kind: str) -> str:
    """Hash the bytes of a file, wherever they are now."""
    if kind == "sha256":
        return sha256
    file = desk.staging.file(row.id)
    if file.exists():
        return sources.digest(file, kind)
    with desk.files.local(Area.SOURCES, sha256) as blob:
        return sources.digest(blob, kind)
