"""Partial files and dry runs."""

import pyarrow.parquet as pq
import pytest

from sftp_gateway.brand import BrandSettings, Guards
from sftp_gateway.upload import Mode, State
from tests.catalog_shop import COLUMNS, Shop, codes, put, rows, sheet, small_rules, table

# partial files


def test_rows_of_a_partial_file_are_merged_with_the_current_products(shop):
    put(shop, rows(10))
    outcome = put(shop, [("A-1", "", "99.00"), ("A-2", "\\N", ""), ("B-1", "new", "")], COLUMNS[:3], mode=Mode.PARTIAL)
    assert outcome.receipt["changes"] | {"created": 1, "updated": 2, "removed": 0} == outcome.receipt["changes"]
    assert outcome.keeps_withheld
    assert shop.products()["A-1"] == {"sku": "A-1", "name": "name 1", "price": "99.00", "stock": "1"}
    assert shop.products()["A-2"] == {"sku": "A-2", "price": "12.50", "stock": "2"}
    assert shop.products()["B-1"] == {"sku": "B-1", "name": "new"}
    assert len(shop.products()) == outcome.products == 11


def test_a_row_of_a_partial_file_may_not_have_the_unique_value_of_a_product_that_stays(tmp_path):
    shop = Shop(tmp_path, small_rules(tmp_path, '[column.code]\ntype = "text"\nunique = true\n'))
    columns = ("sku", "name", "code")
    put(shop, [("a", "A", "1"), ("b", "B", "2"), ("c", "C", "3")], columns)
    swap = [("b", "B", "3"), ("c", "C", "2"), ("d", "D", "1"), ("a2", "A", "")]
    outcome = put(shop, swap, columns, mode=Mode.PARTIAL)
    [error] = shop.errors(outcome)
    assert (error["row"], error["code"], error["column"], error["value"]) == ("4", "FIELD_VALUE", "code", "1")
    assert "the product a has the same value" in error["message"]
    assert {sku: product.get("code") for sku, product in shop.products().items()} == {
        "a": "1",
        "b": "3",
        "c": "2",
        "a2": None,
    }


def test_a_partial_file_without_a_row_that_may_stay_is_refused(tmp_path):
    shop = Shop(tmp_path, small_rules(tmp_path, '[column.code]\ntype = "text"\nunique = true\n'))
    columns = ("sku", "name", "code")
    put(shop, [("a", "A", "1"), ("b", "B", "2")], columns)
    before = shop.products()
    outcome = put(shop, [("c", "C", "1"), ("b", "", "1"), ("c", "C2", "1")], columns, mode=Mode.PARTIAL)
    assert (outcome.state, [reason["code"] for reason in outcome.reasons]) == (State.REFUSED, ["FILE_NO_VALID_ROW"])
    assert (
        outcome.receipt["rows"] | {"read": 3, "accepted": 0, "rejected": 2, "duplicates": 1} == outcome.receipt["rows"]
    )
    assert codes(outcome) == {"FILE_NO_VALID_ROW": 1, "FIELD_VALUE": 2, "CATALOG_DUPLICATE_KEY": 1}
    assert [row["sku"] for row in table(shop.file(outcome, "corrections"))] == ["b", "c"]
    assert shop.products() == before


def test_a_row_of_a_partial_file_may_not_take_the_value_that_a_rejected_row_wanted_to_give_up(tmp_path):
    shop = Shop(tmp_path, small_rules(tmp_path, '[column.code]\ntype = "text"\nunique = true\n'))
    columns = ("sku", "name", "code")
    put(shop, [("a", "A", "1"), ("b", "B", "2"), ("c", "C", "3")], columns)
    outcome = put(shop, [("d", "D", "9"), ("b", "B", "1"), ("c", "C", "2")], columns, mode=Mode.PARTIAL)
    assert [(error["key"], error["value"]) for error in shop.errors(outcome)] == [("b", "1"), ("c", "2")]
    assert {sku: product["code"] for sku, product in shop.products().items()} == {
        "a": "1",
        "b": "2",
        "c": "3",
        "d": "9",
    }


def test_a_row_of_a_partial_file_is_warned_of_the_gtin_of_a_product_that_stays(tmp_path):
    shop = Shop(tmp_path, small_rules(tmp_path, '[column.gtin]\ntype = "gtin"\n'))
    columns = ("sku", "name", "gtin")
    put(shop, [("a", "A", "4006381333931"), ("b", "B", "")], columns)
    outcome = put(shop, [("b", "B", "4006381333931"), ("a3", "A", "")], columns, mode=Mode.PARTIAL)
    [warning] = shop.errors(outcome)
    assert (warning["row"], warning["code"], warning["severity"]) == ("2", "CATALOG_GTIN_DUPLICATE", "warning")
    assert "the product a of the current catalog" in warning["message"]
    again = put(shop, [("a", "A", r"\N"), ("b", "B", "4006381333931")], columns, mode=Mode.PARTIAL)
    assert shop.errors(again) == []


MILD = """
[column.images]
type = "list"
items = "url"
[column.weight]
type = "measure"
severity = "warning"
[column.grade]
type = "integer"
severity = "warning"
max = 9
"""


