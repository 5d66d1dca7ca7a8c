"""What old programs put around a text: marks that the file ends here, byte order marks more than once."""

import pytest

from sftp_gateway import errors
from tests.unit.reading import read

TEXT = b"sku,name,msrp\r\nA,a,1\r\nB,b,2\r\n"
ROWS = [("A", "a", "1"), ("B", "b", "2")]
ARRAY = b'[{"sku": "A", "name": "a"}, {"sku": "B", "name": "b"}]\n'
LINES = b'{"sku": "A", "name": "a"}\n{"sku": "B", "name": "b"}\n'
BOM = "\ufeff".encode()


@pytest.mark.parametrize("mark", [b"\x1a", b"\x1a\x1a\x1a", b"\x0c", b"\0", b"\x1a\r\n"])
@pytest.mark.parametrize(("text", "rows"), [(TEXT, ROWS), (ARRAY, None), (LINES, None)], ids=["csv", "array", "lines"])
def test_a_mark_behind_the_last_row_is_no_row_and_no_end_too_early(tmp_path, mark, text, rows):
    found = read(tmp_path, text + mark, complete=False)
    assert found.rows == (rows or [("A", "a"), ("B", "b")])
    assert not found.rejects


@pytest.mark.parametrize("count", [20, 4096, 300_000])
@pytest.mark.parametrize("end", [b"", b"\r\n"])
def test_zeros_that_fill_the_file_up_are_no_text_to_judge_it_by(tmp_path, count, end):
    found = read(tmp_path, TEXT + b"\0" * count + end, complete=False)
    assert found.rows == ROWS
    assert not found.rejects


@pytest.mark.parametrize("data", [b"\0" * 4096, b"\x7f\x02\x03\x04ab\0\0\1\2" * 20 + b"\0" * 4096])
def test_a_file_of_zeros_and_signs_is_still_no_text(tmp_path, data):
    with pytest.raises(errors.Refused, match="no text") as refused:
        read(tmp_path, data)
    assert refused.value.code == "FILE_FORMAT"


def test_a_footer_before_such_a_mark_is_still_one(tmp_path):
    found = read(tmp_path, TEXT + b"Total,,3\r\n\x1a", complete=False)
    assert found.rows == ROWS
    assert not found.rejects


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


def test_a_row_behind_the_mark_of_a_joined_file_is_that_row_and_it_is_said(tmp_path):
    found = read(tmp_path, b"sku,name\nA,a\n" + BOM + b"B,b\nC,c\n")
    assert [row[0] for row in found.rows] == ["A", "B", "C"]
    assert [(note.code, note.row, note.suggestion) for note in found.notes] == [
        ("ROW_QUOTE_REPAIRED", 3, "Join files without the mark that each begins with.")
    ]
