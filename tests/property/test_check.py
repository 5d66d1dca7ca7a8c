"""Whatever a file holds: rows add up, blocks do not matter, good rows keep the rules, bad ones have a reason."""

import csv
import io
from decimal import Decimal, InvalidOperation

import numpy as np
import pyarrow as pa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sftp_gateway.brand import BrandSettings
from sftp_gateway.catalog.checking import check, headers
from sftp_gateway.catalog.read.source import Block
from sftp_gateway.catalog.rules import schema
from sftp_gateway.catalog.types import gtin, numbers
from sftp_gateway.catalog.types.cells import Cells
from sftp_gateway.catalog.types.typing import Dialect
from sftp_gateway.upload import Mode

SCHEMA = schema.load()
HEADER = (
    "sku,name,msrp,cost,currency,is_visible,images,gtin,ean,variation:Width,variation:,weight,quantity,updated_at,tags"
)
MAPPING = headers.match(next(csv.reader(io.StringIO(HEADER))), SCHEMA, BrandSettings(unknown_columns="keep"), Mode.FULL)
EVIDENCE = check.Evidence(dict.fromkeys(("msrp", "cost", "shipping_weight", "quantity"), "?"), {"updated_at": "?"})
GOOD = [
    ["A", "B-2", " C "],
    ["Chair", "茶壶", "Été"],
    ["1", "12.50", "1,234.50", "€5", "7 USD"],
    ["", "0.5", "12,5"],
    ["", "EUR", "usd"],
    ["", "true", "No"],
    ["", "https://e.com/a.jpg /b.jpg"],
    ["", "4006381333931", "36000291452"],
    ["", "0-306-40615-2"],
    ["", "Wide"],
    ["", "Fit: loose"],
    ["", "5", "3 kg", "2 lb"],
    ["", "5", "5.0"],
    ["", "2026-01-31", "31/12/2026", "2026-01-01T00:00:00Z"],
    ["", "a,b|c"],
]
CELLS = st.one_of(
    st.text(max_size=12),
    st.text(alphabet="0123456789.,-+eE €$\u00a0'/:TZ|", max_size=16),
    st.sampled_from(["1,234", "01/02/2026", "4.00638E+12", "\x00", "Ã©", "nan", "true/false", "99999999999999999999"]),
)
ROWS = st.lists(st.tuples(*(st.one_of(st.sampled_from(values), CELLS) for values in GOOD)), min_size=1, max_size=12)
# no shrinking: a failing table is small already, and shrinking one takes minutes
FAST = settings(
    derandomize=True,
    max_examples=60,
    deadline=None,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow],
)


def block(rows: list[tuple[str, ...]], start: int = 0) -> Block:
    columns = tuple(pa.array([row[at] for row in rows], pa.string()) for at in range(len(GOOD)))
    return Block(columns, np.arange(start + 2, start + 2 + len(rows)))


def checker() -> check.Checker:
    return check.Checker(SCHEMA, BrandSettings(), MAPPING, Mode.FULL, "acme", EVIDENCE)


@FAST
@given(ROWS)
def test_accepted_and_rejected_rows_add_up_and_rejection_means_an_error_finding(rows):
    checked = checker().check(block(rows))
    assert sorted([*checked.accepted.tolist(), *checked.rejected.tolist()]) == list(range(len(rows)))
    assert checked.good.num_rows == len(checked.accepted)
    assert checked.good["_row"].to_pylist() == [row + 2 for row in checked.accepted]
    errors = {item["row"] for item in checked.findings.to_pylist() if item["severity"] == "error"}
    assert errors == {row + 2 for row in checked.rejected}
    assert checked.unkeyed + len(checked.rejected_keys) == len(checked.rejected)
    for item in checked.findings.to_pylist():
        assert item["message"]
        assert len(item["value"]) <= 257


