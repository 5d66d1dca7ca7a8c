"""Kept columns with the names that our own queries use: a header from outside never stands for something of ours."""

import pytest

from sftp_gateway.brand import BrandSettings
from sftp_gateway.catalog import respelled
from sftp_gateway.catalog.rules import schema
from sftp_gateway.upload import Mode, State
from tests.catalog_shop import SMALL, Shop, codes, put

OURS = (
    *("k", "K1", "g", "h", "hk", "n", "b", "d", "p", "l", "f", "t", "pos", "bpos", "old", "fresh", "pairs", "live"),
    *("kept", "retained", "removes", "collides", "winner", "winner_h", "same", "earlier", "first", "other", "other_k"),
    *("col", "value", "key", "twice", "rows", "sold", "rejected", "repeats", "doubled", "differing", "n0", "b0", "d0"),
    *("base_rows", "new_rows", "open_live", "open_base", "record", "mark", "rowid", "filename"),
)
COLUMNS = ("sku", "name", "gtin", "code", *OURS)
GTINS = ("4006381333931", "4006381333948")
RULES = SMALL + '[column.gtin]\ntype = "gtin"\n[column.code]\ntype = "text"\nunique = true\n'


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path, schema.parse(RULES), BrandSettings(unknown_columns="keep"))


def product(number, name="x", gtin="", code="", value=""):
    """A product whose kept columns all say the key of another product."""
    return (f"A{number}", name, gtin, code, *([value or f"A{number + 100}"] * len(OURS)))


def test_approving_removes_the_withheld_products_whatever_a_kept_column_says(tmp_path):
    shop = Shop(tmp_path, schema.parse(SMALL), BrandSettings(unknown_columns="keep"))
    columns = ("sku", "name", "K")
    put(shop, [(f"A{n}", "x", "") for n in range(300)], columns)
    shown = [(f"A{n}", "x", "A250" if n == 1 else "") for n in range(200)]
    assert put(shop, shown, columns).withheld_products == 100
    made = shop.release()
    assert (made.changes["removed"], made.products) == (100, 200)
    assert set(shop.products()) == {sku for sku, *_ in shown}


def test_a_kept_column_may_have_any_name_that_our_queries_use(shop):
    given = [product(n, gtin=GTINS[n % 2] if n < 3 else "", code=str(n)) for n in range(200)]
    first = put(shop, [*given, product(5, "again", code="5")], COLUMNS)
    assert (first.state, first.receipt["rows"]["duplicates"], first.products) == (State.PUBLISHED, 1, 200)
    assert (codes(first)["CATALOG_GTIN_DUPLICATE"], codes(first)["CATALOG_DUPLICATE_KEY"]) == (2, 1)
    given[7], given[9] = product(7, value="other"), product(9, code="3")
    second = put(shop, given, COLUMNS)
    assert (second.receipt["rows"]["retained"], second.receipt["changes"]["updated"]) == (1, 2)
    assert {line["column"] for line in shop.told(second) if line["key"] == "A7"} == {"code", *OURS}
    third = put(shop, [product(1, "touched", code="1"), product(8, code="11")], COLUMNS, mode=Mode.PARTIAL)
    assert (third.receipt["changes"]["updated"], third.receipt["rows"]["rejected"]) == (1, 1)
    fourth = put(shop, [product(1, "touched", code="1"), *given[2:100]], COLUMNS)
    assert fourth.withheld_products == 101
    before = shop.base
    assert shop.release().products == 99
    assert set(shop.products()) == {f"A{n}" for n in range(1, 100)}
    assert shop.rollback(before).changes["created"] == 101


@pytest.mark.parametrize("name", ["file_row_number", "File_Row_Number"])
def test_a_kept_column_may_have_the_name_that_the_database_counts_rows_by(tmp_path, name):
    shop = Shop(tmp_path, schema.parse(SMALL), BrandSettings(unknown_columns="keep"))
    columns = ("sku", "name", name)
    put(shop, [(f"A{n}", "x", str(n)) for n in range(300)], columns)
    partial = put(shop, [("A1", "x", "touched")], columns, mode=Mode.PARTIAL)
    assert partial.receipt["changes"]["updated"] == 1
    before = shop.base
    put(shop, [(f"A{n}", "x", str(n)) for n in range(100)], columns)
    shop.release()
    assert shop.products()["A1"][f"{name} (sent)"] == "1"
    shop.rollback(before)
    assert shop.products()["A1"][f"{name} (sent)"] == "touched"


@pytest.mark.parametrize("mode", [Mode.FULL, Mode.PARTIAL])
def test_a_kept_column_goes_on_as_the_rules_column_that_differs_from_it_in_case_alone(tmp_path, mode):
    shop = Shop(tmp_path, schema.parse(SMALL), BrandSettings(unknown_columns="keep"))
    columns = ("sku", "name", "price", "Season")
    put(shop, [(f"A{n}", "x", "1.50", f"S{n}") for n in range(100)], columns)
    shop.rules = schema.parse(SMALL + '[column.season]\ntype = "text"\n')
    sent = [("A1", "x", "2.50", "S1"), ("A2", "x", "bad", "S9")]
    if mode is Mode.FULL:
        sent += [(f"A{n}", "x", "1.50", f"S{n}") for n in range(3, 30)]
    outcome = put(shop, sent, columns, mode=mode)
    assert (outcome.state, outcome.receipt["rows"]["rejected"]) == (State.PUBLISHED, 1)
    assert {(line["key"], line["column"]) for line in shop.told(outcome)} == {("A1", "price")}
    found = shop.products()
    assert {key: product["season"] for key, product in found.items()} == {f"A{n}": f"S{n}" for n in range(100)}
    assert all("Season" not in product for product in found.values())


def test_a_version_with_a_name_of_the_database_s_own_is_gone_on_from():
    """As those are that were made before such headers got another name."""
    assert respelled.spelled(["sku", "FILE_ROW_NUMBER", "Season"], ["sku"]) == [
        "sku",
        "FILE_ROW_NUMBER (sent)",
        "Season",
    ]
    assert respelled.spelled(["SKU", "Season", "season"], ["sku", "season"]) == ["sku", "Season", "season"]
