"""Guards: withheld removals, holds, what releases them."""

import pytest

from sftp_gateway.brand import BrandSettings, Guards
from sftp_gateway.upload import Mode, State
from tests.catalog_shop import COLUMNS, Shop, put, rows, small_rules, table


def test_removals_are_withheld_and_the_rest_goes_live(shop):
    put(shop, rows(200))
    given = rows(100)
    given[0] = ("A-0", "renamed", "10.50", "0")
    outcome = put(shop, given)
    assert (outcome.state, outcome.products, outcome.withheld_products) == (State.PUBLISHED, 200, 100)
    assert outcome.receipt["changes"] | {"updated": 1, "removed": 0, "withheld": 100} == outcome.receipt["changes"]
    assert [reason["code"] for reason in outcome.reasons] == ["removals_withheld"]
    listed = table(shop.file(outcome, "withheld"))
    assert [row["sku"] for row in listed] == [f"A-{n}" for n in range(100, 200)]
    assert shop.products()["A-0"]["name"] == "renamed"
    assert shop.products()["A-150"]["name"] == "name 150"
    names = [file["name"] for file in outcome.receipt["files"]]
    assert names == ["catalog.csv.2.withheld.csv"]


def test_the_next_file_like_it_releases_the_removals_after_ten_minutes(shop):
    put(shop, rows(200))
    put(shop, rows(100))
    shop.wait(599)
    again = put(shop, rows(100))
    assert (again.state, again.receipt["changes"]["withheld"]) == (State.PUBLISHED, 100)
    assert again.withheld_since == shop.past[2].job.received_at
    shop.wait(1)
    released = put(shop, rows(100))
    assert released.receipt["changes"] | {"removed": 100, "withheld": 0} == released.receipt["changes"]
    assert len(shop.products()) == 100
    assert shop.withheld is None


def test_a_file_that_disagrees_begins_a_run_of_its_own(shop):
    put(shop, rows(200))
    put(shop, rows(100))
    shop.wait(700)
    other = put(shop, rows(100, first=100))
    assert (other.receipt["changes"]["withheld"], other.withheld_since) == (100, shop.now)
    assert len(shop.products()) == 200


def test_removals_that_were_refused_stay_kept_however_often_the_file_comes(shop):
    put(shop, rows(200))
    given = [*rows(100), ("B-1", "its row is rejected", "bad", "1")]
    assert put(shop, given).receipt["changes"]["withheld"] == 100
    shop.refuse()
    for _ in range(3):
        shop.wait(700)
        again = put(shop, given)
        assert (again.state, again.products, again.reasons) == (State.UNCHANGED, 200, ())
        assert again.receipt["changes"] | {"removed": 0, "withheld": 0} == again.receipt["changes"]
        assert [error["key"] for error in shop.errors(again)] == ["B-1"]
        assert {made.kind for made in again.made} == {"errors", "errors_json", "corrections"}
    other = put(shop, given[1:])
    assert (other.receipt["changes"]["withheld"], other.withheld_since) == (101, shop.now)
    assert len(shop.products()) == 200


def test_a_hold_that_was_approved_is_not_one_again_when_the_file_comes_again(shop):
    """It ends unchanged, as the file of the current version does (spec §3), with its error file."""
    put(shop, rows(100))
    bad = [(f"A-{n}", f"name {n}", "bad", "1") for n in range(80, 100)]
    given = [("A-0", "renamed", "10.50", "0"), *rows(80)[1:], *bad]
    assert put(shop, given).state is State.HELD
    assert shop.approve(2).state is State.PUBLISHED
    again = put(shop, given)
    assert (again.state, again.reasons, len(shop.errors(again))) == (State.UNCHANGED, (), 20)
    shop.settings = BrandSettings(decimal=".")  # other rules: it is judged anew
    assert put(shop, given).state is State.HELD


def test_products_that_come_back_end_the_withholding(shop):
    put(shop, rows(200))
    put(shop, rows(100))
    outcome = put(shop, rows(200))
    assert (outcome.state, outcome.keeps_withheld, outcome.withheld_since) == (State.UNCHANGED, False, None)
    assert shop.withheld is None


def test_approving_releases_what_is_withheld_as_a_version_of_its_own(shop):
    put(shop, rows(200))
    put(shop, rows(100))
    made = shop.release()
    assert (made.number, made.products) == (3, 100)
    assert made.changes | {"removed": 100, "unchanged": 100} == made.changes
    assert set(shop.products()) == {f"A-{n}" for n in range(100)}


