"""Parquet files as other programs write them: columns of bytes, columns that hold columns."""

import datetime as dt
import io
import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from sftp_gateway import errors
from sftp_gateway.catalog.read.columnar import parquet as parquet_reader
from tests.catalog_shop import Shop, codes, sheet
from tests.unit.reading import read


def made(columns, **how):
    out = io.BytesIO()
    parquet.write_table(pa.table(columns), out, **how)
    return out.getvalue()


WRONG, RIGHT = b"Caf\xe9", "Café".encode()
BYTES = [pa.binary(), pa.large_binary()]


def forged(values):
    """A column of texts whose bytes are none."""
    told = pa.array(values, pa.binary())
    return pa.Array.from_buffers(pa.string(), len(told), told.buffers())


@pytest.mark.parametrize(
    "column", [*(pa.array([RIGHT, WRONG, None], kind) for kind in BYTES), forged([RIGHT, WRONG, None])]
)
def test_bytes_that_are_no_text_cost_their_row_only_and_its_product_stays(tmp_path, column):
    shop = Shop(tmp_path)
    shop.put(sheet([("A", "Old", "1.00"), ("B", "Old", "2.00"), ("C", "Old", "3.00")]))
    outcome = shop.put(made({"sku": ["A", "B", "C"], "msrp": ["1.50", "2.50", "3.50"], "name": column}))
    assert {sku: row["name"] for sku, row in shop.products().items()} == {"A": "Café", "B": "Old", "C": "Old"}
    assert codes(outcome) | {"ROW_ENCODING": 1} == codes(outcome)
    [told] = [line for line in shop.errors(outcome) if line["code"] == "ROW_ENCODING"]
    assert (told["row"], told["line"], told["key"]) == ("2", "", "B")


@pytest.mark.parametrize("kind", [*BYTES, pa.binary_view(), pa.binary(4)])
@pytest.mark.parametrize("how", [{}, {"use_dictionary": False}])
def test_texts_without_a_word_that_they_are_are_read_in_every_column(tmp_path, kind, how):
    columns = {"sku": [b"A001", b"B002", b"C003"], "name": ["né1".encode(), b"\xff\xff\xff\xff", None]}
    columns = {name: pa.array(values, kind) for name, values in columns.items()}
    found = read(tmp_path, made(columns, store_schema=False, **how))
    assert (found.rows, found.codes) == ([("A001", "né1"), ("C003", "")], ["ROW_ENCODING"])
    assert found.rejects[0].cells[0] == "B002"


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (pa.list_(pa.binary()), [RIGHT], [b"x", WRONG]),
        (pa.struct([("W", pa.binary())]), {"W": RIGHT}, {"W": WRONG}),
        (pa.list_(pa.struct([("W", pa.binary())])), [{"W": RIGHT}], [{"W": WRONG}]),
        (pa.binary(4), b"abcd", b"\xff\xff\xff\xff"),
    ],
)
def test_no_column_of_bytes_makes_up_a_letter(tmp_path, kind, good, bad):
    for values in ([good, bad, None], [bad, bad, good]):
        found = read(tmp_path, made({"sku": ["A", "B", "C"], "size": pa.array(values, kind)}))
        assert [row[0] for row in found.rows] == [
            sku for sku, value in zip("ABC", values, strict=True) if value is not bad
        ]
        assert found.codes == ["ROW_ENCODING"] * values.count(bad)
        assert [reject.cells[0] for reject in found.rejects] == ["A", "B"][-values.count(bad) :]
        assert not any("\ufffd" in cell for row in found.rows for cell in row)


def texts(kind, values):
    """An array of texts of some type, whatever their bytes are; a nested one has one text in each value."""
    offsets = np.cumsum([0, *map(len, values)]).astype(np.int32)
    plain = pa.Array.from_buffers(pa.string(), len(values), [None, *map(pa.py_buffer, (offsets, b"".join(values)))])
    each = pa.array(range(len(values) + 1), pa.int32())
    if pa.types.is_list(kind):
        return pa.ListArray.from_arrays(each, texts(kind.value_type, values))
    if pa.types.is_map(kind):
        return pa.MapArray.from_arrays(each, pa.array(["k"] * len(values)), plain)
    return pa.StructArray.from_arrays([plain], [kind.field(0).name]) if pa.types.is_struct(kind) else plain


