"""Files that real shop systems export, and small ones of the same shape for a clone without them (issue 3)."""

import csv
import io
from pathlib import Path

import pytest

from sftp_gateway.brand import BrandSettings
from sftp_gateway.upload import State
from tests.catalog_shop import Shop, codes, sheet

REAL = Path(__file__).parents[2] / ".." / "shared" / "data" / "real"


def real(name):
    return pytest.param(REAL / name, marks=pytest.mark.skipif(not (REAL / name).exists(), reason=f"no {name} here"))


def records(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


# Magento


def magento_like(folder: Path) -> Path:
    columns = ["sku", "store_view_code", "name", "description", "price", "qty", "additional_attributes", "base_image"]
    rows = [
        [
            f"24-MB{n:02d}",
            "",
            f"Bag {n}",
            f'<p>Sporty.</p>\n<ul>\n<li>{n}, "quoted"</li>\n</ul>' if n % 4 else "plain",
            f"{n + 20}.000000",
            "100",
            f"material=Nylon,size={n}",
            "/m/b/mb.jpg",
        ]
        for n in range(300)
    ]
    path = folder / "magento.csv"
    path.write_text(sheet(rows, columns), encoding="utf-8")
    return path


@pytest.mark.parametrize("path", ["like", real("magento_products.csv")])
def test_magento_products_are_all_read_and_none_is_torn(tmp_path, path):
    path = magento_like(tmp_path) if path == "like" else path
    want = records(path)
    shop = Shop(tmp_path)
    outcome = shop.put(path, name=path.name)
    assert outcome.state is State.PUBLISHED
    assert (
        outcome.receipt["rows"] | {"read": len(want), "accepted": len(want), "rejected": 0} == outcome.receipt["rows"]
    )
    if "magento_products" in path.name:
        assert len(want) == 1994
        assert sum("\n" in cell for row in want for cell in row.values()) == 1946
    found = shop.products()
    for row in want:
        product = found[row["sku"].strip()]
        assert product["name"].strip() == row["name"].strip()
        assert (
            product.get("description", "").replace("\r\n", "\n").strip()
            == row["description"].replace("\r\n", "\n").strip()
        )
    assert shop.put(path, name=path.name).state is State.UNCHANGED


# Shopify: variants and further images are rows of their own, most of them without name and SKU

HEADERS = [
    "Handle",
    "Title",
    "Body (HTML)",
    "Vendor",
    "Type",
    "Published",
    "Option1 Name",
    "Option1 Value",
    "Variant SKU",
    "Variant Price",
    "Variant Barcode",
    "Image Src",
    "Image Position",
]


def shopify_like(folder: Path, products: int, further: int) -> Path:
    rows = []
    for n in range(products):
        rows.append(
            [
                f"ring-{n}",
                f"Ring {n}",
                "<p>Nice</p>",
                "Co",
                "Ring",
                "true",
                "Title",
                "Default Title",
                "",
                "12.50",
                "",
                f"https://cdn.example/{n}.jpg",
                "1",
            ]
        )
        if n < further:
            rows.append([f"ring-{n}", "", "", "", "", "", "", "", "", "", "", f"https://cdn.example/{n}-b.jpg", "2"])
    path = folder / "shopify.csv"
    path.write_text(sheet(rows, HEADERS), encoding="utf-8")
    return path


BY_HANDLE = BrandSettings(columns={"sku": "Handle"})


@pytest.mark.parametrize("path", ["like", real("shopify_apparel.csv"), real("shopify_home-and-garden.csv")])
def test_shopify_with_the_handle_as_key_is_published(tmp_path, path):
    path = shopify_like(tmp_path, 20, 2) if path == "like" else path
    want = [row for row in records(path) if row["Title"]]
    shop = Shop(tmp_path, settings=BY_HANDLE)
    outcome = shop.put(path, name=path.name)
    assert outcome.state is State.PUBLISHED
    assert set(shop.products()) == {row["Handle"] for row in want}
    assert outcome.receipt["rows"]["rejected"] == len(records(path)) - len(want)


@pytest.mark.parametrize("path", ["like", real("shopify_jewelery.csv")])
def test_shopify_with_many_continuation_rows_is_held_and_the_receipt_names_them(tmp_path, path):
    path = shopify_like(tmp_path, 40, 21) if path == "like" else path
    further = [number for number, row in enumerate(records(path), start=2) if not row["Title"]]
    assert len(further) == 21
    shop = Shop(tmp_path, settings=BY_HANDLE)
    outcome = shop.put(path, name=path.name)
    assert (outcome.state, outcome.version) == (State.HELD, None)
    [reason] = outcome.receipt["reasons"]
    assert reason["code"] == "reject_share"
    assert reason["text"].startswith("21 of ")
    assert rows_named(reason["text"]) == further
    [name] = [f for f in outcome.receipt["findings"] if f["code"] == "FIELD_REQUIRED" and f["column"] == "name"]
    assert name["count"] == 21
    assert {int(error["row"]) for error in shop.errors(outcome) if error["severity"] == "error"} == set(further)
    assert len(list(csv.DictReader(io.StringIO(shop.file(outcome, "corrections"))))) == 21


def rows_named(text: str) -> list[int]:
    found = []
    for part in text.partition(": rows ")[2].split(", "):
        first, _, last = part.partition("–")
        found += range(int(first), int(last or first) + 1)
    return found


# The supplier template as its publisher has it: a comma is missing, and its sample values are wrong (spec §12)

TEMPLATE = (
    "vendorSku,name,msrp,brand,defaultCost,currency,language,isVisible,images,description,additionalDescription,"
    "manufacturerSku,gtinUpc,gtinEan,gtinIsbn,gtinItf14,groupId,size{comma}variation:,attribute:,shippingHeight,"
    "shippingLength,shippingWidth,shippingWeight,categories,quantity\r\n"
    "SKU-1,Sample product,19.99,Acme,9.99,USD,en,{visible},https://example.com/1.jpg,Text,More,M-1,{upc},,,,G-1,L,"
    "Color: Red,Material: Wool,10 in,10 in,10 in,2 lb,Home,5\r\n"
)


def template(path, *, comma: bool, mended: bool) -> str:
    if path == "like":
        return TEMPLATE.format(
            comma="," if comma else " ", visible="true" if mended else "true/false",
            upc="036000291452" if mended else "036000291453",
        )  # fmt: skip
    text = path.read_text(encoding="utf-8")
    if comma:
        text = text.replace("size variation:", "size,variation:", 1)
    if not mended:
        return text
    given = list(csv.reader(io.StringIO(text)))
    header, rows = given[0], given[1:]
    for row in rows:
        for at, name in enumerate(header):
            if name == "isVisible":
                row[at] = "true"
            if name.startswith("gtin"):
                row[at] = ""
    return sheet(rows, header)


@pytest.mark.parametrize("path", ["like", real("lightspeed_template.csv")])
def test_the_broken_template_behaves_in_its_three_stages(tmp_path, path):
    shop = Shop(tmp_path)
    refused = shop.put(template(path, comma=False, mended=False))
    assert refused.state is State.REFUSED
    assert codes(refused) == {"FILE_HEADER_COLUMNS": 1}
    assert "25" in refused.reasons[0]["text"]
    assert "26" in refused.reasons[0]["text"]
    assert "size" in refused.reasons[0]["text"]

    read = shop.put(template(path, comma=True, mended=False))
    assert read.state is State.REFUSED  # its only rows are wrong
    wrong = {(error["code"], error["column"]) for error in shop.errors(read) if error["severity"] == "error"}
    assert {code for code, _ in wrong} == {"FIELD_TYPE", "FIELD_GTIN"}
    assert ("FIELD_TYPE", "is_visible") in wrong

    published = shop.put(template(path, comma=True, mended=True))
    assert published.state is State.PUBLISHED
    assert published.receipt["rows"]["rejected"] == 0
