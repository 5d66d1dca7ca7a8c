"""apply(diff(a, b), a) = b and diff(a, a) = nothing, on random catalogs; and our diff against a naive one."""

from decimal import Decimal

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from sftp_gateway.catalog import engine
from sftp_gateway.catalog.comparing import changes, diff, unique

COLUMNS = ("name", "price", "stock")
SCHEMA = pa.schema(
    [("sku", pa.string()), ("name", pa.string()), ("price", pa.decimal128(18, 4)), ("stock", pa.int64())]
)

cell = st.sampled_from([None, "", "a", "b", "a'b", "é日", " "])
price = st.none() | st.decimals(min_value=0, max_value=10, places=2)
product = st.tuples(cell, price, st.none() | st.integers(-3, 3))
catalogs = st.dictionaries(st.sampled_from([f"k{n}" for n in range(12)] + ["K1", "k 1", "ä"]), product, max_size=10)


class Lines(changes.Writer):
    def __init__(self):
        self.lines = []

    def add(self, table):
        self.lines += [tuple(row.values()) for row in table.to_pylist()]

    def add_whole(self, op, keys):
        self.lines += [(op, key, "", "", "") for key in keys.to_pylist()]


def as_table(catalog) -> pa.Table:
    rows = [(key, *values) for key, values in catalog.items()]
    return pa.table([pa.array([row[at] for row in rows], field.type) for at, field in enumerate(SCHEMA)], schema=SCHEMA)


def difference(a, b, *, rejected=()):
    with engine.open_small() as connection:
        engine.add_table(connection, "new_rows", as_table(b))
        engine.add_table(connection, "base_rows", as_table(a))
        connection.register("given_keys", pa.table([pa.array(sorted(rejected), pa.string())], names=["key"]))
        connection.execute("CREATE TEMP TABLE rejected AS SELECT * FROM given_keys")
        unique.drop_earlier(connection, SCHEMA, ("sku",))
        found = diff.compare(connection, SCHEMA, SCHEMA, ("sku",), full=True, rejected=True)
        changes.fetch(connection, SCHEMA, SCHEMA, keep="retained")
        writer = Lines()
        changes.tell_updated(connection, diff.compared(SCHEMA, SCHEMA), writer, move=0.5)
        changes.tell_whole(connection, writer, "created", "removed")
        return found, writer.lines


def shown(catalog):
    """A catalog as the change file shows it: blank and null are one there."""
    return {
        key: {
            "name": name or "",
            "price": "" if money is None else f"{Decimal(money):.2f}",
            "stock": "" if stock is None else str(stock),
        }
        for key, (name, money, stock) in catalog.items()
    }


def applied(lines, a, b):
    """Apply the lines of change to `a`; created products are taken from `b`, as the version has them."""
    result = {key: dict(values) for key, values in shown(a).items()}
    for op, key, column, before, after in lines:
        if op == "created":
            assert key not in result
            result[key] = shown(b)[key]
        elif op == "removed":
            del result[key]
        else:
            assert (op, result[key][column]) == ("updated", before)
            result[key][column] = after
    return result


@settings(max_examples=60, derandomize=True, deadline=None)
@given(catalogs, catalogs)
def test_the_lines_of_change_lead_from_one_version_to_the_next(a, b):
    found, lines = difference(a, b)
    assert applied(lines, a, b) == shown(b)
    naive = {
        "created": len(b.keys() - a.keys()),
        "removed": len(a.keys() - b.keys()),
        "updated": sum(1 for key in a.keys() & b.keys() if a[key] != b[key]),
    }
    assert {"created": found.created, "removed": found.removed, "updated": found.updated} == naive
    assert found.created + found.updated + found.unchanged == len(b)


@settings(max_examples=15, derandomize=True, deadline=None)
@given(catalogs)
def test_a_version_does_not_differ_from_itself(a):
    found, lines = difference(a, dict(reversed(a.items())))
    assert lines == []
    assert found == diff.Difference(0, 0, len(a), 0, 0, 0)


@settings(max_examples=20, derandomize=True, deadline=None)
@given(catalogs, catalogs, st.sets(st.sampled_from([f"k{n}" for n in range(12)])))
def test_rejected_rows_retain_exactly_the_known_products_without_a_valid_row(a, b, rejected):
    found, _ = difference(a, b, rejected=rejected)
    retained = (a.keys() - b.keys()) & rejected
    assert found.retained == len(retained)
    assert found.removed == len(a.keys() - b.keys() - rejected)
