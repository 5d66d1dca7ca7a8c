"""Tables drawn in a text, each line between two bars: markdown, and what database clients print."""

import time

import pytest

from sftp_gateway.catalog.read import bounds
from sftp_gateway.catalog.read.csv.rewriting import Rewriting
from tests.unit.reading import read

HEADER = ("sku", "name", "msrp")
ROWS = [("S1", "Chair, red", "1.50"), ("S2", "", "2.50"), ("S3", 'Pipe 5"', "3.50")]
PLAIN = '|sku|name|msrp|\n|S1|Chair, red|1.50|\n|S2||2.50|\n|S3|Pipe 5"|3.50|\n'
MARKDOWN = (
    '| sku | name | msrp |\n|-----|:----:|---|\n| S1 | Chair, red | 1.50 |\n| S2 |  | 2.50 |\n| S3 | Pipe 5" | 3.50 |\n'
)
BOX = (
    "+-----+------------+------+\n| sku | name       | msrp |\n+-----+------------+------+\n"
    '| S1  | Chair, red | 1.50 |\n| S2  |            | 2.50 |\n| S3  | Pipe 5"    | 3.50 |\n+-----+------------+------+\n'
)


@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize("text", [PLAIN, MARKDOWN, BOX], ids=["plain", "markdown", "box"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_table_in_a_frame_is_read_without_it(tmp_path, monkeypatch, text, end, lenient):
    monkeypatch.setattr(bounds, "BLOCK_BYTES", 60)
    found = read(tmp_path, text.replace("\n", end).encode(), lenient=lenient, complete=True)
    assert found.source.headers == HEADER
    assert found.rows == ROWS
    assert not found.rejects
    assert any("between two bars" in said.message for said in found.source.findings)
    assert found.source.tally.blank_bytes == (3 * len(BOX.splitlines()[0] + end) if text is BOX else 0)


def test_a_bar_in_a_quoted_cell_of_a_frame_is_text(tmp_path):
    found = read(tmp_path, (MARKDOWN + '| S4 | "a | b" | 4.50 |\n').encode())
    assert [row[1].strip() for row in found.rows[3:]] == ["a | b"]


def test_a_row_with_a_cell_too_many_in_a_frame_is_rejected_as_it_was_sent(tmp_path):
    found = read(tmp_path, (PLAIN + "|S4|x|4.50|y|\n").encode())
    assert found.rows == ROWS
    assert found.codes == ["ROW_COLUMNS"]
    assert found.rejects[0].raw == b"|S4|x|4.50|y|"


def test_a_delimiter_that_only_ends_each_row_is_no_frame(tmp_path):
    found = read(tmp_path, b"sku|name|msrp|\nS1|a|1|\nS2|b|2|\n")
    assert found.source.headers == ("sku", "name", "msrp", "")


def test_a_frame_takes_time_by_its_length():
    began = time.process_time()
    for text in (b"| " * 500_000 + b"\n", b"|" + b" " * 1_000_000 + b"x\n", b"+-" * 500_000 + b"x\n"):
        Rewriting(framed=True).text(text)
    assert time.process_time() - began < 2
