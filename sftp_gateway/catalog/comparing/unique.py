"""Duplicates among accepted rows: of keys, of GTINs, of columns the rules call unique (spec §5).

Works on `new_rows`; leaves the view `live`: the rows that count, without earlier ones of a key. Rows also
meet the products of `base_rows` that stay: those a partial file leaves alone, those of rejected rows; rows that delete their product (not in `sold`) meet none.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from msgspec import Struct

from sftp_gateway.catalog import codes, engine, findings
from sftp_gateway.catalog.comparing import diff
from sftp_gateway.catalog.engine import Connection, identifier
from sftp_gateway.catalog.stage import Places, Positions


class Dropped(Struct, frozen=True):
    """Positions (sorted) of rows that do not count, and how many differed from the row that wins."""

    positions: Positions
    differing: int


SAME_GTIN = "CATALOG_GTIN_DUPLICATE"
NOTHING = Dropped(np.empty(0, dtype=np.int64), 0)


def drop_earlier(
    connection: Connection, schema: pa.Schema, key: Sequence[str], *, looks: bool = True, among: str = ""
) -> Dropped:
    """Let the last row of every key win; leaves `earlier(pos, winner, same, k)` and the views `live` and `sold`.

    `looks` false: no key comes twice, it is known; `among`: only one of these rows could be the second of a key.
    """
    names = diff.key_text(key)
    staying = " WHERE NOT _deleted" if "_deleted" in schema.names else ""
    connection.execute("CREATE OR REPLACE TEMP VIEW live AS SELECT * FROM new_rows")
    connection.execute(f"CREATE OR REPLACE TEMP VIEW sold AS SELECT * FROM live{staying}")  # noqa: S608 - ours
    if not looks or not _repeats(connection, "new_rows", names, among):
        connection.execute("CREATE OR REPLACE TEMP TABLE earlier (pos BIGINT, winner BIGINT, same BOOLEAN, k VARCHAR)")
        return NOTHING
    connection.execute(
        # By the value, not by the name `k`: that could be a header's.
        f"CREATE OR REPLACE TEMP TABLE doubled AS SELECT {names} AS k FROM new_rows GROUP BY {names} HAVING count(*) > 1"  # noqa: S608 - names are quoted
    )
    columns = [side.new for side in diff.compared(schema, schema)]
    deleted = ["n._deleted"] if "_deleted" in schema.names else []
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE earlier AS
        SELECT pos, winner, h = winner_h AS same, k FROM (
            SELECT pos, k, h, max(pos) OVER (PARTITION BY k) AS winner,
                   arg_max(h, pos) OVER (PARTITION BY k) AS winner_h
            FROM (SELECT n._pos AS pos, {diff.key_text(key, "n")} AS k,
                         {diff.fingerprint([*columns, *deleted])} AS h FROM new_rows n)
            WHERE k IN (SELECT k FROM doubled))
        WHERE pos < winner
        """  # noqa: S608 - names are quoted
    )
    connection.execute(
        "CREATE OR REPLACE TEMP VIEW live AS SELECT * FROM new_rows WHERE _pos NOT IN (SELECT pos FROM earlier)"
    )
    (differing,) = engine.one(connection, "SELECT count(*) FROM earlier WHERE NOT same")
    positions = connection.execute("SELECT pos FROM earlier ORDER BY pos").fetchnumpy()["pos"]
    return Dropped(np.asarray(positions, dtype=np.int64), differing)


def _repeats(connection: Connection, relation: str, expression: str, among: str) -> bool:
    """Whether any value may come twice: by its hash, which is far cheaper to group by than a text.

    `among`: a relation whose rows alone may repeat a value; few of them, so that few groups are made.
    """
    counted = f"{expression} IS NOT NULL"
    if among:
        counted += f" AND hash({expression}) IN (SELECT hash({expression}) FROM {among})"  # noqa: S608 - names are quoted
    query = f"SELECT 1 FROM {relation} WHERE {counted} GROUP BY hash({expression}) HAVING count(*) > 1"  # noqa: S608 - names are quoted
    return bool(connection.execute(query + " LIMIT 1").fetchall())


