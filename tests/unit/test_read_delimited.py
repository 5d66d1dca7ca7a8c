import codecs

import pyarrow as pa
import pyarrow.csv
import pytest

from sftp_gateway import errors
from sftp_gateway.catalog.read import bounds
from tests.unit.reading import read

HEADER = b"sku,name,msrp\n"
ARROW = pyarrow.csv.open_csv
TEMPLATE = (
    b"sku,name,color,size variation:,description\n"
    b'A-1,Runner,Blue,9,Width: Regular,With a 12" strap\n'
)  # fmt: skip


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("quote", ['"', "'"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_dialect_is_found(tmp_path, delimiter, quote, end):
    rows = [["sku", "name", "msrp"], ["A", f"x{delimiter} y{quote}{quote}s", "1,50"], ["B", "line\none", "2"]]
    text = end.join(delimiter.join(f"{quote}{cell}{quote}" for cell in row) for row in rows) + end
    found = read(tmp_path, text.encode())
    assert (found.source.format.delimiter, found.source.format.quote) == (delimiter, quote)
    assert found.rows == [("A", f"x{delimiter} y{quote}s", "1,50"), ("B", "line\none", "2")]
    assert not found.rejects


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "mac_roman"]
)
def test_every_encoding_is_found_and_offsets_are_those_of_the_source(tmp_path, encoding):
    rows = "".join(f"S{n},Größe Café naïve,déjà vu {n}\n" for n in range(20))
    data = ("sku,name,description\n" + rows).encode(encoding)
    found = read(tmp_path, data)
    assert found.rows[3] == ("S3", "Größe Café naïve", "déjà vu 3")
    spelt = encoding.replace("-sig", "") if encoding != "utf-16" else "utf-16-le"
    assert found.raws[3] == "S3,Größe Café naïve,déjà vu 3".encode("utf-32-le" if encoding == "utf-32" else spelt)
    guessed = [finding.code for finding in found.source.findings]
    assert guessed == (["FILE_ENCODING_GUESSED"] if encoding in ("cp1252", "mac_roman") else [])


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1251", "Товар, красная куртка для зимы"),
        ("cp1250", "Żółta łódź, świąteczny płaszcz męski"),
        ("shift_jis", "日本語の商品、カラー：ブルー"),
        ("gb18030", "中文产品名称，蓝色衬衫很舒服"),
        ("big5", "繁體中文商品，藍色襯衫很舒服"),
        ("cp949", "한국어 상품 파란색 셔츠"),
        ("cp1254", "Şık çanta, kadın için ışıltılı ayakkabı"),
        ("cp1252", "Chaussures d’été légères – 12 €"),
    ],
)
def test_other_encodings_are_guessed_and_said(tmp_path, encoding, text):
    data = "".join(["sku,name\n", *(f'S{n},"{text}"\n' for n in range(30))]).encode(encoding)
    found = read(tmp_path, data)
    assert found.rows[7] == ("S7", text)
    assert "set `encoding" in found.source.findings[0].suggestion


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("iso8859_7", "Παπούτσια κόκκινα, δερμάτινα"),
        ("cp1253", "Άσπρο φόρεμα"),
        ("koi8_r", "Синяя рубашка"),
        ("iso8859_5", "Красные туфли"),
        ("cp866", "Кружка для кофе"),
        ("cp1250", "Niebieska koszula bawełniana"),
        ("iso8859_2", "Torba na ramię, świąteczna"),
        ("cp1254", "Mavi pamuklu gömlek, kırmızı"),
        ("cp1255", "חולצת כותנה כחולה"),
        ("cp1257", "Mėlyni medvilniniai marškiniai"),
        ("mac_roman", "Rote Schuhe, Größe 42"),
        ("cp850", "Chaussures légères d'été"),
        ("cp1252", "Widget™ 5 mm ± 0.1, 12 €"),
        ("cp1252", "Größe für den Café-Gast: déjà-vu, señor"),
    ],
)
def test_a_few_words_tell_their_encoding_by_the_letters_of_a_language(tmp_path, encoding, text):
    found = read(tmp_path, f'sku,name\nS1,"{text}"\nS2,plain\n'.encode(encoding))
    assert found.rows == [("S1", text), ("S2", "plain")]
    (finding,) = found.source.findings
    assert finding.code == "FILE_ENCODING_GUESSED"
    assert "a guess from only" in finding.message


