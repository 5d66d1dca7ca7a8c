"""The desk: the few things an endpoint may reach, lent by the daemon. Every callable may run in any thread."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from starlette.requests import Request

from sftp_gateway.blobs import Files
from sftp_gateway.store.database import Store
from sftp_gateway.store.figures import Tally
from sftp_gateway.web.auth import Gate

Figures = Mapping[str, float | Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Probes:
    """What health and metrics ask. `figures` gives live numbers by name (`status.LIVE`), of this process."""

    sftp_listening: Callable[[], bool]
    disk_free: Callable[[], int]
    disk_floor_bytes: int = 0
    figures: Callable[[], Figures] = field(default=dict)


@dataclass(frozen=True, slots=True)
class Desk:
    """`export(brand, version, form)` writes a fresh file that the caller removes; `room(brand)` is bytes left."""

    store: Store
    files: Files
    gate: Gate
    tally: Tally
    probes: Probes
    export: Callable[[str, int, str], Path]
    wake: Callable[[], None]
    room: Callable[[str], int]
    sftp_address: tuple[str, int]


def of(request: Request) -> Desk:
    """Give the desk of the application that serves this request."""
    desk: Desk = request.app.state.desk
    return desk