def key_findings(connection: Connection, places: Places, key: Sequence[str], *, refuse: bool) -> Iterator[pa.Table]:
    """Tell of every earlier row of a key, in order of rows; rows that have no place in the file are left out."""
    query = "SELECT pos, winner, same, k FROM earlier ORDER BY pos"
    for batch in engine.reader(connection, query):
        winners = places.at(batch["winner"].to_numpy())[:, 0]
        same = np.asarray(batch["same"].to_pylist(), dtype=bool)
        texts = [_key_message(equal, row, refuse=refuse) for equal, row in zip(same, winners, strict=True)]
        severe = "fatal" if refuse else codes.CODES["CATALOG_DUPLICATE_KEY"]
        code = np.where(same, "CATALOG_DUPLICATE_ROW", "CATALOG_DUPLICATE_KEY")
        severity = np.where(same, codes.CODES["CATALOG_DUPLICATE_ROW"], severe)
        way_out = np.where(same, "", "keep one row for each product")
        yield _table(places, batch, ", ".join(key), batch["k"], code, severity, texts, way_out)


def _key_message(same: bool, winner: int, *, refuse: bool) -> str:
    if same:
        return f"the same row again in row {winner}; it counts once"
    if refuse:
        return f"row {winner} has the same key with other values; this brand takes no file in which a key comes twice"
    return f"row {winner} has the same key; the last one wins, so this row was not used"


def gtin_findings(
    connection: Connection, places: Places, column: str, key: Sequence[str], *, among: str = ""
) -> Iterator[pa.Table]:
    """Tell of every row whose GTIN another product of the file has too, in order of rows; `among`: as `drop_earlier`."""
    value = identifier(column)
    if not _repeats(connection, "sold", value, among):
        return
    query = f"""
        WITH twice AS (SELECT {value} AS g FROM sold WHERE {value} IS NOT NULL GROUP BY {value} HAVING count(*) > 1),
        rows AS (SELECT _pos AS pos, {diff.key_text(key)} AS k, {value} AS g FROM sold
                 WHERE {value} IN (SELECT g FROM twice))
        SELECT pos, k, g, CASE WHEN pos = min(pos) OVER w THEN max(pos) OVER w ELSE min(pos) OVER w END AS other,
               CASE WHEN pos = min(pos) OVER w THEN arg_max(k, pos) OVER w ELSE arg_min(k, pos) OVER w END AS other_k
        FROM rows WINDOW w AS (PARTITION BY g) ORDER BY pos"""  # noqa: S608 - names are quoted
    for batch in engine.reader(connection, query):
        others = zip(batch["other_k"].to_pylist(), places.at(batch["other"].to_numpy())[:, 0], strict=True)
        texts = [f"the product {name} (row {row}) has the same GTIN" for name, row in others]
        yield _same_gtin(places, batch, column, batch["g"], texts)


def taken_gtin_findings(  # noqa: PLR0913 - of which column, and what it is compared with
    connection: Connection, places: Places, column: str, key: Sequence[str], *, full: bool, narrowed: bool
) -> Iterator[pa.Table]:
    """Tell of every row whose GTIN a product has that the file leaves alone; `narrowed`: such a one is among `left_rows`."""
    sides = ("left_rows", "fresh_rows") if narrowed else ("base_rows", "live")
    for batch in engine.reader(connection, _taken(column, key, *sides, full=full) + " ORDER BY pos"):
        texts = [f"the product {name} of the current catalog has the same GTIN" for name in batch["other"].to_pylist()]
        yield _same_gtin(places, batch, column, batch["value"], texts)


def _same_gtin(places: Places, batch: pa.RecordBatch, column: str, values: pa.Array, texts: Sequence[str]) -> pa.Table:
    way_out = "give every product its own GTIN, or leave it empty"
    return _table(places, batch, column, values, SAME_GTIN, codes.CODES[SAME_GTIN], texts, way_out)


def _taken(column: str, key: Sequence[str], base: str = "base_rows", live: str = "live", *, full: bool = False) -> str:
    """Give SQL for rows `(pos, k, value, other)` whose value the product `other` of `base` has, which the file leaves alone.

    Those of `live` it does not. `full`: a whole catalog leaves those alone whose rows were rejected.
    """
    stays = "b.k IN (SELECT key FROM rejected)" if full else "true"
    value = f"CAST({identifier(column)} AS VARCHAR)"
    name = diff.key_text(key)
    return f"""
        SELECT l.pos, l.k, l.value, min(b.k) AS other
        FROM (SELECT _pos AS pos, {name} AS k, {value} AS value FROM sold) l
        JOIN (SELECT {name} AS k, {value} AS value FROM {base}) b ON l.value = b.value
        WHERE {stays} AND b.k NOT IN (SELECT {name} FROM {live}) GROUP BY l.pos, l.k, l.value"""  # noqa: S608 - names are quoted


