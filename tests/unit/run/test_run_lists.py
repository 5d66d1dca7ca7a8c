"""Lists that come as lists, in JSON and Parquet: the array says where their items end."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sftp_gateway.brand import BrandSettings
from tests.catalog_shop import Shop, codes, small_rules

LISTS = """
[column.tags]
type = "list"
aliases = ["keywords"]
[column.images]
type = "list"
items = "url"
"""
PRODUCTS = [
    {"sku": "A", "name": ["x, y", "z"], "keywords": ["Home, Garden", "Sale"], "images": ["/a,/b.jpg", "/c.jpg"]},
    {"sku": "B", "name": ["x"], "keywords": ["p", "q, r"], "images": ["/d.jpg"]},
    {"sku": "C", "name": ["y"], "keywords": ["p", "q|r"], "images": []},
    {"sku": "D", "name": ["y"], "keywords": None, "images": ["https://e.com/a /b.jpg", "/e.jpg"]},
]
TAGS = {"A": "Home, Garden|Sale", "B": "p|q, r", "C": "p|q|r", "D": None}
IMAGES = {"A": "/a,/b.jpg|/c.jpg", "B": "/d.jpg", "C": None, "D": "/e.jpg"}


def sent(form, products, folder):
    if form == "json":
        return json.dumps(products)
    if form == "jsonl":
        return "".join(json.dumps(product) + "\n" for product in products)
    path = folder / "lists.parquet"
    pq.write_table(pa.Table.from_pylist(products), path)
    return path.read_bytes()


@pytest.mark.parametrize("form", ["json", "jsonl", "parquet"])
def test_a_list_that_comes_as_one_keeps_its_items(tmp_path, form):
    shop = Shop(tmp_path, small_rules(tmp_path, LISTS))
    outcome = shop.put(sent(form, PRODUCTS, tmp_path), name=f"catalog.{form}")
    products = shop.products()
    assert {key: product.get("tags") for key, product in products.items()} == TAGS
    assert {key: product.get("images") for key, product in products.items()} == IMAGES
    assert products["A"]["name"] == "x, y|z", "a column that is no list gets no array"
    assert codes(outcome) == {"FIELD_ITEM": 2}
    assert {(error["key"], error["value"]) for error in shop.errors(outcome)} == {
        ("C", "q|r"),
        ("D", "https://e.com/a /b.jpg"),
    }


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_a_list_of_a_rejected_row_keeps_its_items_through_the_correction(tmp_path, form):
    shop = Shop(tmp_path, small_rules(tmp_path, LISTS))
    good = [{**product, "price": "1"} for product in PRODUCTS]
    first = shop.put(sent(form, [{**good[0], "price": "?"}, *good[1:]], tmp_path), name=f"catalog.{form}")
    fixed = shop.file(first, "corrections").replace("?", "1", 1)
    shop.put(fixed, name="fix." + ("jsonl" if form == "jsonl" else "csv"))
    assert shop.products()["A"]["tags"] == TAGS["A"]
    assert shop.products()["A"]["images"] == IMAGES["A"]


def test_only_the_header_that_a_brand_names_means_its_list(tmp_path):
    settings = BrandSettings(columns={"tags": "labels", "name": "keywords"})
    shop = Shop(tmp_path, small_rules(tmp_path, LISTS), settings)
    shop.put(json.dumps([{"sku": "A", "labels": ["a, b", "c"], "keywords": ["d, e", "f"]}]), name="catalog.json")
    assert shop.products()["A"] == {"sku": "A", "name": "d, e|f", "tags": "a, b|c"}


def test_objects_in_a_list_are_called_as_their_shop_calls_them(tmp_path):
    """As WooCommerce's and Shopify's services answer: names of categories and tags, addresses of pictures, entries of maps."""
    more = LISTS + '[column.details]\ntype = "map"\n[column.categories]\ntype = "text"\n'
    shop = Shop(tmp_path, small_rules(tmp_path, more), BrandSettings(unknown_columns="keep"))
    picture = {"id": 795, "src": "https://e.com/a.jpg", "name": "front"}
    product = {
        "sku": "A",
        "name": "Lamp",
        "categories": [{"id": 9, "name": "Lamps, large", "slug": "lamps"}, {"id": 14, "name": "Sale"}],
        "tags": [{"id": 1, "name": "Home, Garden"}, {"id": 2, "name": "new"}],
        "images": [picture, {"url": "/b.jpg"} | picture],
        "details": [{"id": 6, "name": "Color", "options": ["red", "blue"]}, {"name": "Fit", "value": "wide"}],
        "related": [{"name": "Chair"}],
    }
    unnamed = {"sku": "B", "name": "Cup", "categories": [{"id": 9, "name": ""}], "images": [{"url": "/c.jpg"}]}
    telling = {"sku": "C", "name": "Bowl", "categories": [{"name": "Wood", "share": "all of it"}]}
    outcome = shop.put(json.dumps([product, unnamed, telling]), name="catalog.json")
    assert codes(outcome) == {}
    assert shop.products()["A"] == {
        "sku": "A",
        "name": "Lamp",
        "categories": "Lamps, large|Sale",
        "tags": "Home, Garden|new",
        "images": "https://e.com/a.jpg|https://e.com/a.jpg",
        "details": '{"Color": "red, blue", "Fit": "wide"}',
        "related": '[{"name": "Chair"}]',
    }
    assert shop.products()["B"]["categories"] == '[{"id": 9, "name": ""}]', (
        "as it was sent, where something has no name"
    )
    assert shop.products()["B"]["images"] == "/c.jpg"
    assert shop.products()["C"]["categories"] == '[{"name": "Wood", "share": "all of it"}]', (
        "nothing that is said is lost"
    )
