"""The removals a brand's guard holds back (spec §7): one set per brand, recomputed by each full file."""

from datetime import datetime

import sqlalchemy as sa
from msgspec import Struct

from sftp_gateway.store import tables
from sftp_gateway.store.database import Store

_sets = tables.withheld


class Withheld(Struct, frozen=True):
    """A withheld set; `upload` computed it. `blob`: Parquet with the keys, in the results area.

    `since`: when the first full upload of the unbroken run of agreeing ones was received; `sha256`: of
    the last file of that run.
    """

    upload: int
    blob: str
    products: int
    since: datetime
    sha256: str


def get(store: Store, brand: str) -> Withheld | None:
    """Give the brand's set; None while nothing is withheld."""
    return next(iter(store.all(sa.select(_sets).where(_sets.c.brand == brand), Withheld)), None)


def waiting(store: Store, brands: set[str]) -> set[int]:
    """Give the uploads of these brands whose withheld removals wait for a decision."""
    return {upload for (upload,) in store.rows(sa.select(_sets.c.upload).where(_sets.c.brand.in_(brands)))}
