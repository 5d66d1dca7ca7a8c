"""Columns that a header counts instead of naming them: matrices, plates of a lab device, frames saved without names."""

import pytest

from tests.unit.reading import read

ROWS = {
    "floats": b"%b,0.%d1,1.5%d,2.25\n",
    "whole": b"%b,%d,1%d,7\n",
    "sparse": b"%b,,%d%d,\n",
}


def seen(tmp_path, data):
    found = read(tmp_path, data, lenient=True, complete=True, known_headers=frozenset())
    return [found.source.headers, *found.rows]


def rows_of(data):
    return [tuple(line.split(",")) for line in data.decode().splitlines()]


@pytest.mark.parametrize("header", [b",1,2,3\n", b",0,1,2\n"])
@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
@pytest.mark.parametrize("names", [b"ABCDEFGH", b"01234567"])
def test_numbers_counted_beside_an_empty_corner_are_the_header(tmp_path, header, row, names):
    data = header + b"".join(row % (bytes([name]), n, n + 1) for n, name in enumerate(names))
    assert seen(tmp_path, data) == rows_of(data)


def test_a_delimiter_may_end_numbers_that_are_counted(tmp_path):
    data = b",1,2,3,,\n" + b"".join(b"A%d,0.%d1,1.5,2.25,,\n" % (n, n) for n in range(1, 9))
    assert seen(tmp_path, data) == rows_of(data)


def test_numbers_counted_over_fractions_are_the_header(tmp_path):
    data = b"0,1,2,3\n" + b"".join(b"0.%d,1.%d,-2.5,0.25\n" % (n, n + 3) for n in range(1, 9))
    assert seen(tmp_path, data) == rows_of(data)


@pytest.mark.parametrize("first", [b",1,2,3\n", b"0,1,2,3\n", b"7,1,2,3\n"])
def test_numbers_counted_among_rows_like_them_are_a_row(tmp_path, first):
    data = first + b",4,2,9\n,1,8,3\n5,2,2,1\n,7,7,4\n"
    assert seen(tmp_path, data)[1:] == rows_of(data)


@pytest.mark.parametrize("name", [b"word", b"Comment", b"e-mail"])
def test_one_name_beside_an_empty_corner_is_the_header(tmp_path, name):
    data = b"," + name + b"\n" + b"".join(b"%d,stone %d\n" % (n, n * 7) for n in range(9))
    assert seen(tmp_path, data) == rows_of(data)
