import gzip
import json
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from catalog_shop import Shop, codes, products, sheet, small_rules, table

from sftp_gateway import receipt
from sftp_gateway.brand import BrandSettings
from sftp_gateway.catalog import engine, result, run, spool, stage
from sftp_gateway.upload import Mode, State

COLUMNS = ("sku", "name", "price", "stock")


@pytest.fixture(params=["in memory", "on disk"], autouse=True)
def place(request, monkeypatch):
    """Every test holds for small files, in memory, and for large ones, staged and compared on disk."""
    if request.param == "on disk":
        monkeypatch.setattr(stage, "MEMORY_BYTES", -1)
        monkeypatch.setattr(engine, "SMALL_BYTES", -1)
        monkeypatch.setattr(spool, "LIMIT_BYTES", -1)


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path, small_rules(tmp_path))


def rows(count, price=10, first=0):
    return [(f"A-{n}", f"name {n}", f"{price + n % 7}.50", n % 5) for n in range(first, first + count)]


def put(shop, given, columns=COLUMNS, **more):
    return shop.put(sheet(given, columns), **more)


# a full file


def test_a_first_file_is_published_as_version_one(shop):
    outcome = put(shop, rows(30))
    assert (outcome.state, outcome.version, outcome.products) == (State.PUBLISHED, 1, 30)
    assert outcome.columns == COLUMNS
    assert shop.products()["A-8"] == {"sku": "A-8", "name": "name 8", "price": "11.50", "stock": "3"}
    assert [line["op"] for line in shop.told(outcome)] == ["created"] * 30


def test_the_receipt_has_every_key_and_says_what_the_reader_understood(shop):
    outcome = put(shop, rows(3))
    own = outcome.receipt
    assert own["file"] == {
        "name": "inbox/catalog.csv",
        "bytes": len(sheet(rows(3), COLUMNS)),
        "sha256": own["file"]["sha256"],
        "format": "csv",
        "encoding": "utf-8",
        "delimiter": ",",
        "compression": None,
    }
    assert set(own["rows"]) == set(receipt.ROWS)
    assert set(own["changes"]) == set(receipt.CHANGES)
    assert set(own["seconds"]) == {"read", "check", "diff", "publish", "total"}
    assert own["rules"] == result.rules(shop.rules, shop.settings)
    assert json.loads(json.dumps(own)) == own


def test_the_same_file_again_is_unchanged_and_makes_no_version(shop):
    put(shop, rows(30))
    outcome = put(shop, list(reversed(rows(30))))
    assert (outcome.state, outcome.version) == (State.UNCHANGED, None)
    assert {made.kind for made in outcome.made} == set()
    assert outcome.receipt["products"] == {"before": 30, "after": 30}


def test_what_changed_is_told_by_field(shop):
    put(shop, rows(30))
    given = rows(29)
    given[3] = ("A-3", "name 3", "99.00", "")
    outcome = put(shop, [*given, ("B-1", "new", "1", "1")])
    assert outcome.receipt["changes"] == {
        "created": 1,
        "updated": 1,
        "unchanged": 28,
        "removed": 1,
        "deleted": 0,
        "withheld": 0,
    }
    assert [tuple(line.values()) for line in shop.told(outcome)] == [
        ("updated", "A-3", "price", "13.50", "99.00"),
        ("updated", "A-3", "stock", "3", ""),
        ("created", "B-1", "", "", ""),
        ("removed", "A-29", "", "", ""),
    ]
    assert pq.read_table(shop.changes[-1]).num_rows == 4


def test_a_rejected_row_keeps_its_product_as_it_was(shop):
    put(shop, rows(30))
    given = rows(30)
    given[4] = ("A-4", "name 4", "cheap", "1")
    outcome = put(shop, given)
    assert outcome.state is State.UNCHANGED
    assert (outcome.receipt["rows"]["rejected"], outcome.receipt["rows"]["retained"]) == (1, 1)
    given[5] = ("A-5", "renamed", "1.00", "0")
    outcome = put(shop, given)
    assert outcome.state is State.PUBLISHED
    assert outcome.products == 30
    assert shop.products()["A-4"]["price"] == "14.50"
    assert shop.products()["A-5"]["name"] == "renamed"


def test_nothing_usable_changes_nothing(shop):
    put(shop, rows(5))
    for content, code in (
        ("", "FILE_EMPTY"),
        (sheet([], COLUMNS), "FILE_EMPTY"),
        (sheet([("", "x", "1", "1"), ("a", "x", "y", "1")], COLUMNS), "FILE_NO_VALID_ROW"),
    ):
        outcome = shop.put(content)
        assert (outcome.state, outcome.version, outcome.keeps_withheld) == (State.REFUSED, None, True)
        assert [reason["code"] for reason in outcome.reasons] == [code]
        assert outcome.receipt["findings"][0]["code"] == code
        assert shop.errors(outcome)[0]["code"] == code
    assert len(shop.products()) == 5
    assert outcome.receipt["rows"] | {"read": 2, "accepted": 0, "rejected": 2} == outcome.receipt["rows"]
    assert "corrections" in {made.kind for made in outcome.made}