@FAST
@given(ROWS, st.integers(1, 5))
def test_how_a_file_is_cut_into_blocks_changes_nothing(rows, size):
    whole = checker().check(block(rows))
    parts = [checker().check(block(rows[at : at + size], at)) for at in range(0, len(rows), size)]
    assert pa.concat_tables([part.good for part in parts]).combine_chunks().equals(whole.good.combine_chunks())
    found = pa.concat_tables([part.findings for part in parts]).to_pylist()
    shown = ("row", "key", "column", "value", "code", "severity", "message")
    assert [[item[name] for name in shown] for item in found] == [
        [item[name] for name in shown] for item in whole.findings.to_pylist()
    ]


@FAST
@given(ROWS)
def test_a_good_row_keeps_the_rules(rows):
    for row in checker().check(block(rows)).good.to_pylist():
        assert 1 <= len(row["sku"]) <= 64
        assert row["sku"] == row["sku"].strip()
        assert row["name"].strip()
        assert row["msrp"] >= 0
        assert row["cost"] is None or row["cost"] > 0
        assert row["quantity"] is None or row["quantity"] >= 0
        assert row["gtin"] is None or (len(row["gtin"]) == 14 and row["gtin"].isdigit())


@FAST
@given(st.lists(st.text(alphabet="0123456789.-+", max_size=22), min_size=1, max_size=20))
def test_plain_numbers_are_what_decimal_says(texts):
    values = numbers.read(Cells(pa.array(texts, pa.string())), Dialect("."), 4, 18).values.to_pylist()
    for text, value in zip(texts, values, strict=True):
        try:
            exact = Decimal(text)
        except InvalidOperation:
            exact = None
        if text.count(".") > 1:
            continue  # 1.234.567 can only be grouped
        fits = exact is not None and abs(exact) < 10**14 and exact == round(exact, 4)
        assert value == (exact if fits else None), text


@FAST
@given(
    st.lists(st.decimals(-(10**11), 10**11, places=2).map(str), min_size=1, max_size=20),
    st.sampled_from(
        ["", "free", "1.2.50", "1-2.50", ".50", "-.05", "007.10", "+1.00", "99999999999999.99", "9" * 17 + ".00"]
    ),
    st.sampled_from(".,"),
)
def test_amounts_with_two_places_are_what_decimal_says_beside_whatever_stands_there(amounts, other, mark):
    texts = [*amounts, other, *amounts]
    column = pa.array(["", *(text.replace(".", mark) for text in texts)], pa.string()).slice(1)
    for scale, precision, digits in ((4, 18, 14), (2, 18, 14), (10, 38, 28)):
        values = numbers.read(Cells(column), Dialect(mark), scale, precision).values.to_pylist()
        for text, value in zip(texts, values, strict=True):
            is_number = text not in ("", "free", "1.2.50", "1-2.50")
            assert value == (Decimal(text) if is_number and abs(Decimal(text)) < 10**digits else None), text


@FAST
@given(st.lists(st.text(alphabet="0123456789Xx- ", max_size=18), min_size=1, max_size=20))
def test_a_gtin_is_read_alike_alone_and_among_others(texts):
    together = gtin.read(Cells(pa.array(texts, pa.string()))).values.to_pylist()
    alone = [gtin.read(Cells(pa.array([text], pa.string()))).values.to_pylist()[0] for text in texts]
    assert together == alone


@FAST
@given(ROWS)
def test_what_was_published_is_read_again_as_the_same(rows):
    good = checker().check(block(rows)).good
    names = ["sku", "name", "msrp", "gtin", "quantity", "images", "tags", "shipping_weight", "variation"]
    texts = [["" if value is None else str(value) for value in good[name].to_pylist()] for name in names]
    mapping = headers.match([*names[:-1], "variation:"], SCHEMA, BrandSettings(), Mode.FULL)
    again = check.Checker(
        SCHEMA, BrandSettings(), mapping, Mode.FULL, "acme", check.Evidence(dict.fromkeys(names, "."))
    )
    checked = again.check(Block(tuple(pa.array(text, pa.string()) for text in texts), np.arange(2, 2 + good.num_rows)))
    assert checked.rejected.size == 0
    for name in names:
        assert checked.good[name].to_pylist() == good[name].to_pylist()
