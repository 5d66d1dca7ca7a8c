"""A full file: published, unchanged, refused; duplicates; every finding."""

import gzip
import json

import pyarrow.parquet as pq
import pytest
from msgspec import structs

from sftp_gateway import receipt
from sftp_gateway.brand import Brand, BrandSettings, Guards
from sftp_gateway.catalog import engine, run, stage, versionfile
from sftp_gateway.catalog.comparing import changes
from sftp_gateway.render import text
from sftp_gateway.upload import State
from tests.catalog_shop import COLUMNS, EPOCH, RULES, Shop, codes, put, rows, sheet, small_rules, table

# a full file


def test_a_first_file_is_published_as_version_one(shop):
    outcome = put(shop, rows(30))
    assert (outcome.state, outcome.version, outcome.products) == (State.PUBLISHED, 1, 30)
    assert outcome.columns == COLUMNS
    assert shop.products()["A-8"] == {"sku": "A-8", "name": "name 8", "price": "11.50", "stock": "3"}
    assert [line["op"] for line in shop.told(outcome)] == ["created"] * 30


def test_a_first_version_tells_of_the_rows_that_stay_in_their_order(shop, monkeypatch):
    monkeypatch.setattr(versionfile, "GROUP_ROWS", 7)
    twice = [*rows(30), ("A-3", "another", "1", "1"), ("A-9", "another", "1", "1")]
    outcome = put(shop, twice)
    assert [line["key"] for line in shop.told(outcome)] == [row[0] for row in twice if row not in (twice[3], twice[9])]
    assert outcome.receipt["changes"]["created"] == 30


def test_lines_of_a_version_that_is_not_made_are_not_kept(shop, monkeypatch):
    monkeypatch.setattr(versionfile, "GROUP_ROWS", 7)
    for given in ([("", "no key", "1", "1")] * 30, [("A-1", "half bad", "1", "1"), ("", "no key", "1", "1")] * 20):
        outcome = put(shop, given)
        assert outcome.version is None
        assert {made.kind for made in outcome.made} <= {"errors", "errors_json", "corrections", "accepted", "rejected"}
    left = {path.name for path in shop.folder.rglob("*")}
    assert not {name for name in left if "changes" in name}


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
    assert own["rules"] == shop.rules.digest_with(shop.settings)
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
    assert changes.changed_keys([shop.changes[-1]]).to_pylist() == ["A-3", "B-1", "A-29"]


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


@pytest.mark.parametrize(
    ("count", "said"), [(1, "its one row could not be used"), (1200, "none of the 1,200 rows could")]
)
def test_a_file_without_a_usable_row_says_of_how_many(shop, count, said):
    outcome = shop.put(sheet([(f"A{n}", "x", "y", "1") for n in range(count)], COLUMNS))
    assert outcome.reasons[0]["text"].startswith(said)


def test_a_damaged_file_is_refused_with_what_was_found(shop):
    outcome = shop.put(gzip.compress(sheet(rows(5000), COLUMNS).encode())[:-2000], name="c.csv.gz")
    assert outcome.state in (State.UNFINISHED, State.REFUSED)
    assert outcome.reasons[0]["code"] in ("FILE_INCOMPLETE", "FILE_TRUNCATED")


def test_a_file_that_stops_in_the_middle_is_unfinished(shop):
    outcome = shop.put(sheet(rows(3), COLUMNS)[:-8], complete=False)
    assert outcome.state is State.UNFINISHED
    assert outcome.reasons[0]["code"] == "FILE_INCOMPLETE"
    assert outcome.reasons[0]["text"]
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


