import gzip
import io
import os
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib

import openpyxl
import pyarrow as pa
import pyarrow.parquet
import pytest
import xlwt
import zstandard

from sftp_gateway import errors
from tests.unit import workbooks
from tests.unit.reading import read

HEAD = b"sku,name,msrp\n"
CSV = HEAD + b"".join(b"S%d,name %d,1.50\n" % (n, n * 7919) for n in range(500))
JSON = b'[{"sku":"A","name":"a"},{"sku":"B","name":"b"}]'


def zipped(data, name="catalog.csv", extra=()):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
        for more in extra:
            archive.writestr(more, b"x")
    return out.getvalue()


def workbook(rows):
    out = io.BytesIO()
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(out)
    return out.getvalue()


def parquet(columns):
    out = io.BytesIO()
    pa.parquet.write_table(pa.table(columns), out)
    return out.getvalue()


PACKERS = {"gzip": gzip.compress, "zstd": zstandard.compress, "zip": zipped}
INNER = {
    "csv": CSV,
    "json": JSON,
    "jsonl": b'{"sku":"A"}\n{"sku":"B"}\n',
    "xlsx": workbook([["sku", "name"], ["A", "a"], ["B", "b"]]),
    "parquet": parquet({"sku": ["A", "B"], "name": ["a", "b"]}),
}


@pytest.mark.parametrize("packing", [None, *PACKERS])
@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("rows", [1, 40_000])
def test_an_archive_of_tar_is_refused_at_once_whatever_its_size(tmp_path, packing, form, rows):
    out, member = io.BytesIO(), tarfile.TarInfo("catalog.csv")
    data = HEAD + b"".join(b"S%d,name %d,1.50\n" % (n, n * 7919) for n in range(rows))
    member.size = len(data)
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        archive.addfile(member, io.BytesIO(data))
    with pytest.raises(errors.Refused, match="tar") as refused:
        read(tmp_path, PACKERS[packing](out.getvalue()) if packing else out.getvalue())
    assert (refused.value.code, type(refused.value)) == ("FILE_FORMAT", errors.Refused)


def test_a_file_that_only_has_the_letters_of_tar_is_read(tmp_path):
    start = HEAD + b"S1,"
    assert len(read(tmp_path, start + b"x" * (257 - len(start)) + b"ustar,1.50\n").rows) == 1


@pytest.mark.parametrize("packing", PACKERS)
@pytest.mark.parametrize("form", INNER)
def test_every_format_is_read_in_every_packing(tmp_path, packing, form):
    plain = read(tmp_path, INNER[form])
    packed = read(tmp_path, PACKERS[packing](INNER[form]))
    assert packed.rows == plain.rows
    assert packed.source.format.compression == packing
    assert packed.source.format.format == form


@pytest.mark.parametrize("packing", PACKERS)
@pytest.mark.parametrize("share", [0.2, 0.6, 0.999])
def test_a_packed_file_that_stops_in_the_middle_is_incomplete(tmp_path, packing, share):
    packed = PACKERS[packing](os.urandom(5000).hex().encode() + CSV)
    cut = packed[: int(len(packed) * share)]
    with pytest.raises(errors.Incomplete):
        read(tmp_path, cut)
    with pytest.raises(errors.Refused) as refused:
        read(tmp_path, cut, complete=True)
    assert refused.value.code == "FILE_TRUNCATED"


def test_gzip_and_zstd_may_have_several_members(tmp_path):
    half = len(CSV) // 2
    for pack in (gzip.compress, zstandard.compress):
        assert len(read(tmp_path, pack(CSV[:half]) + pack(CSV[half:])).rows) == 500


@pytest.mark.parametrize("padding", [b"", b"\0" * 10, b"\0" * 3 * 1024**2])
@pytest.mark.parametrize("junk", [b"\n", b"x", b"xyz" * 100, b"x" * 2 * 1024**2, b"\x1fx"])
@pytest.mark.parametrize("streams", [1, 2])
def test_bytes_behind_the_end_of_a_gzip_stream_are_told_as_that(tmp_path, streams, padding, junk):
    packed = gzip.compress(CSV) * streams + padding
    for complete in (True, False):
        with pytest.raises(errors.Refused, match="follow the end of the gzip stream") as refused:
            read(tmp_path, packed + junk, complete=complete)
        assert refused.value.code == "FILE_FORMAT"
    assert len(read(tmp_path, packed).rows) >= 500


