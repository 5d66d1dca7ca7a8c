"""Current version and accepted rows → what differs, product by product (spec §7).

Products pair by key, then by a 64-bit hash of the typed values that are compared; only pairs with
different hashes are looked at column by column (`changes`). The hash lives for one comparison: DuckDB
does not promise it stable between releases. A changed row is missed with chance 2**-64.

Looks at `open_live` and `open_base` only: `live` and `base_rows` without rows known to be equal, if some are.
Leaves in the connection: `pairs(pos, bpos, k)` of products that differ (one side null: new or absent;
`removes` true: `_op` = delete), `kept(bpos, k, retained)` of absent ones in full mode.
"""

from collections.abc import Sequence

import pyarrow as pa
from msgspec import Struct

from sftp_gateway.catalog import engine, keys, retyped
from sftp_gateway.catalog.engine import Connection, identifier

HIDDEN = "_"
"""Columns that start so are ours: `_pos`, `_deleted`, `_base.<measure>`."""
BASE_UNIT = "_base."
MONEY_SCALE = 4


class Difference(Struct, frozen=True):
    """Counts of products."""

    created: int
    updated: int
    unchanged: int
    deleted: int
    removed: int
    """Absent from a full file, and not among the keys of its rejected rows."""
    retained: int
    """In the current version, and in the file only as a rejected row."""

    @property
    def changes(self) -> dict[str, int]:
        """Give the counts under their names in a receipt's `changes`."""
        return {name: getattr(self, name) for name in ("created", "updated", "unchanged", "deleted", "removed")}

    @property
    def is_empty(self) -> bool:
        """Whether nothing differs."""
        return not (self.created or self.updated or self.removed or self.deleted)


class Compared(Struct, frozen=True):
    """A visible column of either side: how it reads there (SQL over `n` or `b`), None if it is absent."""

    name: str
    new: str | None
    base: str | None
    is_price: bool = False
    """Money on both sides: how far it moved can be told."""

    @property
    def differs(self) -> str:
        """Give SQL that says whether the sides of a pair differ here."""
        return f"({self.new or 'NULL'} IS DISTINCT FROM {self.base or 'NULL'})"


def visible(schema: pa.Schema) -> list[str]:
    """Name the columns of a version that people see, in order."""
    return [name for name in schema.names if not name.startswith(HIDDEN)]


def lacking(key: Sequence[str], version: pa.Schema) -> list[str]:
    """Name what a version has not of the key, as it was made when the rules had another."""
    return [name for name in key if name not in version.names]


def key_text(key: Sequence[str], side: str = "") -> str:
    """Give SQL for the readable key of a row, '' for what a product of another key has no value in."""
    parts = _parts(key, side)
    if len(parts) == 1:
        return parts[0]
    return f"concat_ws({engine.literal(keys.SEPARATOR)}, {', '.join(map(_part, parts))})"


def _parts(key: Sequence[str], side: str) -> list[str]:
    prefix = f"{side}." if side else ""
    return [f"coalesce(CAST({prefix}{identifier(name)} AS VARCHAR), '')" for name in key]


def _pairing(key: Sequence[str], side: str, *, exact: bool) -> str:
    """Give SQL for what rows pair by: their key or its hash, null where a part is blank."""
    text = key_text(key, side)
    filled = " AND ".join(f"{part} <> ''" for part in _parts(key, side))
    return f"CASE WHEN {filled} THEN {text if exact else f'hash({text})'} END"


def _part(text: str) -> str:
    """Give SQL for a part of a key, its bars doubled where they look like the separator."""
    alike = f"contains({text}, '|') AND regexp_matches({text}, {engine.literal(keys.LIKE_SEPARATOR)})"
    return f"CASE WHEN {alike} THEN replace({text}, '|', '||') ELSE {text} END"


def compared(new: pa.Schema, base: pa.Schema) -> list[Compared]:
    """Pair the visible columns of two versions; measures compare in base units, two types by what they print as."""
    names = list(dict.fromkeys([*visible(new), *visible(base)]))
    return [Compared(name, *_sides(name, new, base), _is_price(name, new, base)) for name in names]


def _is_price(name: str, new: pa.Schema, base: pa.Schema) -> bool:
    if name not in new.names or name not in base.names:
        return False
    kind = new.field(name).type
    return bool(kind == base.field(name).type and pa.types.is_decimal(kind) and kind.scale == MONEY_SCALE)


def _sides(name: str, new: pa.Schema, base: pa.Schema) -> tuple[str | None, str | None]:
    hidden = BASE_UNIT + name
    if hidden in new.names and hidden in base.names:
        name = hidden
    kinds = [schema.field(name).type if name in schema.names else None for schema in (new, base)]
    as_is = None in kinds or kinds[0] == kinds[1]
    numbers = not as_is and all(retyped.is_number(kind) for kind in kinds)
    new_side, base_side = (
        None if kind is None else _expression(f"{side}.{identifier(name)}", kind, as_is=as_is, numbers=numbers)
        for side, kind in zip("nb", kinds, strict=True)
    )
    return new_side, base_side


def _expression(column: str, kind: pa.DataType, *, as_is: bool, numbers: bool) -> str:
    """Give SQL for what is compared: the value, or where the sides have two types a number, or what both print as."""
    if numbers:
        return f"CAST({column} AS DECIMAL(38, 10))"
    if not as_is:
        return printed(column, kind)
    # A time as a number: that needs no time zone data.
    return f"epoch_us({column})" if pa.types.is_timestamp(kind) else column


