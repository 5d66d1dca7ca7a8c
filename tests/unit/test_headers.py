"""Headers find their columns: exact names, the brand's mapping, aliases, maps, units; what cannot is told."""

import csv
from pathlib import Path

import pytest

from sftp_gateway.brand import BrandSettings
from sftp_gateway.catalog.checking import headers
from sftp_gateway.catalog.rules import schema
from sftp_gateway.errors import Refused
from sftp_gateway.upload import Mode

SCHEMA = schema.load()
TEMPLATE = (
    "vendorSku,name,brand,msrp,defaultCost,language,isVisible,images,description,additionalDescription,manufacturerSku,"
    "gtinUpc,gtinEan,gtinIsbn,gtinItf14,groupID,color,size,variation:,attribute:,shippingHeight,shippingLength,"
    "shippingWidth,shippingWeight,customCategories,googleCategory"
)


def match(text: str, settings: BrandSettings | None = None, mode: Mode = Mode.FULL) -> headers.Mapping:
    return headers.match(next(csv.reader([text])), SCHEMA, settings or BrandSettings(), mode)


def codes(mapping: headers.Mapping) -> list[str]:
    return [finding.code for finding in mapping.findings]


@pytest.mark.parametrize(
    "header", ["gtinUpc", "GTIN_UPC", "gtin upc", " gtin-upc ", "\ufeffgtin/upc", "GTIN\u00a0(UPC)"]
)
def test_case_bom_spaces_and_signs_do_not_matter(header):
    assert headers.fold(header) == "gtinupc"


def test_every_column_of_the_supplier_backoffice_is_known():
    mapping = match(TEMPLATE)
    assert codes(mapping) == ["FILE_HEADER_ALIAS"]
    assert mapping.columns["gtin"] == (11, 12, 13, 14)
    assert mapping.columns["variation"] == (18,)
    assert mapping.columns["categories"] == (24,)
    assert len(mapping.columns) == 23


def test_the_exact_name_beats_aliases_and_earlier_aliases_beat_later_ones():
    mapping = match("price,rrp,msrp,sku,name")
    assert mapping.columns["msrp"] == (2, 1, 0)
    assert [finding.message for finding in mapping.findings] == [
        "'msrp', 'rrp', 'price' all mean msrp; in each row the first of them that is filled counts"
    ]


def test_the_brands_own_mapping_wins_over_aliases():
    mapping = match("Handle,Variant SKU,Title,Variant Price", BrandSettings(columns={"sku": "handle"}))
    assert mapping.columns["sku"] == (0,)
    assert "group_id" not in mapping.columns


def test_a_mapping_whose_header_is_not_there_leaves_the_aliases_in_force():
    assert match("sku,name,msrp", BrandSettings(columns={"sku": "Handle"})).columns["sku"] == (0,)


def test_a_mapping_may_name_an_entry_of_a_map():
    mapping = match("sku,name,msrp,Schuhweite", BrandSettings(columns={"variation:Width": "schuhweite"}))
    assert mapping.maps == {("variation", "Width"): 3}


def test_map_columns_keep_the_name_as_sent():
    mapping = match("sku,name,msrp,Variation: Shoe Width,attribute:,variation:Color")
    assert mapping.maps == {("variation", "Shoe Width"): 3, ("variation", "Color"): 5}
    assert mapping.columns["attribute"] == (4,)


def test_shopify_option_pairs_and_woocommerce_attribute_pairs_are_maps():
    mapping = match("sku,name,msrp,Option1 Name,Option1 Value,Attribute 1 name,Attribute 1 value(s)")
    assert mapping.pairs == {"variation": ((3, 4),), "attribute": ((5, 6),)}


@pytest.mark.parametrize(
    ("header", "column", "unit"),
    [
        ("Weight (kg)", "shipping_weight", "kg"),
        ("length_cm", "shipping_length", "cm"),
        ("Variant Grams", "shipping_weight", "g"),
        ("Height (in)", "shipping_height", "in"),
        ("shippingWidth", "shipping_width", None),
    ],
)
def test_a_header_may_name_the_unit_of_its_measures(header, column, unit):
    mapping = match(f"sku,name,msrp,{header}")
    assert mapping.columns[column] == (3,)
    assert mapping.units.get(3) == unit


def test_a_unit_in_a_header_that_is_no_measure_changes_nothing():
    mapping = match("sku,name,msrp,Price in,Color (m)")
    assert mapping.units == {}
    assert codes(mapping) == ["FILE_HEADER_UNKNOWN", "FILE_HEADER_UNKNOWN"]


def test_google_headers_may_carry_their_prefix():
    mapping = match("g:id,g:title,g:price,g:image_link")
    assert set(mapping.columns) == {"sku", "name", "msrp", "images"}


