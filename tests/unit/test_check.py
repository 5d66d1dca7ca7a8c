"""Blocks of rows through types, limits and rules: what is good, what is found, in every mode."""

import csv
import io
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from msgspec import structs

from sftp_gateway.brand import BrandSettings
from sftp_gateway.catalog import findings
from sftp_gateway.catalog.checking import check, headers
from sftp_gateway.catalog.read.source import Block
from sftp_gateway.catalog.rules import schema
from sftp_gateway.upload import Mode

SCHEMA = schema.load()
REAL = Path("/work/shared/data/real")


class File:
    """A file already split into rows, in blocks."""

    def __init__(self, text: str, block_rows: int = 1000) -> None:
        self.headers, *self.rows = list(csv.reader(io.StringIO(text)))
        self.block_rows = block_rows

    def blocks(self) -> Iterator[Block]:
        for start in range(0, len(self.rows), self.block_rows):
            rows = self.rows[start : start + self.block_rows]
            columns = tuple(pa.array([row[at] for row in rows], pa.string()) for at in range(len(self.headers)))
            numbers = np.arange(start + 2, start + 2 + len(rows))
            yield Block(columns, numbers, line=numbers * 10, offset=numbers * 100)


class Result:
    """What checking a whole file gave, block after block."""

    def __init__(self, blocks: list[check.Checked], checker: check.Checker) -> None:
        self.blocks, self.checker = blocks, checker
        self.good = pa.concat_tables([block.good for block in blocks])
        self.found = pa.concat_tables([block.findings for block in blocks]).to_pylist()
        self.codes = [(item["row"], item["column"], item["code"], item["severity"]) for item in self.found]

    def column(self, name: str) -> list[Any]:
        return self.good[name].to_pylist()


def run(
    text: str,
    settings: BrandSettings | None = None,
    mode: Mode = Mode.FULL,
    rules: schema.Schema = SCHEMA,
    block_rows: int = 1000,
) -> Result:
    file, settings = File(text, block_rows), settings or BrandSettings()
    mapping = headers.match(file.headers, rules, settings, mode)
    evidence = None
    while True:
        checker = check.Checker(rules, settings, mapping, mode, "acme", evidence)
        try:
            return Result([checker.check(block) for block in file.blocks()], checker)
        except check.NeedsEvidence:
            assert evidence is None, "a surveyed file asks no second time"
            evidence = check.survey(file, mapping, rules, settings)


def rules(text: str) -> schema.Schema:
    return schema.parse('key = ["sku"]\n[column.sku]\ntype = "text"\n' + text)


def test_a_good_row_is_typed_in_the_order_of_the_rules():
    result = run("name,sku,msrp,qty,Weight (kg)\nChair, A-1 ,12.50,3,1.5\n")
    assert result.found == []
    names = [column.name for column in SCHEMA.columns]
    assert result.good.column_names[: len(names)] == names
    assert result.good.column_names[-5:] == [
        "_base.shipping_height",
        "_base.shipping_length",
        "_base.shipping_width",
        "_base.shipping_weight",
        "_row",
    ]
    row = result.good.to_pylist()[0]
    assert row["sku"] == "A-1"
    assert row["msrp"] == Decimal("12.5000")
    assert (row["quantity"], row["brand"], row["is_visible"], row["_row"]) == (3, "acme", True, 2)
    assert (row["shipping_weight"], row["_base.shipping_weight"]) == ("1.5 kg", "1.5 kg")


def test_all_blocks_have_one_schema_whatever_they_hold():
    result = run("sku,name,msrp,cost,gtin,images\nA,n,1,,,\nB,n,1,2,4006381333931,/a.jpg\nC,,x,x,x,x\n", block_rows=1)
    assert len({block.good.schema for block in result.blocks}) == 1


def test_a_finding_names_row_line_offset_key_column_and_value():
    result = run("sku,name,msrp\nA,n,1\nB,n,abc\n")
    assert result.blocks[0].findings.schema == findings.SCHEMA
    assert result.found == [
        {
            "row": 3,
            "line": 30,
            "byte_offset": 300,
            "key": "B",
            "column": "msrp",
            "value": "abc",
            "code": "FIELD_TYPE",
            "severity": "error",
            "message": "is not a number",
            "suggestion": "write digits, like 12.50",
        }
    ]
    assert result.column("sku") == ["A"]
    assert result.blocks[0].rejected.tolist() == [1]
    assert result.blocks[0].accepted.tolist() == [0]
    assert result.blocks[0].rejected_keys.to_pylist() == ["B"]


