import csv
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from sftp_gateway.catalog import cells


def texts(values, kind):
    return cells.text(pa.array(values, kind)).to_pylist()


def test_money_shows_two_places_at_least_and_no_other_trailing_zeros():
    given = [Decimal(text) for text in ("1", "1.5", "1.2345", "100", "0", "-0.1", "1.230")]
    assert texts([*given, None], pa.decimal128(18, 4)) == [
        "1.00",
        "1.50",
        "1.2345",
        "100.00",
        "0.00",
        "-0.10",
        "1.23",
        None,
    ]


def test_decimals_show_no_trailing_zeros_and_never_an_exponent():
    given = [Decimal(text) for text in ("0", "1", "100", "0.0000000001", "12.50", "-3.1")]
    assert texts(given, pa.decimal128(38, 10)) == ["0", "1", "100", "0.0000000001", "12.5", "-3.1"]


def test_times_are_utc_with_z_and_a_fraction_only_where_there_is_one():
    given = [datetime(2026, 1, 2, 3, 4, 0, tzinfo=UTC), datetime(2026, 1, 2, 3, 4, 50, 120000, tzinfo=UTC), None]
    assert texts(given, pa.timestamp("us", "UTC")) == ["2026-01-02T03:04:00Z", "2026-01-02T03:04:50.12Z", None]


def test_other_types_show_as_they_are_written():
    assert texts([date(2026, 2, 1)], pa.date32()) == ["2026-02-01"]
    assert texts([True, False, None], pa.bool_()) == ["true", "false", None]
    assert texts([7, -1], pa.int64()) == ["7", "-1"]


@pytest.mark.parametrize(
    "cell", ["=1+1", "+x", "-x", "@a", "\tx", "\rx", "'=1", "''+1", "-1.2.3", "+1,2,3", "-", "=5", "--5"]
)
def test_what_a_spreadsheet_would_execute_gets_one_apostrophe(cell):
    assert cells.safe(pa.array([cell, "x"])).to_pylist() == ["'" + cell, "x"]


@pytest.mark.parametrize("cell", ["", "x", "-5", "+5.0", "-5,3", "+.5", "-5.", "'x", "a=1", "5", "''"])
def test_plain_numbers_and_texts_stay(cell):
    assert cells.safe(pa.array([cell, "=1"])).to_pylist() == [cell, "'=1"]


def test_csv_is_read_back_as_it_was():
    rows = [["a", "b,c"], ['say "hi"', "two\nlines"], ["", "\r\n"], ["é日", " spaced "]]
    columns = [pa.array([row[at] for row in rows]) for at in range(2)]
    written = cells.csv_header(["x", "y"], escape=False) + cells.csv(columns, escape=False).to_pybytes()
    assert list(csv.reader(io.StringIO(written.decode(), newline=""))) == [["x", "y"], *rows]
    assert cells.csv([column.slice(1, 2) for column in columns], escape=False).to_pybytes().startswith(b'"say')
    assert cells.csv([pa.array([], pa.string())], escape=True).size == 0


def test_json_lines_are_read_back_as_they_were():
    values = ['"', "\\", "\n\t\x01", "é日", None, "plain"]
    lines = cells.json_lines(['a"b', "n"], [cells.json_text(pa.array(values)), cells.text(pa.array(range(6)))])
    assert [json.loads(line) for line in lines.to_pybytes().decode().splitlines()] == [
        {'a"b': v, "n": n} for n, v in enumerate(values)
    ]


def test_long_values_are_cut_once():
    given = pa.array(["é" * 256, "é" * 257, "short"])
    once = cells.cut(given).to_pylist()
    assert once == ["é" * 256, "é" * 256 + "…", "short"]
    assert cells.cut(pa.array(once)).to_pylist() == once


def test_lines_around_a_text_are_those_of_whole_columns():
    keys = pa.array(["a", 'say "x"', "=1+1", "", "two\nlines", "b,c", None])
    around = cells.csv_around("created,", keys, ",,,")
    blank = pa.array([""] * len(keys))
    whole = cells.csv([pa.array(["created"] * len(keys)), keys, blank, blank, blank], escape=True)
    assert around.to_pybytes() == whole.to_pybytes()
