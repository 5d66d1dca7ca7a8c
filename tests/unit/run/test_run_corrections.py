"""Corrections of what was published and of what is held."""

import pytest
from msgspec import structs

from sftp_gateway.brand import BrandSettings
from sftp_gateway.catalog.results.corrections import OURS
from sftp_gateway.upload import Mode, State
from tests.catalog_shop import COLUMNS, Shop, codes, put, rows, sheet, table


def mended(text, **cells):
    """Mend rows of a correction file by sku, as a person would in a spreadsheet."""
    given = table(text)
    for row in given:
        for name, value in cells.get(row["sku"].replace("-", "_"), {}).items():
            row[name] = value
    return sheet([list(row.values()) for row in given], list(given[0]))


def test_mended_rows_are_applied_on_the_current_version(shop):
    put(shop, rows(20))
    first = put(shop, [*rows(18), ("A-18", "n", "bad", "1"), ("A-19", "n", "1", "bad"), ("B-1", "n", "x", "")])
    put(shop, [("A-3", "meanwhile")], ("sku", "name"), mode=Mode.PARTIAL)
    text = shop.file(first, "corrections")
    outcome = shop.put(mended(text, A_18={"price": "5"}, B_1={"price": "7", "stock": "1"}), name="fix.csv")
    assert outcome.mode is Mode.CORRECTION
    assert outcome.receipt["rows"] | {"read": 3, "accepted": 2, "rejected": 1} == outcome.receipt["rows"]
    assert outcome.receipt["changes"] | {"created": 1, "updated": 1, "removed": 0} == outcome.receipt["changes"]
    assert shop.products()["A-18"]["price"] == "5.00"
    assert shop.products()["A-3"]["name"] == "meanwhile"
    assert len(shop.products()) == 21
    again = shop.put(mended(text, A_18={"price": "5"}), name="fix.csv")
    assert codes(again)["CATALOG_STALE_CORRECTION"] == 1


def test_a_correction_sent_back_unchanged_gives_the_same_findings(shop):
    put(shop, rows(20))
    first = put(shop, [*rows(18), ("A-18", "=1+1", "bad", "1"), ("A-19", "n", "1", "bad")])
    again = shop.put(shop.file(first, "corrections"), name="fix.csv")
    shown = ("key", "column", "value", "code", "severity", "message", "suggestion")
    want = [{name: error[name] for name in shown} for error in shop.errors(first)]
    assert [{name: error[name] for name in shown} for error in shop.errors(again)[-len(want) :]] == want
    assert again.state is State.REFUSED


def test_a_row_whose_quotes_were_repaired_comes_back_quoted_as_it_should_be(shop):
    good = "".join(f"A-{number},n,1,2\n" for number in range(30))
    first = shop.put(f'sku,name,price,stock\n{good}Q-2,"pipe 12"",abc,1\n')
    text = shop.file(first, "corrections")
    [line] = table(text)  # as a spreadsheet reads it: nothing of ours is taken for the sender's text
    assert (line["name"], line["price"], line["_codes"], line["_correction_of"]) == (
        'pipe 12"',
        "abc",
        "FIELD_TYPE",
        "1",
    )
    again = shop.put(text, name="fix.csv")
    shown = ("key", "column", "value", "code", "severity", "message")
    want = [[error[name] for name in shown] for error in shop.errors(first) if error["key"]]
    assert [[error[name] for name in shown] for error in shop.errors(again) if error["row"]] == want
    shop.put(mended(text, Q_2={"price": "9"}), name="fix.csv")
    assert (shop.products()["Q-2"]["name"], shop.products()["Q-2"]["price"]) == ('pipe 12"', "9.00")


def test_a_row_whose_product_changed_later_is_stale(shop):
    put(shop, rows(20))
    first = put(shop, [*rows(18), ("A-18", "n", "bad", "1"), ("A-19", "n", "bad", "1")])
    put(shop, [("A-18", "meanwhile")], ("sku", "name"), mode=Mode.PARTIAL)
    text = mended(shop.file(first, "corrections"), A_18={"price": "5"}, A_19={"price": "6"})
    outcome = shop.put(text, name="fix.csv")
    [stale] = [error for error in shop.errors(outcome) if error["code"] == "CATALOG_STALE_CORRECTION"]
    assert (stale["key"], stale["row"], stale["severity"]) == ("A-18", "2", "error")
    assert (outcome.receipt["rows"]["accepted"], outcome.receipt["rows"]["retained"]) == (1, 1)
    assert shop.products()["A-18"]["name"] == "meanwhile"
    assert shop.products()["A-19"]["price"] == "6.00"