def test_where_whole_numbers_are_wanted_the_words_say_so():
    [finding] = run("sku,name,msrp,quantity\nA,n,1,many\n").found
    assert (finding["message"], finding["suggestion"]) == ("is not a whole number", "write digits, like 12")


def test_findings_are_in_the_order_of_rows_and_every_bad_cell_has_one():
    result = run("sku,name,msrp,cost,qty\nA,,x,0,y\nB,n,1,,\nC,,1,,-1\n")
    assert result.codes == [
        (2, "msrp", "FIELD_TYPE", "error"),
        (2, "quantity", "FIELD_TYPE", "error"),
        (2, "name", "FIELD_REQUIRED", "error"),
        (2, "cost", "FIELD_RANGE", "error"),
        (4, "name", "FIELD_REQUIRED", "error"),
        (4, "quantity", "FIELD_RANGE", "error"),
    ]


def test_long_values_are_cut_in_findings():
    result = run(f"sku,name,msrp\nA,n,{'x' * 1000}\n")
    assert result.found[0]["value"] == "x" * 256 + "…"


@pytest.mark.parametrize(
    ("cost", "fine"), [("0.0001", True), ("0", False), ("0.00", False), ("-1", False), ("99999999999999", True)]
)
def test_cost_is_above_zero(cost, fine):
    result = run(f"sku,name,msrp,cost\nA,n,99999999999999,{cost}\n")
    assert [code for _, _, code, _ in result.codes] == ([] if fine else ["FIELD_RANGE"])


@pytest.mark.parametrize(("length", "fine"), [(255, True), (256, False)])
def test_lengths_count_characters_not_bytes(length, fine):
    result = run(f"sku,name,msrp\nA,{'é' * length},1\n")
    assert result.codes == ([] if fine else [(2, "name", "FIELD_LENGTH", "error")])
    if not fine:
        assert result.found[0]["message"] == "has 256 characters; name may have 255"


def test_patterns_match_the_whole_value():
    result = run("sku,c\nA,A-1\nB,xA-1\n", rules=rules('[column.c]\ntype = "text"\npattern = "A-[0-9]|B"\n'))
    assert result.codes == [(3, "c", "FIELD_PATTERN", "error")]


def test_enums_suggest_the_nearest_value():
    result = run("sku,c\nA,new\nB,New\n", rules=rules('[column.c]\ntype = "enum"\nvalues = ["new", "used"]\n'))
    assert result.codes == [(3, "c", "FIELD_VALUE", "error")]
    assert result.found[0]["suggestion"] == "did you mean new?"


def test_a_column_of_severity_warning_drops_the_value_and_keeps_the_row():
    own = rules('[column.c]\ntype = "integer"\nmin = 1\nseverity = "warning"\n')
    result = run("sku,c\nA,x\nB,0\nC,5\n", rules=own)
    assert result.codes == [(2, "c", "FIELD_TYPE", "warning"), (3, "c", "FIELD_RANGE", "warning")]
    assert result.column("c") == [None, None, 5]


def test_defaults_fill_blank_cells_and_never_bad_ones():
    own = rules(
        '[column.c]\ntype = "money"\ndefault = 1.5\nseverity = "warning"\n[column.b]\ntype = "text"\ndefault = "@brand"\n'
    )
    result = run("sku,c\nA,\nB,x\nC,2\n", rules=own)
    assert result.column("c") == [Decimal("1.5000"), None, Decimal("2.0000")]
    assert result.column("b") == ["acme"] * 3


def test_the_currency_of_the_brand_is_the_default():
    result = run("sku,name,msrp,currency\nA,n,1,\nB,n,1,usd\n", BrandSettings(currency="EUR"))
    assert result.column("currency") == ["EUR", "USD"]


def test_a_currency_beside_an_amount_fills_a_blank_one_and_must_not_contradict():
    text = "sku,name,msrp,cost,currency\nA,n,15 USD,,\nB,n,€15,,EUR\nC,n,15 USD,,EUR\nD,n,$15,,CAD\nE,n,15 USD,9 EUR,\nF,n,$5,,\nG,n,£5,,\n"
    result = run(text, BrandSettings(currency="GBP"))
    assert result.codes == [
        (4, "msrp", "FIELD_VALUE", "error"),
        (6, "cost", "FIELD_VALUE", "error"),
        (7, "msrp", "FIELD_VALUE", "error"),
    ]
    assert result.found[0]["message"] == "is in USD, but the currency of this product is EUR"
    assert result.found[0]["value"] == "15 USD"
    assert result.column("currency") == ["USD", "EUR", "CAD", "GBP"]


