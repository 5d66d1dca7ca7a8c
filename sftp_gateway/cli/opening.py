"""What every verb opens: settings, store, files; as the owner of storage.root, never as root."""

import argparse
import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from sftp_gateway import blobs, config
from sftp_gateway.errors import NotAllowed, NotFound
from sftp_gateway.settings import Settings
from sftp_gateway.store import database


@dataclass(frozen=True, slots=True)
class Opened:
    """Settings, store and files of this gateway, for the time of one verb."""

    settings: Settings
    store: database.Store
    files: blobs.Files


def settings(options: argparse.Namespace) -> Settings:
    """Read the settings this call means, and become the owner of storage.root."""
    loaded = config.load(options.config, os.environ)
    _drop_root(loaded)
    return loaded


@contextlib.contextmanager
def gateway(options: argparse.Namespace) -> Iterator[Opened]:
    """Open store and files; the store is made if absent."""
    loaded = settings(options)
    loaded.storage.root.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not os.access(loaded.storage.root, os.W_OK | os.X_OK):
        raise NotAllowed(f"{loaded.storage.root} belongs to another user; run this as its owner or as root")
    store = database.open_store(config.store_url(loaded))
    try:
        yield Opened(loaded, store, blobs.open_files(loaded.storage))
    finally:
        store.close()


def moment(text: str | None, option: str) -> datetime | None:
    """Read an ISO date or moment; without a zone it is UTC."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise NotFound(f"{option}: {text!r} is no date; give 2026-01-31 or 2026-01-31T12:00:00Z") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _drop_root(loaded: Settings) -> None:
    """Files must belong to the daemon's user, so a verb run as root becomes the owner of the root."""
    if os.geteuid() != 0 or not loaded.storage.root.exists():
        return
    owner = loaded.storage.root.stat()
    if owner.st_uid != 0:
        os.setgroups([owner.st_gid])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)