def test_a_correction_of_a_held_file_joins_its_accepted_rows(shop):
    put(shop, rows(100))
    bad = [(f"A-{n}", f"name {n}", "bad", "1") for n in range(80, 100)]
    held = put(shop, [*rows(80), *bad])
    assert held.state is State.HELD
    fix = {f"A_{n}": {"price": "3"} for n in range(80, 100)}
    outcome = shop.put(mended(shop.file(held, "corrections"), **fix), name="fix.csv")
    assert (outcome.state, outcome.corrects_held) == (State.PUBLISHED, 2)
    assert outcome.receipt["rows"] | {"read": 100, "accepted": 100} == outcome.receipt["rows"]
    assert outcome.receipt["changes"] | {"updated": 20, "unchanged": 80} == outcome.receipt["changes"]
    assert shop.past[2].state is State.SUPERSEDED


def test_a_correction_of_a_held_file_is_judged_as_one_full_file(shop):
    put(shop, rows(100))
    held = put(shop, [*rows(40), *((f"A-{n}", "x", "bad", "1") for n in range(40, 60))])
    fix = {f"A_{n}": {"price": f"{10 + n % 7}.50"} for n in range(40, 60)}
    outcome = shop.put(mended(shop.file(held, "corrections"), **fix), name="fix.csv")
    assert outcome.receipt["changes"] | {"unchanged": 40, "updated": 20, "removed": 40} == outcome.receipt["changes"]
    assert len(shop.products()) == 60


def part_of(text, *skus):
    """Give a correction file in which a person left these rows alone, and took the others out."""
    given = table(text)
    return sheet([list(row.values()) for row in given if row["sku"] in skus], list(given[0]))


def some_mended(shop, held, *numbers, **more):
    text = mended(shop.file(held, "corrections"), **{f"A_{n}": {"price": "3"} for n in numbers})
    return shop.put(part_of(text, *(f"A-{n}" for n in numbers)), name="fix.csv", **more)


def test_rows_that_a_correction_of_a_held_file_leaves_out_keep_their_products(shop):
    put(shop, rows(200))
    bad = [(f"A-{n}", f"name {n}", "bad", "1") for n in range(170, 200)]
    held = put(shop, [*rows(170), *bad])
    dry = some_mended(shop, held, *range(170, 180), mode=Mode.TEST)
    outcome = some_mended(shop, held, *range(170, 180))
    assert (outcome.state, dry.receipt["would_be"]) == (State.PUBLISHED, "published")
    assert outcome.receipt["changes"] | {"updated": 10, "removed": 0, "withheld": 0} == outcome.receipt["changes"]
    assert outcome.receipt["rows"] | {"read": 180, "accepted": 180, "retained": 20} == outcome.receipt["rows"]
    assert dry.receipt["changes"] == outcome.receipt["changes"]
    assert len(shop.products()) == outcome.products == 200
    assert [shop.products()[sku]["price"] for sku in ("A-170", "A-199")] == ["3.00", "13.50"]


def test_what_a_held_correction_of_a_held_file_leaves_out_is_kept_on(shop):
    put(shop, rows(200))
    held = put(shop, [*rows(140), *((f"A-{n}", "n", "bad", "1") for n in range(140, 200))])
    text = mended(shop.file(held, "corrections"), A_140={"price": "3"})
    again = shop.put(part_of(text, *(f"A-{n}" for n in range(140, 170))), name="fix.csv")
    assert (again.state, again.receipt["rows"]["rejected"]) == (State.HELD, 29)
    outcome = some_mended(shop, again, 141, 142)
    assert outcome.receipt["rows"] | {"accepted": 143, "retained": 57} == outcome.receipt["rows"]
    assert len(shop.products()) == 200


def test_rows_without_a_key_that_a_correction_leaves_out_count_as_removals(shop):
    put(shop, rows(100))
    bad = [*(("", f"name {n}", "1", "1") for n in range(4)), *((f"A-{n}", "n", "bad", "1") for n in range(40, 52))]
    held = put(shop, [*rows(40), *bad])
    outcome = some_mended(shop, held, *range(40, 52))
    assert outcome.receipt["changes"] | {"withheld": 48, "removed": 0} == outcome.receipt["changes"]
    [reason] = outcome.reasons
    assert (reason["code"], reason["figure"]) == ("removals_withheld", 0.52)