def test_a_rule_is_a_warning_that_names_itself_and_shows_its_cells():
    result = run("sku,name,msrp,cost\nA,n,5.00,9\nB,n,5,\nC,n,x,9\n")
    assert result.codes == [
        (2, "msrp_not_below_cost", "FIELD_RULE", "warning"),
        (4, "msrp", "FIELD_TYPE", "error"),
    ]
    assert result.found[0]["value"] == "msrp=5.00, cost=9"
    assert result.column("sku") == ["A", "B"]


def test_a_rule_may_reject_and_does_not_judge_bad_cells():
    own = rules(
        '[column.c]\ntype = "integer"\n[rule.r]\nexpression = "c is not null"\nseverity = "error"\nmessage = "m"\n'
    )
    result = run("sku,c\nA,\nB,x\nC,1\n", rules=own)
    assert result.codes == [(2, "r", "FIELD_RULE", "error"), (3, "c", "FIELD_TYPE", "error")]
    assert result.column("sku") == ["C"]


def test_the_first_filled_header_of_a_column_counts_row_by_row():
    result = run("sku,name,msrp,gtinUpc,gtinEan\nA,n,1,036000291452,bad\nB,n,1,,4006381333931\nC,n,1, ,\n")
    assert result.found == []
    assert result.column("gtin") == ["00036000291452", "04006381333931", None]


def test_a_row_without_a_readable_key_is_counted():
    result = run("sku,name,msrp\n,n,1\n4.00638E+12,n,1\nB,,1\n")
    assert result.codes == [
        (2, "sku", "FIELD_REQUIRED", "error"),
        (3, "sku", "FIELD_EXCEL_SCIENTIFIC", "error"),
        (4, "name", "FIELD_REQUIRED", "error"),
    ]
    assert (result.blocks[0].unkeyed, result.blocks[0].rejected_keys.to_pylist()) == (2, ["B"])
    assert [item["key"] for item in result.found] == ["", "4.00638E+12", "B"]


def test_keys_of_several_columns_are_shown_together():
    own = schema.parse(
        'key = ["a", "b"]\n[column.a]\ntype = "text"\n[column.b]\ntype = "integer"\n[column.c]\ntype = "integer"\n'
    )
    result = run("a,b,c\nx,1,y\nx,,1\n", rules=own)
    assert [item["key"] for item in result.found] == ["x | 1", "x | "]
    assert result.blocks[0].unkeyed == 1


def test_expected_columns_that_are_blank_in_every_row_are_one_warning_each():
    result = run("sku,name,msrp,gtin\nA,n,1,\nB,n,1,\n")
    told = {finding.column: finding for finding in result.checker.finish()}
    assert set(told) == {"brand", "cost", "images", "gtin"}
    assert {finding.severity for finding in told.values()} == {"warning"}
    assert {finding.row for finding in told.values()} == {None}
    assert told["gtin"].message == "gtin is blank in every row"
    assert told["brand"].message == "the file has no brand column; every product gets 'acme'"
    result = run("sku,name,msrp,gtin,brand,cost,images\nA,n,1,,,,\nB,n,1,4006381333931,x,1,/a\n", block_rows=1)
    assert result.checker.finish() == []
    assert run("sku,name,msrp\nA,n,1\n", mode=Mode.PARTIAL).checker.finish() == []


def test_unknown_columns_are_kept_as_text_where_the_brand_says_so():
    result = run("sku,name,msrp,Shelf\nA,n,1,007\nB,n,1,\n", BrandSettings(unknown_columns="keep"))
    assert result.column("Shelf") == ["007", None]


# -- numbers and dates decided by the column ----------------------------------------------------------


def test_the_mark_that_other_values_prove_decides_wherever_they_stand():
    text = 'sku,name,msrp\nA,n,1.234\nB,n,7\nC,n,"12,50"\nD,n,"1.234,50"\n'
    for block_rows in (1, 2, 1000):
        result = run(text, block_rows=block_rows)
        assert result.found == []
        assert result.column("msrp") == [Decimal(1234), Decimal(7), Decimal("12.5"), Decimal("1234.5")]
    result = run('sku,name,msrp\nA,n,"1,234"\nB,n,12.50\n', block_rows=1)
    assert result.column("msrp") == [Decimal(1234), Decimal("12.5")]


def test_without_proof_an_ambiguous_value_is_an_error_and_the_rest_is_kept():
    result = run('sku,name,msrp\nA,n,"1,234"\nB,n,7\n', block_rows=1)
    assert result.codes == [(2, "msrp", "FIELD_AMBIGUOUS", "error")]
    assert result.column("msrp") == [Decimal(7)]


