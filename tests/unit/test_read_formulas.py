"""Cells that are formulas for a text, `="0012"`, by which senders keep a spreadsheet from taking the zeros."""

import pytest

from tests.unit.reading import read

NAMES = ("sku", "name", "msrp")


@pytest.mark.parametrize("way", ['="{}"', '"=""{}"""'])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("every", [True, False])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_the_text_is_read_and_said_once(tmp_path, way, delimiter, every, encoding):
    rows = [NAMES, *((f"00{n}", "Hat, blue" if delimiter == ";" else "Hat", f"{n}.50") for n in range(9))]
    lines = [delimiter.join(way.format(cell) if every or (row > 0 and not place) else cell for place, cell in enumerate(cells))
             for row, cells in enumerate(rows)]  # fmt: skip
    found = read(tmp_path, ("\r\n".join(lines) + "\r\n").encode(encoding))
    assert [found.source.headers, *found.rows] == rows
    assert found.source.format.delimiter == delimiter
    [told] = [each for each in found.source.findings if each.code.startswith("ROW")]
    assert (told.code, told.suggestion) == ("ROW_QUOTE_REPAIRED", "Write the text alone, in quotes.")
    assert not found.notes
    assert found.raws[0].decode(encoding.replace("16", "16-le")) == lines[1]


def test_what_only_looks_so_inside_a_quoted_cell_stays(tmp_path):
    found = read(tmp_path, b'sku,name,msrp\nA,"<a href=""x"",=""y"">",1\nB,"a,="",b",2\nC,";=",";"\n')
    assert [row[1:] for row in found.rows] == [('<a href="x",="y">', "1"), ('a,=",b', "2"), (";=", ";")]
