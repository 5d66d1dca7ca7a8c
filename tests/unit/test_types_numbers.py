"""Numbers, money and measures: exact, by the mark the column proves, each damage named."""

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from sftp_gateway.catalog.types import measure, money, numbers
from sftp_gateway.catalog.types.cells import Cells
from sftp_gateway.catalog.types.typing import Dialect, Reading, Undecided


def cells(*texts: str) -> Cells:
    return Cells(pa.array(texts, pa.string()))


def decimals(reading: Reading) -> list[str | None]:
    return [None if value is None else format(value.normalize(), "f") for value in reading.values.to_pylist()]


def codes(reading: Reading) -> dict[int, str]:
    return {int(row): fault.code for fault in reading.faults for row in fault.rows}


@pytest.mark.parametrize(
    ("text", "mark", "expected"),
    [
        ("12.50", "", "12.5"),
        (" 7 ", "", "7"),
        ("-3", "", "-3"),
        ("+3.5", "", "3.5"),
        ("−3.5", "", "-3.5"),
        (".5", "", "0.5"),
        ("5.", "", "5"),
        ("00012.50", "", "12.5"),
        ("12.3000000000000", "", "12.3"),
        ("1,234.50", "", "1234.5"),
        ("1,234,567", "", "1234567"),
        ("1,23,456.00", "", "123456"),
        ("1 234.5", "", "1234.5"),
        ("1\u00a0234.5", "", "1234.5"),
        ("1'234.50", "", "1234.5"),
        ("1.234", "", "1.234"),
        ("1,234", ".", "1234"),
        ("1.234", ".", "1.234"),
        ("1,234", ",", "1.234"),
        ("1.234", ",", "1234"),
        ("1.234,50", ",", "1234.5"),
        ("1 234,50", ",", "1234.5"),
        ("12,50", ",", "12.5"),
        ("12,50", "?", "12.5"),
        ("12.50", "?", "12.5"),
        ("1.234.567", "?", "1234567"),
        ("12345678901234.1234", "", "12345678901234.1234"),
        ("8.372" + "0" * 40, ".", "8.372"),
        ("0" * 40 + "8.372", ".", "8.372"),
        ("8,372" + "0" * 40, ",", "8.372"),
        ("0,125", ".", "0.125"),
        ("-0,075", ".", "-0.075"),
        ("0,125", "?", "0.125"),
        ("0.125", ",", "0.125"),
        ("00.125", ",", "0.125"),
    ],
)
def test_a_number_is_read_by_the_mark_of_its_column(text, mark, expected):
    reading = numbers.read(cells(text, ""), Dialect(mark), 4, 18)
    assert decimals(reading) == [expected, None]
    assert reading.faults == []
    # and the same beside a bad neighbour, which takes the careful way
    assert decimals(numbers.read(cells(text, "bad"), Dialect(mark), 4, 18)) == [expected, None]


@pytest.mark.parametrize("text", ["1,234", "12,50", "1.234,50", "1.234.567", "-1,234"])
def test_a_value_that_needs_the_column_asks_for_it(text):
    with pytest.raises(Undecided):
        numbers.read(cells("12", text), Dialect(""), 4, 18)


@pytest.mark.parametrize("text", ["1,234", "1.234", "-12,345"])
def test_without_evidence_an_ambiguous_number_is_an_error_with_both_readings(text):
    reading = numbers.read(cells("12", text), Dialect("?"), 4, 18)
    assert codes(reading) == {1: "FIELD_AMBIGUOUS"}
    assert reading.faults[0].suggestion[0].as_py().startswith("write ")
    assert decimals(reading) == ["12", None]


@pytest.mark.parametrize(
    ("text", "code", "suggestion"),
    [
        ("abc", "FIELD_TYPE", "write digits, like 12.50"),
        ("5 pcs", "FIELD_TYPE", "write 5"),
        ("1.2.3", "FIELD_TYPE", "write digits, like 12.50"),
        ("7.13.509", "FIELD_TYPE", "write digits, like 12.50"),
        ("1,2,345.5", "FIELD_TYPE", "write digits, like 12.50"),
        ("0,125.50", "FIELD_TYPE", "write digits, like 12.50"),
        ("--1", "FIELD_TYPE", "write -1"),
        ("1.23454", "FIELD_TYPE", "round it, like 1.2345"),
        ("1.23455", "FIELD_TYPE", "round it, like 1.2346"),
        ("-0.99999", "FIELD_TYPE", "round it, like -1.0000"),
        ("19.99999999999999999999999999999999999999999999", "FIELD_TYPE", "round it, like 20.0000"),
        (
            "748906594426441579438418887255374538.123456",
            "FIELD_TYPE",
            "round it, like 748906594426441579438418887255374538",
        ),
        ("5-", "FIELD_TYPE", "write -5"),
        ("7.50 -", "FIELD_TYPE", "write -7.50"),
        ("(12.50)", "FIELD_TYPE", "write -12.50"),
        ("\u20135", "FIELD_TYPE", "write -5"),
        ("about 5 (pcs)", "FIELD_TYPE", "write 5"),
        ("1E+05", "FIELD_EXCEL_SCIENTIFIC", "format the column as text"),
        ("1.5e3", "FIELD_EXCEL_SCIENTIFIC", "format the column as text"),
        ("123456789012345", "FIELD_RANGE", "check the value"),
        ("NaN", "FIELD_TYPE", "write digits, like 12.50"),
        ("Infinity", "FIELD_TYPE", "write digits, like 12.50"),
        ("0x10", "FIELD_TYPE", ""),
    ],
)
def test_what_is_no_number_is_named_with_a_way_out(text, code, suggestion):
    reading = numbers.read(cells("1", text), Dialect(), 4, 18)
    assert codes(reading) == {1: code}
    given = reading.faults[0].suggestion
    assert (given if isinstance(given, str) else given[0].as_py()).startswith(suggestion)