@pytest.mark.parametrize("mode", [Mode.FULL, Mode.PARTIAL])
def test_a_bad_value_that_is_only_warned_of_leaves_the_good_one_of_a_partial_file_alone(tmp_path, mode):
    shop = Shop(tmp_path, small_rules(tmp_path, MILD), guards=Guards(column_emptied=1.0))
    columns = ("sku", "price", "images", "weight", "grade")
    good = {"price": "1.00", "images": "/a.jpg|/b.jpg", "weight": "2 kg", "grade": "1"}
    put(shop, [*((sku, *good.values()) for sku in "abcdef"), ("n", "1", "", "", "")], columns)
    sent = [
        ("a", "2", "front.jpg", "", ""),
        ("b", "2", "front.jpg|/c.jpg", "", ""),
        ("c", "2", "", "heavy", "x"),
        ("d", "2", "", "", "10"),
        ("e", "bad", "front.jpg", "heavy", "10"),
        ("f", "2", "\\N" if mode is Mode.PARTIAL else "", "3 kg", "2"),
        ("n", "2", "front.jpg", "heavy", "10"),
        ("new", "2", "front.jpg", "heavy", "10"),
    ]
    outcome = put(shop, sent, columns, mode=mode)
    assert codes(outcome)["FIELD_ITEM"] == 5
    found = {sku: {name: row[name] for name in row if name != "sku"} for sku, row in shop.products().items()}
    assert found.pop("e") == good
    assert found.pop("f") == {"price": "2.00", "weight": "3 kg", "grade": "2"}
    price = {"price": "2.00"}
    if mode is Mode.FULL:
        assert found == dict.fromkeys(("a", "c", "d", "n", "new"), price) | {"b": price | {"images": "/c.jpg"}}
        return
    whole = dict.fromkeys("acd", good | price) | {"b": good | price | {"images": "/c.jpg"}}
    assert found == whole | dict.fromkeys(("n", "new"), price)
    again = put(shop, [("a", "5 kg"), ("c", "2000 g")], ("sku", "weight"), mode=mode)
    assert [line["key"] for line in shop.told(again)] == ["a"], "what is compared of a measure is kept, too"


@pytest.mark.parametrize("columns", [("variation",), ("variation:Width",), ("Option1 Name", "Option1 Value")])
def test_a_required_map_cannot_be_cleared_by_a_partial_file(tmp_path, columns):
    shop = Shop(tmp_path, small_rules(tmp_path, '[column.variation]\ntype = "map"\nrequired = true\n'))
    before = [("a", "Wide", ""), ("b", "Wide", "Red"), ("c", "Wide", "")]
    put(shop, before, ("sku", "variation:Width", "variation:Color"))
    clear = ("Width", r"\N") if len(columns) == 2 else (r"\N",)
    sent = [("a", "", *clear), ("b", "", *clear), ("new", "", *clear), ("c", "renamed", *([""] * len(clear)))]
    outcome = put(shop, sent, ("sku", "name", *columns), mode=Mode.PARTIAL)
    whole = columns == ("variation",)
    lost = ["a", "b", "new"] if whole else ["a", "new"]
    errors = shop.errors(outcome)
    assert [(error["key"], error["column"], error["code"]) for error in errors] == [
        (key, "variation", "FIELD_REQUIRED") for key in lost
    ]
    assert all("would clear" in error["message"] for error in errors) is whole
    found = {sku: row["variation"] for sku, row in shop.products().items()}
    both = '{"Color": "Red", "Width": "Wide"}'
    assert found == {"a": '{"Width": "Wide"}', "b": both if whole else '{"Color": "Red"}', "c": '{"Width": "Wide"}'}
    full = put(shop, [("a", r"\N")], ("sku", "variation:Width"))
    assert (full.state, shop.products()["a"]["variation"]) == (State.PUBLISHED, '{"Width": "\\\\N"}'), "text, there"


def test_a_partial_file_deletes_by_op(shop):
    put(shop, rows(10))
    given = [
        ("A-1", "delete", ""),
        ("zz", "delete", ""),
        ("A-2", "", "renamed"),
        ("A-3", "delete", ""),
        ("A-3", "", "back"),
    ]
    outcome = put(shop, given, ("sku", "_op", "name"), mode=Mode.PARTIAL)
    assert outcome.receipt["rows"] | {"read": 5, "accepted": 4, "duplicates": 1} == outcome.receipt["rows"]
    assert outcome.receipt["changes"] | {"deleted": 1, "updated": 2, "unchanged": 1} == outcome.receipt["changes"]
    assert "A-1" not in shop.products()
    assert shop.products()["A-3"]["name"] == "back"
    assert "_deleted" not in pq.read_schema(shop.base.path).names


def test_in_a_full_file_op_is_ignored_and_said_to_be(shop):
    put(shop, rows(3))
    outcome = put(shop, [(*row, "delete") for row in rows(3)], (*COLUMNS, "_op"))
    assert outcome.state is State.UNCHANGED
    assert [(error["code"], error["value"]) for error in shop.errors(outcome)] == [("FILE_HEADER_UNKNOWN", "_op")]
    partial = put(shop, [("A-1", "delete")], ("sku", "_op"), mode=Mode.PARTIAL)
    assert not shop.errors(partial)


