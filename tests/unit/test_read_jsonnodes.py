"""JSON as GraphQL answers it (edges, nodes), and as an object that names its products by their keys."""

import json

import pytest

from sftp_gateway import errors
from sftp_gateway.catalog.read import bounds
from tests.catalog_shop import Shop
from tests.unit.reading import read

COUNT = 40
PRODUCTS = [
    {"sku": f"A{n}", "name": 'La"mp}', "more": {"edges": [{"node": {"sku": "x", "name": "y"}}]}} for n in range(COUNT)
]
ENDED = {"pageInfo": {"hasNextPage": False, "endCursor": "c"}}
EDGES = [
    [{"node": one} for one in PRODUCTS],
    [{"cursor": "{c", "node": one} for one in PRODUCTS],
    [{"__typename": "Edge", "node": one, "cursor": None} for one in PRODUCTS],
]


@pytest.mark.parametrize("edges", EDGES)
@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("block", [300, 1 << 20])
def test_products_are_taken_out_of_their_nodes(tmp_path, monkeypatch, edges, indent, block):
    monkeypatch.setattr(bounds, "JSON_BYTES", block)
    answer = {"edges": edges} | ENDED
    for sent in (answer, {"data": {"products": answer}}):
        found = read(tmp_path, json.dumps(sent, indent=indent).encode())
        assert found.source.headers[:2] == ("sku", "name")
        assert [row[:2] for row in found.rows] == [(f"A{n}", 'La"mp}') for n in range(COUNT)]
        assert [json.loads(raw) for raw in found.raws] == PRODUCTS


@pytest.mark.parametrize("indent", [None, 1])
def test_a_list_of_nodes_is_a_list_of_products(tmp_path, indent):
    found = read(tmp_path, json.dumps({"data": {"products": {"nodes": PRODUCTS} | ENDED}}, indent=indent).encode())
    assert [row[0] for row in found.rows] == [f"A{n}" for n in range(COUNT)]


def test_a_broken_node_costs_itself_only(tmp_path):
    text = json.dumps({"data": {"products": {"edges": EDGES[1]} | ENDED}}).replace('"A7", ', '"A7", "broken": 01, ')
    found = read(tmp_path, text.encode())
    assert (len(found.rows), found.codes) == (COUNT - 1, ["ROW_JSON"])
    assert json.loads(found.rejects[0].raw.replace(b"01,", b"1,"))["sku"] == "A7"


def test_an_edge_that_says_more_of_its_product_is_no_product(tmp_path):
    edges = [*EDGES[0][:3], {"node": PRODUCTS[3], "price": "1.00"}]
    found = read(tmp_path, json.dumps({"data": {"products": {"edges": edges}}}).encode())
    assert [row[found.source.headers.index("sku")] for row in found.rows] == ["A0", "A1", "A2", ""]


@pytest.mark.parametrize("first", [True, False])
def test_one_page_of_several_is_no_catalog(tmp_path, first):
    page, edges = {"pageInfo": {"hasNextPage": True}}, {"edges": EDGES[0]}
    text = json.dumps({"data": {"products": page | edges if first else edges | page}})
    with pytest.raises(errors.Refused, match="one page of several") as refused:
        read(tmp_path, text.encode())
    assert refused.value.code == "FILE_FORMAT"


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("around", [lambda named: named, lambda named: {"products": named}])
def test_products_named_by_their_keys_are_told_as_that(tmp_path, indent, count, around):
    """Whether the name is the key, an id of a database or a place in a list, nothing says."""
    named = {f"A{n}": {"name": "Lamp", "msrp": "1.50"} for n in range(count)}
    with pytest.raises(errors.Refused, match="under names of their own") as refused:
        read(tmp_path, json.dumps(around(named), indent=indent).encode())
    assert (refused.value.code, '"sku"' in refused.value.suggestion) == ("FILE_FORMAT", True)


def test_an_object_of_a_product_is_its_own(tmp_path):
    shop = Shop(tmp_path)
    shop.put(json.dumps({"seo": {"name": "x", "description": "y"}, "sku": "A", "name": "Lamp", "msrp": "1.50"}) + "\n")
    assert shop.products()["A"]["name"] == "Lamp"