def test_a_few_bytes_that_are_no_utf8_in_a_utf8_file_cost_their_rows_only(tmp_path):
    rows = [f"S{n},Größe é,{n}\n".encode() for n in range(50)]
    rows[7] = b"S7,Gr\xf6\xdfe,7\n"
    found = read(tmp_path, HEADER + b"".join(rows))
    assert found.source.format.encoding == "utf-8"
    assert found.codes == ["ROW_ENCODING"]
    assert found.rejects[0].raw == rows[7].rstrip()
    assert found.rejects[0].finding.row == 9
    assert len(found.rows) == 49


@pytest.mark.parametrize(("letters", "bad"), [(2, b"\xff"), (3, b"\xff"), (4, b"\xe9"), (4, b"\xff\xfe")])
def test_a_few_accents_in_utf8_weigh_more_than_one_damaged_row(tmp_path, letters, bad):
    """They were read as `CafÃ©`, all of them."""
    good = [f"S{n},{'Café' if n < letters else 'Bar'},{n}\n".encode() for n in range(30)]
    found = read(tmp_path, HEADER + b"".join([*good, b"S30,B" + bad + b"r,30\n"]))
    assert found.source.format.encoding == "utf-8"
    assert [row[1] for row in found.rows] == ["Café"] * letters + ["Bar"] * (30 - letters)
    assert found.codes == ["ROW_ENCODING"]


def test_a_pinned_encoding_is_taken_where_the_file_is_not_utf8(tmp_path):
    data = HEADER + "A,Žluťoučký kůň,1\n".encode("cp1250")
    assert read(tmp_path, data, encoding="cp1250").rows == [("A", "Žluťoučký kůň", "1")]
    with pytest.raises(errors.Refused, match="unknown"):
        read(tmp_path, data, encoding="no-such")


def test_rows_lines_and_offsets_count_as_a_spreadsheet_and_an_editor_do(tmp_path):
    data = b'My catalog\n\nsku,name,msrp\nA,"two\r\nlines",1\r\n\nB,b,2\rC,c,3\n'
    found = read(tmp_path, data)
    assert found.numbers == [4, 6, 7]
    assert found.lines == [4, 7, 8]
    assert [data.index(raw) for raw in found.raws] == [data.index(b"A,"), data.index(b"B,"), data.index(b"C,")]
    assert [note.code for note in found.notes] == ["ROW_BLANK"]
    assert [finding.code for finding in found.source.findings] == ["FILE_PREAMBLE"]
    assert found.source.tally.skipped == 1


@pytest.mark.parametrize(
    "footer",
    [
        "Total,,3\n",
        "Total: 2 rows\n",
        "Gesamtsumme,,4\n",
        "Grand total of products,,4\n",
        "TOTAL EUR 4,,\n",
        "Summe,,\n",
        "\nGenerated on 2026-01-01\n",
        "-----\n",
        "2 products\n",
    ],
)
def test_footers_are_skipped_and_said(tmp_path, footer):
    found = read(tmp_path, HEADER + b"A,a,1\nB,b,2\n" + footer.encode())
    assert [row[0] for row in found.rows] == ["A", "B"]
    assert not found.rejects
    assert [finding.code for finding in found.source.tally.late] == ["FILE_FOOTER"]


@pytest.mark.parametrize("last", ["Total Repair 5,,2", "Sum 41 Hoodie,,", "Suma Tent,,9.99", "Total-Black Boots,,"])
def test_a_last_product_that_begins_like_a_total_is_no_footer(tmp_path, last):
    found = read(tmp_path, HEADER + b"A,a,1\n" + last.encode() + b"\n")
    assert found.rows[-1] == tuple(last.split(","))


def test_a_product_is_never_taken_for_a_footer(tmp_path):
    found = read(tmp_path, HEADER + b"A,a,1\nTotal,Total body lotion,2\n")
    assert found.rows[-1] == ("Total", "Total body lotion", "2")


