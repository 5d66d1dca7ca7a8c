"""Becomes the owner of storage.root, never root itself. Light: what waits for a database is not imported here."""

import argparse
import errno
import os

from sftp_gateway import config
from sftp_gateway.errors import ConfigError, DiskFull, NotAllowed
from sftp_gateway.settings import Settings


def settings(options: argparse.Namespace) -> Settings:
    """Read the settings this call means, and become the owner of storage.root."""
    loaded = config.load(options.config, os.environ)
    become(loaded)
    return loaded


def root(loaded: Settings) -> None:
    """Make storage.root if it is absent; NotAllowed if it is another user's, ConfigError where none can be."""
    try:
        loaded.storage.root.mkdir(parents=True, exist_ok=True, mode=0o700)
    except PermissionError:
        raise
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise DiskFull(f"There is no room to make {loaded.storage.root}") from error
        raise ConfigError(f"storage.root: {loaded.storage.root} cannot be made ({error.strerror})") from error
    if not os.access(loaded.storage.root, os.W_OK | os.X_OK):
        raise NotAllowed(f"{loaded.storage.root} belongs to another user; run this as its owner or as root")


def become(loaded: Settings) -> None:
    """Files must belong to the daemon's user, so a verb run as root becomes the owner of the root."""
    if os.geteuid() != 0 or not loaded.storage.root.exists():
        return
    owner = loaded.storage.root.stat()
    if owner.st_uid != 0:
        os.setgroups([owner.st_gid])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)