def test_a_held_upload_that_kept_no_rejected_keys_can_be_corrected(shop):
    """As those that were held before rejected keys were kept."""
    put(shop, rows(100))
    held = put(shop, [*rows(80), *((f"A-{n}", "n", "bad", "1") for n in range(80, 100))])
    past = shop.past[2]
    made = tuple(one for one in past.outcome.made if one.kind != "rejected")
    past.outcome = structs.replace(past.outcome, made=made)
    outcome = some_mended(shop, held, *range(80, 100))
    assert (outcome.state, outcome.receipt["rows"]["accepted"]) == (State.PUBLISHED, 100)
    assert len(shop.products()) == 100


def test_what_came_after_a_held_partial_file_is_not_undone_by_its_correction(shop):
    """Its accepted rows were merged with the products of then, and hold all their values."""
    put(shop, rows(100))
    sent = [*((f"A-{n}", "11.50") for n in range(40)), *((f"A-{n}", "bad") for n in range(40, 60))]
    held = put(shop, sent, ("sku", "price"), mode=Mode.PARTIAL)
    put(shop, [("A-3", "renamed later", "77"), ("A-41", "too", "")], ("sku", "name", "stock"), mode=Mode.PARTIAL)
    outcome = some_mended(shop, held, *range(40, 60))
    assert (held.state, outcome.state, outcome.corrects_held) == (State.HELD, State.PUBLISHED, 2)
    assert shop.products()["A-3"] == {"sku": "A-3", "name": "renamed later", "price": "13.50", "stock": "77"}
    prices = [shop.products()[sku]["price"] for sku in ("A-2", "A-4", "A-40", "A-41")]
    assert prices == ["11.50", "11.50", "3.00", "3.00"]
    assert shop.products()["A-41"]["name"] == "too"
    [stale] = shop.errors(outcome)
    assert (stale["key"], stale["row"], stale["line"]) == ("A-3", "", "")
    assert (stale["code"], stale["severity"]) == ("CATALOG_STALE_CORRECTION", "error")
    assert codes(outcome) == {"CATALOG_STALE_CORRECTION": 1}
    assert outcome.receipt["rows"] | {"accepted": 59, "rejected": 1, "retained": 1} == outcome.receipt["rows"]


def test_a_correction_that_names_no_upload_of_the_brand_is_refused(shop):
    for value in ("99", "", "x", "1e3"):
        outcome = put(shop, [("a", value)], ("sku", "_correction_of"))
        assert [reason["code"] for reason in outcome.reasons] == ["FILE_CORRECTION"], value
    put(shop, rows(2))
    outcome = put(shop, [("a", "1"), ("b", "2")], ("sku", "_correction_of"))
    assert [reason["code"] for reason in outcome.reasons] == ["FILE_CORRECTION"]


def test_a_dry_run_of_a_correction_is_one(shop):
    put(shop, rows(20))
    first = put(shop, [*rows(19), ("A-19", "n", "bad", "1")])
    outcome = shop.put(mended(shop.file(first, "corrections"), A_19={"price": "5"}), mode=Mode.TEST)
    assert (outcome.state, outcome.receipt["would_be"]) == (State.TESTED, "published")
    assert outcome.receipt["changes"] | {"updated": 1, "removed": 0} == outcome.receipt["changes"]


@pytest.mark.parametrize("written", ["_CORRECTION_OF", " _correction of ", "correction_of", "Correction Of"])
def test_the_marker_is_known_however_a_spreadsheet_writes_it(shop, written):
    put(shop, rows(10))
    first = put(shop, [*rows(4), *((f"A-{n}", "n", "bad", "1") for n in range(4, 10))])
    text = mended(shop.file(first, "corrections"), **{f"A_{n}": {"price": "5"} for n in range(4, 10)})
    outcome = shop.put(text.replace("_correction_of", written), name="fix.csv")
    assert (outcome.mode, outcome.receipt["rows"]["accepted"]) == (Mode.CORRECTION, 6)
    assert len(shop.products()) == 10


@pytest.mark.parametrize("number", ["2.0", "2.00"])
def test_the_marker_may_have_become_a_number(shop, number):
    put(shop, rows(10))
    first = put(shop, [*rows(9), ("A-9", "n", "bad", "1")])
    text = mended(shop.file(first, "corrections"), A_9={"price": "5", "_correction_of": number})
    assert shop.put(text, name="fix.csv").receipt["rows"]["accepted"] == 1