def test_a_change_of_keys_is_held_and_approving_it_waives_every_reason(shop):
    put(shop, rows(100))
    outcome = put(shop, [(f"a{n}", "x", "10.50", "1") for n in range(100)])
    assert (outcome.state, outcome.version, outcome.keeps_withheld) == (State.HELD, None, True)
    assert [reason["code"] for reason in outcome.reasons] == ["removals_withheld", "key_change"]
    assert len(shop.products()) == 100
    approved = shop.approve(2)
    assert (approved.state, approved.version, approved.reasons) == (State.PUBLISHED, 2, ())
    assert approved.receipt["changes"] | {"created": 100, "removed": 100} == approved.receipt["changes"]


@pytest.mark.parametrize(("rejected", "state"), [(10, State.PUBLISHED), (11, State.HELD)])
def test_too_many_rejects_hold_even_a_first_file(shop, rejected, state):
    given = [*rows(100 - rejected), *((f"B-{n}", "x", "bad", "1") for n in range(rejected))]
    assert put(shop, given).state is state


@pytest.mark.parametrize(("moved", "state"), [(20, State.PUBLISHED), (21, State.HELD)])
def test_prices_that_jump_are_held_counting_those_that_stay(shop, moved, state):
    put(shop, rows(40))
    given = [(sku, name, "999" if n < moved else price, stock) for n, (sku, name, price, stock) in enumerate(rows(40))]
    outcome = put(shop, given)
    assert outcome.state is state
    assert [reason["code"] for reason in outcome.reasons] == (["price_move"] if state is State.HELD else [])


def test_prices_that_no_product_has_on_both_sides_are_no_reason(tmp_path):
    shop = Shop(tmp_path, small_rules(tmp_path), guards=Guards(price_rows=0))
    given = [*rows(10), ("B", "b", "", "1")]
    put(shop, given)
    given[0], given[10] = ("A-0", "name 0", "", "0"), ("B", "b", "5", "1")
    assert put(shop, [*given[:1], *given[10:]], mode=Mode.PARTIAL).state is State.PUBLISHED
    assert put(shop, [("B", "b", "50", "1")], mode=Mode.PARTIAL).state is State.HELD


@pytest.mark.parametrize("move", [998.9999999, 999.9999999, 1000, 123456789])
def test_prices_may_be_let_move_by_any_share(tmp_path, move):
    shop = Shop(tmp_path, small_rules(tmp_path), guards=Guards(price_rows=1, price_move=move))
    put(shop, [("A", "a", "0.01", "1"), ("B", "b", "2", "1")])
    far = f"{0.01 * (move + 2):.4f}"
    assert put(shop, [("A", "a", "9", "1"), ("B", "b", "2", "1")]).state is State.PUBLISHED
    put(shop, [("A", "a", "0.01", "1"), ("B", "b", "2", "1")])
    outcome = put(shop, [("A", "a", far, "1"), ("B", "b", f"{2 * (move + 2):.4f}", "1")])
    assert [reason["code"] for reason in outcome.reasons] == ["price_move"]


def test_prices_of_hundreds_of_millions_are_compared(shop):
    put(shop, [("A", "a house", "99999999999999.9999", "1"), ("B", "in rupiah", "350000000", "1")])
    outcome = put(shop, [("A", "a house", "99999999999999", "1"), ("B", "in rupiah", "950000000", "1")])
    assert (outcome.state, outcome.receipt["changes"]["updated"]) == (State.PUBLISHED, 2)


@pytest.mark.parametrize(("blank", "state"), [(50, State.PUBLISHED), (51, State.HELD)])
def test_a_column_emptied_is_held(shop, blank, state):
    put(shop, rows(100))
    given = [(sku, "" if n < blank else name, price, stock) for n, (sku, name, price, stock) in enumerate(rows(100))]
    outcome = put(shop, given)
    assert outcome.state is state


def test_a_column_that_is_gone_is_held(shop):
    put(shop, rows(20))
    outcome = put(shop, [row[:3] for row in rows(20)], COLUMNS[:3])
    assert [reason["code"] for reason in outcome.reasons] == ["column_emptied"]
    assert "stock (100 % blank)" in outcome.reasons[0]["text"]
