from decimal import Decimal

import pyarrow as pa
import pytest

from sftp_gateway.catalog import engine
from sftp_gateway.catalog.comparing import changes, diff, unique

MONEY = pa.decimal128(18, 4)


def catalog(rows, **more) -> pa.Table:
    """A catalog of sku, name, price; `more`: further columns, one value for all rows."""
    columns = {
        "sku": pa.array([row[0] for row in rows], pa.string()),
        "name": pa.array([row[1] for row in rows], pa.string()),
        "price": pa.array([None if row[2] is None else Decimal(row[2]) for row in rows], MONEY),
    }
    return pa.table(columns | {name: pa.array([value] * len(rows)) for name, value in more.items()})


class Kept(changes.Writer):
    """Keeps the lines of change."""

    def __init__(self):
        self.lines = []

    def add(self, table):
        self.lines += [tuple(row.values()) for row in table.to_pylist()]

    def add_whole(self, op, keys):
        self.lines += [(op, key, "", "", "") for key in keys.to_pylist()]


def compare(new: pa.Table, base: pa.Table, *, full=True, rejected=(), key=("sku",)):
    with engine.open_small() as connection:
        engine.add_table(connection, "new_rows", new)
        engine.add_table(connection, "base_rows", base)
        connection.register("given", pa.table([pa.array(list(rejected), pa.string())], names=["key"]))
        connection.execute("CREATE TEMP TABLE rejected AS SELECT * FROM given")
        unique.drop_earlier(connection, new.schema, key)
        found = diff.compare(connection, new.schema, base.schema, key, full=full, rejected=bool(rejected))
        if not full:
            connection.execute("CREATE TEMP TABLE kept (bpos BIGINT, k VARCHAR, retained BOOLEAN)")
        changes.fetch(connection, new.schema, base.schema, keep="retained")
        kept = Kept()
        prices = changes.tell_updated(connection, diff.compared(new.schema, base.schema), kept, move=0.5)
        changes.tell_whole(connection, kept, "created", "deleted", *(["removed"] if full else []))
        assert len({line[1] for line in kept.lines if line[0] == "updated"}) == found.updated
        return found, kept.lines, prices


BASE = catalog([("a", "A", "1"), ("b", "B", "2"), ("c", "C", None)])


def test_a_catalog_does_not_differ_from_itself():
    found, lines, _ = compare(BASE, BASE)
    assert found == diff.Difference(0, 0, 3, 0, 0, 0)
    assert lines == []


def test_the_order_of_rows_makes_no_difference():
    found, lines, _ = compare(BASE.take([2, 0, 1]), BASE)
    assert (found.unchanged, lines) == (3, [])


def test_created_updated_and_removed_are_told_field_by_field():
    new = catalog([("a", "A", "1.50"), ("c", None, "3"), ("d", "D", "4")])
    found, lines, _ = compare(new, BASE)
    assert found == diff.Difference(created=1, updated=2, unchanged=0, deleted=0, removed=1, retained=0)
    assert lines == [
        ("updated", "a", "price", "1.00", "1.50"),
        ("updated", "c", "name", "C", ""),
        ("updated", "c", "price", "", "3.00"),
        ("created", "d", "", "", ""),
        ("removed", "b", "", "", ""),
    ]


def test_typed_values_are_compared_not_text():
    same = BASE.set_column(2, "price", BASE["price"].cast(pa.decimal128(38, 10)))
    found, lines, _ = compare(same, BASE)
    assert (found.unchanged, lines) == (3, [])


def test_a_rejected_row_keeps_its_product():
    found, lines, _ = compare(catalog([("a", "A", "1")]), BASE, rejected=["b", "new"])
    assert (found.removed, found.retained, found.unchanged) == (1, 1, 1)
    assert lines == [("removed", "c", "", "", "")]


def test_a_rejected_row_beside_a_valid_one_of_its_key_retains_nothing():
    found, _, _ = compare(BASE, BASE, rejected=["a"])
    assert (found.retained, found.removed) == (0, 0)
    found, _, _ = compare(catalog([("a", "A", "9")]), BASE, full=False, rejected=["a", "b"])
    assert (found.retained, found.updated) == (1, 1)


def test_measures_compare_in_base_units():
    new = catalog([("a", "A", "1")], weight="76.2 cm", **{"_base.weight": "0.762 m"})
    old = catalog([("a", "A", "1")], weight="30 in", **{"_base.weight": "0.762 m"})
    assert compare(new, old)[0].unchanged == 1
    heavier = catalog([("a", "A", "1")], weight="31 in", **{"_base.weight": "0.7874 m"})
    assert compare(heavier, old)[1] == [("updated", "a", "weight", "30 in", "31 in")]


def test_columns_that_one_version_lacks_are_blank_in_it():
    wide = catalog([("a", "A", "1")], color="red")
    narrow = catalog([("a", "A", "1")])
    assert compare(wide, narrow)[1] == [("updated", "a", "color", "", "red")]
    assert compare(narrow, wide)[1] == [("updated", "a", "color", "red", "")]
    blank = narrow.append_column("color", pa.nulls(1, pa.string()))
    assert compare(blank, narrow)[0].unchanged == 1