@pytest.mark.parametrize("name", ["fix.csv", "cat.csv.2.corrections.csv", "cat.csv.2.corrections.csv.gz"])
@pytest.mark.parametrize("gone", [{"_correction_of"}, {"_correction_of", "_row"}, set(OURS)])
def test_a_correction_that_lost_its_marker_is_no_catalog(shop, name, gone):
    """As a whole catalog it would remove all products that were right before."""
    put(shop, rows(10))
    first = put(shop, [*rows(4), *((f"A-{n}", "n", "bad", "1") for n in range(4, 10))])
    given = table(mended(shop.file(first, "corrections"), **{f"A_{n}": {"price": "5"} for n in range(4, 10)}))
    left = [column for column in given[0] if column not in gone]
    outcome = shop.put(sheet([[row[column] for column in left] for row in given], left), name=name)
    if name == "fix.csv" and gone == set(OURS):
        assert outcome.state is not State.REFUSED  # nothing tells it from a catalog
        return
    assert [reason["code"] for reason in outcome.reasons] == ["FILE_CORRECTION"]
    assert len(shop.products()) == 10
    (shop.folder / "another").mkdir()
    fresh = Shop(shop.folder / "another", shop.rules)
    assert (
        fresh.put(sheet([[row[column] for column in left] for row in given], left), name=name).state is State.PUBLISHED
    )
    partial = shop.put(sheet([[row[column] for column in left] for row in given], left), name=name, mode=Mode.PARTIAL)
    assert partial.receipt["rows"]["accepted"] == 6


@pytest.mark.parametrize("kept", ["ignore", "keep"])
@pytest.mark.parametrize("gone", [{"stock"}, {"name", "Shade"}])
def test_a_correction_without_a_column_of_its_original_leaves_it_alone(shop, gone, kept):
    shop.settings = BrandSettings(unknown_columns=kept)
    given = [(*row, "red") for row in rows(20)]
    put(shop, given, (*COLUMNS, "Shade"))
    before = shop.products()["A-19"]
    first = put(
        shop, [*given[:19], ("A-19", "other", "bad", "2", "blue"), ("B-1", "new", "x", "1", "")], (*COLUMNS, "Shade")
    )
    mend = table(mended(shop.file(first, "corrections"), A_19={"price": "5"}, B_1={"price": "7"}))
    left = [column for column in mend[0] if column not in gone]
    outcome = shop.put(sheet([[row[column] for column in left] for row in mend], left), name="fix.csv")
    assert (outcome.state, outcome.receipt["rows"]["accepted"]) == (State.PUBLISHED, 2)
    after = shop.products()["A-19"]
    assert after["price"] == "5.00"
    sent = {"name": "other", "stock": "2", "Shade": "blue"}
    for column in set(before) - {"sku", "price"}:
        assert after[column] == (before if column in gone else before | sent)[column], column
    assert shop.products()["B-1"]["price"] == "7.00"


def test_a_required_column_may_be_taken_out_of_a_correction_too(tmp_path):
    shop = Shop(tmp_path)
    put(shop, [(f"A-{n}", f"name {n}", "5") for n in range(20)], ("sku", "name", "msrp"))
    bad = [("A-19", "other", "bad"), ("B-1", "new", "bad")]
    first = put(shop, [*((f"A-{n}", f"name {n}", "5") for n in range(19)), *bad], ("sku", "name", "msrp"))
    given = table(mended(shop.file(first, "corrections"), A_19={"msrp": "7"}, B_1={"msrp": "8"}))
    left = [column for column in given[0] if column != "name"]
    outcome = shop.put(sheet([[row[column] for column in left] for row in given], left), name="fix.csv")
    assert (outcome.state, outcome.receipt["rows"]["accepted"]) == (State.PUBLISHED, 1)
    product = shop.products()["A-19"]
    assert (product["name"], product["msrp"]) == ("name 19", "7.00")
    errors = [error for error in shop.errors(outcome) if error["severity"] == "error"]
    assert [(error["key"], error["column"], error["code"]) for error in errors] == [("B-1", "name", "FIELD_REQUIRED")]
    lost = [column for column in left if column != "sku"]
    outcome = shop.put(sheet([[row[column] for column in lost] for row in given], lost), name="fix.csv")
    assert [reason["code"] for reason in outcome.reasons] == ["FILE_HEADER_MISSING"]


def test_a_correction_of_a_few_rows_is_not_warned_of_columns_that_are_blank_in_all_of_them(tmp_path):
    shop = Shop(tmp_path)
    columns = ("sku", "name", "msrp", "gtin", "images", "cost", "brand")
    good = [(f"A-{n}", "n", "5", "4006381333931" if n == 1 else "", f"/{n}.jpg", "1", "b") for n in range(19)]
    first = put(shop, [*good, ("A-19", "n", "bad", "", "", "", "")], columns)
    outcome = shop.put(mended(shop.file(first, "corrections"), A_19={"msrp": "7"}), name="fix.csv")
    assert (outcome.state, outcome.receipt["rows"]["accepted"]) == (State.PUBLISHED, 1)
    assert codes(outcome) == {}
