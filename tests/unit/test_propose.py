"""A column mapping proposed from a file: what headers and values tell, and what they do not."""

import pytest

from sftp_gateway.brand import BrandSettings
from sftp_gateway.catalog import propose
from sftp_gateway.catalog.checking import headers
from sftp_gateway.catalog.read.opening import open_source
from sftp_gateway.catalog.read.source import Hints
from sftp_gateway.catalog.rules import schema

SCHEMA = schema.load()
COLORS = ("rood", "blauw", "geel")
MADE = {
    "sku": lambda at: f"AB-{at:04}",
    "gtin": lambda at: with_check_digit(f"40063813{at:04}"),
    "currency": lambda _: "EUR",
    "images": lambda at: f"https://cdn.example.com/{at}.jpg",
    "product_url": lambda at: f"https://example.com/p/{at}",
    "updated_at": lambda at: f"{at % 27 + 1:02}-03-2026",
    "name": lambda at: f"{COLORS[at % 3].title()} houten stoel nummer {at}",
    "description": lambda at: (
        f"Een mooi meubel, nummer {at} dat jaren meegaat en goed past bij ieder interieur en binnen of buiten."
    ),
    "categories": lambda at: f"Meubels > Stoelen > {COLORS[at % 3]}",
}


def with_check_digit(start: str) -> str:
    total = sum(int(digit) * (3 if at % 2 else 1) for at, digit in enumerate(start))
    return start + str(-total % 10)


def looked(folder, columns, rows=40, settings=None):
    """Propose for a file whose columns are header → function of the row number."""
    lines = [list(columns), *([make(at) for make in columns.values()] for at in range(rows))]
    path = folder / "feed.csv"
    path.write_text("".join(";".join(line) + "\n" for line in lines))
    settings = settings or BrandSettings()
    source = open_source(path, Hints(known_headers=headers.known(SCHEMA, settings), complete=True, lenient=True))
    return propose.look(source, SCHEMA, settings)


@pytest.mark.parametrize("column", MADE)
def test_values_tell_what_a_strange_header_means(tmp_path, column):
    found = looked(tmp_path, {"Xq": MADE[column], "Zq": lambda at: str(at % 5)})
    assert found.pairs() == [f"columns.{column}=Xq"]
    [new] = [item for item in found.columns if item.source == "new"]
    assert new.why.startswith("100% are ")
    assert new.samples[0] == MADE[column](0)[:40] + "…" * (len(MADE[column](0)) > 40)
    assert [item.header for item in found.unused] == ["Zq"]


def test_a_known_header_is_not_saved_again_and_a_near_one_is_proposed(tmp_path):
    found = looked(tmp_path, {"vendorSku": MADE["sku"], "product nam": lambda _: "x", "Kleur": lambda _: "x"})
    assert [(item.column, item.source) for item in found.columns] == [("sku", "header"), ("name", "new")]
    assert found.pairs() == ["columns.name=product nam"]
    assert found.missing == ("msrp",)


def test_what_is_set_for_the_brand_stands(tmp_path):
    settings = BrandSettings(columns={"gtin": "Xq", "sku": "Gone"})
    found = looked(tmp_path, {"Xq": MADE["gtin"], "Yq": MADE["gtin"], "sku": MADE["sku"]}, settings=settings)
    assert [(item.column, item.header, item.source) for item in found.columns] == [
        ("sku", "sku", "header"),
        ("gtin", "Xq", "set"),
    ]


def price(share):
    return lambda at: f"{(10 + at) * share:.2f}".replace(".", ",")


def test_of_two_columns_of_amounts_the_lower_one_is_the_cost(tmp_path):
    sku = {"sku": MADE["sku"]}
    for columns in ({"Aq": price(1), "Bq": price(0.6)}, {"Bq": price(0.6), "Aq": price(1)}):
        assert looked(tmp_path, sku | columns).pairs() == ["columns.msrp=Aq", "columns.cost=Bq"]
    assert looked(tmp_path, sku | {"msrp": price(1), "Bq": price(1.2)}).pairs() == []
    assert looked(tmp_path, sku | {"msrp": price(1), "Bq": price(0.7)}).pairs() == ["columns.cost=Bq"]
    assert looked(tmp_path, sku | {"Aq": price(1)}).pairs() == ["columns.msrp=Aq"]


@pytest.mark.parametrize(
    "header", ["Sale price", "sale_price", "specialPrice", "Promo Price", "Aktionspreis", "Shipping cost"]
)
def test_what_a_product_costs_for_a_while_or_on_its_way_is_neither_price_nor_cost(tmp_path, header):
    known = {"sku": MADE["sku"], "Regular price": price(1)}
    assert looked(tmp_path, known | {header: price(0.8)}).pairs() == []
    assert looked(tmp_path, {"sku": MADE["sku"], header: price(0.8)}).pairs() == []
    assert looked(tmp_path, known | {"Wholesale prices": price(0.8)}).pairs() == ["columns.cost=Wholesale prices"]


