"""Numbers on their way into a version: read as the sender meant them, or told as what they are."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
from catalog_shop import Shop, codes, small_rules

from sftp_gateway.brand import BrandSettings

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