def test_a_file_refused_for_its_keys_brings_its_bad_rows_back_for_correction(tmp_path):
    more = '[column.code]\ntype = "text"\nunique = true\n'
    shop = Shop(tmp_path, small_rules(tmp_path, more), settings=BrandSettings(duplicates="refuse"))
    given = [
        ("a", "x", "1", "1"),
        ("a", "y", "1", "2"),
        ("b", "z", "bad", "3"),
        ("c", "z", "1", "4"),
        ("d", "z", "1", "4"),
    ]
    outcome = put(shop, given, ("sku", "name", "price", "code"))
    assert [reason["code"] for reason in outcome.reasons] == ["CATALOG_DUPLICATE_KEY"]
    assert outcome.receipt["rows"] | {"read": 5, "rejected": 4, "duplicates": 1} == outcome.receipt["rows"]
    assert [(row["sku"], row["_codes"]) for row in table(shop.file(outcome, "corrections"))] == [
        ("b", "FIELD_TYPE"),
        ("d", "FIELD_VALUE"),
    ]
    assert [file["name"] for file in outcome.receipt["files"]] == [
        "catalog.csv.1.errors.csv",
        "catalog.csv.1.corrections.csv",
    ]
    plain = put(shop, given[:2], ("sku", "name", "price", "code"))
    assert [file["name"] for file in plain.receipt["files"]] == ["catalog.csv.2.errors.csv"]


def test_a_rejected_row_does_not_take_part_in_duplicates(shop):
    outcome = put(shop, [("a", "good", "1", "1"), ("a", "bad", "x", "1")])
    assert (outcome.receipt["rows"]["duplicates"], outcome.receipt["rows"]["rejected"]) == (0, 1)
    assert outcome.receipt["rows"]["retained"] == 0
    assert shop.products()["a"]["name"] == "good"


def test_memory_is_given_back_before_the_database_looks_at_rows_on_disk(shop, monkeypatch):
    given = []
    monkeypatch.setattr(engine, "give_back_memory", lambda: given.append(1))
    put(shop, rows(3))
    assert bool(given) is (stage.MEMORY_BYTES < 0)


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

    run.process(structs.replace(job, out=again), shop.lookup, lambda stage, share: told.append((stage, share)))
    assert [stage for stage, _ in told] == ["read", "check", "diff", "publish"]
    assert all(0 <= share <= 1 for _, share in told)


def test_what_is_left_in_the_directory_is_what_was_made(shop):
    put(shop, rows(50))
    outcome = put(shop, rows(20))
    out = shop.past[2].job.out
    assert {path.name for path in out.iterdir() if path.is_file()} == {made.path.name for made in outcome.made}


def test_a_row_for_correction_has_its_own_reasons_where_keys_come_twice_in_others(tmp_path):
    rules = small_rules(tmp_path, '[column.code]\ntype = "text"\nunique = true\n')
    shop = Shop(tmp_path, rules, BrandSettings(duplicates="refuse"))
    given = [(f"A{number}", "x", f"c{number}") for number in range(12)]
    given[3] = ("A3", "x", "c1")
    outcome = shop.put(sheet([*given, ("A9", "y", "d"), ("A0", "y", "e")], ("sku", "name", "code")))
    assert outcome.state is State.REFUSED
    assert [(line["sku"], line["_codes"]) for line in table(shop.file(outcome, "corrections"))] == [
        ("A3", "FIELD_VALUE")
    ]


def test_a_value_that_should_be_unique_and_is_told_as_a_warning_costs_no_row(tmp_path):
    shop = Shop(tmp_path, small_rules(tmp_path, '[column.code]\ntype = "text"\nunique = true\nseverity = "warning"\n'))
    sent = put(shop, [("A", "7"), ("B", "7"), ("C", "8")], ("sku", "code"))
    assert (sent.receipt["rows"]["accepted"], sent.receipt["rows"]["rejected"]) == (3, 0)
    assert sent.receipt["rows"]["warned"] == 1
    assert [(row["key"], row["code"], row["severity"]) for row in shop.errors(sent)] == [
        ("B", "FIELD_VALUE", "warning")
    ]
    assert shop.products()["B"] == {"sku": "B", "code": "7"}


