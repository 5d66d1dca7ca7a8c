"""The end of a file: products that look like a footer stay products, whatever their place is."""

from tests.catalog_shop import Shop, sheet

HATS = [(f"HAT-{number:03}", f"Hat {number}", f"{number}.50", "", "", "") for number in range(1, 51)]
SUMMER = [(f"SUM-{number:03}", f"Summer hat {number}", "19.90", "", "", "") for number in range(1, 6)]
COLUMNS = ("sku", "name", "msrp", "color", "cost", "description")


def test_last_products_whose_keys_begin_like_a_total_are_published_and_stay(tmp_path):
    shop = Shop(tmp_path)
    shop.put(sheet([*SUMMER, *HATS], COLUMNS))
    assert len(shop.products()) == 55
    shop.put(sheet([*HATS, *SUMMER], COLUMNS))
    assert len(shop.products()) == 55
