import csv
import gzip
import io
import json
import tempfile
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sftp_gateway import upload_name
from sftp_gateway.catalog import cells, findings, spool
from sftp_gateway.catalog.findings import Finding
from sftp_gateway.catalog.results import report


def of_row(row, code="FIELD_TYPE", severity="", **more):
    told = {"line": row, "byte_offset": row * 10, "key": f"k{row}", "column": "price", "value": "x"} | more
    return Finding(code, f"message {row}", "hint", severity=severity, row=row, **told)


def stream(*items):
    return [batch for item in items for batch in findings.table(item).to_batches()]


def write(tmp_path, whole, *streams):
    return report.write_findings(whole, list(streams), tmp_path, "c.csv", 17)


def read(tmp_path):
    raw = (tmp_path / "c.csv.17.errors.csv").read_bytes()
    assert raw.startswith(cells.BOM)
    assert raw.endswith(b"\r\n")
    return list(csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline="")))


def test_whole_file_findings_come_first_then_rows_in_order(tmp_path):
    whole = [Finding("FILE_HEADER_UNKNOWN", "odd", value="Colour")]
    main = stream([of_row(2), of_row(2, "FIELD_RANGE")], [of_row(5)], [of_row(9)])
    late = stream([of_row(1), of_row(2, "CATALOG_DUPLICATE_KEY")], [of_row(6), of_row(12)])
    later = stream([of_row(5, "CATALOG_GTIN_DUPLICATE"), of_row(13)])
    counts, made = write(tmp_path, whole, main, late, later)
    header, *lines = read(tmp_path)
    assert header == [
        "upload",
        "row",
        "line",
        "byte_offset",
        "key",
        "column",
        "value",
        "code",
        "severity",
        "message",
        "suggestion",
    ]
    assert lines[0] == ["17", "", "", "", "", "", "Colour", "FILE_HEADER_UNKNOWN", "warning", "odd", ""]
    assert [(line[1], line[7]) for line in lines[1:]] == [
        ("1", "FIELD_TYPE"),
        ("2", "FIELD_TYPE"),
        ("2", "FIELD_RANGE"),
        ("2", "CATALOG_DUPLICATE_KEY"),
        ("5", "FIELD_TYPE"),
        ("5", "CATALOG_GTIN_DUPLICATE"),
        ("6", "FIELD_TYPE"),
        ("9", "FIELD_TYPE"),
        ("12", "FIELD_TYPE"),
        ("13", "FIELD_TYPE"),
    ]
    assert [one.kind for one in made] == ["errors", "errors_json"]
    assert sum(entry["count"] for entry in counts.listed()) == len(lines)


def test_no_findings_make_no_file(tmp_path):
    counts, made = write(tmp_path, [], [])
    assert (counts.listed(), counts.warned, made) == ([], 0, [])
    assert list(tmp_path.iterdir()) == []


def test_cells_are_cut_and_made_harmless_for_spreadsheets_but_not_for_machines(tmp_path):
    write(tmp_path, [], stream([of_row(2, value="=" + "1" * 300, key="-5")]))
    [_, line] = read(tmp_path)
    assert line[6] == "'=" + "1" * 255 + "…"
    assert line[4] == "-5"
    [machine] = [
        json.loads(text) for text in gzip.decompress((tmp_path / "c.csv.17.errors.jsonl.gz").read_bytes()).splitlines()
    ]
    assert machine["value"] == "=" + "1" * 255 + "…"
    assert (machine["upload"], machine["row"], machine["byte_offset"]) == (17, 2, 20)


AWKWARD = st.sampled_from(["", "=1+1", 'say "x"', "a,b", "two\nlines", "\\", "\x01\t", "-5", "é日", "'x", "x" * 300])


