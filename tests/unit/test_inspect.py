import csv
import io

import pytest

from sftp_gateway import errors
from sftp_gateway.catalog import inspect
from sftp_gateway.catalog.read.source import Hints
from tests.unit.reading import KNOWN

HINTS = Hints(known_headers=KNOWN)


def clean(folder, data):
    path = folder / "file.csv"
    path.write_bytes(data)
    out = io.BytesIO()
    inspect.write_csv(path, HINTS, out)
    return list(csv.reader(io.StringIO(out.getvalue().decode(), newline="")))


def look(folder, data):
    path = folder / "file.csv"
    path.write_bytes(data)
    return inspect.look(path, HINTS)


def test_it_says_format_headers_profile_and_first_rows(tmp_path):
    data = "Katalog\nsku;name;msrp\nA;Größe;1,50\nB;;2\nC;x\n".encode("cp1252")
    report = look(tmp_path, data)
    assert (report.format.delimiter, report.format.encoding) == (";", "cp1252")
    assert (report.rows, report.rejected, report.skipped) == (2, 1, 1)
    assert report.first_rows == (("A", "Größe", "1,50"), ("B", "", "2"))
    name = report.columns[1]
    assert (name.header, name.filled, name.distinct, name.longest) == ("name", 1, 1, 5)
    assert report.columns[2].looks_like == "decimal"
    assert report.reasons == {"ROW_COLUMNS": 1}
    assert report.rejects[0].row == 5
    assert report.refused == ""
    assert report.as_dict()["format"]["delimiter"] == ";"


def test_a_file_that_would_be_refused_is_explained_and_still_read(tmp_path):
    data = b"sku,name,size variation:\nA,a,1,2\nB,b,1,2\n"
    report = look(tmp_path, data)
    assert report.refused.startswith("FILE_HEADER_COLUMNS")
    assert report.rows == 2
    assert clean(tmp_path, data) == [["sku", "name", "size variation:", ""], ["A", "a", "1", "2"], ["B", "b", "1", "2"]]


def test_a_file_cut_off_is_explained_and_read_as_far_as_it_goes(tmp_path):
    report = look(tmp_path, b'sku,name\nA,a\nB,"b')
    assert report.refused.startswith("FILE_INCOMPLETE")
    assert report.rows == 1


def test_clean_csv_is_rfc_4180_in_utf8(tmp_path):
    path = tmp_path / "file.csv"
    path.write_bytes("sku\tname\rA\té, \"x\"\rB\t'y'\r".encode("utf-16"))
    out = io.BytesIO()
    inspect.write_csv(path, HINTS, out)
    assert out.getvalue() == 'sku,name\r\nA,"é, ""x"""\r\nB,\'y\'\r\n'.encode()


def test_a_header_alone_is_clean_too_and_nothing_at_all_is_refused(tmp_path):
    assert clean(tmp_path, b"sku,name\n") == [["sku", "name"]]
    with pytest.raises(errors.Refused):
        clean(tmp_path, b"")
    assert look(tmp_path, b"").refused.startswith("FILE_EMPTY")


def test_a_row_with_a_nul_is_no_readable_one(tmp_path):
    data = b"sku,name\nA,a\nB,b\x00b\nC\nD,d\n"
    assert clean(tmp_path, data) == [["sku", "name"], ["A", "a"], ["D", "d"]]
    report = look(tmp_path, data)
    assert (report.rows, report.rejected) == (2, 2)
    assert [(note.row, note.code) for note in report.rejects] == [(3, "FIELD_CONTROL_CHAR"), (4, "ROW_COLUMNS")]
    assert clean(tmp_path, b'[{"sku": "A"}, {"sku": "B\\u0000"}]') == [["sku"], ["A"]]