def printed(column: str, kind: pa.DataType) -> str:
    """Give SQL for the text of a value, as `cells.text` gives it."""
    if pa.types.is_timestamp(kind):
        shown = f"strftime(make_timestamp(epoch_us({column})), '%Y-%m-%dT%H:%M:%S.%f')"
        return rf"regexp_replace({shown}, '\.?0+$', '') || 'Z'"
    if pa.types.is_decimal(kind) and kind.scale == MONEY_SCALE:
        return rf"regexp_replace(CAST({column} AS VARCHAR), '(\.\d\d\d*?)0+$', '\1')"
    if pa.types.is_decimal(kind) and kind.scale:
        return rf"regexp_replace(CAST({column} AS VARCHAR), '\.?0+$', '')"
    return f"CAST({column} AS VARCHAR)"


def fingerprint(columns: Sequence[str | None]) -> str:
    """Give SQL for a hash of a row's compared values."""
    return f"hash({', '.join(column or 'NULL' for column in columns)})"


def compare(  # noqa: PLR0913 - two sides and how to pair them
    connection: Connection,
    new: pa.Schema,
    base: pa.Schema,
    key: Sequence[str],
    *,
    full: bool,
    rejected: bool,
    narrowed: bool = False,
) -> Difference:
    """Compare `live` with `base_rows`; `rejected(key)` holds keys of rejected rows where `rejected`.

    `full`: products absent from `live` are removed or retained; else left alone, and rows of `live`
    whose `_deleted` is true delete theirs. `narrowed`: `open_live` and `open_base` are made already.
    """
    if not narrowed:
        connection.execute("CREATE OR REPLACE TEMP VIEW open_live AS SELECT * FROM live")
        connection.execute("CREATE OR REPLACE TEMP VIEW open_base AS SELECT * FROM base_rows")
    _pair(connection, new, base, key, full=full)
    created, updated, deleted, absent = engine.one(
        connection,
        "SELECT count(*) FILTER (bpos IS NULL AND NOT removes), "
        "count(*) FILTER (pos IS NOT NULL AND bpos IS NOT NULL AND NOT removes), "
        "count(*) FILTER (removes AND bpos IS NOT NULL), count(*) FILTER (pos IS NULL) FROM pairs",
    )
    (live,) = engine.one(connection, "SELECT count(*) FROM live")
    retained = _retain(connection, key, full=full, rejected=rejected)
    removed = absent - retained if full else 0
    return Difference(created, updated, live - created - updated - deleted, deleted, removed, retained)


def _pair(  # noqa: PLR0913 - two sides and how to pair them
    connection: Connection, new: pa.Schema, base: pa.Schema, key: Sequence[str], *, full: bool, exact: bool = False
) -> None:
    """Join on hashes alone, 24 bytes a row; only rows that differ are then looked up by their key.

    Should two keys have one hash (2**-64 for each pair of keys), the join is done again on the keys.
    """
    columns = compared(new, base)
    deleted = "n._deleted" if "_deleted" in new.names else "false"
    new_key, base_key = key_text(key, "n"), key_text(key, "b")
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE differing AS
        SELECT n.pos, b.pos AS bpos, coalesce(n.removes, false) AS removes
        FROM (SELECT {_pairing(key, "n", exact=exact)} AS hk, n._pos AS pos, {deleted} AS removes,
                     {fingerprint([c.new for c in columns])} AS h FROM open_live n) n
        {"FULL" if full else "LEFT"} JOIN
             (SELECT {_pairing(key, "b", exact=exact)} AS hk, b._pos AS pos,
                     {fingerprint([c.base for c in columns])} AS h FROM open_base b) b
        ON n.hk = b.hk
        WHERE n.h IS DISTINCT FROM b.h OR (n.removes AND b.pos IS NOT NULL)
        """  # noqa: S608 - names are quoted by `identifier`
    )
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE pairs AS
        SELECT d.pos, d.bpos, CASE WHEN d.pos IS NULL THEN {base_key} ELSE {new_key} END AS k, d.removes,
               d.pos IS NOT NULL AND d.bpos IS NOT NULL AND {new_key} <> {base_key} AS collides
        FROM differing d LEFT JOIN open_live n ON n._pos = d.pos LEFT JOIN open_base b ON b._pos = d.bpos
        """  # noqa: S608 - names are quoted by `identifier`
    )
    if not exact and engine.one(connection, "SELECT count(*) FROM pairs WHERE collides") != (0,):
        _pair(connection, new, base, key, full=full, exact=True)


def _retain(connection: Connection, key: Sequence[str], *, full: bool, rejected: bool) -> int:
    known = "k IN (SELECT key FROM rejected)" if rejected else "false"
    if full:
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE kept AS SELECT bpos, k, {known} AS retained FROM pairs WHERE pos IS NULL"  # noqa: S608 - ours
        )
        return engine.one(connection, "SELECT count(*) FILTER (retained) FROM kept")[0]
    if not rejected:
        return 0
    return engine.one(
        connection,
        f"SELECT count(*) FROM (SELECT {key_text(key)} AS k FROM base_rows) "  # noqa: S608 - names are quoted
        f"WHERE {known} AND k NOT IN (SELECT {key_text(key)} FROM live)",
    )[0]


def pair_with_nothing(connection: Connection, new: pa.Schema) -> None:
    """Leave `pairs` as the comparison with no version would: every row of `live` that deletes nothing is new."""
    deletes = "_deleted" if "_deleted" in new.names else "false"
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE pairs AS SELECT _pos AS pos, NULL::BIGINT AS bpos, "  # noqa: S608 - ours
        f"false AS removes FROM live WHERE NOT {deletes}"
    )
