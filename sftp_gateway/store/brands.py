"""The brands: who they are, how they log in, what they set, and erasing them."""

import difflib
from collections.abc import Callable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from msgspec import structs

from sftp_gateway import errors
from sftp_gateway.brand import NAME, Brand, BrandSettings, Key, Login
from sftp_gateway.store import columns, journal, order, queue, tables, upsert
from sftp_gateway.store.database import Store, Transaction
from sftp_gateway.store.erasing import erase

__all__ = [
    "add_key", "all_brands", "change_settings", "contact_set_at", "create", "ends_with_newline", "erase", "get",
    "login", "remove_key", "set_enabled", "set_password_hash",
]  # fmt: skip

_brands, _keys, _homes = tables.brand, tables.brand_key, tables.home
_LOGIN = (
    sa.select(_brands.c.enabled, _brands.c.password_hash, _brands.c.settings, _keys)
    .select_from(_brands.outerjoin(_keys, _keys.c.brand == _brands.c.name))
    .where(_brands.c.name == sa.bindparam("wanted"))
    .order_by(_keys.c.added_at)
)


def create(store: Store, name: str, settings: BrandSettings | None = None, by: str = "gateway") -> Brand:
    """Make a brand; Refused for a bad name, WrongState if it exists."""
    if not NAME.fullmatch(name):
        raise errors.Refused("BRAND_NAME", f"{name!r} is no brand name: small letters, digits and -, at most 32")
    with store.write() as tx:
        if tx.conn.execute(sa.select(_brands.c.name).where(_brands.c.name == name)).first():
            raise errors.WrongState(f"brand {name!r} exists already")
        values = {"name": name, "enabled": True, "created_at": tx.now, "current_version": 0}
        tx.conn.execute(sa.insert(_brands).values(settings=_stored(settings or BrandSettings()), **values))
        tx.conn.execute(sa.insert(_homes).values(brand=name, seq=0, rendered_seq=0))
        journal.note(tx, name, "brand.added", by=by)
    return get(store, name)


def get(store: Store, name: str) -> Brand:
    """Give a brand; NotFound, with the nearest name."""
    with store.read() as conn:
        row = conn.execute(sa.select(_brands).where(_brands.c.name == name)).first()
        if row is not None:
            return _of(row)
        known = [other for (other,) in conn.execute(sa.select(_brands.c.name))]
    near = difflib.get_close_matches(name, known, n=1)
    raise errors.NotFound(f"no brand {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))


def settings(conn: sa.Connection, name: str) -> BrandSettings:
    """Give what a brand set, inside a transaction; NotFound."""
    row = conn.execute(sa.select(_brands).where(_brands.c.name == name)).first()
    if row is None:
        raise errors.NotFound(f"no brand {name!r}")
    return _of(row).settings


def all_brands(store: Store) -> list[Brand]:
    """List every brand by name, disabled ones too."""
    return [_of(row) for row in store.rows(sa.select(_brands).order_by(_brands.c.name))]


def change_settings(
    store: Store, name: str, change: Callable[[BrandSettings], BrandSettings], by: str = "gateway"
) -> BrandSettings:
    """Put what `change` makes of a brand's settings in their place, which nobody else changes meanwhile; NotFound.

    The next upload is judged by it.
    """
    with store.write() as tx:
        old = _of(_locked(tx, name)).settings
        settings = change(old)
        _update(tx, name, settings=_stored(settings))
        changed = [name for name in old.__struct_fields__ if getattr(old, name) != getattr(settings, name)]
        journal.note(tx, name, "brand.changed", by=by, detail={"settings": changed})
        order.arrange(tx, name)
    return settings


def contact_set_at(store: Store, name: str, upload: int) -> datetime | None:
    """Tell when the contact of a brand was set last since an upload came; None: it was not."""
    event = tables.event
    came = sa.select(sa.func.min(event.c.id)).where(event.c.upload == upload).scalar_subquery()
    query = (
        sa.select(event.c.at, event.c.detail)
        .where(event.c.brand == name, event.c.id > came, event.c.event == "brand.changed")
        .order_by(event.c.id.desc())
    )
    return next((row.at for row in store.rows(query) if "contact" in row.detail["settings"]), None)


def set_enabled(store: Store, name: str, enabled: bool, by: str = "gateway") -> None:
    """Let a brand log in, or keep it out; NotFound."""
    with store.write() as tx:
        _locked(tx, name)
        _update(tx, name, enabled=enabled)
        journal.note(tx, name, "brand.enabled" if enabled else "brand.disabled", by=by)


def add_key(store: Store, brand: str, key: Key, by: str = "gateway") -> None:
    """Let a public key in, or change label and expiry of a known one; NotFound."""
    with store.write() as tx:
        _locked(tx, brand)
        row = {"brand": brand, **structs.asdict(key)}
        tx.conn.execute(upsert.replacing(_keys, tx.conn.dialect.name), row)
        journal.note(tx, brand, "brand.key_added", by=by, detail={"fingerprint": key.fingerprint, "label": key.label})


def remove_key(store: Store, brand: str, fingerprint: str, by: str = "gateway") -> None:
    """Keep a public key out from now on; NotFound."""
    with store.write() as tx:
        _locked(tx, brand)
        same = (_keys.c.brand == brand, _keys.c.fingerprint == fingerprint)
        if not tx.conn.execute(sa.delete(_keys).where(*same)).rowcount:
            raise errors.NotFound(f"{brand} has no key {fingerprint}")
        journal.note(tx, brand, "brand.key_removed", by=by, detail={"fingerprint": fingerprint})


def set_password_hash(store: Store, brand: str, password_hash: str | None, by: str = "gateway") -> None:
    """Set the argon2 hash of the brand's password; None: no login by password. NotFound."""
    with store.write() as tx:
        _locked(tx, brand)
        _update(tx, brand, password_hash=password_hash)
        journal.note(tx, brand, "brand.password_set" if password_hash else "brand.password_removed", by=by)


def login(store: Store, brand: str) -> Login | None:
    """Give all that decides who may log in as a brand, in one look; None for an unknown brand."""
    rows = store.rows(_LOGIN, {"wanted": brand})
    if not rows:
        return None
    first, keys = rows[0], tuple(columns.value(row, Key) for row in rows if row.fingerprint is not None)
    return Login(keys, first.password_hash, str(first.settings.get("allow_from", "")), first.enabled)


def ends_with_newline(store: Store, brand: str) -> bool:
    """Whether the brand's last published file ended with a newline, so that the next must too."""
    return bool(store.scalar(sa.select(_brands.c.ends_with_newline).where(_brands.c.name == brand)))


def _locked(tx: Transaction, name: str) -> Any:
    queue.lock(tx, name)
    return tx.conn.execute(sa.select(_brands).where(_brands.c.name == name)).one()


def _update(tx: Transaction, name: str, **values: Any) -> None:
    tx.conn.execute(sa.update(_brands).where(_brands.c.name == name).values(**values))


def _stored(settings: BrandSettings) -> dict[str, Any]:
    """Keep only what differs from the defaults, so that a better default reaches every brand."""
    default = structs.asdict(BrandSettings())
    return {name: value for name, value in structs.asdict(settings).items() if value != default[name]}


def _of(row: Any) -> Brand:
    # A setting that a newer gateway wrote is none of ours; an older process still reads the brand.
    known = BrandSettings.__struct_fields__
    settings = BrandSettings(**{name: value for name, value in row.settings.items() if name in known})
    return Brand(row.name, row.enabled, row.created_at, settings, row.current_version)
