"""Rows of which few differ: every kind is told once, and every row finds its own."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from sftp_gateway.catalog.kinds import Kinds

FEW = st.sampled_from(["", "a", "b", "a: b", "é"])


@given(st.lists(st.tuples(FEW, FEW, FEW), max_size=60))
def test_each_row_finds_its_kind_and_no_kind_comes_twice(rows):
    columns = [pa.array([row[place] for row in rows], pa.string()) for place in range(3)]
    kinds = Kinds(columns)
    assert [kinds.each(column).to_pylist() for column in kinds.columns] == [column.to_pylist() for column in columns]
    told = list(zip(*(column.to_pylist() for column in kinds.columns), strict=True))
    assert told == list(dict.fromkeys(rows))


def test_as_many_kinds_as_rows_are_told_apart_in_several_columns():
    size = 3_000
    columns = [pa.array([str(row * factor % 1_009) for row in range(size)]) for factor in (1, 7, 131, 977)]
    kinds = Kinds(columns)
    assert [kinds.each(column) for column in kinds.columns] == columns