def find_repeats(connection: Connection, column: str, key: Sequence[str]) -> None:
    """Find the rows of `live` whose value in a unique column an earlier row has.

    Adds them to `repeats(pos, first, other, col, value, k)`, which `repeat_findings` tells of: `first` is the
    earlier row, `other` a product (`leave_out_taken`).
    """
    value = identifier(column)
    shown = f"CAST({value} AS VARCHAR)"
    connection.execute(
        "CREATE TEMP TABLE IF NOT EXISTS repeats "
        "(pos BIGINT, first BIGINT, other VARCHAR, col VARCHAR, value VARCHAR, k VARCHAR)"
    )
    connection.execute(
        f"""
        INSERT INTO repeats SELECT pos, first, NULL, {engine.literal(column)}, value, k FROM (
            SELECT _pos AS pos, min(_pos) OVER (PARTITION BY {value}) AS first, {shown} AS value, {diff.key_text(key)} AS k
            FROM sold WHERE {value} IN (
                SELECT {value} FROM sold WHERE {value} IS NOT NULL GROUP BY {value} HAVING count(*) > 1))
        WHERE pos > first
        """  # noqa: S608 - names are quoted
    )


def leave_out_repeats(connection: Connection, columns: Sequence[str]) -> Positions:
    """Take the repeats in these columns out of `live`; gives their positions, sorted."""
    here = _repeats_in(columns)
    found = connection.execute(f"SELECT DISTINCT pos {here} ORDER BY pos").fetchnumpy()["pos"]
    if len(found):
        connection.execute(
            "CREATE OR REPLACE TEMP VIEW live AS SELECT * FROM new_rows WHERE _pos NOT IN "  # noqa: S608 - literals
            f"(SELECT pos {here} UNION ALL SELECT pos FROM earlier)"
        )
    return np.asarray(found, dtype=np.int64)


def _repeats_in(columns: Sequence[str]) -> str:
    listed = ", ".join(engine.literal(name) for name in columns)
    return f"FROM repeats WHERE col IN ({listed or 'NULL'})"


def leave_out_taken(  # noqa: PLR0913 - which columns, and beside which products
    connection: Connection,
    strict: Sequence[str],
    beside: Sequence[str],
    key: Sequence[str],
    *,
    full: bool,
    gone: Positions,
) -> Positions:
    """Find the rows whose value in the columns `beside` a product has that stays; gives `gone` and those of `strict`.

    It goes on until none comes: the product of a row that is left out stays, too, with its own value.
    `full`: only products of rejected rows stay.
    """
    while True:
        connection.execute(f"INSERT INTO rejected SELECT DISTINCT k {_repeats_in(strict)}")
        if full and engine.one(connection, "SELECT count(*) FROM rejected") == (0,):
            return gone  # as nearly always: nothing of the current version need be read
        for column in beside:
            name = engine.literal(column)
            connection.execute(
                f"""
                INSERT INTO repeats SELECT pos, NULL, other, {name}, value, k FROM ({_taken(column, key, full=full)})
                WHERE pos NOT IN (SELECT pos FROM repeats WHERE col = {name})
                """  # noqa: S608 - names are quoted
            )
        found = leave_out_repeats(connection, strict)
        if len(found) == len(gone):
            return found
        gone = found


def repeat_findings(connection: Connection, places: Places, severity: dict[str, str]) -> Iterator[pa.Table]:
    """Tell of every repeat in a unique column, in order of rows."""
    query = "SELECT pos, coalesce(first, pos) AS first, other, col, value, k FROM repeats ORDER BY pos, col"
    for batch in engine.reader(connection, query):
        firsts = places.at(batch["first"].to_numpy())[:, 0]
        columns, others = batch["col"].to_pylist(), batch["other"].to_pylist()
        owners = (
            f"row {row}" if other is None else f"the product {other}" for row, other in zip(firsts, others, strict=True)
        )
        texts = [
            f"{name} must be unique, and {owner} has the same value"
            for name, owner in zip(columns, owners, strict=True)
        ]
        severe, way_out = [severity[name] for name in columns], "give every product its own value"
        yield _table(places, batch, batch["col"], batch["value"], "FIELD_VALUE", severe, texts, way_out)


def _table(places: Places, batch: pa.RecordBatch, *told: object) -> pa.Table:
    """Make findings (column, value, code, severity, message, suggestion) of the rows that have a place; a text is that of all."""
    at = places.at(batch["pos"].to_numpy())
    where = zip(("row", "line", "byte_offset"), at.T, (at < 0).T, strict=True)
    columns = {name: pa.array(each, mask=null) for name, each, null in where} | {"key": batch["k"]}
    for name, each in zip(("column", "value", "code", "severity", "message", "suggestion"), told, strict=True):
        columns[name] = [each] * len(at) if isinstance(each, str) else each
    table, known = findings.of(columns), at[:, 0] > 0
    return table if known.all() else table.filter(pa.array(known))