def test_a_product_that_stays_keeps_the_columns_that_the_file_has_no_more(tmp_path):
    shop = Shop(tmp_path, small_rules(tmp_path), settings=BrandSettings(unknown_columns="keep"))
    shop.guards = Guards(column_emptied=1.0)
    given = [(f"S{n}", n, "wool" if n else "", f"I{n}", "") for n in range(6)]
    put(shop, given, ("sku", "stock", "Care", "Ink", "Void"))
    outcome = put(shop, [("S0", 9), ("S1", "x")], ("sku", "stock"))
    assert (outcome.receipt["rows"]["retained"], outcome.receipt["changes"]["withheld"]) == (1, 4)
    assert shop.products()["S1"] == {"sku": "S1", "stock": "1", "Care": "wool", "Ink": "I1"}
    assert shop.products()["S5"] == {"sku": "S5", "stock": "5", "Care": "wool", "Ink": "I5"}
    assert shop.products()["S0"] == {"sku": "S0", "stock": "9"}
    mended = put(shop, [(f"S{n}", n) for n in range(6)], ("sku", "stock"))
    told = {(row["key"], row["column"], row["before"], row["after"]) for row in shop.told(mended)}
    lost = {(f"S{n}", name, given[n][at], "") for n in range(1, 6) for at, name in ((2, "Care"), (3, "Ink"))}
    assert told == {*lost, ("S0", "stock", "9", "0")}
    assert "Care" not in pq.read_schema(shop.base.path).names


def test_the_template_of_a_brand_whose_files_have_no_header_is_read_as_it_stands(tmp_path):
    own = BrandSettings(columns={"name": "#1", "sku": "#2", "msrp": "#4"})
    shop = Shop(tmp_path, settings=own)
    header = text.template(Brand("acme", True, EPOCH, own, 0), RULES).decode()
    row = "Chair,A-1,,12.50,Maker".ljust(22 + header.count(",") - 4, ",")
    assert shop.put(f"{header}{row}\n", name="filled.csv").state is State.PUBLISHED
    product = shop.products()["A-1"]
    assert [product[name] for name in ("sku", "name", "msrp", "brand")] == ["A-1", "Chair", "12.50", "Maker"]
    bare = shop.put("Chair,A-1,,13.50\nTable,A-2,,20.00\n", name="bare.csv")
    assert (bare.receipt["rows"]["accepted"], bare.receipt["rows"]["rejected"]) == (2, 0)


@pytest.mark.parametrize("columns", [("variation:Width",), ("Option1 Name", "Option1 Value")])
def test_a_required_map_may_come_in_columns_of_its_entries_alone(tmp_path, columns):
    shop = Shop(tmp_path, small_rules(tmp_path, '[column.variation]\ntype = "map"\nrequired = true\n'))
    entry = ("Width", "Wide")[-len(columns) :]
    outcome = put(shop, [("a", *entry), ("b", *([""] * len(columns)))], ("sku", *columns))
    assert (outcome.state, shop.products()["a"]["variation"]) == (State.PUBLISHED, '{"Width": "Wide"}')
    [error] = shop.errors(outcome)
    assert (error["key"], error["column"], error["code"]) == ("b", "variation", "FIELD_REQUIRED")


UNIQUE = '[column.code]\ntype = "text"\nunique = true\n'


def coded(shop, **cells):
    """Send products by sku: code, and price where it is not 1."""
    given = [(sku, *cell.split(), "1")[:3] for sku, cell in cells.items()]
    return put(shop, given, ("sku", "code", "price"))


def codes_of(shop):
    return {sku: product.get("code") for sku, product in shop.products().items()}


def test_a_row_may_not_have_the_unique_value_of_a_product_that_its_own_rejected_row_keeps(tmp_path):
    shop = Shop(tmp_path, small_rules(tmp_path, UNIQUE))
    coded(shop, A="1", B="2", C="3", D="4")
    outcome = coded(shop, A="1 bad", B="1", C="2", D="9", E="4")
    assert codes_of(shop) == {"A": "1", "B": "2", "C": "3", "D": "9", "E": "4"}
    assert (outcome.receipt["rows"]["rejected"], outcome.receipt["rows"]["retained"]) == (3, 3)
    found = [(error["row"], error["code"], error["message"]) for error in shop.errors(outcome)]
    assert [code for _, code, _ in found] == ["FIELD_TYPE", "FIELD_VALUE", "FIELD_VALUE"]
    assert "the product A has the same value" in found[1][2]
    assert "the product B has the same value" in found[2][2]
    again = shop.put(shop.file(outcome, "corrections").replace("bad", "5").replace("B,1", "B,7"), name="fix.csv")
    assert again.state is State.PUBLISHED
    assert codes_of(shop) | {"A": "1", "B": "7"} == codes_of(shop)


