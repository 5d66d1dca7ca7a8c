"""How brands reach the front door: told by the process that listens, read by all that tell brands, on whatever host."""

import socket

import sqlalchemy as sa
from msgspec import Struct

from sftp_gateway import settings
from sftp_gateway.store import tables, upsert
from sftp_gateway.store.database import Store

_doors = tables.door
_NAME = "sftp"


class Address(Struct, frozen=True):
    """Where brands connect to; `fingerprints` of its host keys (`SHA256:…`), none as long as no front door ran."""

    host: str
    port: int
    fingerprints: tuple[str, ...] = ()


def configured(sftp: settings.Sftp, port: int = 0) -> Address:
    """Give the address that the settings of this host mean; `port` is the one that is listened on."""
    return Address(sftp.public_host or socket.getfqdn(), sftp.public_port or port or sftp.port)


def tell(store: Store, address: Address) -> bool:
    """Write down how brands reach the front door that begins to listen; if that is news all homes are painted again."""
    if _told(store) == address:
        return False
    row = {"host": address.host, "port": address.port, "fingerprints": list(address.fingerprints)}
    with store.write() as tx:
        tx.conn.execute(upsert.replacing(_doors, tx.conn.dialect.name), {"name": _NAME} | row)
        for brand in tx.conn.execute(sa.select(tables.brand.c.name)).scalars().all():
            tx.mark_dirty(brand)
    return True


def address(store: Store, sftp: settings.Sftp) -> Address:
    """Tell how brands reach the front door: as it said itself, or as this host's settings say if none ever ran."""
    return _told(store) or configured(sftp)


def _told(store: Store) -> Address | None:
    return next(iter(store.all(sa.select(_doors).where(_doors.c.name == _NAME), Address)), None)