@given(st.lists(st.tuples(st.none() | st.integers(0, 9), *[AWKWARD] * 5), min_size=1, max_size=30))
def test_every_finding_is_told_as_it_is_in_both_files_whatever_repeats(rows):
    found = [
        Finding(
            "FIELD_TYPE", message, hint, row=place, line=line, byte_offset=line, key=key, column=column, value=value
        )
        for place, (line, message, hint, key, column, value) in enumerate(rows)
    ]
    with tempfile.TemporaryDirectory() as folder:
        counts, _ = write(Path(folder), [], stream(found))
        _, *lines = read(Path(folder))
        told = gzip.decompress((Path(folder) / "c.csv.17.errors.jsonl.gz").read_bytes()).splitlines()
    shown = findings.table(found).set_column(5, "value", cells.cut(pa.array([one.value for one in found])))
    expected = [{"upload": 17, **row} for row in shown.to_pylist()]
    assert [json.loads(line) for line in told] == expected
    assert [[as_sent(cell) for cell in line] for line in lines] == [
        ["" if value is None else str(value) for value in row.values()] for row in expected
    ]
    told_of = {
        entry["column"]: (entry["count"], [sample["key"] for sample in entry["samples"]]) for entry in counts.listed()
    }
    for column in {one.column for one in found}:
        keys = [one.key for one in found if one.column == column]
        assert told_of[column or None] == (len(keys), keys[:10])


def as_sent(cell):
    """Take the apostrophe away that keeps a spreadsheet from executing a cell."""
    return cell[1:] if cells.safe(pa.array([cell[1:]]))[0].as_py() == cell and cell else cell


def test_findings_are_counted_with_the_first_ten_of_each(tmp_path):
    items = [of_row(row, column="a" if row % 2 else "b") for row in range(2, 42)]
    rule = [of_row(50, "FIELD_RULE", column="msrp_not_below_cost")]
    counts, _ = write(tmp_path, [], stream(items, rule))
    listed = counts.listed()
    assert [(entry["code"], entry["column"], entry["rule"], entry["count"]) for entry in listed] == [
        ("FIELD_TYPE", "b", None, 20),
        ("FIELD_TYPE", "a", None, 20),
        ("FIELD_RULE", None, "msrp_not_below_cost", 1),
    ]
    assert [sample["row"] for sample in listed[1]["samples"]] == list(range(3, 23, 2))
    assert set(listed[0]["samples"][0]) == {"row", "line", "byte_offset", "key", "value", "message", "suggestion"}


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_rows_kept_with_a_warning_are_counted_once_wherever_batches_end(tmp_path, size):
    items = [
        of_row(2, severity="warning"),
        of_row(2, severity="warning"),
        of_row(3, severity="warning"),
        of_row(3, severity="error"),
        of_row(4, severity="info"),
        of_row(5, severity="warning"),
        of_row(5, "CATALOG_DUPLICATE_KEY"),
        of_row(6, severity="warning"),
        of_row(9, severity="error"),
    ]
    batches = findings.table(items).to_batches(max_chunksize=size)
    counts, _ = write(tmp_path, [Finding("FILE_HEADER_UNKNOWN", "odd")], batches)
    assert counts.warned == 2


def test_names_of_files_are_safe():
    assert upload_name.safe("Käse & Brot/2026.csv") == "K_se___Brot_2026.csv"
    assert len(upload_name.safe("x" * 400)) == 150


def test_many_findings_stay_out_of_memory(tmp_path, monkeypatch):
    import pyarrow as pa

    monkeypatch.setattr(spool, "LIMIT_BYTES", 100_000)
    kept = spool.Spool(tmp_path / "spool", findings.SCHEMA)
    for first in range(2, 60_002, 2000):
        kept.add(findings.table([of_row(row) for row in range(first, first + 2000)]))
    before = pa.total_allocated_bytes()
    peak = 0

    def watched():
        nonlocal peak
        for batch in kept.batches():
            peak = max(peak, pa.total_allocated_bytes() - before)
            yield batch

    counts, _ = write(tmp_path, [], watched())
    assert counts.listed()[0]["count"] == 60_000
    assert len(read(tmp_path)) == 60_001
    assert peak < 20_000_000
    kept.remove()