def test_a_header_repeated_in_the_file_is_no_product(tmp_path):
    found = read(tmp_path, HEADER + b"A,a,1\n" + HEADER + b"B,b,2\n")
    assert [row[0] for row in found.rows] == ["A", "B"]
    assert [finding.code for finding in found.source.tally.late] == ["FILE_PREAMBLE"]


def test_a_header_repeated_with_the_byte_order_mark_of_a_joined_file_is_no_product(tmp_path):
    one = codecs.BOM_UTF8 + HEADER + b"A,a,1\n"
    found = read(tmp_path, one + one.replace(b"A,a", b"B,b"))
    assert found.rows == [("A", "a", "1"), ("B", "b", "1")]
    assert [item.message for item in found.source.tally.late] == ["Row 3 is the header again; it was skipped."]


def test_blank_rows_are_counted_and_cost_nothing(tmp_path):
    found = read(tmp_path, HEADER + b"A,a,1\n\n  \n,,\nB,b,2\n")
    assert [note.row for note in found.notes] == [3, 4, 5]
    assert found.numbers == [2, 6]


@pytest.mark.parametrize(
    ("row", "reading"),
    [
        (b'X,5" pipe,1', ("X", '5" pipe', "1")),
        (b'X,Monitor 24",1', ("X", 'Monitor 24"', "1")),
        (b'X,"12" monitor",1', ("X", '12" monitor', "1")),
        (b'X,"a "big" one",1', ("X", 'a "big" one', "1")),
        (b'X,"12"" monitor, 5"",1', ("X", '12" monitor, 5"', "1")),
        (rb'X,"say \"hi\", you",1', ("X", 'say "hi", you', "1")),
        (b'X, "a, b" ,1', ("X", "a, b", "1")),
        (b'X,"two "wide"\nlines",1', ("X", 'two "wide"\nlines', "1")),
    ],
)
def test_a_quote_with_one_reading_only_is_repaired_and_said(tmp_path, row, reading):
    found = read(tmp_path, HEADER + b"A,a,1\n" + row + b'\nB,"b, b",2\n')
    assert found.rows == [("A", "a", "1"), reading, ("B", "b, b", "2")]
    assert [(note.code, note.row) for note in found.notes] == [("ROW_QUOTE_REPAIRED", 3)]
    assert found.raws[1] == row


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (b'X,"C" x,1', "ROW_QUOTE"),
        (b'X,"Lamp" with "Shade",1', "ROW_QUOTE"),
        (b'X,"open,1', "ROW_QUOTE"),
        (b"X,1", "ROW_COLUMNS"),
        (b"X,a,b,1", "ROW_COLUMNS"),
        (b'X,"two\nlines"', "ROW_COLUMNS"),
        (b'X,a", b",1', "ROW_QUOTE"),
    ],
)
def test_a_damaged_row_costs_itself_only(tmp_path, row, code):
    found = read(tmp_path, HEADER + b"A,a,1\n" + row + b'\nB,"b, b",2\nC,c,3\n')
    assert [cells[0] for cells in found.rows] == ["A", "B", "C"]
    assert found.codes == [code]
    assert found.rejects[0].raw == row
    assert (found.rejects[0].finding.row, found.rejects[0].finding.line) == (3, 3)
    assert found.rejects[0].finding.byte_offset == len(HEADER) + 6
    assert found.rejects[0].cells[0] == "X"


def test_two_damaged_quotes_do_not_swallow_the_good_rows_between_them(tmp_path):
    good = b"".join(b"G%d,g,1,2\n" % n for n in range(30))
    found = read(tmp_path, b'sku,name,msrp,cost\nX,"lost end,1,2\n' + good + b'Y,lost start",1,2\nZ,z,1,2\n')
    assert [row[0] for row in found.rows if row[0].startswith("G")] == [f"G{n}" for n in range(30)]
    assert found.codes == ["ROW_QUOTE"] * 2


@pytest.mark.parametrize("lines", [3, bounds.QUOTE_LINES + 500])
def test_an_unclosed_quote_is_bounded_and_reading_goes_on_behind_it(tmp_path, lines):
    prose = b"prose without end\n" * lines
    found = read(tmp_path, HEADER + b'A,a,1\nX,"open\n' + prose + b"B,b,2\nC,c,3\n")
    assert [row[0] for row in found.rows] == ["A", "B", "C"]
    assert found.codes[0] == "ROW_QUOTE"


