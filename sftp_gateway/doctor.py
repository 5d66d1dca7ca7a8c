"""`check`: says what is wrong with this gateway and where, before a brand finds out.

Each examination gives findings; it never changes anything but probe files that it removes again.
"""

import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from sftp_gateway import blobs, config, errors, outcome
from sftp_gateway.catalog.rules import schema
from sftp_gateway.errors import GatewayError, NotFound
from sftp_gateway.settings import Settings
from sftp_gateway.sftp import algorithms, hostkeys
from sftp_gateway.store import standing

BUCKET_SECONDS = 20.0
"""So long a bucket may take to answer; systemd waits 90 s for a start, of which this is a part."""
CLOCK_SECONDS = 60.0
"""So far the clocks of host and database server may be apart; leases are of that order."""
OLDEST_CLOCK = 1_700_000_000
"""Before this (November 2023) the clock of the machine is certainly wrong."""


class Examined(Struct, frozen=True):
    """One thing that was looked at; `bad` ones keep the gateway from running well, until it is back if `away`."""

    what: str
    bad: bool
    says: str
    away: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Give it for programs."""
        return {"what": self.what, "ok": not self.bad, "says": self.says}


def examine(
    path: str | None, environ: Mapping[str, str], become: Callable[[Settings], None] = lambda _: None
) -> list[Examined]:
    """Look at everything; first at the configuration: with a mistake in it, at nothing else.

    `become` makes this process, once it has the settings, whom the gateway is run as.
    """
    try:
        settings = config.load(path, environ)
    except errors.ConfigError as error:
        return [Examined("configuration", bad=True, says=says) for says in error.mistakes]
    found = config.find(path, environ)
    become(settings)
    results = [Examined("configuration", bad=False, says=str(found) if found else "defaults (no file)")]
    for what, look in _LOOKS.items():
        try:
            results += [Examined(what, bad=False, says=says) for says in look(settings)]
        except (GatewayError, OSError) as error:
            away = isinstance(error, errors.Unavailable)
            results.append(Examined(what, bad=True, says=str(error), away=away))
    return results


def _rules(settings: Settings) -> Iterator[str]:
    loaded = schema.load(settings.catalog.rules)
    yield f"{len(loaded.columns)} columns, {outcome.count(len(loaded.rules), 'rule')}, key {', '.join(loaded.key)}"


def _permissions(settings: Settings) -> Iterator[str]:
    root, probe = settings.storage.root, _nearest(settings.storage.root)
    if not os.access(probe, os.W_OK | os.X_OK):
        raise GatewayError(f"{probe} cannot be written by this user (uid {os.geteuid()})")
    if root.exists():
        config.check_closed(root)
    yield (
        f"{root} belongs to uid {probe.stat().st_uid} and is closed to others"
        if root.exists()
        else f"{root} can be made"
    )


def _nearest(root: Path) -> Path:
    """Give a directory, or the one that it would be made in."""
    return next(there for there in (root, *root.parents) if there.exists())


def _keys(settings: Settings) -> Iterator[str]:
    folder = settings.storage.root / "keys"
    algorithms.profile(settings.sftp.algorithms)  # this machine may have none of them
    if not settings.sftp.host_keys and not (folder / hostkeys.NAME).exists():
        yield "an ed25519 key will be made at the first start"
        return
    yield from hostkeys.fingerprints(hostkeys.load(settings.sftp.host_keys, folder, settings.sftp.algorithms))


def _store(settings: Settings) -> Iterator[str]:
    found = standing.look(config.store_url(settings))
    if found is None:
        yield "will be made at the first start"
        return
    says, now = found
    drift = abs(now.timestamp() - time.time())
    if drift > CLOCK_SECONDS:
        raise GatewayError(f"its clock and this machine's differ by {drift:,.0f} s; set both by NTP")
    yield says


def _disk(settings: Settings) -> Iterator[str]:
    root, probe = settings.storage.root, _nearest(settings.storage.root)
    free = shutil.disk_usage(probe).free
    if free < settings.limits.disk_floor_bytes:
        raise errors.DiskFull(f"{probe} has {free:,} bytes free, below limits.disk_floor_bytes: new files are refused")
    if root.exists():
        with tempfile.NamedTemporaryFile(dir=root, prefix=".check-") as file:
            file.write(b"x")
            file.flush()
            os.fsync(file.fileno())
    yield f"{free / 2**30:,.1f} GiB free, fsync works"


def _clock(_settings: Settings) -> Iterator[str]:
    now = time.time()
    if now < OLDEST_CLOCK:
        raise GatewayError("this machine's clock is in the past; set it, or times in the history are wrong")
    yield time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))


def _files(settings: Settings) -> Iterator[str]:
    bucket = settings.storage.files
    if bucket:
        # Its own staging directory: storage.root may not be there yet.
        with tempfile.TemporaryDirectory(prefix="sftp-gateway-check-", ignore_cleanup_errors=True) as staging:
            there = structs.replace(settings.storage, root=Path(staging))
            try:
                _probe(blobs.open_files(there, BUCKET_SECONDS))
            except NotFound as error:
                raise GatewayError(f"{bucket}: there is no such bucket") from error
    yield bucket or str(settings.storage.root)


def _probe(files: blobs.Files) -> None:
    """Put, find, list and delete one object; whatever is not allowed says so. One that a crash leaves is retention's."""
    name = f"check-{secrets.token_hex(8)}"
    files.keep_bytes(blobs.Area.RESULTS, [(name, b"x")])
    try:
        next(iter(files.names(blobs.Area.RESULTS)), None)
    finally:
        files.delete(blobs.Area.RESULTS, name)


def _drop(settings: Settings) -> Iterator[str]:
    drop: Path = config.drop_folder(settings)
    if settings.intake.drop is not None:  # else it is a part of the root, which is looked at
        config.check_drop(drop)
    yield f"{drop}" if drop.exists() else f"{drop} (made when the gateway starts)"


_LOOKS: dict[str, Callable[[Settings], Iterator[str]]] = {
    "catalog rules": _rules,
    "permissions": _permissions,
    "host keys": _keys,
    "store": _store,
    "files": _files,
    "drop folder": _drop,
    "disk": _disk,
    "clock": _clock,
}
