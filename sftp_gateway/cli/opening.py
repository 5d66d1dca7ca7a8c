"""What every verb opens: settings, store, files; as the owner of storage.root (owner.py)."""

import argparse
import contextlib
import os
from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct

from sftp_gateway import blobs, config, receipt
from sftp_gateway.cli import owner
from sftp_gateway.errors import NotFound
from sftp_gateway.settings import Settings
from sftp_gateway.store import database, deeds


class Opened(Struct, frozen=True):
    """Settings, store and files of this gateway, for the time of one verb."""

    settings: Settings
    store: database.Store
    files: blobs.Files


@contextlib.contextmanager
def gateway(options: argparse.Namespace, loaded: Settings | None = None) -> Iterator[Opened]:
    """Open store and files; the store is made if absent. `loaded`: the settings, if they are known already."""
    if loaded is None:
        loaded = owner.settings(options)
        owner.root(loaded)
    store = database.open_store(config.store_url(loaded))
    deeds.keep(store, who())
    try:
        yield Opened(loaded, store, blobs.open_files(loaded.storage))
    finally:
        store.close()


def who() -> str:
    """Name the person at the shell, for the audit trail."""
    return f"cli:{os.environ.get('SUDO_USER') or os.environ.get('USER') or os.getuid()}"


def moment(text: str | None, option: str) -> datetime | None:
    """Read an ISO date or moment; without a zone it is UTC."""
    if text is None:
        return None
    try:
        return receipt.read_moment(text)
    except ValueError as error:
        raise NotFound(f"{option}: {error}") from None


def end(text: str | None) -> datetime | None:
    """Read the end of what is given now (`--expires`); NotFound where it is over already."""
    ends = moment(text, "--expires")
    if ends is not None and ends <= database.utc_now():
        raise NotFound(f"--expires: {text} is over already")
    return ends