def test_a_damaged_file_is_refused_with_what_was_found(shop):
    outcome = shop.put(gzip.compress(sheet(rows(5000), COLUMNS).encode())[:-2000], name="c.csv.gz")
    assert outcome.state in (State.UNFINISHED, State.REFUSED)
    assert outcome.reasons[0]["code"] in ("FILE_INCOMPLETE", "FILE_TRUNCATED")


def test_a_file_that_stops_in_the_middle_is_unfinished(shop):
    outcome = shop.put(sheet(rows(3), COLUMNS)[:-8], complete=False)
    assert outcome.state is State.UNFINISHED
    assert outcome.reasons[0]["code"] == "FILE_INCOMPLETE"
    assert outcome.complete_reason
    assert codes(outcome)["FILE_INCOMPLETE"] == 1


def test_without_the_key_column_the_file_is_refused(shop):
    outcome = put(shop, [("x", "1")], columns=("name", "price"))
    assert outcome.reasons[0]["code"] == "FILE_HEADER_MISSING"
    assert outcome.receipt["rows"]["read"] == 0


# duplicates


def test_of_rows_with_one_key_the_last_wins_and_equal_ones_collapse(shop):
    outcome = put(shop, [("a", "old", "1", "1"), ("b", "b", "1", "1"), ("a", "new", "2", "1"), ("b", "b", "1.00", "1")])
    assert outcome.receipt["rows"] | {"read": 4, "accepted": 2, "duplicates": 2} == outcome.receipt["rows"]
    assert codes(outcome) == {"CATALOG_DUPLICATE_KEY": 1, "CATALOG_DUPLICATE_ROW": 1}
    assert shop.products()["a"]["name"] == "new"
    assert [error["row"] for error in shop.errors(outcome)] == ["2", "3"]
    assert outcome.receipt["rows"]["warned"] == 0


def test_a_brand_may_refuse_files_that_repeat_keys(shop):
    shop.settings = BrandSettings(duplicates="refuse")
    assert put(shop, [("a", "x", "1", "1"), ("a", "x", "1", "1")]).state is State.PUBLISHED
    outcome = put(shop, [("a", "x", "1", "1"), ("a", "y", "1", "1")])
    assert outcome.state is State.REFUSED
    assert [reason["code"] for reason in outcome.reasons] == ["CATALOG_DUPLICATE_KEY"]
    assert [error["row"] for error in shop.errors(outcome)] == ["", "2"]


def test_a_rejected_row_does_not_take_part_in_duplicates(shop):
    outcome = put(shop, [("a", "good", "1", "1"), ("a", "bad", "x", "1")])
    assert (outcome.receipt["rows"]["duplicates"], outcome.receipt["rows"]["rejected"]) == (0, 1)
    assert outcome.receipt["rows"]["retained"] == 0
    assert shop.products()["a"]["name"] == "good"


def test_a_repeat_in_a_unique_column_is_rejected_late_with_its_row_for_correction(tmp_path):
    shop = Shop(tmp_path, small_rules(tmp_path, '[column.code]\ntype = "text"\nunique = true\n'))
    columns = ("sku", "name", "code")
    put(shop, [("a", "A", "1"), ("b", "B", "2"), ("c", "C", "")], columns)
    outcome = put(shop, [("a", "A", "1"), ("b", "B2", "1"), ("c", "C", ""), ("d", "D", "")], columns)
    assert outcome.receipt["rows"] | {"accepted": 3, "rejected": 1, "retained": 1} == outcome.receipt["rows"]
    assert shop.products()["b"]["code"] == "2"
    [error] = shop.errors(outcome)
    assert (error["row"], error["code"], error["column"]) == ("3", "FIELD_VALUE", "code")
    [row] = table(shop.file(outcome, "corrections"))
    assert (row["sku"], row["name"], row["_row"], row["_codes"]) == ("b", "B2", "3", "FIELD_VALUE")


# guards


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


# partial files


