"""Correction files in a real spreadsheet program: LibreOffice opens, keeps and saves them, and the gateway takes them back."""

import csv
import io
import shutil
import subprocess
from pathlib import Path

import openpyxl
import pytest

from sftp_gateway.upload import State
from tests.catalog_dialects import COLUMNS, OPEN, Dialect, correction, said
from tests.catalog_shop import Shop

SOFFICE = shutil.which("soffice")
pytestmark = [
    pytest.mark.full,
    pytest.mark.timeout(300),
    pytest.mark.skipif(SOFFICE is None, reason="soffice (LibreOffice) is not installed, so no file was opened in it"),
]
GOOD = ("G1", "Chair", "1.50", "4006381333931", "red")
BAD = [
    ("0012", "007", "x", "00012345678905", "00012345678901234567890"),
    ("00034", "1e5", "x", "4006381333930", "12345678901234567890123"),
    ("5", "=1+1", "-1", "", "'=x"),
    ("6", 'say "hi", é', "x", "", "two\nlines"),
    ("7", "-5", "x", "", "12/05"),
]
KEPT = [(row[0], row[1], row[2], row[3], row[4]) for row in BAD]


@pytest.fixture
def office(tmp_path):
    """Give a function that converts a file as a person would open it and save it under another type."""

    def convert(data: bytes, name: str, to: str, opened: str = "") -> bytes:
        source, out = tmp_path / name, tmp_path / f"as-{to.partition(':')[0]}-{name}"
        source.write_bytes(data)
        call = [SOFFICE, "--headless", f"-env:UserInstallation=file://{tmp_path}/profile"]
        call += [f"--infilter={opened}"] if opened else []
        call += ["--convert-to", to, "--outdir", str(out), str(source)]
        done = subprocess.run(call, capture_output=True, text=True, timeout=120, check=False)
        made = list(out.glob("*"))
        assert made, done.stdout + done.stderr
        return made[0].read_bytes()

    return convert


def sent(folder: Path, dialect: Dialect) -> tuple[Shop, object]:
    shop = Shop(folder, guards=OPEN)
    return shop, shop.put(dialect.write([GOOD, *BAD]), name=dialect.name)


def sheet(data: bytes) -> list[tuple[str, ...]]:
    rows = openpyxl.load_workbook(io.BytesIO(data)).active.iter_rows(values_only=True, max_col=len(COLUMNS))
    return [tuple("" if cell is None else cell for cell in row) for row in rows]


def test_a_workbook_opens_keeps_every_digit_and_comes_back(tmp_path, office):
    shop, first = sent(tmp_path, Dialect("xlsx"))
    saved = office(correction(first), "fix.xlsx", "xlsx:Calc MS Excel 2007 XML")
    # Whatever a correction is saved as, one ' is taken from such a cell where it is read: what was sent with one has two.
    shown_as = [tuple("'" + cell if cell[:2] == "'=" else cell for cell in row) for row in KEPT]
    assert sheet(saved) == [COLUMNS, *shown_as]
    as_csv = office(correction(first), "fix.xlsx", "csv:Text - txt - csv (StarCalc):44,34,76,1")
    shown = list(csv.reader(io.StringIO(as_csv.decode("utf-8-sig"))))
    assert [tuple(row[: len(COLUMNS)]) for row in shown] == [COLUMNS, *shown_as]
    again = shop.put(saved, name="fix.xlsx")
    assert said(shop, again) == [item for item in said(shop, first) if item[0] != "G1"]


def test_a_mended_workbook_saved_as_another_type_publishes_what_was_mended(tmp_path, office):
    shop, first = sent(tmp_path, Dialect("xlsx"))
    book = openpyxl.load_workbook(io.BytesIO(correction(first)))
    for row in book.active.iter_rows(min_row=2):
        row[2].value = "7.25"
        row[3].value = "00012345678905" if row[0].value == "0012" else ""
    out = io.BytesIO()
    book.save(out)
    done = shop.put(office(out.getvalue(), "mended.xlsx", "ods"), name="mended.ods")
    assert done.state is State.PUBLISHED
    assert (
        shop.products()["0012"] | {"msrp": "7.25", "color": BAD[0][4], "gtin": "00012345678905"}
        == shop.products()["0012"]
    )
    assert {"0012", "00034", "5", "6", "7", "G1"} == set(shop.products())


@pytest.mark.parametrize(
    ("dialect", "separator", "charset"),
    [(Dialect("csv"), 44, 76), (Dialect("csv", ";", encoding="utf-8-sig"), 59, 76), (Dialect("csv", "\t"), 9, 76)],
)
def test_a_csv_opened_as_text_keeps_every_digit_and_comes_back(tmp_path, office, dialect, separator, charset):
    shop, first = sent(tmp_path, dialect)
    columns = "/".join(f"{at}/2" for at in range(1, 11))  # 2: the column type "Text" of the import dialogue
    opened = f"Text - txt - csv (StarCalc):{separator},34,{charset},1,{columns}"
    safe = [tuple("'" + cell if cell[:1] == "=" or cell[:2] == "'=" else cell for cell in row) for row in KEPT]
    assert sheet(office(correction(first), "fix.csv", "xlsx", opened)) == [COLUMNS, *safe]
    saved = office(correction(first), "fix.csv", f"csv:Text - txt - csv (StarCalc):{separator},34,{charset},1", opened)
    again = shop.put(saved, name="fix.csv")
    assert again.receipt["mode"] == "correction"
    assert said(shop, again) == [item for item in said(shop, first) if item[0] != "G1"]
