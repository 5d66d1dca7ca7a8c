"""The rules name another key, and the current version has no such column: a person decides, nothing fails as by our fault."""

import pytest

from sftp_gateway.catalog.rules import schema
from sftp_gateway.upload import Mode, State
from tests.catalog_shop import COLUMNS, SMALL, codes, products, put, rows

MORE = '\n[column.code]\ntype = "text"\n'
CODED = (*COLUMNS, "code")


def _coded(count, first=0):
    return [(*row, f"C{row[0]}") for row in rows(count, first=first)]


def _rekey(shop, *key):
    listed = ", ".join(f'"{name}"' for name in key)
    path = shop.folder / "other.toml"
    path.write_text(SMALL.replace('["sku"]', f"[{listed}]") + MORE)
    shop.rules = schema.load(path)


@pytest.mark.parametrize("key", [("code",), ("sku", "code"), ("code", "sku")])
def test_a_full_file_is_held_as_a_change_of_keys_and_approved(shop, key):
    put(shop, rows(100))
    _rekey(shop, *key)
    held = put(shop, _coded(100), CODED)
    assert (held.state, [reason["code"] for reason in held.reasons]) == (
        State.HELD,
        ["removals_withheld", "key_change"],
    )
    approved = shop.approve(2)
    assert (approved.state, approved.version) == (State.PUBLISHED, 2)
    changes = approved.receipt["changes"]
    assert (changes["created"], changes["removed"], changes["updated"]) == (100, 100, 0)
    assert len(shop.products()) == 100
    assert put(shop, _coded(100, first=1), CODED).receipt["changes"]["removed"] == 1


def test_products_without_a_value_in_what_is_the_key_now_are_other_products(shop):
    _rekey(shop, "sku")
    half = [(*row, f"C{row[0]}" if number < 50 else "") for number, row in enumerate(rows(100))]
    put(shop, half, CODED)
    _rekey(shop, "code")
    outcome = put(shop, _coded(100), CODED)
    assert outcome.state is State.PUBLISHED
    changes = outcome.receipt["changes"]
    assert (changes["unchanged"], changes["created"], changes["removed"]) == (50, 50, 50)
    assert [line["key"] for line in shop.told(outcome) if line["op"] == "removed"] == [""] * 50


@pytest.mark.parametrize("mode", [Mode.PARTIAL, Mode.CORRECTION])
def test_single_rows_are_refused_until_a_whole_catalog_came(shop, mode):
    refused = put(shop, [*rows(99), ("A-99", "x", "many", "1")])
    correction = shop.file(refused, "corrections").replace("many", "5").replace("sku,", "code,sku,", 1)
    _rekey(shop, "code")
    if mode is Mode.PARTIAL:
        outcome = put(shop, _coded(2), CODED, mode=mode)
    else:
        head, line = correction.splitlines()
        outcome = shop.put(f"{head}\nC99,{line}\n")
    assert (outcome.state, outcome.version) == (State.REFUSED, None)
    assert "'code'" in outcome.reasons[0]["text"]
    assert "whole catalog" in shop.errors(outcome)[0]["suggestion"]
    assert len(products(shop.base.path)) == 99


def test_a_correction_does_not_join_accepted_rows_that_have_no_such_key(shop):
    put(shop, rows(100))
    held = put(shop, [*rows(80), *((f"A-{n}", "x", "many", "1") for n in range(80, 100))])
    assert held.state is State.HELD
    head, *lines = shop.file(held, "corrections").replace("many", "5").splitlines()
    _rekey(shop, "code")
    outcome = shop.put("\n".join([f"code,{head}", *(f"C{number},{line}" for number, line in enumerate(lines))]) + "\n")
    assert (outcome.state, codes(outcome)) == (State.REFUSED, {"FILE_CORRECTION": 1})
    assert len(products(shop.base.path)) == 100


def test_withheld_products_are_released_and_versions_rolled_back_across_a_change_of_keys(shop):
    put(shop, rows(100))
    first = shop.base
    put(shop, rows(40))
    second = shop.base
    _rekey(shop, "code")
    assert shop.release().changes["removed"] == 60
    assert set(products(shop.base.path)) == {row[0] for row in rows(40)}
    held = put(shop, _coded(40), CODED)
    shop.approve(max(shop.past))
    assert held.state is State.HELD
    third = shop.rollback(first)
    assert (third.changes["created"], third.changes["removed"]) == (100, 40)
    fourth = shop.rollback(second)  # neither version has such a key
    assert (fourth.changes["created"], fourth.changes["removed"]) == (100, 100)
    assert set(products(shop.base.path)) == {row[0] for row in rows(100)}