def test_records_within_a_record_are_no_description(tmp_path):
    nested = '[{{"sku": "AB-{at}", "price": "12.50", "title": "Rood"}}, {{"sku": "AB-{at}-2", "price": "13.50", "title": "Blauw"}}]'
    path = tmp_path / "feed.json"
    rows = ",".join(f'{{"id": "{at}", "variants": {nested.format(at=at)}}}' for at in range(40))
    path.write_text(f'{{"products": [{rows}]}}')
    source = open_source(path, Hints(known_headers=headers.known(SCHEMA, BrandSettings()), complete=True, lenient=True))
    assert "variants" in [item.header for item in propose.look(source, SCHEMA, BrandSettings()).unused]


def test_of_prices_in_several_currencies_the_brands_is_taken(tmp_path):
    columns = {"sku": MADE["sku"], "price-EUR": price(1), "price-USD": price(1.1), "price (GBP)": price(1.2)}
    for currency, header in (("", "price-EUR"), ("EUR", "price-EUR"), ("USD", "price-USD"), ("GBP", "price (GBP)")):
        found = looked(tmp_path, columns, settings=BrandSettings(currency=currency))
        assert found.pairs() == [f"columns.msrp={header}"]
    assert not looked(tmp_path, columns, settings=BrandSettings(currency="JPY")).pairs()


@pytest.mark.parametrize("header", ["Item Description", "tradeItemDescription"])
def test_short_descriptions_are_the_names_where_nothing_else_is(tmp_path, header):
    columns = {"sku": MADE["sku"], "msrp": price(1), header: MADE["name"]}
    found = looked(tmp_path, columns)
    assert found.pairs() == [f"columns.name={header}"]
    assert found.missing == ()
    assert [item.column for item in found.columns] == ["sku", "name", "msrp"]
    assert looked(tmp_path, columns | {header: MADE["description"]}).missing == ("name",)
    both = looked(tmp_path, columns | {"Title": MADE["name"]})
    assert ("description", header) in [(item.column, item.header) for item in both.columns]


def test_yes_and_no_alone_do_not_say_that_a_product_is_visible(tmp_path):
    """Many things are yes or no, and a product that is hidden by mistake is not sold."""

    def answer(at):
        return ("ja", "nee")[at % 2]

    assert looked(tmp_path, {"sku": MADE["sku"], "identifier_exists": answer}).pairs() == []
    assert looked(tmp_path, {"sku": MADE["sku"], "isvisibl": answer}).pairs() == ["columns.is_visible=isvisibl"]


def test_digits_that_fail_their_check_are_no_gtins(tmp_path):
    wrong = [str(4006381300000 + at * 7) for at in range(40)]
    assert "gtin" not in {item.column for item in looked(tmp_path, {"Xq": lambda at: wrong[at]}).columns}


def test_further_addresses_are_no_categories_and_one_rate_of_tax_for_all_is_no_price(tmp_path):
    columns = {"sku": MADE["sku"], "Aq": lambda _: "20,00", "Bq": MADE["images"], "Cq": MADE["images"]}
    assert looked(tmp_path, columns).pairs() == ["columns.images=Bq"]


def test_an_empty_column_is_never_proposed(tmp_path):
    found = looked(tmp_path, {"sku": MADE["sku"], "descriptions": lambda _: ""})
    assert found.pairs() == []
    assert found.unused[0].samples == ()


def test_a_german_price_list_is_understood_as_its_sender_means_it(tmp_path):
    texts = {"Hersteller_Nr": "BX-1", "VK_Brutto": "2,37", "Warengruppe": "Schrauben", "Lagerbestand": "7"}
    made = {header: lambda _, text=text: text for header, text in texts.items()}
    found = looked(tmp_path, {"Art-Nr": MADE["sku"], "Bezeichnung": MADE["name"]} | made)
    assert {item.header: item.column for item in found.columns} == {
        "Art-Nr": "sku", "Bezeichnung": "name", "VK_Brutto": "msrp", "Hersteller_Nr": "manufacturer_sku",
        "Warengruppe": "categories", "Lagerbestand": "quantity",
    }  # fmt: skip


def test_a_net_selling_price_is_the_price_and_never_the_cost(tmp_path):
    sku = {"sku": MADE["sku"], "VK_Netto": price(1)}
    assert looked(tmp_path, sku).pairs() == ["columns.msrp=VK_Netto"]
    assert looked(tmp_path, sku | {"EK": price(0.5)}).pairs() == ["columns.msrp=VK_Netto"]
    assert looked(tmp_path, sku | {"VK_Brutto": price(1.19)}).pairs() == []


def test_records_within_a_record_are_shown_with_what_to_do_about_them(tmp_path):
    found = looked(tmp_path, {"sku": MADE["sku"], "variants": lambda _: '[{"sku": 1}]', "Zq": lambda at: str(at % 5)})
    assert [(item.header, item.why) for item in found.unused] == [
        ("variants", headers.APART),
        ("Zq", "nothing tells what it is"),
    ]
    without_key = looked(tmp_path, {"title": MADE["sku"], "variants": lambda at: f'[{{"sku": {at}}}]'})
    assert [item.header for item in without_key.unused] == ["variants"]
