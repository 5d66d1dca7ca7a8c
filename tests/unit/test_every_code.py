"""Every finding code has an example in docs/examples, and the example causes it."""

import hashlib
from pathlib import Path

import pytest

from sftp_gateway.brand import BrandSettings
from sftp_gateway.catalog import codes
from sftp_gateway.catalog.rules import schema
from sftp_gateway.intake import sources
from sftp_gateway.upload import Mode
from tests.catalog_shop import SMALL, Shop
from tests.catalog_shop import codes as found_codes

EXAMPLES = Path(__file__).parents[2] / "docs/examples"
HEADER = "sku,name,msrp\n"
BEFORE = {
    "CATALOG_STALE_CORRECTION": [HEADER + "A1,Chair,1\nA6,Chair,free\n", HEADER + "A1,Chair,1\nA6,Chair,7\n"],
    "CATALOG_REVERT": [(EXAMPLES / "CATALOG_REVERT.csv").read_text(), HEADER + "A1,Chair,9\nA2,Chair,9\nA3,Chair,9\n"],
}
"""What the brand sent before, where the code is about that."""
SETTINGS = {"FILE_ENCODING": BrandSettings(encoding="klingon")}
RULES = {
    "FIELD_PATTERN": schema.parse(SMALL.replace("[column.name]", 'pattern = "[A-Z]{2}-[0-9]{2}"\n[column.name]', 1))
}


def example(code: str) -> Path:
    [path] = [path for path in EXAMPLES.glob(f"{code}.*") if path.suffix != ".sha256"]
    return path


def test_every_code_has_an_example_and_every_example_a_code():
    assert {path.name.partition(".")[0] for path in EXAMPLES.iterdir()} == set(codes.CODES)


@pytest.mark.parametrize("code", sorted(set(codes.CODES) - {"FILE_CHECKSUM"}))
def test_the_example_of_a_code_causes_it(code, tmp_path):
    shop = Shop(tmp_path, **({"rules": RULES[code]} if code in RULES else {}), settings=SETTINGS.get(code))
    shop.max_file_bytes = 50 if code == "FILE_TOO_LARGE" else 1024**3
    for earlier in BEFORE.get(code, ()):
        shop.put(earlier)
    outcome = shop.put(example(code), name=example(code).name, complete=code != "FILE_INCOMPLETE", mode=Mode.FULL)
    assert found_codes(outcome).get(code), found_codes(outcome)
    told = [finding for finding in outcome.receipt["findings"] if finding["code"] == code]
    assert codes.CODES[code] in {finding["severity"] for finding in told}
    assert all(sample["message"] for finding in told for sample in finding["samples"])


def test_the_example_of_a_wrong_checksum_is_one():
    file, told = EXAMPLES / "FILE_CHECKSUM.csv", (EXAMPLES / "FILE_CHECKSUM.csv.sha256").read_text().split()[0]
    real = hashlib.sha256(file.read_bytes()).hexdigest()
    assert told != real
    assert sources.mismatch("sha256", f"{file.name}.sha256", told, real)["code"] == "FILE_CHECKSUM"
