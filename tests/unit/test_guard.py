from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from sftp_gateway.brand import BrandSettings, Guards
from sftp_gateway.catalog.comparing import guard
from sftp_gateway.catalog.comparing.guard import Figures

LIMITS = Guards()
AT = datetime(2026, 1, 5, tzinfo=UTC)


def figures(**given) -> Figures:
    return Figures(**({"products": 1000, "read": 1000, "rejected": 0} | given))


# one row below and one above each threshold


@pytest.mark.parametrize(
    ("products", "removed", "acts"),
    [
        (1000, 200, False),  # 20 % is not more than 20 %
        (1000, 201, True),
        (200, 50, False),  # more than 20 %, but only 50 products and not half of the catalog
        (200, 51, True),
        (10, 5, False),  # a small catalog: half of it may go
        (10, 6, True),
        (1, 1, True),  # an emptied catalog of one
    ],
)
def test_removals_are_withheld_from_the_first_product_above_the_limit(products, removed, acts):
    reason = guard.removals(figures(products=products, removed=removed), LIMITS)
    assert (reason is not None) == acts
    if reason:
        assert reason["code"] == "removals_withheld"
        assert reason["figure"] == pytest.approx(removed / products, abs=1e-4)
        assert reason["limit"] == 0.2


def test_a_rejected_row_without_a_readable_key_counts_as_a_removal():
    assert guard.removals(figures(removed=150, unkeyed=50), LIMITS) is None
    reason = guard.removals(figures(removed=150, unkeyed=51), LIMITS)
    assert reason is not None
    assert "51 of them rows without a readable key" in reason["text"]


def test_nothing_is_withheld_where_nothing_is_gone():
    assert guard.removals(figures(removed=0, unkeyed=900), LIMITS) is None
    assert guard.removals(figures(products=None, removed=0), LIMITS) is None


@pytest.mark.parametrize(
    ("read", "rejected", "acts"),
    [(100, 10, False), (99, 10, True), (20, 9, False), (20, 10, True), (1000, 100, False), (1000, 101, True)],
)
def test_rejects_hold_above_a_tenth_and_from_ten_rows_on(read, rejected, acts):
    assert (guard.rejects(figures(read=read, rejected=rejected), LIMITS) is not None) == acts


def test_the_rejected_rows_are_named():
    reason = guard.rejects(figures(read=20, rejected=12, rejected_rows=(3, 4, 5, 9)), LIMITS)
    assert reason is not None
    assert reason["text"].endswith(": rows 3–5, 9 and 8 more")


@pytest.mark.parametrize(
    ("removed", "created", "accepted", "acts"),
    [
        (500, 501, 1000, False),  # half of the keys are still there
        (501, 501, 1000, True),
        (501, 500, 1000, False),  # only half of the file is new
        (1000, 1000, 1000, True),
        (1000, 0, 0, False),
    ],
)
def test_a_change_of_keys_shows_on_both_sides(removed, created, accepted, acts):
    reason = guard.keys(figures(removed=removed, created=created, accepted=accepted), LIMITS)
    assert (reason is not None) == acts


def test_retained_products_count_as_keys_of_the_file():
    without = figures(products=10, removed=6, created=5, accepted=9)
    assert guard.keys(without, LIMITS) is not None
    assert guard.keys(figures(products=10, removed=6, created=5, accepted=9, retained=1), LIMITS) is None


@pytest.mark.parametrize(
    ("before", "after", "acts"), [(501, 499, True), (501, 500, False), (500, 0, False), (1000, 0, True)]
)
def test_a_column_that_most_products_fill_may_not_become_mostly_blank(before, after, acts):
    found = figures(filled_before={"cost": before}, filled_after={"cost": after}, products_after=1000)
    assert (guard.emptied(found, LIMITS) is not None) == acts


def test_a_share_of_blanks_that_is_just_the_limit_of_a_brand_does_not_exceed_it():
    """`1 - 0.7` is a bit more than 0.3."""
    limits = Guards(column_emptied=0.3)
    found = figures(filled_before={"cost": 1000}, filled_after={"cost": 700}, products_after=1000)
    assert guard.emptied(found, limits) is None
    assert guard.emptied(structs.replace(found, filled_after={"cost": 699}), limits) is not None


