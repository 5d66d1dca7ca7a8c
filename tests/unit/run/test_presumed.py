"""A large file taken for UTF-8 by its beginning: whatever comes later in it, the same comes out as if it was looked at whole."""

from pathlib import Path

import pytest

from sftp_gateway.brand import BrandSettings
from sftp_gateway.catalog.comparing import reuse
from sftp_gateway.catalog.read import bounds
from sftp_gateway.catalog.read.text import encoding, presumed
from sftp_gateway.upload import State
from tests.catalog_shop import Shop, sheet, small_rules, table

ROWS = 3000
COLUMNS = ("sku", "name", "price", "stock")


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(bounds, "BLOCK_BYTES", 16_384)
    monkeypatch.setattr(bounds, "SAMPLE_BYTES", 4096)
    monkeypatch.setattr(presumed, "LEAST_BYTES", 32_768)
    monkeypatch.setattr(reuse, "LEAST_BYTES", 32_768)


@pytest.fixture
def looked_whole(monkeypatch):
    """Counts how often a file was looked at whole."""
    calls = []
    real = encoding.detect

    def counting(packed, hints):
        calls.append(packed)
        return real(packed, hints)

    monkeypatch.setattr(encoding, "detect", counting)
    return calls


def text(name: str = "chair", **odd: str) -> str:
    """A catalog in which the rows of these numbers (`r5=...`) have another name."""
    return sheet([(f"A-{n}", odd.get(f"r{n}", f"{name} {n}"), "10.50", n % 5) for n in range(ROWS)], COLUMNS)


def outcome_of(folder: Path, *files: bytes, **settings):
    """What a brand gets for these files, one after the other."""
    folder.mkdir()
    shop = Shop(folder, small_rules(folder), BrandSettings(**settings))
    told = []
    for data in files:
        outcome = shop.put(data)
        told.append((outcome.state, outcome.reasons, outcome.receipt["rows"], outcome.receipt["file"], outcome.receipt["changes"],
                     [(f["code"], f["message"]) for f in table(errors_of(outcome))]))  # fmt: skip
    return told, shop.products() if shop.base else None


def errors_of(outcome) -> str:
    return next((made.path.read_text() for made in outcome.made if made.kind == "errors"), "")


def refused(header: str) -> bytes:
    return text(r2990="café").replace("sku,name,price,stock", header).encode("cp1252")


FILES = {
    "a header twice, cp1252 late": refused("sku,name,name,stock"),
    "no key, cp1252 late": refused("thing,name,price,stock"),
    "ascii": text().encode(),
    "accents": text("Stühlchen für Zoë").encode(),
    "accents of three and four bytes": text("椅子🪑").encode(),
    "a byte order mark": b"\xef\xbb\xbf" + text("Stuhl à").encode(),
    "damage behind a byte order mark": b"\xef\xbb\xbf" + text(r2500="caf\0").encode().replace(b"\0", b"\xe9"),
    "cp1252 late": text(r2990="café").encode("cp1252"),
    "cp1252 in the last row": text(r2999="façade à côté").encode("cp1252"),
    "a damaged row among accents": text("Stühlchen", r2800="caf\0").encode().replace(b"\0", b"\xe9"),
    "cut off in a character": (text() + "A-x,é").encode()[:-1],
    "no line end at the end": text("é").rstrip().encode(),
    "cp1252 early": text("Zoë").encode("cp1252"),
    "UTF-16": text().encode("utf-16"),
}
WHOLE = {"a header twice, cp1252 late", "no key, cp1252 late", "cp1252 late", "cp1252 in the last row", "a damaged row among accents", "cut off in a character",
         "damage behind a byte order mark", "cp1252 early", "UTF-16"}  # fmt: skip


@pytest.mark.parametrize("kind", FILES)
def test_the_same_comes_out(tmp_path, small_blocks, looked_whole, monkeypatch, kind):
    presuming = outcome_of(tmp_path / "presuming", FILES[kind])
    assert bool(looked_whole) is (kind in WHOLE)
    monkeypatch.setattr(presumed, "LEAST_BYTES", 1 << 40)
    assert presuming == outcome_of(tmp_path / "whole", FILES[kind])


@pytest.mark.parametrize("kind", ["cp1252 late", "a damaged row among accents"])
def test_the_same_comes_out_where_most_rows_are_known(tmp_path, small_blocks, looked_whole, monkeypatch, kind):
    known = (
        FILES["ascii"]
        if kind == "cp1252 late"
        else FILES["accents"].replace("Stühlchen für Zoë".encode(), "Stühlchen".encode())
    )
    presuming = outcome_of(tmp_path / "presuming", known, FILES[kind])
    assert looked_whole
    monkeypatch.setattr(presumed, "LEAST_BYTES", 1 << 40)
    assert presuming == outcome_of(tmp_path / "whole", known, FILES[kind])


def test_a_pinned_encoding_counts_where_the_file_is_not_utf8_after_all(tmp_path, small_blocks, looked_whole):
    told, products = outcome_of(tmp_path / "pinned", text(r2990="ł").encode("cp1250"), encoding="cp1250")
    assert told[0][0] is State.PUBLISHED and looked_whole
    assert products["A-2990"]["name"] == "ł"
    assert not [code for code, _ in told[0][5] if code == "FILE_ENCODING_GUESSED"]


def test_lines_of_json_are_looked_at_whole(tmp_path, small_blocks, looked_whole):
    lines = "".join(f'{{"sku": "A-{n}", "name": "chair {n}"}}\n' for n in range(ROWS))
    told, _ = outcome_of(tmp_path / "json", lines.encode())
    assert told[0][0] is State.PUBLISHED and looked_whole