STRUCT = pa.struct([("a", pa.string())])


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        (pa.string(), "x"),
        (pa.list_(pa.string()), "x"),
        (pa.list_(pa.list_(pa.string())), '[["x"]]'),
        (pa.list_(STRUCT), '[{"a": "x"}]'),
        (pa.list_(pa.map_(pa.string(), pa.string())), '[[["k", "x"]]]'),
    ],
)
def test_a_text_that_is_none_costs_its_row_in_lists_too(tmp_path, kind, shown):
    column = texts(kind, [b"x", b"\xff", b"x"])
    found = read(tmp_path, made({"sku": ["A", "B", "C"], "size": column}))
    assert found.rows == [("A", shown), ("C", shown)]
    assert found.codes == ["ROW_ENCODING"]
    assert found.rejects[0].cells[0] == "B"


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        (pa.list_(pa.float32()), [0.1, 19.99], "0.1|19.99"),
        (
            pa.list_(pa.struct([("a", pa.float32()), ("b", pa.float64())])),
            [{"a": 0.1, "b": 0.1}],
            '[{"a": 0.1, "b": 0.1}]',
        ),
        (pa.large_list(pa.list_(pa.float32(), 1)), [[0.1]], "[[0.1]]"),
    ],
)
def test_short_floats_in_lists_have_the_digits_that_were_written(tmp_path, kind, value, shown):
    found = read(tmp_path, made({"sku": ["A", "B"], "size": pa.array([value, None], kind)}))
    assert found.rows == [("A", shown), ("B", "")]


FAR, SOON, BERLIN = 2**60, 1_769_853_600_000_000, pa.timestamp("us", "Europe/Berlin")
LAST, LAST_SHOWN = 253_402_300_799_000_000, "9999-12-31T23:59:59+00:00"


@pytest.mark.parametrize(
    ("kind", "given", "shown"),
    [
        (pa.timestamp("us"), [SOON, FAR, -FAR], ["2026-01-31T10:00:00", str(FAR), str(-FAR)]),
        (BERLIN, [SOON, LAST, FAR], ["2026-01-31T11:00:00+01:00", LAST_SHOWN, str(FAR)]),
        (pa.timestamp("us", "GMT+1"), [SOON, LAST, FAR], ["2026-01-31T10:00:00+00:00", LAST_SHOWN, str(FAR)]),
        (pa.list_(pa.timestamp("us", "Z")), [[SOON], None, [FAR]], ["2026-01-31T10:00:00+00:00", "", str(FAR)]),
        (pa.duration("s"), [90_000, FAR, 1], ["25:00:00", str(FAR), "0:00:01"]),
        (pa.list_(BERLIN), [[SOON], [LAST], [FAR]], ["2026-01-31T11:00:00+01:00", LAST_SHOWN, str(FAR)]),
        (pa.list_(pa.date32()), [[20_484], [2**30], [0]], ["2026-01-31", str(2**30), "1970-01-01"]),
    ],
)
def test_a_moment_in_no_year_of_a_calendar_costs_no_other_row_and_not_the_file(tmp_path, kind, given, shown):
    number = pa.int32() if kind == pa.list_(pa.date32()) else pa.int64()
    column = pa.array(given, pa.list_(number) if pa.types.is_list(kind) else number).cast(kind)
    found = read(tmp_path, made({"sku": ["A", "B", "C"], "size": column}))
    assert found.rows == list(zip("ABC", shown, strict=True))