@pytest.mark.parametrize("begun", [b"\x1f", b"\x1f\x8b", gzip.compress(CSV)[:-30]])
@pytest.mark.parametrize("padding", [b"", b"\0" * 3 * 1024**2])
def test_a_second_gzip_stream_that_is_cut_is_incomplete(tmp_path, begun, padding):
    with pytest.raises(errors.Incomplete):
        read(tmp_path, gzip.compress(CSV) + padding + begun)


@pytest.mark.parametrize("form", ["xlsx", "parquet"])
def test_a_workbook_or_parquet_file_that_is_cut_is_incomplete(tmp_path, form):
    with pytest.raises(errors.Incomplete):
        read(tmp_path, INNER[form][:-30])


def test_a_zip_of_two_files_is_refused_and_litter_of_a_mac_is_not(tmp_path):
    with pytest.raises(errors.Refused, match="exactly one"):
        read(tmp_path, zipped(CSV, extra=["other.csv"]))
    for litter in ("__MACOSX/._catalog.csv", "._catalog.csv", "out/._catalog.csv", "desktop.ini", "out/"):
        assert len(read(tmp_path, zipped(CSV, extra=[litter])).rows) == 500


def test_names_in_a_zip_are_no_paths(tmp_path):
    assert len(read(tmp_path, zipped(CSV, name="../../etc/passwd")).rows) == 500


def test_packed_twice_is_refused(tmp_path):
    with pytest.raises(errors.Refused) as refused:
        read(tmp_path, gzip.compress(gzip.compress(CSV)))
    assert refused.value.code == "FILE_FORMAT"


def test_damaged_bytes_in_a_packed_file_are_refused(tmp_path):
    packed = bytearray(gzip.compress(os.urandom(5000).hex().encode() + CSV))
    packed[2000:2040] = b"\xff" * 40
    with pytest.raises(errors.Refused):
        read(tmp_path, bytes(packed))


ZEROS = 300 * 1024**2


