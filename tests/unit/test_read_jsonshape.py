"""Whose list a list of objects in JSON is: the file's, or one product's own."""

import json

import pytest

from sftp_gateway import errors
from sftp_gateway.upload import Mode
from tests.catalog_shop import Shop, codes, sheet
from tests.unit.reading import read

SET = {"sku": "SET1", "msrp": "89", "items": [{"sku": "A", "quantity": 2}]}


@pytest.mark.parametrize("name", ["items", "data", "catalog", "rows", "records", "results", "products"])
@pytest.mark.parametrize("last", [False, True])
def test_a_list_of_the_only_product_is_no_catalog(tmp_path, name, last):
    shop = Shop(tmp_path)
    shop.put(sheet([("SET1", "Set", "99.00"), ("A", "Lamp", "1.50")]))
    inner = {name: SET["items"]}
    sent = {**inner, "sku": "SET1", "msrp": "89"} if last else {"sku": "SET1", "msrp": "89", **inner}
    for text in (json.dumps(sent), json.dumps(sent) + "\n"):
        shop.put(text, mode=Mode.PARTIAL, name="set.json")
        assert shop.products()["SET1"]["msrp"] == "89.00"
        assert "quantity" not in shop.products()["A"]


def test_a_product_over_several_lines_with_a_list_of_its_own_is_refused(tmp_path):
    shop = Shop(tmp_path)
    shop.put(sheet([("SET1", "Set", "99.00"), ("A", "Lamp", "1.50")]))
    assert codes(shop.put(json.dumps(SET, indent=1), mode=Mode.PARTIAL)) == {"FILE_FORMAT": 1}
    assert "quantity" not in shop.products()["A"]


@pytest.mark.parametrize(
    "around",
    [
        {"name": "Spring", "currency": "EUR", "items": ...},
        {"id": "export-17", "items": ...},
        {"id": 17, "title": "Spring", "products": ...},
        {"items": ..., "brand": "acme", "language": "en"},
    ],
)
@pytest.mark.parametrize("indent", [None, 1])
def test_what_is_said_of_a_whole_catalog_makes_no_product_of_it(tmp_path, around, indent):
    shop = Shop(tmp_path)
    products = [{"sku": f"A{n}", "name": "Lamp", "msrp": f"{n}.50"} for n in range(3)]
    filled = {key: products if value is ... else value for key, value in around.items()}
    shop.put(json.dumps(filled, indent=indent))
    assert sorted(shop.products()) == ["A0", "A1", "A2"]


@pytest.mark.parametrize("name", ["items", "products"])
def test_the_key_may_go_by_the_header_that_the_brand_says(tmp_path, name):
    keys = (frozenset({"art"}),)
    text = f'{{"art":"S","name":"Set","{name}":[{{"art":"A","qty":2}}]}}'.encode()
    known = frozenset({"art", "sku", "name", "qty"})
    assert read(tmp_path, text, keys=keys, known_headers=known).rows[0][0] == "S"
    assert read(tmp_path, text.replace(b'"art":"S",', b""), keys=keys, known_headers=known).rows == [("A", "2")]


BROKEN = [
    '{"sku":"A","name":"12" n","msrp":"1","items":[{"sku":"x"}]}',
    '{"sku":"A","name":"n","items":[{"sku":"x"}',
    '{"sku":"A","name":"n","items":[{"sku":"x"},',
    '{"items":[{"sku":"x"}],"sku":"A","msrp":01}',
]


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("complete", [False, True])
def test_a_broken_first_line_with_a_list_costs_itself_only(tmp_path, broken, complete):
    shop = Shop(tmp_path)
    lines = [broken, "", *(json.dumps({"sku": f"B{n}", "name": "n", "msrp": "1.50", "items": []}) for n in range(12))]
    outcome = shop.put("\n".join(lines) + "\n", complete=complete)
    assert sorted(shop.products()) == sorted(f"B{n}" for n in range(12))
    assert codes(outcome)["ROW_JSON"] == 1


@pytest.mark.parametrize(
    "text",
    [
        '{"items":[\n{"sku":"A"}\n]}',
        '{"items":[{"sku":"A"},\n{"sku":"B"}\n]}',
        '{"v":1,\n"items":\n[\n{"sku":"A"},\n{"sku":"B"}]}',
        '{"items":[{"sku":"A"}\n,{"sku":"B"}]}',
        '{\n"items":[\n{"sku":"A"}\n,\n{"sku":"B"}\n]}',
    ],
)
def test_an_array_over_lines_is_an_array(tmp_path, text):
    assert read(tmp_path, text.encode()).source.format.format == "json"
    with pytest.raises(errors.Incomplete):
        read(tmp_path, text[:-2].encode())
