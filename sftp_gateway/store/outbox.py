"""Mails that wait to be sent. Each occasion of a brand makes one, whoever notices it and how often."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from msgspec import Struct

from sftp_gateway import errors
from sftp_gateway.store import columns, queue, tables
from sftp_gateway.store.database import Store

HORIZON = timedelta(hours=2)

_mails = tables.mail


class Mail(Struct, frozen=True):
    """A mail that is ours to send until `lease` is over; `tries` counts this one."""

    id: int
    brand: str
    occasion: str
    recipient: str
    subject: str
    text: str
    created_at: datetime
    tries: int


def known(store: Store, brand: str, occasions: list[str]) -> set[str]:
    """Tell which of these occasions have had their mail."""
    query = sa.select(_mails.c.occasion).where(_mails.c.brand == brand, _mails.c.occasion.in_(occasions))
    return {occasion for (occasion,) in store.rows(query)}


def add(  # noqa: PLR0913 - the parts of a mail
    store: Store, brand: str, occasion: str, *, recipient: str, subject: str, text: str
) -> bool:
    """Have a mail sent, or, to no recipient, only noted; False if this occasion has had its mail, or the brand was erased."""
    same = sa.select(_mails.c.id).where(_mails.c.brand == brand, _mails.c.occasion == occasion)
    with store.write() as tx:
        # Two that notice at once: the brand's row makes one of them wait and then see the other's mail.
        try:
            queue.lock(tx, brand)
        except errors.NotFound:
            return False
        if tx.conn.execute(same).first() is not None:
            return False
        values = {"brand": brand, "occasion": occasion, "recipient": recipient, "subject": subject, "text": text}
        tx.conn.execute(
            sa.insert(_mails).values(created_at=tx.now, due_at=tx.now if recipient else None, tries=0, **values)
        )
        return True


def take(store: Store, lease_seconds: float) -> Mail | None:
    """Take the mail that is due first, for that long: if its sender dies it is due again then."""
    moment, horizon = (sa.bindparam(name, type_=columns.Moment) for name in ("moment", "horizon"))
    # No mail is put off for so long: the clock was set back since, and it is due now.
    due = (_mails.c.due_at.is_not(None), (_mails.c.due_at <= moment) | (_mails.c.due_at > horizon))
    first = sa.select(_mails.c.id).where(*due).order_by(_mails.c.due_at, _mails.c.id).limit(1)
    if store.first(sa.select(_mails.c.id).where(_mails.c.due_at.is_not(None)).limit(1)) is None:
        return None
    with store.write() as tx:
        taken = (
            sa.update(_mails)
            .where(_mails.c.id == first.with_for_update(skip_locked=True).scalar_subquery())
            .values(due_at=tx.now + timedelta(seconds=lease_seconds), tries=_mails.c.tries + 1)
            .returning(_mails)
        )
        row = tx.conn.execute(taken, {"moment": tx.now, "horizon": tx.now + HORIZON}).first()
    return None if row is None else columns.value(row, Mail)


def sent(store: Store, mail: Mail) -> None:
    """Note that the mail server took it."""
    _settle(store, mail, due_at=None, error=None)


def postponed(store: Store, mail: Mail, error: str, seconds: float | None) -> None:
    """Note why it was not sent; it is due again after `seconds`, or never (None)."""
    at = None if seconds is None else store.now() + timedelta(seconds=seconds)
    _settle(store, mail, due_at=at, error=error[:500])


def _settle(store: Store, mail: Mail, **values: object) -> None:
    with store.write() as tx:
        tx.conn.execute(sa.update(_mails).where(_mails.c.id == mail.id).values(**values))
