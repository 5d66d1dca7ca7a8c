"""What old programs put around a text: byte order marks more than once."""

import pytest

from tests.unit.reading import read

ARRAY = b'[{"sku": "A", "name": "a"}, {"sku": "B", "name": "b"}]\n'
LINES = b'{"sku": "A", "name": "a"}\n{"sku": "B", "name": "b"}\n'
BOM = "\ufeff".encode()


@pytest.mark.parametrize("marks", [2, 3])
@pytest.mark.parametrize("text", [b'"sku","name"\n"A","a"\n"B","b"\n', ARRAY, LINES], ids=["csv", "array", "lines"])
def test_byte_order_marks_more_than_one_are_taken_off(tmp_path, marks, text):
    found = read(tmp_path, BOM * marks + text)
    assert found.source.headers == ("sku", "name")
    assert found.rows == [("A", "a"), ("B", "b")]
    assert found.source.bom == BOM


def test_marks_of_utf_16_are_taken_off(tmp_path):
    found = read(tmp_path, "\ufeff\ufeffsku,name\nA,a\n".encode("utf-16-le"))
    assert found.source.headers == ("sku", "name")