def test_a_moment_in_no_year_is_told_where_a_date_is_wanted(tmp_path):
    updated = pa.array([SOON, FAR, LAST]).cast(BERLIN)
    shop, columns = Shop(tmp_path), {"sku": ["A", "B", "C"], "name": ["n"] * 3, "msrp": [1, 2, 3]}
    outcome = shop.put(made({**columns, "updated_at": updated}))
    told = [(line["row"], line["code"]) for line in shop.errors(outcome) if line["row"]]
    assert told == [("2", "FIELD_TYPE")]
    moments = {sku: product["updated_at"] for sku, product in shop.products().items()}
    assert moments == {"A": "2026-01-31T10:00:00Z", "C": "9999-12-31T23:59:59Z"}


def test_old_and_endless_days_are_those_that_spark_wrote_in_its_twelve_bytes(tmp_path):
    days = ["9999-12-31", "0001-01-01", "1600-01-01", "2026-01-31"]
    column = pa.array([dt.datetime.fromisoformat(day) for day in days], pa.timestamp("us"))
    found = read(tmp_path, made({"sku": list("ABCD"), "size": column}, use_deprecated_int96_timestamps=True))
    assert [size for _, size in found.rows] == days


def test_a_row_whose_only_cell_is_no_text_is_not_blank(tmp_path):
    found = read(tmp_path, made({"sku": pa.array([b"A", b"\xff"])}, row_group_size=1))
    assert (found.rows, found.codes, found.notes) == ([("A",)], ["ROW_ENCODING"], [])
    assert found.rejects[0].finding.row == 2


MAP = pa.map_(pa.string(), pa.string())


@pytest.mark.parametrize("column", ["variation", "attribute"])
def test_the_entries_of_a_map_are_published_as_those_of_an_object(tmp_path, column):
    values = [[("Color", "Red: dark | x"), ("Size", "L")], None, [], [("Size", "M")]]
    shop = Shop(tmp_path)
    products = {"sku": [*"ABCD"], "name": ["n"] * 4, "msrp": ["1.50"] * 4}
    outcome = shop.put(made(products | {column: pa.array(values, MAP)}), name="catalog.parquet")
    assert outcome.receipt["rows"]["accepted"] == 4
    assert "FILE_HEADER_UNKNOWN" not in codes(outcome)
    found = shop.products()
    assert json.loads(found["A"][column]) == {"Color": "Red: dark | x", "Size": "L"}
    assert json.loads(found["D"][column]) == {"Size": "M"}
    assert not any(column in found[sku] for sku in "BC")


def test_a_map_is_unfolded_over_all_its_rows(tmp_path, monkeypatch):
    values = [[(f"k{n % 5}", float(n)), ("x", None), ("x", n + 0.5)] if n % 3 else None for n in range(100)]
    column = pa.array(values, pa.map_(pa.string(), pa.float64()))
    for batch_bytes in (200, parquet_reader._BATCH_BYTES):
        monkeypatch.setattr(parquet_reader, "_BATCH_BYTES", batch_bytes)
        found = read(tmp_path, made({"sku": [f"S{n}" for n in range(100)], "size": column}, row_group_size=30))
        rows = [dict(zip(found.source.headers, row, strict=True)) for row in found.rows]
        for n, row in enumerate(rows):
            filled = {name: value for name, value in row.items() if value}
            assert filled == {"sku": f"S{n}"} | ({f"size:k{n % 5}": str(n), "size:x": f"{n}.5"} if n % 3 else {})


def test_a_map_without_any_entry_is_no_column(tmp_path):
    found = read(tmp_path, made({"sku": ["A", "B"], "size": pa.array([[], None], MAP)}))
    assert (found.source.headers, found.rows) == (("sku",), [("A",), ("B",)])


def test_keys_of_a_map_may_be_numbers_and_values_lists(tmp_path):
    column = pa.array([[(7, ["a", "b"])], [(8, [])]], pa.map_(pa.int32(), pa.list_(pa.string())))
    found = read(tmp_path, made({"sku": ["A", "B"], "size": column}))
    assert (found.source.headers, found.rows) == (("sku", "size:7", "size:8"), [("A", "a|b", ""), ("B", "", "")])


