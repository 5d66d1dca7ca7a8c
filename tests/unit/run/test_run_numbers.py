"""Numbers on their way into a version: read as the sender meant them, or told as what they are."""

import pytest

from sftp_gateway.brand import BrandSettings
from sftp_gateway.catalog.read import bounds
from sftp_gateway.upload import Mode
from tests.catalog_shop import Shop, codes, small_rules

MORE = '[column.share]\ntype = "decimal"\n[column.weight]\ntype = "measure"\ndimension = "weight"\n'


def shop_of(folder, more=MORE, **settings):
    return Shop(folder, small_rules(folder, more), BrandSettings(**settings))


@pytest.mark.parametrize(("decimal", "written"), [("", "0,125"), (".", "0,125"), (",", "0.125")])
def test_digits_after_a_lone_zero_are_decimals_whatever_the_mark_of_the_others(tmp_path, decimal, written):
    shop = shop_of(tmp_path, decimal=decimal)
    one = "12.50" if decimal != "," else "12,50"
    outcome = shop.put(f"sku;price;share;weight\nA;{one};{one};{one} kg\nB;{written};{written};{written} kg\n")
    assert codes(outcome) == {}
    assert shop.products()["B"] == {"sku": "B", "price": "0.125", "share": "0.125", "weight": "0.125 kg"}


def test_numbers_of_more_digits_than_can_be_kept_are_told_and_never_wrapped(tmp_path):
    shop, huge = shop_of(tmp_path), "7489065944264415794384188872553"
    most = "9" * 28
    outcome = shop.put(f"sku,share,weight\nA,1,1 kg\nB,{huge},1 kg\nC,1,{huge} kg\nD,{most},{most} kg\n")
    assert [(line["row"], line["column"], line["code"]) for line in shop.errors(outcome)] == [
        ("3", "share", "FIELD_RANGE"),
        ("4", "weight", "FIELD_RANGE"),
    ]
    assert shop.products()["D"] == {"sku": "D", "share": most, "weight": f"{most} kg"}


def test_zeros_without_end_change_no_number(tmp_path):
    shop, zeros = shop_of(tmp_path), "0" * 40
    outcome = shop.put(f"sku,price,share,weight\nA,8.372{zeros},0.5{zeros},1.5{zeros} kg\nB,{zeros}1,{zeros}1,1 kg\n")
    assert codes(outcome) == {}
    assert shop.products()["A"] == {"sku": "A", "price": "8.372", "share": "0.5", "weight": "1.5 kg"}
    assert shop.products()["B"] == {"sku": "B", "price": "1.00", "share": "1", "weight": "1 kg"}


def test_a_doubtful_cell_of_one_column_makes_no_clean_cell_of_another_doubtful(tmp_path):
    shop = shop_of(tmp_path, MORE + '[column.seen]\ntype = "date"\n')
    lines = [f"{n},{10 + n}.50,1.250,2.750 kg,2026-01-0{n}" for n in range(1, 6)]
    outcome = shop.put("\n".join(["sku,price,share,weight,seen", *lines, '6,"1,299",1.250,2.750 kg,01/02/2026']) + "\n")
    told = [(line["row"], line["column"], line["code"]) for line in shop.errors(outcome)]
    assert told == [("7", "seen", "FIELD_AMBIGUOUS")]  # the other prices have a dot, so that 1,299 is 1299
    assert {product["weight"] for product in shop.products().values()} == {"2.75 kg"}
    assert {product["share"] for product in shop.products().values()} == {"1.25"}


def test_columns_that_ask_for_evidence_one_after_the_other_are_each_decided_by_their_own_cells(tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "BLOCK_BYTES", 400)
    shop = shop_of(tmp_path)
    lines = ["A;1,299;1.250;2.750 kg", *(f"B{n};2,5;0,5;1 kg" for n in range(200)), "C;3,5;4;1,234 kg"]
    outcome = shop.put("sku;price;share;weight\n" + "\n".join(lines) + "\n")
    assert [(line["row"], line["column"]) for line in shop.errors(outcome)] == [("2", "weight"), ("203", "weight")]
    assert set(codes(outcome)) == {"FIELD_AMBIGUOUS"}
    assert shop.products()["B7"] == {"sku": "B7", "price": "2.50", "share": "0.5", "weight": "1 kg"}