def test_proofs_that_contradict_each_other_decide_nothing():
    result = run('sku,name,msrp\nA,n,"1,234"\nB,n,12.50\nC,n,"12,50"\n')
    assert result.codes == [(2, "msrp", "FIELD_AMBIGUOUS", "error")]
    assert result.column("msrp") == [Decimal("12.5"), Decimal("12.5")]


def test_the_brand_decides_without_a_survey():
    text = 'sku,name,msrp,updated_at\nA,n,"1,234",01/02/2026\n'
    mapping = headers.match(File(text).headers, SCHEMA, BrandSettings(), Mode.FULL)
    settings = BrandSettings(decimal=",", date_order="dmy")
    checker = check.Checker(SCHEMA, settings, mapping, Mode.FULL, "acme")
    good = checker.check(next(File(text).blocks())).good.to_pylist()[0]
    assert good["msrp"] == Decimal("1.234")
    assert good["updated_at"].isoformat() == "2026-02-01T00:00:00+00:00"


def test_every_column_that_needs_evidence_is_named_at_once():
    text = 'sku,name,msrp,cost,updated_at\nA,n,"1,234","1,234",01/02/2026\n'
    mapping = headers.match(File(text).headers, SCHEMA, BrandSettings(), Mode.FULL)
    with pytest.raises(check.NeedsEvidence) as caught:
        check.Checker(SCHEMA, BrandSettings(), mapping, Mode.FULL, "acme").check(next(File(text).blocks()))
    assert caught.value.columns == {"msrp", "cost", "updated_at"}


def test_dates_are_decided_by_a_day_beyond_twelve():
    result = run("sku,name,msrp,updated_at\nA,n,1,01/02/2026\nB,n,1,31/01/2026\n", block_rows=1)
    assert [value.isoformat()[:10] for value in result.column("updated_at")] == ["2026-02-01", "2026-01-31"]
    assert run("sku,name,msrp,updated_at\nA,n,1,01/02/2026\n").codes == [(2, "updated_at", "FIELD_AMBIGUOUS", "error")]


def test_the_mark_of_money_with_currencies_and_of_measures_is_surveyed_too():
    result = run('sku,name,msrp,weight\nA,n,"€1,234","1,234 kg"\nB,n,"€5,5","5,5 kg"\n')
    assert result.column("msrp") == [Decimal("1.234"), Decimal("5.5")]
    assert result.column("shipping_weight") == ["1.234 kg", "5.5 kg"]


# -- partial files ------------------------------------------------------------------------------------


def typed(text: str, settings: BrandSettings | None = None) -> tuple[check.Checker, check.Typed]:
    file = File(text)
    mapping = headers.match(file.headers, SCHEMA, settings or BrandSettings(), Mode.PARTIAL)
    checker = check.Checker(SCHEMA, settings or BrandSettings(), mapping, Mode.PARTIAL, "acme")
    return checker, checker.type(next(file.blocks()))


def test_a_partial_row_tells_given_cleared_and_left_alone_cells():
    _, rows = typed("sku,name,qty,cost\nA,Chair,,\\N\nB,,5,\n")
    assert rows.given["name"].tolist() == [True, False]
    assert rows.given["quantity"].tolist() == [False, True]
    assert rows.cleared["cost"].tolist() == [True, False]
    assert rows.given["cost"].tolist() == [False, False]
    assert "msrp" not in rows.given
    assert rows.problems == ()
    assert rows.keys.to_pylist() == ["A", "B"]


def test_defaults_are_for_created_products_only():
    checker, rows = typed("sku,name,msrp\nA,n,1\nB,n,1\n")
    checked = checker.judge(structs.replace(rows, created=np.array([True, False])))
    assert checked.good["is_visible"].to_pylist() == [True, None]
    assert checked.good["brand"].to_pylist() == ["acme", None]


def test_a_new_product_in_a_partial_file_needs_what_every_product_needs():
    checker, rows = typed("sku,qty\nA,1\n")
    checked = checker.judge(rows)
    assert [(item["column"], item["message"]) for item in checked.findings.to_pylist()] == [
        ("name", "name is blank; a new product needs it"),
        ("msrp", "msrp is blank; a new product needs it"),
    ]


def test_a_known_product_is_told_that_it_cannot_lose_what_every_product_needs():
    checker, rows = typed("sku,name,msrp\nA,\\N,1\nB,,1\nC,\\N,1\nD,,1\n")
    created = np.array([False, False, True, True])
    checked = checker.judge(structs.replace(rows, created=created))
    assert [(item["row"], item["message"]) for item in checked.findings.to_pylist()] == [
        (2, "\\N would clear name, but every product needs it"),
        (3, "name is blank; every product needs it"),  # the rules want it since the product was published
        (4, "\\N would clear name, but every product needs it"),
        (5, "name is blank; a new product needs it"),
    ]
    assert checked.findings["suggestion"][0].as_py() == "write a value, or leave the cell blank to keep the name of now"
    full = run("sku,name,msrp\nA,,1\n")
    assert full.found[0]["message"] == "name is blank; every product needs it"


