"""Products that an upload leaves alone stay as they are, whatever type the rules now give their columns."""

import pytest

from sftp_gateway.catalog.rules import schema
from sftp_gateway.upload import Mode, State
from tests.catalog_shop import SMALL, Shop, put

COLUMNS = ("sku", "name", "x", "y")
GIVEN = [("A", "a", "XL", "5"), ("B", "b", "5", "6"), ("C", "c", "2026-02-30", "7"), ("D", "d", "5.00", "8")]
ALL = ("removals_withheld", "reject_share", "key_change", "column_emptied")


def rules(x, y="text", key="text"):
    text = SMALL.replace('[column.sku]\ntype = "text"', f'[column.sku]\ntype = "{key}"').replace(
        "max_length = 64\n", ""
    )
    return schema.parse(text + f'[column.x]\ntype = "{x}"\n[column.y]\ntype = "{y}"\n')


@pytest.fixture
def shop(tmp_path):
    shop = Shop(tmp_path, rules("text"))
    put(shop, GIVEN, COLUMNS)
    return shop


@pytest.mark.parametrize("kind", ["decimal", "money", "integer", "date", "datetime", "boolean"])
def test_a_partial_file_leaves_what_another_type_cannot_hold_in_other_products(shop, kind):
    before, sent = shop.products(), {"date": "2026-01-02", "datetime": "2026-01-02T00:00:00Z", "boolean": "true"}
    shop.rules = rules(kind, "integer")
    outcome = put(shop, [("B", sent.get(kind, "12"))], ("sku", "x"), mode=Mode.PARTIAL)
    assert outcome.receipt["changes"] | {"updated": 1, "unchanged": 0} == outcome.receipt["changes"]
    assert {line["key"] for line in shop.told(outcome)} == {"B"}
    shown = {"decimal": "12", "money": "12.00", "integer": "12"} | sent
    assert shop.products() == before | {"B": before["B"] | {"x": shown[kind]}}
    put(shop, [("A", sent.get(kind, "13"))], ("sku", "x"), mode=Mode.PARTIAL)
    assert [shop.products()[sku]["x"] for sku in "CD"] == ["2026-02-30", "5.00"]


def test_a_full_file_leaves_it_in_products_whose_rows_are_rejected(shop):
    shop.rules = rules("decimal")
    given = [
        ("A", "a", "XL", "5"),
        ("B", "b", "5", "6"),
        ("C", "c", "7", "7"),
        ("D", "d", "8", "8"),
        ("E", "e", "9.5", ""),
    ]
    outcome = put(shop, given, COLUMNS)
    assert (outcome.state, outcome.receipt["rows"]["retained"]) == (State.PUBLISHED, 1)
    assert [product["x"] for _, product in sorted(shop.products().items())] == ["XL", "5", "7", "8", "9.5"]
    assert {line["key"]: line["before"] for line in shop.told(outcome) if line["column"] == "x"} == {
        "C": "2026-02-30",
        "D": "5.00",
    }
    assert put(shop, given, COLUMNS).state is State.UNCHANGED
    whole = put(shop, [("A", "a", "4", "5"), *given[1:]], COLUMNS)
    assert [tuple(line.values()) for line in shop.told(whole)] == [("updated", "A", "x", "XL", "4")]


def test_withheld_products_stay_as_they_were(shop, tmp_path):
    more = [(f"Z{n}", "z", "old", "1") for n in range(60)]
    put(shop, [*GIVEN, *more], COLUMNS)
    shop.rules = rules("integer")
    outcome = put(shop, [("B", "b", "5", "6")], COLUMNS, waived=ALL[1:])
    assert outcome.withheld_products == 63
    assert [shop.products()[sku]["x"] for sku in ("A", "B", "Z7")] == ["XL", "5", "old"]


def test_a_key_is_never_lost_to_another_type(tmp_path):
    shop = Shop(tmp_path, rules("text"))
    put(shop, [("007", "a", "", ""), ("7x", "b", "", ""), ("8", "c", "", "")], COLUMNS)
    shop.rules = rules("text", key="integer")
    outcome = put(shop, [("8", "new")], ("sku", "name"), mode=Mode.PARTIAL, waived=ALL)
    assert outcome.receipt["changes"]["updated"] == 1
    assert {sku: product["name"] for sku, product in shop.products().items()} == {"007": "a", "7x": "b", "8": "new"}