def test_an_unclosed_quote_is_bounded_in_bytes_too(tmp_path):
    line = b"x" * 70_000 + b"\n"
    found = read(tmp_path, HEADER + b'A,a,1\nX,"open\n' + line * 40 + b"B,b,2\n")
    assert [row[0] for row in found.rows] == ["A", "B"]


@pytest.mark.parametrize("size", [1_000_000, 3_000_000])
def test_a_large_cell_is_read(tmp_path, size):
    found = read(tmp_path, HEADER + b"A," + b"x" * size + b',1\nB,"b, b",2\n')
    assert len(found.rows[0][1]) == size


def test_a_cell_of_a_megabyte_with_line_ends_in_quotes_is_read(tmp_path):
    cell = b"0123456789abcde\n" * 1000 + b"y" * 1_000_000
    found = read(tmp_path, HEADER + b'A,"' + cell + b'",1\nB,b,2\n')
    assert found.rows[0][1] == cell.decode()


@pytest.mark.parametrize("size", [bounds.RECORD_BYTES + 1, 20 * 1024**2])
def test_a_row_beyond_the_limit_is_rejected_without_being_held(tmp_path, size):
    found = read(tmp_path, HEADER + b"A,a,1\nX," + b"x" * size + b",1\nB,b,2\n")
    assert [row[0] for row in found.rows] == ["A", "B"]
    assert found.codes == ["ROW_TOO_LARGE"]
    assert found.numbers == [2, 4]
    assert found.lines == [2, 4]


def test_nul_stays_in_its_cell(tmp_path):
    assert read(tmp_path, HEADER + b"A,a\0b,1\nB,b,2\n").rows[0] == ("A", "a\0b", "1")


def test_a_header_of_another_width_than_every_row_is_one_refusal_that_names_the_place(tmp_path):
    with pytest.raises(errors.Refused) as refused:
        read(tmp_path, TEMPLATE)
    assert refused.value.code == "FILE_HEADER_COLUMNS"
    assert "`size variation:`" in refused.value.message
    assert "5 columns, but the rows have 6" in refused.value.message


def test_the_mended_template_is_read(tmp_path):
    found = read(tmp_path, TEMPLATE.replace(b"size variation:", b"size,variation:"))
    assert found.rows[0][5] == 'With a 12" strap'
    assert [note.code for note in found.notes] == ["ROW_QUOTE_REPAIRED"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "FILE_EMPTY"),
        (b"\xef\xbb\xbf", "FILE_EMPTY"),
        (b"\n\n \n", "FILE_EMPTY"),
        (HEADER, "FILE_EMPTY"),
        (HEADER + b"\n\n", "FILE_EMPTY"),
        (b"just some text\nand more of it\n", "FILE_DELIMITER"),
        (b"%PDF-1.7 ...", "FILE_FORMAT"),
        (b"<html><table>", "FILE_FORMAT"),
        (bytes(range(256)) * 100, "FILE_FORMAT"),
    ],
)
def test_what_is_no_catalog_is_refused_with_its_reason(tmp_path, data, code):
    with pytest.raises(errors.Refused) as refused:
        read(tmp_path, data)
    assert refused.value.code == code
    assert refused.value.suggestion


@pytest.mark.parametrize("tail", [b"B,b", b'B,"b', b'B,"b\n', b'B,"b, 2', b"B", 'B,"é'.encode()])
def test_a_file_that_stops_in_the_middle_is_incomplete_unless_it_is_complete_by_definition(tmp_path, tail):
    data = HEADER + b"A,a,1\n" + tail
    with pytest.raises(errors.Incomplete):
        read(tmp_path, data)
    found = read(tmp_path, data, complete=True)
    assert found.rows == [("A", "a", "1")]
    assert len(found.rejects) == 1