def test_rows_that_delete_need_only_their_key():
    checker, rows = typed("sku,_op,msrp,name\nA,delete,x,\nB,,1,n\n,delete,,\nD,drop,1,n\n")
    assert rows.deleted.tolist() == [True, False, True, False]
    checked = checker.judge(rows)
    assert [(item["row"], item["column"], item["code"]) for item in checked.findings.to_pylist()] == [
        (4, "sku", "FIELD_REQUIRED"),
        (5, "_op", "FIELD_VALUE"),
    ]
    assert checked.good["_deleted"].to_pylist() == [True, False]
    assert checked.good["sku"].to_pylist() == ["A", "B"]
    assert checked.good["is_visible"].to_pylist() == [None, True]


def test_a_full_file_knows_neither_clearing_nor_deleting():
    result = run("sku,name,msrp,_op,color\nA,n,1,delete,\\N\n")
    assert result.column("color") == ["\\N"]
    assert "_deleted" not in result.good.column_names


def test_amounts_of_a_product_without_a_currency_may_not_be_in_two():
    """`$12` and `10 kr` are amounts in two currencies, whichever they are."""
    text = "sku,name,msrp,cost,currency\nA,n,$12,10 kr,\nB,n,12 kr,kr. 10,\nC,n,$12,10,\nD,n,$12,C$10,\nE,n,12 kr,10,\n"
    result = run(text)
    assert result.codes == [(2, "msrp", "FIELD_VALUE", "error"), (2, "cost", "FIELD_VALUE", "error")]
    assert [item["value"] for item in result.found] == ["$12", "10 kr"]
    assert result.column("sku") == ["B", "C", "D", "E"]
    assert run(text, BrandSettings(currency="SEK")).column("sku") == ["B", "E"]


def test_a_currency_contradiction_with_the_current_product_is_found_after_the_merge():
    checker, rows = typed("sku,msrp\nA,15 USD\n")
    merged = rows.table.set_column(rows.table.column_names.index("currency"), "currency", pa.array(["EUR"]))
    merged = merged.set_column(merged.column_names.index("name"), "name", pa.array(["n"]))
    checked = checker.judge(structs.replace(rows, table=merged, created=np.array([False])))
    assert [(item["column"], item["code"]) for item in checked.findings.to_pylist()] == [("msrp", "FIELD_VALUE")]


# -- real files ---------------------------------------------------------------------------------------


def real(name: str) -> str:
    path = REAL / name
    if not path.exists():
        pytest.skip("the shop systems' own files are not here")
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "good", "nameless"),
    [("shopify_apparel.csv", 20, 2), ("shopify_home-and-garden.csv", 20, 1), ("shopify_jewelery.csv", 20, 21)],
)
def test_shopify_files_are_valid_but_for_their_continuation_rows(name, good, nameless):
    result = run(real(name), BrandSettings(columns={"sku": "Handle"}))
    assert result.good.num_rows == good
    assert len(result.blocks[0].rejected) == nameless
    assert sum(code[1:3] == ("name", "FIELD_REQUIRED") for code in result.codes) == nameless


def test_every_row_of_magentos_sample_is_valid():
    result = run(real("magento_products.csv"))
    assert result.found == []
    assert result.good.num_rows == 1994
    assert result.good["msrp"].null_count == 0
    assert '"color": "Black"' in result.column("attribute")[0]


def test_the_template_with_a_mended_header_reads_and_with_mended_cells_is_valid():
    text = real("lightspeed_template.csv").replace("size variation:", "size,variation:")
    assert run(text).codes == [(2, "is_visible", "FIELD_TYPE", "error"), (2, "gtin", "FIELD_GTIN", "error")]
    result = run(text.replace("true/false", "true").replace(",036000291456,", ",036000291452,"))
    assert result.found == []
    assert result.column("variation") == ['{"Width": "Regular"}']


def test_findings_of_many_rows_stay_in_order_and_within_a_row_in_that_of_the_columns():
    result = run("sku,name,msrp,qty\n" + "".join(f"{row},,x,y\n" for row in range(300)))
    assert [code[:2] for code in result.codes] == [
        (row + 2, column) for row in range(300) for column in ("msrp", "quantity", "name")
    ]