def test_rows_of_a_partial_file_are_merged_with_the_current_products(shop):
    put(shop, rows(10))
    outcome = put(shop, [("A-1", "", "99.00"), ("A-2", "\\N", ""), ("B-1", "new", "")], COLUMNS[:3], mode=Mode.PARTIAL)
    assert outcome.receipt["changes"] | {"created": 1, "updated": 2, "removed": 0} == outcome.receipt["changes"]
    assert outcome.keeps_withheld
    assert shop.products()["A-1"] == {"sku": "A-1", "name": "name 1", "price": "99.00", "stock": "1"}
    assert shop.products()["A-2"] == {"sku": "A-2", "price": "12.50", "stock": "2"}
    assert shop.products()["B-1"] == {"sku": "B-1", "name": "new"}
    assert len(shop.products()) == outcome.products == 11


def test_a_row_of_a_partial_file_may_not_have_the_unique_value_of_a_product_that_stays(tmp_path):
    shop = Shop(tmp_path, small_rules(tmp_path, '[column.code]\ntype = "text"\nunique = true\n'))
    columns = ("sku", "name", "code")
    put(shop, [("a", "A", "1"), ("b", "B", "2"), ("c", "C", "3")], columns)
    swap = [("b", "B", "3"), ("c", "C", "2"), ("d", "D", "1"), ("a2", "A", "")]
    outcome = put(shop, swap, columns, mode=Mode.PARTIAL)
    [error] = shop.errors(outcome)
    assert (error["row"], error["code"], error["column"], error["value"]) == ("4", "FIELD_VALUE", "code", "1")
    assert "the product a has the same value" in error["message"]
    assert {sku: product.get("code") for sku, product in shop.products().items()} == {
        "a": "1",
        "b": "3",
        "c": "2",
        "a2": None,
    }


def test_a_row_of_a_partial_file_is_warned_of_the_gtin_of_a_product_that_stays(tmp_path):
    shop = Shop(tmp_path, small_rules(tmp_path, '[column.gtin]\ntype = "gtin"\n'))
    columns = ("sku", "name", "gtin")
    put(shop, [("a", "A", "4006381333931"), ("b", "B", "")], columns)
    outcome = put(shop, [("b", "B", "4006381333931"), ("a3", "A", "")], columns, mode=Mode.PARTIAL)
    [warning] = shop.errors(outcome)
    assert (warning["row"], warning["code"], warning["severity"]) == ("2", "CATALOG_GTIN_DUPLICATE", "warning")
    assert "the product a of the current catalog" in warning["message"]
    again = put(shop, [("a", "A", r"\N"), ("b", "B", "4006381333931")], columns, mode=Mode.PARTIAL)
    assert shop.errors(again) == []


def test_a_partial_file_deletes_by_op(shop):
    put(shop, rows(10))
    given = [
        ("A-1", "delete", ""),
        ("zz", "delete", ""),
        ("A-2", "", "renamed"),
        ("A-3", "delete", ""),
        ("A-3", "", "back"),
    ]
    outcome = put(shop, given, ("sku", "_op", "name"), mode=Mode.PARTIAL)
    assert outcome.receipt["rows"] | {"read": 5, "accepted": 4, "duplicates": 1} == outcome.receipt["rows"]
    assert outcome.receipt["changes"] | {"deleted": 1, "updated": 2, "unchanged": 1} == outcome.receipt["changes"]
    assert "A-1" not in shop.products()
    assert shop.products()["A-3"]["name"] == "back"
    assert "_deleted" not in pq.read_schema(shop.base.path).names


def test_in_a_full_file_op_is_ignored(shop):
    put(shop, rows(3))
    outcome = put(shop, [(*row, "delete") for row in rows(3)], (*COLUMNS, "_op"))
    assert outcome.state is State.UNCHANGED


def test_a_partial_file_leaves_columns_alone_that_it_lacks_even_kept_ones(shop):
    shop.settings = BrandSettings(unknown_columns="keep")
    put(shop, [("a", "A", "red"), ("b", "B", "blue")], ("sku", "name", "Shade"))
    put(shop, [("a", "A2")], ("sku", "name"), mode=Mode.PARTIAL)
    assert shop.products() == {
        "a": {"sku": "a", "name": "A2", "Shade": "red"},
        "b": {"sku": "b", "name": "B", "Shade": "blue"},
    }
    outcome = put(shop, [("b", "green")], ("sku", "Shade"), mode=Mode.PARTIAL)
    assert [tuple(line.values()) for line in shop.told(outcome)] == [("updated", "b", "Shade", "blue", "green")]


def test_a_first_partial_file_creates(shop):
    outcome = put(shop, [("a", "A"), ("b", "")], ("sku", "name"), mode=Mode.PARTIAL)
    assert (outcome.state, outcome.receipt["changes"]["created"]) == (State.PUBLISHED, 2)


# dry runs


