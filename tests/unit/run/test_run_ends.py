"""The end of a file: products that look like a footer stay products, whatever their place is."""

from tests.catalog_shop import Shop, sheet
from tests.unit.test_read_tables import sheet as workbook

HATS = [(f"HAT-{number:03}", f"Hat {number}", f"{number}.50", "", "", "") for number in range(1, 51)]
SUMMER = [(f"SUM-{number:03}", f"Summer hat {number}", "19.90", "", "", "") for number in range(1, 6)]
COLUMNS = ("sku", "name", "msrp", "color", "cost", "description")


def test_last_products_whose_keys_begin_like_a_total_are_published_and_stay(tmp_path):
    shop = Shop(tmp_path)
    shop.put(sheet([*SUMMER, *HATS], COLUMNS))
    assert len(shop.products()) == 55
    shop.put(sheet([*HATS, *SUMMER], COLUMNS))
    assert len(shop.products()) == 55


def test_a_file_of_an_old_program_that_ends_with_a_mark_is_published_at_once(tmp_path):
    shop = Shop(tmp_path)
    shop.put("sku,name,msrp\r\nA1,Lamp,10.50\r\n\x1a", complete=False)
    assert [*shop.products()] == ["A1"]


def test_a_sheet_with_a_price_on_request_behind_a_blank_row_keeps_its_products(tmp_path):
    lamps = [(f"A-{number}", f"Lamp {number}", number + 0.5) for number in range(1, 41)]
    sofas = [(f"B-{number}", f"Sofa {number}", number + 0.5) for number in range(1, 9)]
    rows = [("sku", "name", "msrp"), *lamps, (), ("LAMP-RED", "Red lamp", "on request"), *sofas]
    shop = Shop(tmp_path)
    shop.put(workbook("xlsx", rows), name="products.xlsx")
    assert len(shop.products()) == 48


def test_two_byte_order_marks_hide_no_header(tmp_path):
    shop = Shop(tmp_path)
    shop.put('\ufeff\ufeff"sku","name","msrp"\r\n"A1","Lamp, x","1.5"\r\n')
    assert [*shop.products()] == ["A1"]
