"""The desk: the few things an endpoint may reach, lent by the daemon. Every callable may run in any thread."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from starlette.requests import Request

from sftp_gateway.blobs import Files
from sftp_gateway.store.database import Store
from sftp_gateway.store.figures import Tally
from sftp_gateway.web.auth import Gate


@dataclass(slots=True)
class Desk:
    """`export(brand, version, form)` writes a fresh file that the caller removes; `room(brand)` is bytes left.

    `figures` gives live numbers of this process by metric; those of a mapping are by method.
    `session_key` empty: sessions of the page end with this process.
    """

    store: Store
    files: Files
    export: Callable[[str, int, str], Path]
    wake: Callable[[], None]
    room: Callable[[str], int]
    sftp_address: tuple[str, int]
    sftp_listening: Callable[[], bool]
    disk_free: Callable[[], int]
    disk_floor_bytes: int = 0
    figures: Callable[[], Mapping[str, float | Mapping[str, float]]] = field(default=dict)
    public_url: str = ""
    session_key: bytes = b""
    gate: Gate = field(init=False)
    tally: Tally = field(init=False)

    def __post_init__(self) -> None:
        self.gate = Gate(self.store, self.session_key or secrets.token_bytes(32), self.public_url)
        self.tally = Tally(self.store)


def of(request: Request) -> Desk:
    """Give the desk of the application that serves this request."""
    desk: Desk = request.app.state.desk
    return desk
