import numpy as np
import pyarrow as pa
import pytest

from sftp_gateway.catalog import engine
from sftp_gateway.catalog.comparing import unique
from sftp_gateway.catalog.stage import Places


@pytest.fixture
def places(tmp_path):
    kept = Places(tmp_path / "places.bin")
    yield kept
    kept.close()


def rows(places, *given, gtin=None):
    """Rows of (sku, name); row numbers begin at 2."""
    count = len(given)
    places.add(np.arange(2, 2 + count), np.arange(2, 2 + count), np.arange(count) * 10)
    columns = {"sku": pa.array([row[0] for row in given]), "name": pa.array([row[1] for row in given])}
    return pa.table(columns | ({"gtin": pa.array(gtin, pa.string())} if gtin else {}))


def found(tables):
    return [row for table in tables for row in table.to_pylist()]


def live(connection):
    return connection.execute("SELECT sku, name FROM live ORDER BY _pos").fetchall()


def test_without_duplicates_every_row_counts(places):
    table = rows(places, ("a", "1"), ("b", "1"))
    with engine.open_small() as connection:
        engine.add_table(connection, "new_rows", table)
        assert unique.drop_earlier(connection, table.schema, ("sku",)) is unique.NOTHING
        assert live(connection) == [("a", "1"), ("b", "1")]


def test_the_last_row_of_a_key_wins_and_every_earlier_one_is_told(places):
    table = rows(places, ("a", "1"), ("b", "x"), ("a", "2"), ("b", "x"), ("a", "1"), ("A", "1"))
    with engine.open_small() as connection:
        engine.add_table(connection, "new_rows", table)
        dropped = unique.drop_earlier(connection, table.schema, ("sku",))
        told = found(unique.key_findings(connection, places, ("sku",), refuse=False))
        assert live(connection) == [("b", "x"), ("a", "1"), ("A", "1")]
    assert dropped.positions.tolist() == [0, 1, 2]
    assert dropped.differing == 1
    assert [
        (row["row"], row["line"], row["byte_offset"], row["key"], row["code"], row["severity"]) for row in told
    ] == [
        (2, 2, 0, "a", "CATALOG_DUPLICATE_ROW", "info"),
        (3, 3, 10, "b", "CATALOG_DUPLICATE_ROW", "info"),
        (4, 4, 20, "a", "CATALOG_DUPLICATE_KEY", "warning"),
    ]
    assert "row 6" in told[2]["message"]


def test_a_file_that_must_not_repeat_keys_is_told_so_as_fatal(places):
    table = rows(places, ("a", "1"), ("a", "2"))
    with engine.open_small() as connection:
        engine.add_table(connection, "new_rows", table)
        unique.drop_earlier(connection, table.schema, ("sku",))
        [told] = found(unique.key_findings(connection, places, ("sku",), refuse=True))
    assert (told["code"], told["severity"]) == ("CATALOG_DUPLICATE_KEY", "fatal")


def test_a_deleting_row_differs_from_one_that_does_not(places):
    table = rows(places, ("a", None), ("a", None)).append_column("_deleted", pa.array([True, False]))
    with engine.open_small() as connection:
        engine.add_table(connection, "new_rows", table)
        assert unique.drop_earlier(connection, table.schema, ("sku",)).differing == 1


def test_rows_that_joined_from_a_held_upload_are_not_told_of(places):
    places.add(np.zeros(1, dtype=np.int64), None, None)
    table = pa.table({"sku": ["a", "a", "b"], "name": ["1", "2", "3"]})
    places.add(np.array([2, 3]), None, None)
    with engine.open_small() as connection:
        engine.add_table(connection, "new_rows", table)
        dropped = unique.drop_earlier(connection, table.schema, ("sku",))
        assert dropped.positions.tolist() == [0]
        assert found(unique.key_findings(connection, places, ("sku",), refuse=False)) == []


def test_a_gtin_of_two_products_is_told_at_both_with_the_other_named(places):
    table = rows(places, ("a", "1"), ("b", "1"), ("c", "1"), ("d", "1"), gtin=["77", "88", "77", None])
    with engine.open_small() as connection:
        engine.add_table(connection, "new_rows", table)
        unique.drop_earlier(connection, table.schema, ("sku",))
        told = found(unique.gtin_findings(connection, places, "gtin", ("sku",)))
    assert [(row["row"], row["key"], row["value"], row["code"]) for row in told] == [
        (2, "a", "77", "CATALOG_GTIN_DUPLICATE"),
        (4, "c", "77", "CATALOG_GTIN_DUPLICATE"),
    ]
    assert "product c (row 4)" in told[0]["message"]
    assert "product a (row 2)" in told[1]["message"]


def test_an_earlier_row_of_a_key_shares_its_gtin_with_nobody(places):
    table = rows(places, ("a", "1"), ("a", "2"), gtin=["77", "77"])
    with engine.open_small() as connection:
        engine.add_table(connection, "new_rows", table)
        unique.drop_earlier(connection, table.schema, ("sku",))
        assert found(unique.gtin_findings(connection, places, "gtin", ("sku",))) == []


def test_the_first_row_keeps_a_unique_value_and_the_others_go(places):
    table = rows(places, ("a", "x"), ("b", "y"), ("c", "x"), ("d", "x"), ("e", None), ("f", None), ("b", "x"))
    with engine.open_small() as connection:
        engine.add_table(connection, "new_rows", table)
        unique.drop_earlier(connection, table.schema, ("sku",))
        unique.find_repeats(connection, "name", ("sku",))
        told = found(unique.repeat_findings(connection, places, {"name": "error"}))
        assert unique.leave_out_repeats(connection, ["name"]).tolist() == [2, 3, 6]
        assert live(connection) == [("a", "x"), ("e", None), ("f", None)]
    assert [(row["row"], row["code"], row["severity"]) for row in told] == [
        (4, "FIELD_VALUE", "error"),
        (5, "FIELD_VALUE", "error"),
        (8, "FIELD_VALUE", "error"),
    ]
    assert "row 2 has the same value" in told[0]["message"]