@pytest.mark.parametrize("mark", [".", ","])
@pytest.mark.parametrize("digits", range(27, 46))
def test_a_decimal_has_28_digits_before_its_mark_and_no_more(digits, mark):
    written = "7489065944264415794384188872553745389374123456"[:digits]
    reading = numbers.read(cells("1", written), Dialect(mark), 10)
    assert codes(reading) == ({1: "FIELD_RANGE"} if digits > 28 else {})
    assert decimals(reading) == ["1", None if digits > 28 else written]


def test_a_smaller_scale_refuses_more_places_also_where_the_column_is_clean():
    reading = numbers.read(cells("1.25", "1.50", "1.255"), Dialect(), 2, 18)
    assert codes(reading) == {2: "FIELD_TYPE"}
    assert decimals(reading) == ["1.25", "1.5", None]


def test_integers_take_a_zero_after_the_mark_and_groups():
    reading = numbers.read_integer(cells("42", "42.0", "1,234,567", "007", "-5", ""), Dialect())
    assert reading.values.to_pylist() == [42, 42, 1234567, 7, -5, None]
    reading = numbers.read_integer(cells("4.5", "1e3", "x", "99999999999999999999"), Dialect())
    assert codes(reading) == {0: "FIELD_TYPE", 1: "FIELD_EXCEL_SCIENTIFIC", 2: "FIELD_TYPE", 3: "FIELD_RANGE"}
    assert reading.values.to_pylist() == [None] * 4


def test_evidence_is_what_allows_one_mark_only():
    texts = pa.array(["12.5", "12,5", "1,234.5", "1.234,5", "1,234,567", "1.234.567", "1,234", "1.234", "12", "0.125"])
    alone = [texts.slice(place, 1) for place in range(len(texts))]
    dots, commas = ([numbers.proves(each, mark) for each in alone] for mark in ".,")
    assert dots == [True, False, True, False, True, False, False, False, False, True]
    assert commas == [False, True, False, True, False, True, False, False, False, False]
    assert numbers.proves(texts, ".")
    assert numbers.proves(texts, ",")
    nothing = pa.array(["0,125.5", "0,125,125", "0.125,5", "0.125.125"])
    assert not (numbers.proves(nothing, ".") or numbers.proves(nothing, ","))


@pytest.mark.parametrize(
    ("text", "amount", "currency"),
    [
        ("15.00 USD", "15", "USD"),
        ("15.00USD", "15", "USD"),
        ("USD 15", "15", "USD"),
        ("usd15", "15", "USD"),
        ("€15", "15", "EUR"),
        ("15 €", "15", "EUR"),
        ("-€15", "-15", "EUR"),
        ("€-15", "-15", "EUR"),
        ("US$ 5.25", "5.25", "USD"),
        ("$1,000.50", "1000.5", "$"),
        ("15 kr", "15", "KR"),
        ("15\u00a0€", "15", "EUR"),
        ("12 zł", "12", "PLN"),
        ("Fr. 12", "12", "CHF"),
        ("Fr.12.50", "12.5", "CHF"),
        ("SFr. 1'299.00", "1299", "CHF"),
        ("12.50 sFr.", "12.5", "CHF"),
        ("SFr 12", "12", "CHF"),
        ("-Fr. 12", "-12", "CHF"),
        ("Fr. -12.50", "-12.5", "CHF"),
        ("Fr. 12.–", "12", "CHF"),
        ("kr. 12", "12", "KR."),
        ("12 kr.", "12", "KR."),
        ("$.50", "0.5", "$"),
    ],
)
def test_money_may_carry_its_currency(text, amount, currency):
    reading = money.read(cells(text, "7", ""), Dialect())
    assert decimals(reading) == [amount, "7", None]
    assert reading.currencies.to_pylist() == [currency, None, None]
    assert reading.faults == []