RULES = """
[rule.light]
expression = "weight is null or weight <= 70"
[rule.heavier_than_its_share]
expression = "weight >= share"
[rule.not_nothing]
expression = "share > 0.00000000001"
[rule.twice]
expression = "weight + weight = weight * 2"
[column.least]
type = "decimal"
min = 0.00000000002
max = 9999999999.99999999999999
"""


def test_rules_hold_over_weights_and_shares_of_any_number_of_places(tmp_path):
    shop = shop_of(tmp_path, MORE + RULES)
    lines = [
        "sku,weight,share,least",
        "A,1.1 oz,0.0311844754,1",
        "B,1.1 oz,0.0311844755,0.0000000001",
        "C,70.0000000001 kg,1,0",
        "D,9999999999999999999999999999 t,0,1",
        "E,3 oz,,9999999999.9999999999",
        "F,3 oz,,10000000000",
    ]
    outcome = shop.put("\n".join(lines) + "\n")
    assert [(line["row"], line["column"], line["code"]) for line in shop.errors(outcome)] == [
        ("3", "heavier_than_its_share", "FIELD_RULE"),
        ("4", "least", "FIELD_RANGE"),
        ("4", "light", "FIELD_RULE"),
        ("5", "light", "FIELD_RULE"),
        ("5", "not_nothing", "FIELD_RULE"),
        ("7", "least", "FIELD_RANGE"),
    ]


@pytest.mark.parametrize(("other", "price", "stock"), [("899.50", "1.299", "1"), ("899,50", "1299.00", "5000")])
def test_what_may_be_thousands_with_a_dot_is_read_by_what_other_cells_prove(tmp_path, other, price, stock):
    shop = shop_of(tmp_path, "")
    pieces = "1.000" if price == "1.299" else "5.000"
    proof = "2.0" if price == "1.299" else "2,0"
    assert codes(shop.put(f"sku;price;stock\nA;1.299;{pieces}\nB;{other};{proof}\nC;899;7\n")) == {}
    assert shop.products()["A"] == {"sku": "A", "price": price, "stock": stock}


def test_thousands_with_a_dot_are_not_published_as_units(tmp_path):
    shop = shop_of(tmp_path)
    outcome = shop.put(
        "sku;price;stock;share;weight\nA;1.299;12;1.250;1.250 kg\nB;899;1.000;2.5;1 kg\nC;899;12;2;1 kg\n"
    )
    assert [(line["row"], line["column"], line["code"], line["suggestion"]) for line in shop.errors(outcome)] == [
        ("2", "price", "FIELD_AMBIGUOUS", "write 1299 or 1.2990, or ask for your decimal mark to be set"),
        ("3", "stock", "FIELD_AMBIGUOUS", "write 1000 if that is meant, or ask for your decimal mark to be set"),
    ]
    again = shop.put("sku;price;stock;share;weight\nA;1299;12;1.250;1.250 kg\nB;899;1000;2.5;1 kg\nC;899;12;2;1 kg\n")
    assert codes(again) == {}
    assert shop.products()["B"]["stock"] == "1000"


def test_a_mended_row_like_1_299_is_read_by_the_amounts_of_the_file_that_it_corrects(tmp_path):
    shop = shop_of(tmp_path, "")
    first = shop.put("sku;price;stock\nA;1299,00;1\nB;899,50;x\n")
    mended = shop.file(first, "corrections").replace("899,50", "1.299").replace(";x;", ";5;")
    assert codes(shop.put(mended, name="fix.csv")) == {}
    assert shop.products()["B"] == {"sku": "B", "price": "1299.00", "stock": "5"}


def test_an_amount_with_a_dash_for_its_cents_is_published_as_the_amount(tmp_path):
    shop = shop_of(tmp_path, '[column.fee]\ntype = "money"\n')
    outcome = shop.put('sku,price,fee\nA,"€ 1.299,-",CHF 5.-\nB,"12,50 €","-5,- €"\n')
    assert codes(outcome) == {}
    found = {key: (product["price"], product["fee"]) for key, product in shop.products().items()}
    assert found == {"A": ("1299.00", "5.00"), "B": ("12.50", "-5.00")}


