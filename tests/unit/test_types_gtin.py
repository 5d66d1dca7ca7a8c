"""GTIN and ISBN by their check digits, beside python-stdnum as the oracle."""

import random

import pyarrow as pa
import pytest
import stdnum.ean
import stdnum.isbn

from sftp_gateway.catalog.types import gtin
from sftp_gateway.catalog.types.cells import Cells


def read(*texts: str) -> tuple[list[str | None], dict[int, list[str]]]:
    reading = gtin.read(Cells(pa.array(texts, pa.string())))
    found: dict[int, list[str]] = {}
    for fault in reading.faults:
        for row in fault.rows:
            found.setdefault(int(row), []).append(fault.code)
    return reading.values.to_pylist(), found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4006381333931", "04006381333931"),
        ("036000291452", "00036000291452"),
        ("96385074", "00000096385074"),
        ("14006381333938", "14006381333938"),
        (" 4006381333931 ", "04006381333931"),
        ("978-3-16-148410-0", "09783161484100"),
        ("978 3 16 148410 0", "09783161484100"),
        ("0306406152", "09780306406157"),
        ("0-8044-2957-X", "09780804429573"),
        ("080442957x", "09780804429573"),
        ("4006381333931.0", "04006381333931"),
        ("'4006381333931", "04006381333931"),
    ],
)
def test_every_form_of_a_right_number_becomes_14_digits(text, expected):
    assert read(text, "") == ([expected, None], {})
    assert read(text, "bad", "4006381333931")[0] == [expected, None, "04006381333931"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("4006381333930", "FIELD_GTIN"),
        ("123", "FIELD_GTIN"),
        ("123456789012345", "FIELD_GTIN"),
        ("n/a", "FIELD_GTIN"),
        ("４００６３８１３３３９３１", "FIELD_GTIN"),
        ("0306406153", "FIELD_GTIN"),
        ("4.00638E+12", "FIELD_EXCEL_SCIENTIFIC"),
        ("4,00638E+12", "FIELD_EXCEL_SCIENTIFIC"),
        ("4E12", "FIELD_EXCEL_SCIENTIFIC"),
    ],
)
def test_what_is_no_gtin_is_an_error(text, code):
    assert read("4006381333931", text) == (["04006381333931", None], {1: [code]})


def test_the_expected_check_digit_is_suggested():
    reading = gtin.read(Cells(pa.array(["4006381333930"])))
    assert reading.faults[0].suggestion[0].as_py() == "if the other digits are right, the last one is 1, not 0"


def test_lost_leading_zeros_are_put_back_with_a_warning():
    assert read("36000291452") == (["00036000291452"], {0: ["FIELD_GTIN_PADDED"]})
    assert read("36000291453") == ([None], {0: ["FIELD_GTIN"]})


@pytest.mark.parametrize("start", ["02", "04", "05", "20", "29", "98", "99"])
def test_restricted_prefixes_are_kept_with_a_warning(start):
    text = start + "1234567890"
    text += stdnum.ean.calc_check_digit(text)
    assert read(text) == (["0" + text], {0: ["FIELD_GTIN_RESTRICTED"]})


def test_all_zeros_and_restricted_gtin_8_are_warned_of():
    assert read("00000000")[1] == {0: ["FIELD_GTIN_RESTRICTED"]}
    assert read("21234566"[:7] + stdnum.ean.calc_check_digit("2123456"))[1] == {0: ["FIELD_GTIN_RESTRICTED"]}


def test_a_column_of_one_length_and_a_sliced_one_are_read_alike():
    whole = pa.array(["4006381333931"] * 5 + ["4006381333930"])
    sliced = gtin.read(Cells(whole.slice(2)))
    assert sliced.values.to_pylist() == ["04006381333931"] * 3 + [None]


def test_random_numbers_are_judged_as_python_stdnum_does():
    chance = random.Random(7)
    texts = ["".join(chance.choices("0123456789", k=chance.choice([8, 12, 13, 14]))) for _ in range(3000)]
    texts += [text[:-1] + stdnum.ean.calc_check_digit(text[:-1]) for text in texts[:1500]]
    values, _ = read(*texts)
    for text, value in zip(texts, values, strict=True):
        assert (value is not None) == stdnum.ean.is_valid(text), text
        assert value in (None, text.zfill(14))


def test_random_isbn_10_are_judged_and_turned_as_python_stdnum_does():
    chance = random.Random(8)
    texts = ["".join(chance.choices("0123456789", k=9)) + chance.choice("0123456789X") for _ in range(3000)]
    values, found = read(*texts)
    for row, (text, value) in enumerate(zip(texts, values, strict=True)):
        if stdnum.isbn.is_valid(text):
            assert value == "0" + stdnum.isbn.to_isbn13(text).replace("-", "")
        else:
            padded = text.isdigit() and stdnum.ean.is_valid(text.zfill(14))
            assert (value is not None) == padded
            assert "FIELD_GTIN_PADDED" in found.get(row, []) or value is None