def test_a_dry_run_says_what_would_happen_and_changes_nothing(shop):
    put(shop, rows(200))
    outcome = put(shop, rows(100), mode=Mode.TEST)
    assert (outcome.state, outcome.version) == (State.TESTED, None)
    assert outcome.receipt["would_be"] == "published"
    assert outcome.receipt["changes"] | {"withheld": 100, "removed": 0} == outcome.receipt["changes"]
    assert outcome.receipt["products"] == {"before": 200, "after": 200}
    assert {made.kind for made in outcome.made} == {"withheld"}
    assert shop.withheld is None
    held = put(shop, [(f"a{n}", "x", "10.50", "1") for n in range(100)], mode=Mode.TEST)
    assert (held.state, held.receipt["would_be"]) == (State.TESTED, "held")
    refused = shop.put("", mode=Mode.TEST)
    assert (refused.state, refused.receipt["would_be"]) == (State.TESTED, "refused")
    same = put(shop, rows(200), mode=Mode.TEST)
    assert same.receipt["would_be"] == "unchanged"


# corrections


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


# versions


def test_bytes_of_an_older_version_are_told_as_a_revert(shop):
    put(shop, rows(10))
    put(shop, rows(11))
    outcome = put(shop, rows(10))
    assert outcome.state is State.PUBLISHED
    assert codes(outcome)["CATALOG_REVERT"] == 1
    assert "version 1" in shop.errors(outcome)[0]["message"]


def test_a_rollback_is_a_new_version_equal_to_the_old_one(shop):
    put(shop, rows(10))
    old = shop.base
    put(shop, [*rows(9), ("B-1", "b", "1", "1")])
    made = shop.rollback(old)
    assert (made.number, made.products) == (3, 10)
    assert made.changes | {"created": 1, "removed": 1, "unchanged": 9} == made.changes
    assert shop.products() == products(old.path)


def test_another_column_in_the_rules_changes_no_product_until_it_is_filled(shop, tmp_path):
    put(shop, rows(10))
    shop.rules = small_rules(tmp_path, '[column.color]\ntype = "text"\n')
    assert put(shop, rows(10)).state is State.UNCHANGED
    given = [(*row, "red" if row[0] == "A-1" else "") for row in rows(10)]
    outcome = put(shop, given, (*COLUMNS, "color"))
    assert [tuple(line.values()) for line in shop.told(outcome)] == [("updated", "A-1", "color", "", "red")]


def test_a_column_of_another_type_is_taken_over_where_it_fits(shop, tmp_path):
    put(shop, [("a", "A", "1", "5"), ("b", "B", "1", "6")])
    rules = (tmp_path / "rules.toml").read_text().replace('"integer"', '"text"')
    (tmp_path / "rules.toml").write_text(rules)
    from sftp_gateway.catalog import schema

    shop.rules = schema.load(tmp_path / "rules.toml")
    outcome = put(shop, [("a", "A", "1", "5"), ("b", "B", "x", "6")])
    assert (outcome.state, outcome.receipt["rows"]["retained"]) == (State.UNCHANGED, 1)
    put(shop, [("a", "A2", "1", "5"), ("b", "B", "x", "6")])
    assert shop.products()["b"]["stock"] == "6"


# every finding


def test_every_finding_is_written_in_order_and_the_receipt_samples_ten(shop):
    given = [(f"A-{n}", "n", "bad" if n % 3 == 0 else "1", "x" if n % 4 == 0 else "1") for n in range(3000)]
    outcome = put(shop, [*given, ("A-1", "n", "2", "1")])
    errors = shop.errors(outcome)
    assert len(errors) == 1000 + 750 + 1
    assert [int(error["row"]) for error in errors] == sorted(int(error["row"]) for error in errors)
    assert codes(outcome) == {"FIELD_TYPE": 1750, "CATALOG_DUPLICATE_KEY": 1}
    twin = next(made.path for made in outcome.made if made.kind == "errors_json")
    lines = [json.loads(line) for line in gzip.decompress(twin.read_bytes()).splitlines()]
    assert [line["row"] for line in lines] == [int(error["row"]) for error in errors]
    assert lines[0]["upload"] == 1


def test_progress_is_told_by_stage(shop):
    told = []
    put(shop, rows(2))
    job = shop.past[1].job
    again = shop.folder / "again"
    again.mkdir()
    import dataclasses

    run.process(dataclasses.replace(job, out=again), shop.lookup, lambda stage, share: told.append((stage, share)))
    assert [stage for stage, _ in told] == ["read", "check", "diff", "publish"]
    assert all(0 <= share <= 1 for _, share in told)


def test_what_is_left_in_the_directory_is_what_was_made(shop):
    put(shop, rows(50))
    outcome = put(shop, rows(20))
    out = shop.past[2].job.out
    assert {path.name for path in out.iterdir() if path.is_file()} == {made.path.name for made in outcome.made}