def test_a_partial_file_leaves_columns_alone_that_it_lacks_even_kept_ones(shop):
    shop.settings = BrandSettings(unknown_columns="keep")
    put(shop, [("a", "A", "red"), ("b", "B", "blue")], ("sku", "name", "Shade"))
    put(shop, [("a", "A2")], ("sku", "name"), mode=Mode.PARTIAL)
    assert shop.products() == {
        "a": {"sku": "a", "name": "A2", "Shade": "red"},
        "b": {"sku": "b", "name": "B", "Shade": "blue"},
    }
    outcome = put(shop, [("b", "green")], ("sku", "Shade"), mode=Mode.PARTIAL)
    assert [tuple(line.values()) for line in shop.told(outcome)] == [("updated", "b", "Shade", "blue", "green")]


def test_a_partial_file_clears_kept_columns_as_it_clears_ours(shop):
    shop.settings = BrandSettings(unknown_columns="keep")
    header = ("sku", "name", "Shade")
    whole = [("a", "A", "red"), ("b", "B", "blue"), ("d", "D", "pink"), ("e", "E", "grey")]
    put(shop, whole, header)
    outcome = put(shop, [("a", "\\N", " \\N "), ("c", "C", "\\N")], header, mode=Mode.PARTIAL)
    found = shop.products()
    assert (found["a"], found["b"]["Shade"], found["c"]) == ({"sku": "a"}, "blue", {"sku": "c", "name": "C"})
    assert ("updated", "a", "Shade", "red", "") in [tuple(line.values()) for line in shop.told(outcome)]
    put(shop, [*whole[:3], ("e", "E", "\\N")], header)
    assert shop.products()["e"]["Shade"] == "\\N"  # a full file clears by leaving blank


def test_a_first_partial_file_creates(shop):
    outcome = put(shop, [("a", "A"), ("b", "")], ("sku", "name"), mode=Mode.PARTIAL)
    assert (outcome.state, outcome.receipt["changes"]["created"]) == (State.PUBLISHED, 2)


# dry runs


def test_a_dry_run_says_what_would_happen_and_changes_nothing(shop):
    put(shop, rows(200))
    outcome = put(shop, rows(100), mode=Mode.TEST)
    assert (outcome.state, outcome.version) == (State.TESTED, None)
    assert outcome.receipt["would_be"] == "published"
    assert outcome.receipt["changes"] | {"withheld": 100, "removed": 0} == outcome.receipt["changes"]
    assert outcome.receipt["products"] == {"before": 200, "after": 200}
    assert {made.kind for made in outcome.made} == {"withheld"}
    assert shop.withheld is None
    held = put(shop, [(f"a{n}", "x", "10.50", "1") for n in range(100)], mode=Mode.TEST)
    assert (held.state, held.receipt["would_be"]) == (State.TESTED, "held")
    refused = shop.put("", mode=Mode.TEST)
    assert (refused.state, refused.receipt["would_be"]) == (State.TESTED, "refused")
    same = put(shop, rows(200), mode=Mode.TEST)
    assert same.receipt["would_be"] == "unchanged"


def test_a_kept_column_is_the_same_however_its_header_is_spelt(tmp_path):
    shop = Shop(tmp_path, settings=BrandSettings(unknown_columns="keep"))
    put(
        shop, [("A", "a", "1", "wool", "S1"), ("B", "b", "2", "dry", "S2")], ("sku", "name", "msrp", "Care", "Season 1")
    )
    shop.put(sheet([("A", "silk")], ("sku", "CARE")), mode=Mode.PARTIAL)
    assert shop.products()["A"]["Care"] == "silk"
    assert shop.products()["B"]["Care"] == "dry"
    full = put(
        shop, [("A", "a", "1", "silk", "S1"), ("B", "b", "2", "wet", "S2")], ("sku", "name", "msrp", "care", "season_1")
    )
    assert [(row["key"], row["column"], row["before"], row["after"]) for row in shop.told(full)] == [
        ("B", "Care", "dry", "wet")
    ]


def test_a_product_that_is_deleted_shares_its_values_with_nobody(tmp_path):
    """A key is renamed so: the old one deleted, the new one created with the same GTIN."""
    more = '[column.gtin]\ntype = "gtin"\n[column.code]\ntype = "text"\nunique = true\n'
    shop = Shop(tmp_path, small_rules(tmp_path, more))
    columns = ("sku", "gtin", "code", "_op")
    put(shop, [("A", "4006381333931", "1"), ("B", "4006381333948", "2"), ("C", "4006381333955", "3")], columns[:3])
    sent = [("A", "", "", "delete"), ("A2", "4006381333931", "1", ""), ("B", "4006381333955", "3", "delete")]
    outcome = put(shop, sent, columns, mode=Mode.PARTIAL)
    assert shop.errors(outcome) == []
    assert sorted(shop.products()) == ["A2", "C"]