@pytest.mark.parametrize("tail", [b"B,b,2", b'B,"b","2"', b"B,b,"])
def test_a_last_row_with_all_columns_needs_no_newline_unless_the_brand_always_sends_it(tmp_path, tail):
    data = HEADER + b"A,a,1\n" + tail
    assert len(read(tmp_path, data).rows) == 2
    with pytest.raises(errors.Incomplete):
        read(tmp_path, data, must_end_with_newline=True)


def test_blocks_may_be_read_twice_and_records_over_block_edges_stay_whole(tmp_path, monkeypatch):
    data = HEADER + b"".join(b'S%d,"n, ""%d""\nx",%d\n' % (n, n, n) for n in range(300))
    whole = read(tmp_path, data).rows
    for size in (64, 1000, 4096):
        monkeypatch.setattr(bounds, "BLOCK_BYTES", size)
        found = read(tmp_path, data)
        assert found.rows == whole
        assert found.numbers == list(range(2, 302))
        assert sum(len(block) for block in found.source.blocks()) == 300


def test_a_budget_of_bytes_holds_for_plain_files_too(tmp_path):
    with pytest.raises(errors.Refused) as refused:
        read(tmp_path, HEADER + b"A,a,1\n" * 100, max_file_bytes=200)
    assert refused.value.code == "FILE_TOO_LARGE"


def test_a_byte_order_mark_is_no_part_of_the_first_header(tmp_path):
    found = read(tmp_path, codecs.BOM_UTF8 + HEADER + b"A,a,1\n")
    assert found.source.headers == ("sku", "name", "msrp")
    assert found.source.header_raw == b"sku,name,msrp"


class Short:
    """A parser that loses a row."""

    def __init__(self, *args, **kwargs):
        self._table = ARROW(*args, **kwargs).read_all()

    def read_all(self):
        return self._table.slice(1)


def raising(*args, **kwargs):
    raise pa.ArrowInvalid("cannot")


@pytest.mark.parametrize("broken", [raising, Short])
def test_where_the_parser_fails_or_loses_a_row_each_record_is_read_by_itself(tmp_path, monkeypatch, broken):
    rows = b"".join(b'S%d,"n, ""%d""\nx",%d\n' % (n, n, n) for n in range(30))
    data = HEADER + b'A,"a, ""b""",1\n' + b"X,short\n\n" + rows + b"Y,a,b,c\nZ,z,1,\n"
    whole = read(tmp_path, data)
    monkeypatch.setattr(pyarrow.csv, "open_csv", broken)
    found = read(tmp_path, data)
    assert found.rows == whole.rows
    assert (found.numbers, found.lines, found.raws) == (whole.numbers, whole.lines, whole.raws)
    assert [item.finding for item in found.rejects] == [item.finding for item in whole.rejects]


def test_the_header_in_another_order_heads_another_table_wherever_it_stands(tmp_path):
    """Its rows went live under the names of ours: a name as the key."""
    ours = "".join(f"A{number},Chair {number},{number}.50,red\n" for number in range(1, 41))
    others = "".join(f"Sofa {number},B{number},1.50,blue\n" for number in range(5))
    for between in ("", "\n"):
        found = read(tmp_path, f"sku,name,msrp,color\n{ours}{between}name,sku,msrp,color\n{others}".encode())
        assert [row[0] for row in found.rows] == [f"A{number}" for number in range(1, 41)]
        [told] = found.source.tally.late
        assert told.message.startswith("Another table, from row 4") and "name, sku, msrp, color" in told.message
    found = read(
        tmp_path, f"sku,name,msrp,color\n{ours}name,sku,msrp,color\n{others}sku,name,msrp,color\nZ,z,1,r\n".encode()
    )
    assert [row[0] for row in found.rows] == [*(f"A{number}" for number in range(1, 41)), "Z"]


def test_a_header_of_more_columns_than_any_catalog_has_is_refused_and_shown_to_people(tmp_path):
    text = ",".join(f"c{number}" for number in range(4097)) + "\n" + "1," * 4096 + "1\n"
    with pytest.raises(errors.Refused) as caught:
        read(tmp_path, text.encode())
    assert (caught.value.code, str(caught.value)) == ("FILE_FORMAT", "The file has more than 4,096 columns.")
    assert len(read(tmp_path, text.encode(), lenient=True).rows[0]) == 4097
