from decimal import Decimal

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sftp_gateway.catalog import versionfile

SCHEMA = pa.schema([("sku", pa.string()), ("price", pa.decimal128(18, 4)), ("stock", pa.int64())])


def rows(first: int, count: int) -> pa.Table:
    numbers = list(range(first, first + count))
    columns = [
        pa.array([f"s{n}" for n in numbers]),
        pa.array([Decimal(n) for n in numbers], SCHEMA.field("price").type),
    ]
    return pa.table([*columns, pa.array([n % 3 or None for n in numbers], pa.int64())], schema=SCHEMA)


def write(path, *tables):
    with versionfile.Writer(path, SCHEMA) as writer:
        for table in tables:
            writer.write(table)
    return path


def test_small_tables_are_gathered_to_large_row_groups(tmp_path):
    path = write(tmp_path / "v.parquet", *(rows(n * 30_000, 30_000) for n in range(7)))
    metadata = pq.read_metadata(path)
    assert (metadata.num_rows, metadata.num_row_groups) == (210_000, 2)
    assert metadata.row_group(0).column(0).compression == "ZSTD"
    assert pq.read_table(path).equals(pa.concat_tables([rows(0, 210_000)]))


def test_a_version_is_on_its_way_to_the_disk_while_it_grows(tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(versionfile.disk, "write_behind", lambda _, start, size: told.append((start, size)))
    path = write(tmp_path / "v.parquet", *(rows(n * 100_000, 100_000) for n in range(3)))
    ends = [start + size for start, size in told]
    assert [start for start, _ in told] == [0, *ends[:-1]]
    assert path.stat().st_size - ends[-1] < 10_000  # the footer


def test_a_version_without_rows_is_a_file_all_the_same(tmp_path):
    assert pq.read_table(write(tmp_path / "v.parquet")).schema == SCHEMA


@pytest.mark.parametrize("parts", [[1], [10, 1000], [150_000]])
def test_rows_are_appended_without_touching_those_before(tmp_path, parts):
    path = write(tmp_path / "v.parquet", rows(0, 5000))
    before = path.read_bytes()
    start = versionfile._footer_start(path)
    tables, first = [], 5000
    for count in parts:
        tables.append(rows(first, count))
        first += count
    assert versionfile.append(path, iter(tables)) == sum(parts)
    assert path.read_bytes()[:start] == before[:start]
    assert pq.read_table(path).combine_chunks().equals(rows(0, first).combine_chunks())
    again = duckdb.sql(f"SELECT count(*), sum(price), count(stock) FROM read_parquet('{path}')").fetchall()[0]
    assert again == (first, first * (first - 1) // 2, sum(1 for n in range(first) if n % 3))
    assert versionfile.filled(path) == {"sku": first, "price": first, "stock": again[2]}


def test_filled_cells_are_counted_in_files_that_say_nothing_of_them(tmp_path):
    pq.write_table(rows(0, 300), tmp_path / "v.parquet", row_group_size=100)
    assert versionfile.filled(tmp_path / "v.parquet") == {"sku": 300, "price": 300, "stock": 200}


def test_appending_twice_and_appending_nothing_are_fine(tmp_path):
    path = write(tmp_path / "v.parquet", rows(0, 10))
    assert versionfile.append(path, []) == 0
    versionfile.append(path, [rows(10, 5)])
    versionfile.append(path, [rows(15, 5)])
    assert pq.read_table(path).combine_chunks().equals(rows(0, 20).combine_chunks())


def test_rows_are_left_out_and_picked_by_position():
    parts = [rows(0, 4), rows(4, 4), rows(8, 4)]
    gone = np.array([0, 5, 6, 11])
    left = pa.concat_tables(versionfile.without(parts, gone))["sku"].to_pylist()
    assert left == [f"s{n}" for n in range(12) if n not in gone]
    assert pa.concat_tables(versionfile.only(parts, gone))["sku"].to_pylist() == [f"s{n}" for n in gone]


def test_a_table_takes_the_shape_of_another_version():
    old = pa.table({"stock": ["5", "many", None], "sku": [1, 2, 3], "gone": [1, 2, 3], "price": [7, 8, None]})
    shaped = versionfile.shaped(old, SCHEMA)
    assert shaped.schema == SCHEMA
    assert shaped["stock"].to_pylist() == [5, None, None]
    assert shaped["price"].to_pylist() == [Decimal(7), Decimal(8), None]
    assert shaped["sku"].to_pylist() == ["1", "2", "3"]
    assert versionfile.shaped(old.select(["sku"]), SCHEMA)["stock"].null_count == 3