def test_equal_headers_after_folding_refuse_the_file_and_say_which():
    with pytest.raises(
        Refused, match=r"columns 2 \('Price'\) and 4 \('price '\)|columns 2 \('Price'\) and 4"
    ) as caught:
        match("sku,Price,name,price ")
    assert caught.value.code == "FILE_HEADER_DUPLICATE"


def test_missing_columns_are_listed_all_at_once_with_the_closest_headers():
    with pytest.raises(Refused) as caught:
        match("skuu,nam,color")
    assert caught.value.code == "FILE_HEADER_MISSING"
    assert "`sku`, `name`, `msrp`" in caught.value.message
    assert "is 'skuu' your `sku`? Rename it, or have it set (columns.sku=skuu)" in caught.value.suggestion
    assert "is 'nam' your `name`? Rename it, or have it set (columns.name=nam)" in caught.value.suggestion


@pytest.mark.parametrize("mode", [Mode.PARTIAL, Mode.CORRECTION])
def test_a_partial_file_needs_only_the_key(mode):
    assert match("sku,qty", mode=mode).columns == {"sku": (0,), "quantity": (1,)}
    with pytest.raises(Refused) as caught:
        match("name,qty", mode=mode)
    assert caught.value.code == "FILE_HEADER_MISSING"


def test_unknown_columns_are_ignored_with_one_warning_each_and_a_did_you_mean():
    mapping = match("sku,name,msrp,colr,warehouse")
    assert codes(mapping) == ["FILE_HEADER_UNKNOWN"] * 2
    assert [finding.suggestion for finding in mapping.findings] == ["did you mean color?", ""]
    assert mapping.kept == {}


def test_unknown_columns_are_kept_where_the_brand_says_so():
    mapping = match("sku,name,msrp,Warehouse", BrandSettings(unknown_columns="keep"))
    assert mapping.kept == {"Warehouse": 3}
    assert codes(mapping) == []


def test_unknown_columns_refuse_the_file_where_the_brand_says_so():
    with pytest.raises(Refused) as caught:
        match("sku,name,msrp,colr", BrandSettings(unknown_columns="refuse"))
    assert caught.value.code == "FILE_HEADER_UNKNOWN"
    assert caught.value.suggestion == "did you mean color?"


def test_columns_without_a_header_are_told_once():
    mapping = match("sku,name,msrp,,")
    assert codes(mapping) == ["FILE_HEADER_UNKNOWN"]
    assert "columns 4, 5 have no header" in mapping.findings[0].message


def test_columns_that_start_with_an_underscore_are_ours_and_never_unknown():
    mapping = match("sku,name,msrp,_correction_of,_row,_mine")
    assert mapping.ours == {"_correction_of": 3, "_row": 4, "_mine": 5}
    assert mapping.findings == ()


def test_what_the_reader_looks_for_are_folded_names_aliases_and_the_brands_own():
    known = headers.known(SCHEMA, BrandSettings(columns={"sku": "Artikel Nr"}))
    assert {"sku", "bodyhtml", "variantprice", "artikelnr", "correctionof"} <= known


REAL = Path("/work/shared/data/real")


@pytest.mark.skipif(not REAL.exists(), reason="the shop systems' own files are not here")
@pytest.mark.parametrize("name", ["magento_products", "shopify_apparel", "shopify_home-and-garden", "shopify_jewelery"])
def test_files_of_real_shop_systems_map(name):
    with (REAL / f"{name}.csv").open(newline="") as file:
        mapping = headers.match(next(csv.reader(file)), SCHEMA, BrandSettings(), Mode.FULL)
    assert {"sku", "name", "msrp", "images", "description", "categories", "quantity"} <= set(mapping.columns)


@pytest.mark.parametrize(
    "header", ["ID,Type,SKU,Name,Regular price,Categories", "sku,name,price,categories,product_type"]
)
def test_how_a_product_is_sold_is_no_category_of_it(header):
    mapping = match(header)
    columns = header.split(",")
    assert [columns[at] for at in mapping.columns["categories"]] == [
        columns[header.lower().split(",").index("categories")]
    ]
    assert [f.value for f in mapping.findings if f.code == "FILE_HEADER_UNKNOWN"] == [
        name for name in columns if name.lower() in ("type", "product_type")
    ]


def test_a_type_alone_or_beside_a_category_of_shopify_is_one():
    assert match("sku,name,price,Type").columns["categories"] == (3,)
    assert match("sku,name,price,Product Category,Type").columns["categories"] == (3, 4)


def test_variants_within_products_are_said_to_need_records_of_their_own():
    with pytest.raises(Refused) as caught:
        match("id,title,vendor,variants")
    assert caught.value.code == "FILE_HEADER_MISSING"
    assert caught.value.suggestion == headers.APART
    [unknown] = match("sku,name,price,variants").findings
    assert unknown.suggestion == headers.APART
