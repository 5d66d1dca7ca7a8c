"""The key of a row: read where the row itself cannot be, and of several columns."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from sftp_gateway.upload import State


@pytest.mark.parametrize("broken", ['{"sku":"A-7","name":"n","name":"n","price":1}', '{"sku":"A-7","name":"5" x"}'])
def test_a_known_product_that_comes_as_broken_json_is_retained_and_named(shop, broken):
    lines = [json.dumps({"sku": f"A-{number}", "name": "n", "price": 1}) for number in range(20)]
    shop.put("\n".join(lines) + "\n", name="catalog.jsonl")
    lines[7], lines[8] = broken, '{"sku":"A-8","name":"n","price":"?"}'
    outcome = shop.put("\n".join(lines) + "\n", name="catalog.jsonl")
    assert (outcome.receipt["rows"]["rejected"], outcome.receipt["rows"]["retained"]) == (2, 2)
    assert outcome.receipt["changes"]["removed"] == 0
    assert shop.products()["A-7"]["price"] == "1.00"
    [error, _] = shop.errors(outcome)
    assert (error["code"], error["key"], error["row"]) == ("ROW_JSON", "A-7", "8")
    again = shop.put(shop.file(outcome, "corrections"), name="fix.jsonl")
    assert again.state is State.REFUSED
    assert [error["key"] for error in shop.errors(again) if error["code"] == "ROW_JSON"] == ["A-7"]