def test_an_amount_that_cannot_be_in_the_currency_of_its_product_is_told(tmp_path):
    more = '[column.cost]\ntype = "money"\n[column.currency]\ntype = "currency"\ndefault = "@currency"\n'
    shop = shop_of(tmp_path, more, currency="EUR")
    lines = [
        "sku,price,cost,currency",
        "A,$15,,",
        "B,£15.00,,",
        "C,15 kr,,",
        "D,$15,€12,",
        "E,$15,12 USD,",
        "F,$15,,CAD",
        "G,€15,12,",
        "H,15,12,",
        "I,15,$12,GBP",
        "J,12 USD,,",
    ]
    outcome = shop.put("\n".join(lines) + "\n", waived=("reject_share",))
    told = shop.errors(outcome)
    wrong = [("2", "price"), ("3", "price"), ("4", "price"), ("5", "price"), ("10", "cost")]
    assert [(line["row"], line["column"], line["code"]) for line in told] == [(*at, "FIELD_VALUE") for at in wrong]
    assert told[0]["message"] == "is in $, but the currency of a product that names none is EUR"
    assert told[0]["suggestion"] == "fill in currency, or write all amounts of the product in EUR"
    assert told[3]["message"] == "is in $, but the currency of this product is EUR"
    found = {key: product["currency"] for key, product in shop.products().items()}
    assert found == {"E": "USD", "F": "CAD", "G": "EUR", "H": "EUR", "J": "USD"}


def test_in_a_partial_file_an_amount_is_held_against_the_currency_of_its_product(tmp_path):
    more = '[column.cost]\ntype = "money"\n[column.currency]\ntype = "currency"\ndefault = "@currency"\n'
    shop = shop_of(tmp_path, more, currency="EUR")
    shop.put("sku,price,currency\nA,1,CAD\nB,1,EUR\n")
    outcome = shop.put("sku,price\nA,$2\nB,$2\nC,$2\nD,US$2\n", mode=Mode.PARTIAL)
    assert [(line["row"], line["code"]) for line in shop.errors(outcome)] == [
        ("3", "FIELD_VALUE"),
        ("4", "FIELD_VALUE"),
    ]
    prices = {key: (product["price"], product["currency"]) for key, product in shop.products().items()}
    assert prices == {"A": ("2.00", "CAD"), "B": ("1.00", "EUR"), "D": ("2.00", "USD")}


def test_a_rule_with_a_long_list_and_a_default_as_its_column_reads_it_are_published(tmp_path):
    values = ", ".join(f"'v{number}'" for number in range(600))
    more = f'[column.kind]\ntype = "text"\n[rule.known]\nexpression = "kind in ({values})"\n'
    more += (
        '[column.money_of]\ntype = "currency"\ndefault = "eur"\n[column.packs]\ntype = "integer"\ndefault = "12.0"\n'
    )
    shop = shop_of(tmp_path, more)
    outcome = shop.put("sku,kind\nA,v599\nB,v600\nC,\n")
    assert [(line["row"], line["column"]) for line in shop.errors(outcome)] == [("3", "known")]
    assert shop.products()["C"] == {"sku": "C", "money_of": "EUR", "packs": "12"}


def test_a_number_of_json_as_java_writes_it_is_read(tmp_path):
    shop = Shop(tmp_path)
    outcome = shop.put('[{"sku":"A","name":"n","msrp":1E+2},{"sku":1E+2,"name":"n","msrp":1.5E+1}]')
    assert (outcome.receipt["rows"]["rejected"], outcome.receipt["rows"]["accepted"]) == (0, 2)
    assert {key: product["msrp"] for key, product in shop.products().items()} == {"A": "100.00", "100": "15.00"}


@pytest.mark.parametrize("number", ["100", "1e2", "1E2", "1e+2", "1E+2", "1E+02", "1e+02", "1.0E+2", "10e1", "100.0"])
def test_one_number_of_json_is_the_same_value_however_it_is_written(tmp_path, number):
    shop = Shop(tmp_path, small_rules(tmp_path, '[column.share]\ntype = "decimal"\n'))
    columns = ("price", "stock", "share")
    outcome = shop.put("[{" + ", ".join([f'"{name}": {number}' for name in columns] + ['"sku": "A"']) + "}]")
    assert shop.errors(outcome) == []
    assert shop.products()["A"] == {"sku": "A", "price": "100.00", "stock": "100", "share": "100"}
