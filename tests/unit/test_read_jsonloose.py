"""JSON that is held together in other ways than an array or lines: objects in a row, lists deep in objects, lines that end at CR."""

import json

import pytest

from sftp_gateway import errors
from sftp_gateway.catalog.read import bounds
from tests.unit.reading import read

PRODUCTS = [{"sku": f"A{number}", "name": f'n {number} "}}, {{"'} for number in range(1, 40)]
ROWS = [tuple(product.values()) for product in PRODUCTS]


def texts(**kinds):
    return [json.dumps(product, **kinds) for product in PRODUCTS]


@pytest.mark.parametrize("block", [64, 1000, 2**20])
@pytest.mark.parametrize(
    "text",
    [
        "".join(texts()),
        " ".join(texts()) + "\n",
        ",\n".join(texts()) + ",\n",
        "\n".join(texts(indent=2)) + "\n",
        "\n\n" + "".join(texts(indent=1)) + "\0\0",
    ],
    ids=["close", "spaces", "commas", "indented", "filled up"],
)
def test_objects_one_behind_the_other_are_products(tmp_path, monkeypatch, text, block):
    monkeypatch.setattr(bounds, "JSON_BYTES", block)
    assert read(tmp_path, text.encode()).rows == ROWS


def test_objects_one_behind_the_other_must_be_whole(tmp_path):
    with pytest.raises(errors.Refused) as stopped:
        read(tmp_path, "\n".join(texts(indent=2)).encode()[:-4], complete=True)
    assert stopped.value.code == "FILE_TRUNCATED"
    with pytest.raises(errors.Refused) as strange:
        read(tmp_path, ("\n".join(texts(indent=2)) + "]").encode())
    assert strange.value.code == "FILE_FORMAT"


def test_a_broken_object_among_others_costs_no_other(tmp_path):
    text = "\n".join([*texts(indent=2), '{"sku": "B" "x"}', '{"sku": "C", "name": "c"}'])
    found = read(tmp_path, text.encode())
    assert (found.rows, found.codes) == ([*ROWS, ("C", "c")], ["ROW_JSON"])


@pytest.mark.parametrize("block", [64, 2**20])
@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
def test_lines_of_json_end_as_those_of_any_text(tmp_path, monkeypatch, end, block):
    monkeypatch.setattr(bounds, "JSON_BYTES", block)
    found = read(tmp_path, "".join(text + end for text in texts()).encode())
    assert found.rows == ROWS
    assert found.lines == list(range(1, len(ROWS) + 1))
    assert not found.notes


@pytest.mark.parametrize("block", [64, 2**20])
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize(
    "names",
    [
        ("data", "items"),
        ("response", "result", "products"),
        ("catalog", "x", "y", "rows"),
        ("articles",),
        ("Products",),
        ("response", "docs"),
    ],
)
def test_a_list_deep_in_objects_is_found(tmp_path, monkeypatch, names, indent, block):
    monkeypatch.setattr(bounds, "JSON_BYTES", block)
    whole = PRODUCTS
    for name in reversed(names):
        whole = {"count": 39, name: whole, "next": {"page": None}}
    assert read(tmp_path, json.dumps(whole, indent=indent).encode()).rows == ROWS


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"orders": [{"items": PRODUCTS}, {"items": PRODUCTS}]}),
        json.dumps({"data": {"a": {"items": PRODUCTS}, "b": {"items": PRODUCTS}}}),
        json.dumps({"new": PRODUCTS, "old": PRODUCTS}),
    ],
)
def test_of_several_lists_deep_in_objects_none_is_chosen(tmp_path, text):
    found = read(tmp_path, text.encode())
    assert len(found.rows) == 1
    assert "sku" not in found.source.headers


@pytest.mark.parametrize("name", ["items", "articles"])
def test_another_list_behind_a_long_one_is_told(tmp_path, name):
    many = [{"sku": f"A{number}", "name": "n" * 100} for number in range(1000)]
    text = json.dumps({"data": {"a": {name: many}, "b": {name: PRODUCTS}}}, indent=1)
    with pytest.raises(errors.Refused, match="several lists"):
        read(tmp_path, text.encode())


def test_lists_of_something_else_beside_the_products_are_no_others(tmp_path):
    many = [{"sku": f"A{number}", "name": "n" * 100} for number in range(1000)]
    whole = {"errors": [{"code": 1}], "articles": many, "facets": [{"name": "Color", "count": 3}]}
    assert len(read(tmp_path, json.dumps(whole).encode()).rows) == 1000


def test_a_list_of_a_product_is_its_own(tmp_path):
    product = {"sku": "A", "name": "a", "options": {"items": [{"sku": "x", "name": "y"}]}}
    assert read(tmp_path, json.dumps(product).encode()).rows[0][:2] == ("A", "a")