@pytest.mark.parametrize(
    ("text", "amount", "currency"),
    [
        ("€ 12,-", "12", "EUR"),
        ("129,- €", "129", "EUR"),
        ("CHF 12.-", "12", "CHF"),
        ("12.-CHF", "12", "CHF"),
        ("kr 129,-", "129", "KR"),
        ("€ 12,\u2013", "12", "EUR"),
        ("12,\u2014 €", "12", "EUR"),
        ("12,-- €", "12", "EUR"),
        ("-12,- €", "-12", "EUR"),
        ("€ -12", "-12", "EUR"),
        ("12- €", "-12", "EUR"),
        ("12.50-EUR", "-12.5", "EUR"),
    ],
)
def test_a_dash_in_the_place_of_the_cents_is_no_minus(text, amount, currency):
    reading = money.read(cells("7", text), Dialect())
    assert decimals(reading) == ["7", amount]
    assert reading.currencies.to_pylist() == [None, currency]
    assert reading.faults == []


@pytest.mark.parametrize("text", ["12,-", "12.-", "12,\u2013"])
def test_a_bare_number_with_a_dash_for_its_cents_is_told_how_to_write_it(text):
    reading = money.read(cells("7", text), Dialect())
    assert codes(reading) == {1: "FIELD_TYPE"}
    assert reading.faults[0].suggestion[0].as_py() == "write 12"


@pytest.mark.parametrize("text", ["12,-5 €", "12 - 15 EUR", "€ 12,-15,-"])
def test_a_range_of_amounts_is_none(text):
    assert decimals(money.read(cells("7", text), Dialect())) == ["7", None]


@pytest.mark.parametrize(
    "text", ["15 xyz", "(15.00)", "EUR 15 EUR", "15 €/kg", "15-20", "free", "ca. 12", "EUR. 12", "Fr 12"]
)
def test_what_stands_beside_an_amount_must_be_a_currency(text):
    reading = money.read(cells("7", text), Dialect())
    assert codes(reading) == {1: "FIELD_TYPE"}
    assert decimals(reading) == ["7", None]


def test_a_sign_may_stand_for_several_currencies():
    assert {"USD", "CAD"} <= money.may_be("$")
    assert money.may_be("EUR") == {"EUR"}


@pytest.mark.parametrize(
    ("text", "dimension", "value", "base"),
    [
        ("30 in", "length", "30 in", "0.762 m"),
        ('12"', "length", "12 in", "0.3048 m"),
        ("1'", "length", "1 ft", "0.3048 m"),
        ("30.0 Inches", "length", "30 in", "0.762 m"),
        ("76.2cm", "length", "76.2 cm", "0.762 m"),
        ("11.02 lb", "weight", "11.02 lb", "4.9985879174 kg"),
        ("100 g", "weight", "100 g", "0.1 kg"),
        ("0.0000001 m", "length", "0.0000001 m", "0.0000001 m"),
        ("1,234.5 mm", "length", "1234.5 mm", "1.2345 m"),
        ("5", "length", "5", "5"),
        ("0.75 l", "", "0.75 l", "0.75 l"),
    ],
)
def test_a_measure_is_kept_as_written_and_compared_in_its_base_unit(text, dimension, value, base):
    reading = measure.read(cells(text, ""), Dialect(), dimension)
    assert reading.values.to_pylist() == [value, None]
    assert reading.base.to_pylist() == [base, None]
    assert reading.faults == []


def test_a_bare_number_takes_the_unit_of_its_header():
    of_header = ((np.array([True, True]), "g"),)
    reading = measure.read(cells("250", "1 kg"), Dialect(unit_rows=of_header), "weight")
    assert reading.values.to_pylist() == ["250 g", "1 kg"]
    assert reading.base.to_pylist() == ["0.25 kg", "1 kg"]


@pytest.mark.parametrize(
    ("text", "code"),
    [("5 kg", "FIELD_TYPE"), ("3 parsecs", "FIELD_TYPE"), ("tall", "FIELD_TYPE"), ("-1 in", "FIELD_RANGE")],
)
def test_a_measure_of_another_kind_is_an_error(text, code):
    reading = measure.read(cells("1 in", text), Dialect(), "length")
    assert codes(reading) == {1: code}
    assert reading.values.to_pylist() == ["1 in", None]
    assert reading.base.to_pylist() == ["0.0254 m", None]


def test_decimals_never_pass_through_floats():
    text = "0.1000000001"
    assert numbers.read(cells(text), Dialect(), 10).values[0].as_py() == Decimal(text)


def test_words_among_amounts_name_no_currency():
    reading = money.read(cells("12.50", "free", "", "n/a"), Dialect())
    assert (decimals(reading), reading.currencies) == (["12.5", None, None, None], None)
    assert {row: fault.suggestion[at].as_py() for fault in reading.faults for at, row in enumerate(fault.rows)} == {
        1: "write digits, like 12.50",
        3: "write digits, like 12.50",
    }
