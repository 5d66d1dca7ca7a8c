"""The status endpoint's side of the daemon: built only where that role runs, as it brings the libraries of the web."""

import asyncio
import secrets
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

from sftp_gateway import blobs
from sftp_gateway.daemon.loans import Loans
from sftp_gateway.daemon.server import Server
from sftp_gateway.errors import no_socket
from sftp_gateway.health import Health
from sftp_gateway.store import frontdoor
from sftp_gateway.store.figures import Tally
from sftp_gateway.web import app, desk


async def build(
    loans: Loans,
    *,
    sftp_listens: Callable[[], bool],
    wake_worker: Callable[[], None],
    figures: Callable[[], Mapping[str, float | Mapping[str, float]]],
    sock: socket.socket | None,
) -> Server:
    """Make the application on its socket; `wake_worker` is called on this loop. Unavailable if the port is taken."""
    settings, loop = loans.live(), asyncio.get_running_loop()
    web, store = settings.web, loans.store
    key = await asyncio.to_thread(_session_key, settings.storage.root / "keys" / "session.key")

    def wake() -> None:
        loop.call_soon_threadsafe(wake_worker)  # from whatever thread asks

    lent = desk.Desk(
        store,
        loans.files,
        Health(store, sftp_listens, loans.disk_free, lambda: loans.live().limits.disk_floor_bytes, loans.take_file),
        desk.Gate(store, key, web.public_url),
        Tally(store),
        export=loans.export,
        wake=wake,
        room=loans.room,
        sftp_address=lambda: frontdoor.address(store, settings.sftp),
        figures=figures,
    )
    try:
        return Server(app.build_app(lent), web.host, web.port, web.trusted_proxies, sock)
    except OSError as error:
        raise no_socket("web", web.host, web.port, error) from None


def _session_key(path: Path) -> bytes:
    """Give the key that signs the page's cookies, made at the first start: a restart signs nobody out."""
    if not path.exists():
        blobs.place_secret(path, secrets.token_bytes(32))
    return path.read_bytes()