def test_a_column_whose_type_changed_is_compared_as_text():
    old = catalog([("a", "A", "1"), ("b", "B", "1")]).append_column("stock", pa.array(["42", "x"]))
    new = catalog([("a", "A", "1"), ("b", "B", "1")]).append_column("stock", pa.array([42, 7]))
    assert compare(new, old)[1] == [("updated", "b", "stock", "x", "7")]


def test_rows_of_a_partial_file_remove_nothing():
    found, lines, _ = compare(catalog([("b", "new", "2"), ("d", "D", None)]), BASE, full=False)
    assert found == diff.Difference(created=1, updated=1, unchanged=0, deleted=0, removed=0, retained=0)
    assert [line[:2] for line in lines] == [("updated", "b"), ("created", "d")]


def test_a_deleting_row_deletes_and_one_of_an_unknown_product_does_nothing():
    rows = catalog([("a", None, None), ("zz", None, None), ("b", "B", "2")])
    new = rows.append_column("_deleted", pa.array([True, True, False]))
    found, lines, _ = compare(new, BASE, full=False)
    assert found == diff.Difference(created=0, updated=0, unchanged=2, deleted=1, removed=0, retained=0)
    assert lines == [("deleted", "a", "", "", "")]


def test_composite_keys_pair_by_all_parts():
    def make(rows):
        columns = {name: pa.array([row[at] for row in rows]) for at, name in enumerate(("sku", "size", "name"))}
        return pa.table(columns)

    old = make([("a", "S", "x"), ("a", "M", "x"), ("b", "S", "x")])
    new = make([("a", "S", "x"), ("a", "M", "y"), ("b", "L", "x")])
    found, lines, _ = compare(new, old, key=("sku", "size"))
    assert (found.created, found.updated, found.unchanged, found.removed) == (1, 1, 1, 1)
    assert lines[0] == ("updated", "a | M", "name", "x", "y")
    assert ("created", "b | L", "", "", "") in lines
    assert ("removed", "b | S", "", "", "") in lines


def test_names_from_outside_are_quoted():
    odd = 'x"; DROP TABLE pairs; --'
    old, new = catalog([("a", "A", "1")], **{odd: "1"}), catalog([("a", "A", "1")], **{odd: "2"})
    assert compare(new, old)[1] == [("updated", "a", odd, "1", "2")]


@pytest.mark.parametrize(
    ("before", "after", "moved"),
    [("10", "15", 0), ("10", "15.0001", 1), ("0.30", "0.45", 0), ("10", "5", 0), ("10", "4.99", 1), ("0", "1", 1)],
)
def test_far_moves_of_prices_are_counted_exactly(before, after, moved):
    _, _, prices = compare(catalog([("a", "A", after)]), catalog([("a", "A", before)]))
    assert prices["price"] == (1, moved)


def test_two_keys_with_one_hash_are_told_apart(monkeypatch):
    with engine.open_small() as connection:
        engine.add_table(connection, "live", catalog([("a", "A", "1"), ("b", "B", "2"), ("d", "D", "4")]))
        engine.add_table(connection, "base_rows", BASE)
        connection.execute("CREATE TEMP TABLE rejected (key VARCHAR)")
        connection.execute("CREATE TEMP MACRO hash(x) AS length(x), (x, y, z) AS concat_ws('|', x, y, z)")
        found = diff.compare(connection, BASE.schema, BASE.schema, ("sku",), full=True, rejected=False)
    assert found == diff.Difference(created=1, updated=0, unchanged=2, deleted=0, removed=1, retained=0)


def test_the_small_connection_reads_no_file(tmp_path):
    (tmp_path / "x.csv").write_text("a\n1\n")
    with engine.open_small() as connection, pytest.raises(Exception, match=r"disabled|not allowed|cannot"):
        connection.execute(f"SELECT * FROM read_csv('{tmp_path}/x.csv')").fetchall()


def test_the_large_connection_reads_what_it_is_told_and_nothing_else(tmp_path):
    import pyarrow.parquet as pq

    pq.write_table(BASE, tmp_path / "base.parquet")
    (tmp_path / "other.csv").write_text("a\n1\n")
    (tmp_path / "spill").mkdir()
    with engine.open_large(
        [tmp_path / "base.parquet"], tmp_path / "spill", memory_bytes=2**27, threads=1
    ) as connection:
        engine.add_file(connection, "base_rows", tmp_path / "base.parquet")
        assert engine.one(connection, "SELECT count(*), max(_pos) FROM base_rows") == (3, 2)
        for query in (f"SELECT * FROM read_csv('{tmp_path}/other.csv')", "INSTALL httpfs", "ATTACH '/tmp/x.db'"):
            with pytest.raises(Exception, match=r"(?i)disabled|permission"):
                connection.execute(query).fetchall()


def test_lines_of_whole_products_are_on_their_way_to_the_disk_while_more_come(tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(changes.disk, "_BEHIND_BYTES", 10_000)
    monkeypatch.setattr(changes.disk, "write_behind", lambda _, start, size: told.append((start, size)))
    csv = tmp_path / "c.csv"
    with changes.Writer(csv) as writer:
        for part in ("a", "b"):
            writer.add_whole("created", pa.array([f"{part}{number}" for number in range(1_000)]))
    (first, size), (second, more) = told
    assert (first, second, size + more) == (0, size, csv.stat().st_size)
