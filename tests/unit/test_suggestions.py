"""What the sender reads beside a wrong value: the way out, in the error file, word for word."""

import pytest

from sftp_gateway.catalog.rules import schema
from tests.catalog_shop import SMALL, Shop

ENUM = schema.parse(SMALL + '[column.state]\ntype = "enum"\nvalues = ["new", "used", "refurbished"]\n')
GOOD = "A1,Chair,1.50"


@pytest.mark.parametrize(
    ("header", "cell", "said"),
    [
        ("gtin", "4006381333930", "if the other digits are right, the last one is 1, not 0"),
        ("gtin", "4.00638E+12", "format the column as text in the spreadsheet, enter the value again and export again"),
        ("cost", '"1,234"', "write 1234 or 1.2340, or ask for your decimal mark to be set"),
        (
            "updated_at",
            "03/04/2026",
            "write 2026-04-03 or 2026-03-04, or ask for your date order to be set",
        ),
        ("updated_at", "2026-02-30", "check year, month, day and time"),
        ("updated_at", "31.13.2026", "write it as year-month-day, like 2026-01-31"),
        ("currency", "EURO", "write EUR"),
        ("quantity", "1.5", "write a whole number, like 1"),
        ("is_visible", "perhaps", "write true or false"),
        ("product_url", "www.example.com", "write https://www.example.com"),
        ("quantity", "many", "write digits, like 12"),
        ("shipping_weight", "5 stones", "write a number and a unit, like 11.02 lb, 5 kg"),
    ],
)
def test_a_wrong_value_comes_with_its_way_out(tmp_path, header, cell, said):
    shop = Shop(tmp_path)
    outcome = shop.put(f"sku,name,msrp,{header}\n{GOOD},\nB1,Chair,1.50,{cell}\n")
    told = [line["suggestion"] for line in shop.errors(outcome) if line["column"] == header and line["row"]]
    assert told == [said]


NUMBER_AND_UNIT = "write a number and a unit, like 11.02 lb, 5 kg"
AMOUNT = "write the amount and the code of its currency, like 12.50 USD"


@pytest.mark.parametrize(
    ("header", "cell", "said"),
    [
        ("currency", "RMB", "did you mean CNY?"),
        ("currency", "GBX", "write a code like USD or EUR"),
        ("currency", "HRK", "write a code like USD or EUR"),
        ("currency", "US", "write a code like USD or EUR"),
        ("currency", "kr", "write a code like USD or EUR"),
        ("cost", "12.123456 USD", "round it, like 12.1235 USD"),
        ("cost", "12.50 dollars", AMOUNT),
        ("cost", "99¢", AMOUNT),
        ("cost", "$(12.50)", AMOUNT),
        ("cost", "12k", AMOUNT),
        ("cost", '"12,-"', "write 12"),
        ("cost", '"1.299,-"', "write digits, like 12.50"),
        ("cost", '"1,299.-"', "write digits, like 12.50"),
        ("cost", "12½", AMOUNT),
        ("cost", "50%", AMOUNT),
        ("cost", "$.99 ea", AMOUNT),
        ("cost", "from .99", AMOUNT),
        ("cost", '"1,234 EUR"', "write 1234 EUR or 1.2340 EUR, or ask for your decimal mark to be set"),
        ("Weight (g)", "~5 kg", NUMBER_AND_UNIT),
        ("Weight (g)", "approx .5 kg", NUMBER_AND_UNIT),
        ("Weight (g)", '"1,234 kg"', "write 1234 kg or 1.2340 kg, or ask for your decimal mark to be set"),
        ("quantity", '"1.234,5"', "write a whole number, like 1234"),
        ("quantity", "12k", "write digits, like 12"),
        ("product_url", "file.jpg", "write the whole address, like https://www.example.com/product"),
        ("product_url", "12.50", "write the whole address, like https://www.example.com/product"),
        ("product_url", "example.com/a.jpg", "write https://example.com/a.jpg"),
    ],
)
def test_a_way_out_that_is_taken_changes_no_meaning(tmp_path, header, cell, said):
    shop = Shop(tmp_path)
    outcome = shop.put(f"sku,name,msrp,{header}\n{GOOD},\nB1,Chair,1.50,{cell}\n")
    told = [line["suggestion"] for line in shop.errors(outcome) if line["severity"] == "error"]
    assert told == [said]


NEEDED = """key = ["sku"]
[column.sku]
type = "text"
required = true
[column.price]
type = "money"
required = true
exclusive_min = 0
[column.code]
type = "gtin"
required = true
[column.share]
type = "decimal"
[column.stock]
type = "integer"
"""


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("#N/A,4006381333931,,", "mend the formula"),
        ("0,4006381333931,,", "write more than 0"),
        ("1,400638133393x,,", "write the digits under the barcode"),
        ("1,4006381333931,0.000000123456,", "round it, like 0.0000001235"),
        ("1,4006381333931,0.00000000001,", "round it, like 0.0000000000"),
        ('1,4006381333931,,"1,234"', "write 1234 if that is meant, or ask for your decimal mark to be set"),
    ],
)
def test_a_way_out_is_not_refused_when_it_is_taken(tmp_path, row, said):
    shop = Shop(tmp_path, rules=schema.parse(NEEDED))
    outcome = shop.put(f"sku,price,code,share,stock\nA1,1.50,4006381333931,1,1\nB1,{row}\n")
    told = [(line["row"], line["suggestion"]) for line in shop.errors(outcome) if line["code"] != "FIELD_REQUIRED"]
    assert told == [("3", said)]


def test_the_rounded_number_that_is_offered_is_read_as_that_number(tmp_path):
    rules = schema.parse(SMALL + '[column.share]\ntype = "decimal"\nscale = 3\n')
    shop = Shop(tmp_path, rules=rules)
    told = shop.errors(shop.put("sku;share\nA1;2,5\nB1;1,2345\n"))
    assert [line["suggestion"] for line in told] == ["round it, like 1,235"]


def test_a_wrong_word_of_a_list_comes_with_the_nearest_allowed_one(tmp_path):
    shop = Shop(tmp_path, rules=ENUM)
    outcome = shop.put("sku,state\nA1,new\nB1,refurbishd\nB2,Used\nB3,xyz\n")
    told = [line["suggestion"] for line in shop.errors(outcome) if line["column"] == "state" and line["row"]]
    assert told == ["did you mean refurbished?", "did you mean used?", ""]


def test_an_unknown_header_comes_with_the_column_that_was_meant(tmp_path):
    shop = Shop(tmp_path)
    told = shop.errors(shop.put("sku,name,msrp,colr,zzz\nA1,Chair,1.50,red,1\n"))
    assert [(line["value"], line["suggestion"]) for line in told if line["code"] == "FILE_HEADER_UNKNOWN"] == [
        ("colr", "did you mean color?"),
        ("zzz", ""),
    ]


def test_a_missing_column_comes_with_the_header_that_was_meant(tmp_path):
    shop = Shop(tmp_path)
    [told] = [line for line in shop.errors(shop.put("sku,nam,msrp\nA1,Chair,1.50\n")) if line["severity"] == "fatal"]
    assert (told["code"], told["suggestion"]) == (
        "FILE_HEADER_MISSING",
        "is 'nam' your `name`? Rename it, or have it set (columns.name=nam)",
    )