def lying_zip():
    """A workbook whose directory says 100 bytes for a sheet that has 300 MB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = packer.compress(b"<c/>" * (ZEROS // 4)) + packer.flush()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("xl/workbook.xml", b"<x/>")
        archive.writestr("xl/worksheets/sheet1.xml", body)
    data = bytearray(out.getvalue())
    local = data.index(b"xl/worksheets/sheet1.xml") - 30
    central = data.rindex(b"xl/worksheets/sheet1.xml") - 46
    struct.pack_into("<H", data, local + 8, 8)
    struct.pack_into("<H", data, central + 10, 8)
    struct.pack_into("<I", data, local + 22, 100)
    struct.pack_into("<I", data, central + 24, 100)
    return bytes(data)


def far_cell(kind):
    out = io.BytesIO()
    if kind.endswith("xls"):
        book = xlwt.Workbook()
        sheet = book.add_sheet("A")
        sheet.write(0, 0, "sku")
        sheet.write(65535, 255, "far")
        if kind == "short xls":
            return workbooks.shared_xls(book)
        book.save(out)
    else:
        book = openpyxl.Workbook()
        book.active["A1"], book.active["XFD1048576"] = "sku", "far"
        book.save(out)
    return out.getvalue()


def ods(rows_repeated, columns_repeated, text="x"):
    body = (
        '<office:document-content><table:table table:name="A">'
        f'<table:table-row table:number-rows-repeated="{rows_repeated}">'
        f'<table:table-cell table:number-columns-repeated="{columns_repeated}" office:value-type="string">'
        f"<text:p>{text}</text:p></table:table-cell></table:table-row></table:table></office:document-content>"
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", body)
    return out.getvalue()


def entities():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "xl/workbook.xml", '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>'
        )
    return out.getvalue()


def shared_text(length, cells):
    """A workbook whose cells all share one text that does not pack well."""
    rows = b"".join(b'<row r="%d"><c r="A%d" t="s"><v>0</v></c></row>' % (n, n) for n in range(2, cells + 2))
    rows = b'<row r="1"><c r="A1" t="inlineStr"><is><t>sku</t></is></c></row>' + rows
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(workbook([["x"]]))) as model,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name in model.namelist():
            part = model.read(name)
            if name == "xl/_rels/workbook.xml.rels":
                kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings"
                more = f'<Relationship Id="rId99" Type="{kind}" Target="sharedStrings.xml"/></Relationships>'
                part = part.replace(b"</Relationships>", more.encode())
            elif name == "xl/worksheets/sheet1.xml":
                part = part[: part.index(b"<row")] + rows + part[part.index(b"</sheetData>") :]
            archive.writestr(name, part)
        text = os.urandom(length // 2).hex()
        main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
        archive.writestr("xl/sharedStrings.xml", f'<sst xmlns="{main}"><si><t>{text}</t></si></sst>')
    return out.getvalue()


def repeated_text():
    long = pa.DictionaryArray.from_arrays(pa.array([0] * 1_000_000, pa.int32()), pa.array(["x" * 1_000_000]))
    return parquet({"sku": long})


BOMBS = {
    "gzip": lambda: gzip.compress(b"0" * ZEROS),
    "zstd": lambda: zstandard.compress(b"0" * ZEROS),
    "zip": lambda: zipped(b"0" * ZEROS),
    "xlsx far cell": lambda: far_cell("xlsx"),
    "xls far cell": lambda: far_cell("xls"),
    "short xls far cell": lambda: far_cell("short xls"),
    "xlsx that lies about sizes": lying_zip,
    "xlsx with entities": entities,
    "ods repeated": lambda: ods(1_048_576, 16_384),
    "ods repeated long text": lambda: ods(2000, 1000, os.urandom(8192).hex()),
    "xlsx with an endless text": lambda: shared_text(20_000_000, 1),
    "xlsx with a text shared by many": lambda: shared_text(200_000, 300_000),
    "parquet with one long text": repeated_text,
    "gzip in a workbook": lambda: gzip.compress(far_cell("xlsx")),
    "json nested": lambda: b'[{"a":' + b"[" * 20_000_000,
}


READ = """
import sys, time
from pathlib import Path
from sftp_gateway import errors
from sftp_gateway.catalog.read.opening import open_source
from sftp_gateway.catalog.read.source import Hints

begun = time.process_time()
try:
    for _ in open_source(Path(sys.argv[1]), Hints()).blocks():
        pass
except errors.Refused as error:
    # Not getrusage: its peak begins with that of the process which started this one.
    peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print(error.code, time.process_time() - begun, int(peak.split()[1]) * 1024)
"""


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_refused_quickly_and_in_little_memory(tmp_path, kind):
    path = tmp_path / "bomb"
    path.write_bytes(BOMBS[kind]())
    child = subprocess.run([sys.executable, "-c", READ, path], capture_output=True, text=True, timeout=60, check=True)
    code, seconds, resident = child.stdout.split()
    assert code in ("FILE_BOMB", "FILE_TOO_LARGE")
    assert float(seconds) < 2
    assert int(resident) < 256 * 1024**2


def test_a_text_that_many_cells_share_is_read(tmp_path):
    assert len(read(tmp_path, shared_text(20_000, 5_000)).rows) == 5_000


def test_a_file_that_packs_well_but_is_small_is_no_bomb(tmp_path):
    data = b"sku,name,msrp\n" + b"A,aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa,1\n" * 100_000
    assert len(read(tmp_path, gzip.compress(data)).rows) == 100_000


def test_the_budget_of_unpacked_bytes_holds(tmp_path):
    with pytest.raises(errors.Refused) as refused:
        read(tmp_path, gzip.compress(CSV), max_file_bytes=5000)
    assert refused.value.code == "FILE_TOO_LARGE"