def test_a_map_of_more_keys_than_a_file_may_have_columns_is_read_as_text(tmp_path):
    column = pa.array([[(f"k{n}", "v")] for n in range(5000)], MAP)
    found = read(tmp_path, made({"sku": [f"S{n}" for n in range(5000)], "size": column}))
    assert (found.source.headers, found.rows[17]) == (("sku", "size"), ("S17", '[["k17", "v"]]'))


@pytest.mark.parametrize(
    ("kind", "value"),
    [(pa.struct([("W", pa.string())]), {"W": "v"}), (pa.list_(pa.string()), ["v"]), (MAP, [("W", "v")])],
)
def test_columns_that_hold_others_may_come_in_several_groups_of_rows(tmp_path, kind, value):
    products = {"sku": [f"S{n}" for n in range(100)], "size": pa.array([value] * 100, kind)}
    for size in (30, 1):
        found = read(tmp_path, made(products, row_group_size=size))
        assert found.rows == [(f"S{n}", "v") for n in range(100)]
        assert len(list(found.source.blocks())) == 1  # what comes behind has a price for each


@pytest.mark.parametrize("kind", [pa.struct([("W", pa.string())]), MAP])
def test_one_long_text_inside_a_column_a_million_times_is_a_bomb(tmp_path, kind):
    value = {"W": "x" * 100_000} if kind is not MAP else [("W", "x" * 100_000)]
    data = made({"sku": ["A"] * 300, "size": pa.array([value] * 300, kind)}, compression="zstd")
    with pytest.raises(errors.Refused) as refused:
        read(tmp_path, data)
    assert refused.value.code == "FILE_BOMB"


@pytest.mark.parametrize("how", ["DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"])
@pytest.mark.parametrize("rows", [3, 700])
def test_texts_may_be_stored_as_what_is_new_in_each(tmp_path, how, rows):
    sku, name, tags = (
        [f"S{n}" for n in range(rows)],
        [f"Chair {n} é" for n in range(rows)],
        [["a", f"b{n}"] for n in range(rows)],
    )
    data = made(
        {"sku": sku, "name": name, "color": ["red", None, "blue"] * (rows // 3) + ["red"] * (rows % 3), "tags": tags},
        use_dictionary=["color"],
        column_encoding={"sku": how, "name": how, "tags.list.element": how},
        row_group_size=500,
    )
    found = read(tmp_path, data)
    assert [row[:2] for row in found.rows] == list(zip(sku, name, strict=True))
    assert [row[2:] for row in found.rows[:2]] == [("red", "a|b0"), ("", "a|b1")]


@pytest.mark.parametrize("how", ["DELTA_BYTE_ARRAY", "PLAIN"])
def test_a_long_text_that_is_stored_once_and_meant_a_million_times_is_a_bomb(tmp_path, how):
    texts = pa.array(["x" * 1_000_000] * 300, pa.string())
    data = made({"sku": texts}, use_dictionary=False, column_encoding={"sku": how}, compression="zstd")
    with pytest.raises(errors.Refused) as refused:
        read(tmp_path, data)
    assert refused.value.code == "FILE_BOMB"


READ_EACH = """
import io, pathlib, sys
from sftp_gateway import errors
from tests.unit.reading import read
data, folder = sys.stdin.buffer.read(), pathlib.Path(sys.argv[1])
for place in range(len(data) - 8 - int.from_bytes(data[-8:-4], "little"), len(data) - 8):
    for bit in (1, 2):
        bad = bytearray(data)
        bad[place] ^= bit
        try:
            read(folder, bytes(bad), complete=True)
        except errors.Refused:
            pass
"""


def test_no_flipped_bit_in_what_a_file_says_of_its_columns_ends_the_process_that_reads_it(tmp_path):
    """Arrow's description of a column ends the process where it throws: a size that does not fit is enough."""
    data = made({"sku": ["A", "B"], "name": ["a", "b"]})
    ran = subprocess.run(
        [sys.executable, "-c", READ_EACH, str(tmp_path)], input=data, capture_output=True, timeout=100, check=False
    )
    assert ran.returncode == 0, ran.stderr[-2000:].decode()