def test_a_row_may_not_have_the_value_of_a_product_whose_row_repeats_another(tmp_path):
    shop = Shop(tmp_path, small_rules(tmp_path, UNIQUE))
    coded(shop, A="1", B="2", C="3")
    coded(shop, A="9", B="9", C="2")
    assert codes_of(shop) == {"A": "9", "B": "2", "C": "3"}
    coded(shop, A="2", B="3", C="9")  # none of them stays as it is
    assert codes_of(shop) == {"A": "2", "B": "3", "C": "9"}


def test_a_row_may_not_have_the_unique_value_of_a_product_whose_removal_is_withheld(tmp_path):
    shop = Shop(tmp_path, small_rules(tmp_path, UNIQUE))
    whole = {f"P{n}": str(n) for n in range(100)}
    coded(shop, **whole)
    half = {sku: code for sku, code in whole.items() if int(code) < 49} | {"P0": "98", "N": "99"}
    outcome = coded(shop, **half)
    assert (outcome.receipt["changes"]["withheld"], outcome.receipt["rows"]["rejected"]) == (51, 2)
    assert codes_of(shop) == whole
    assert [error["message"] for error in shop.errors(outcome)] == [
        "code must be unique, and the product P98 has the same value",
        "code must be unique, and the product P99 has the same value",
    ]
    shop.wait(600)
    outcome = coded(shop, **half)  # confirms the removals: the values are free
    assert (outcome.receipt["changes"]["removed"], outcome.receipt["rows"]["rejected"]) == (51, 0)
    assert codes_of(shop) == half


def test_a_row_may_have_the_unique_value_of_a_product_that_it_removes(tmp_path):
    shop = Shop(tmp_path, small_rules(tmp_path, UNIQUE))
    whole = {f"P{n}": str(n) for n in range(100)}
    coded(shop, **whole)
    half = {sku: code for sku, code in whole.items() if int(code) < 50} | {"P0": "98", "N": "99"}
    outcome = coded(shop, **half)
    assert (outcome.receipt["changes"]["removed"], outcome.receipt["rows"]["rejected"]) == (50, 0)
    assert codes_of(shop) == half


@pytest.mark.parametrize("way", ["refused", "approved"])
def test_a_unique_value_is_free_when_its_product_goes_and_not_when_it_is_kept(tmp_path, way):
    shop = Shop(tmp_path, small_rules(tmp_path, UNIQUE))
    whole = {f"P{n}": str(n) for n in range(100)}
    coded(shop, **whole)
    half = {sku: code for sku, code in whole.items() if int(code) < 49} | {"N": "99"}
    coded(shop, **half)
    if way == "refused":
        shop.refuse()
    else:
        shop.release()
    again = coded(shop, **half)
    assert again.state is (State.UNCHANGED if way == "refused" else State.PUBLISHED)
    assert codes_of(shop) == (whole if way == "refused" else half)


def test_a_gtin_of_a_product_that_its_rejected_row_keeps_is_told(tmp_path):
    shop = Shop(tmp_path, small_rules(tmp_path, '[column.gtin]\ntype = "gtin"\n'))
    columns = ("sku", "gtin", "price")
    put(shop, [("A", "4006381333931", "1"), ("B", "4006381333948", "1")], columns)
    outcome = put(shop, [("A", "4006381333931", "bad"), ("B", "4006381333931", "1")], columns)
    assert [(error["row"], error["code"], error["severity"]) for error in shop.errors(outcome)] == [
        ("2", "FIELD_TYPE", "error"),
        ("3", "CATALOG_GTIN_DUPLICATE", "warning"),
    ]