def test_a_column_that_is_gone_counts_as_blank_and_every_one_is_named():
    found = figures(filled_before={"cost": 900, "gtin": 800, "size": 10}, filled_after={}, products_after=1000)
    reason = guard.emptied(found, LIMITS)
    assert reason is not None
    assert "cost (100 % blank)" in reason["text"]
    assert "gtin" in reason["text"]
    assert "size" not in reason["text"]


@pytest.mark.parametrize(
    ("both", "moved", "acts"), [(20, 10, False), (20, 11, True), (19, 19, False), (1000, 500, False), (1000, 501, True)]
)
def test_prices_hold_when_more_than_half_of_twenty_moved_far(both, moved, acts):
    assert (guard.prices(figures(prices={"msrp": (both, moved)}), LIMITS) is not None) == acts


def test_a_first_file_is_judged_by_its_rejects_only():
    found = Figures(
        products=None, read=100, rejected=50, created=50, accepted=50, filled_after={}, prices={"msrp": (50, 50)}
    )
    assert [reason["code"] for reason in guard.content(found, LIMITS, full=True)] == ["reject_share"]


def test_every_reason_is_listed_at_once():
    found = figures(
        rejected=200,
        removed=900,
        created=700,
        accepted=800,
        filled_before={"cost": 1000},
        products_after=800,
        prices={"msrp": (100, 100)},
    )
    reasons = [reason["code"] for reason in guard.content(found, LIMITS, full=True)]
    assert reasons == ["reject_share", "key_change", "column_emptied", "price_move"]
    partial = [reason["code"] for reason in guard.content(found, LIMITS, full=False, judge_rejects=False)]
    assert partial == ["column_emptied", "price_move"]


def test_a_brand_sets_its_own_thresholds():
    own = BrandSettings(guards={"removal_share": 0.5, "reject_rows": 100}).guard_limits(LIMITS)
    assert guard.removals(figures(removed=450), own) is None
    assert guard.removals(figures(removed=501), own) is not None
    assert guard.rejects(figures(read=200, rejected=99), own) is None


# the run of full files that agree


def run_of(seconds: float, withheld: int, before):
    return guard.run_of(AT + timedelta(seconds=seconds), withheld, before, LIMITS)


def test_a_run_begins_with_the_first_file_that_withholds():
    assert run_of(0, 100, None) == guard.Run(AT, confirms=False)


@pytest.mark.parametrize(("seconds", "confirms"), [(0, False), (599, False), (600, True), (601, True), (90000, True)])
def test_a_repeat_confirms_from_ten_minutes_after_the_first_of_the_run(seconds, confirms):
    assert run_of(seconds, 100, (AT, 100, 100)) == guard.Run(AT, confirms=confirms)


@pytest.mark.parametrize(
    ("now", "before", "both", "agrees"),
    [
        (100, 100, 90, True),
        (100, 100, 89, False),
        (90, 100, 90, True),
        (89, 100, 89, False),
        (112, 100, 100, False),
        (111, 100, 100, True),
    ],
)
def test_sets_agree_when_both_hold_nine_tenths_of_the_larger_one(now, before, both, agrees):
    run = run_of(600, now, (AT, before, both))
    assert run.confirms is agrees
    assert run.since == (AT if agrees else AT + timedelta(seconds=600))


def test_large_figures_are_written_as_everywhere():
    told = guard.rejects(figures(read=12_000, rejected=7_886, rejected_rows=(1204, 12_000)), LIMITS)["text"]
    assert told.startswith("7,886 of 12,000 rows were rejected (")
    assert told.endswith(": rows 1204, 12000 and 7,884 more")
    told = guard.removals(figures(products=10_000, removed=5_000, unkeyed=1_000), LIMITS)["text"]
    assert told.startswith("6,000 of 10,000 products (1,000 of them rows without a readable key) are not in this file")
