"""Dates and moments: ISO 8601 always, other orders only where they are certain or decided."""

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from sftp_gateway.catalog.types import dates
from sftp_gateway.catalog.types.cells import Cells
from sftp_gateway.catalog.types.typing import Dialect, Reading, Undecided


def cells(*texts: str) -> Cells:
    return Cells(pa.array(texts, pa.string()))


def shown(reading: Reading) -> list[str | None]:
    return pc.utf8_slice_codeunits(pc.strftime(reading.values, format="%Y-%m-%dT%H:%M:%S"), 0, 19).to_pylist()


def codes(reading: Reading) -> dict[int, str]:
    return {int(row): fault.code for fault in reading.faults for row in fault.rows}


@pytest.mark.parametrize(
    ("text", "order", "expected"),
    [
        ("2026-01-31", "", "2026-01-31T00:00:00"),
        ("2026/1/31", "", "2026-01-31T00:00:00"),
        ("20260131", "", "2026-01-31T00:00:00"),
        ("2026-01-31T10:11:12Z", "", "2026-01-31T10:11:12"),
        ("2026-01-31 10:11", "", "2026-01-31T10:11:00"),
        ("2026-01-31T10:11:12+02:00", "", "2026-01-31T08:11:12"),
        ("2026-01-31T10:11:12-0530", "", "2026-01-31T15:41:12"),
        ("2024-02-29", "", "2024-02-29T00:00:00"),
        ("31/01/2026", "", "2026-01-31T00:00:00"),
        ("01/31/2026", "", "2026-01-31T00:00:00"),
        ("31.01.2026 23:59", "", "2026-01-31T23:59:00"),
        ("02/02/2026", "", "2026-02-02T00:00:00"),
        ("05/13/26", "", "2026-05-13T00:00:00"),
        ("13/05/26", "", "2026-05-13T00:00:00"),
        ("01/02/2026", "dmy", "2026-02-01T00:00:00"),
        ("01/02/2026", "mdy", "2026-01-02T00:00:00"),
        ("1/2/26", "mdy", "2026-01-02T00:00:00"),
        ("26/01/02", "ymd", "2026-01-02T00:00:00"),
        ("1 Feb 2026", "", "2026-02-01T00:00:00"),
        ("31-Jan-26", "", "2026-01-31T00:00:00"),
        ("5 Feb 99 10:30", "mdy", "1999-02-05T10:30:00"),
        ("Feb 1st, 2026 3:04 PM", "", "2026-02-01T15:04:00"),
        ("12 Sept 2026 12:30 am", "", "2026-09-12T00:30:00"),
        ("Mon, 02 Jan 2006 15:04:05 GMT", "", "2006-01-02T15:04:05"),
        ("1969-12-31T23:59:59Z", "", "1969-12-31T23:59:59"),
    ],
)
def test_a_moment_is_read(text, order, expected):
    reading = dates.read_moment(cells(text, ""), Dialect(order=order))
    assert shown(reading) == [expected, None]
    assert reading.faults == []
    assert shown(dates.read_moment(cells(text, "soon"), Dialect(order=order))) == [expected, None]


def test_moments_without_a_zone_are_in_the_brands_and_mere_dates_are_utc():
    texts = cells("2026-07-01 12:00", "2026-07-01", "2026-07-01T12:00:00Z")
    reading = dates.read_moment(texts, Dialect(timezone="Europe/Berlin"))
    assert shown(reading) == ["2026-07-01T10:00:00", "2026-07-01T00:00:00", "2026-07-01T12:00:00"]


def test_fractions_of_a_second_are_kept_to_the_microsecond():
    reading = dates.read_moment(cells("2026-01-01T00:00:00.1234567Z", "2026-01-01 00:00:00,5"), Dialect())
    assert [value.microsecond for value in reading.values.to_pylist()] == [123456, 500000]


def test_a_date_that_reads_both_ways_asks_for_the_column():
    with pytest.raises(Undecided):
        dates.read_moment(cells("01/02/2026"), Dialect())
    reading = dates.read_moment(cells("01/02/2026", "31/01/2026"), Dialect(order="?"))
    assert codes(reading) == {0: "FIELD_AMBIGUOUS"}


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("26-01-05", "2005-01-26 or 2026-01-05"),
        ("05-01-26", "2026-01-05 or 2026-05-01 or 2005-01-26"),
        ("05-05-26 10:11", "2026-05-05 or 2005-05-26"),
    ],
)
def test_a_short_year_between_hyphens_may_stand_first_or_last(text, days):
    with pytest.raises(Undecided):
        dates.read_moment(cells(text), Dialect())
    reading = dates.read_moment(cells(text, "26-01-05"), Dialect(order="?"))
    assert codes(reading) == {0: "FIELD_AMBIGUOUS", 1: "FIELD_AMBIGUOUS"}
    assert reading.faults[0].suggestion[0].as_py() == f"write {days}, or ask for your date order to be set"
    assert dates.evidence(cells(text, "26-01-05")) == (False, False)


def test_a_short_year_beside_the_name_of_a_month_stands_last_unless_the_brands_stand_first():
    reading = dates.read_date(cells("31-Jan-26", "26-Foo-05"), Dialect(order="ymd"))
    assert codes(reading) == {0: "FIELD_TYPE", 1: "FIELD_TYPE"}
    assert codes(dates.read_date(cells("31-Feb-26", "26-Foo-05"), Dialect())) == {0: "FIELD_TYPE", 1: "FIELD_TYPE"}


def test_a_short_year_that_can_only_stand_last_tells_the_order():
    assert dates.evidence(cells("26-01-99", "26-01-05")) == (True, False)
    order = dates.read_moment(cells("26-01-99", "05-01-26", "26/01/05"), Dialect(order="dmy"))
    assert shown(order) == ["1999-01-26T00:00:00", "2026-01-05T00:00:00", "2005-01-26T00:00:00"]
    assert shown(dates.read_moment(cells("26-01-99", "26/01/05"), Dialect())) == [
        "1999-01-26T00:00:00",
        "2005-01-26T00:00:00",
    ]


def test_evidence_is_a_day_beyond_twelve():
    assert dates.evidence(cells("31/01/2026", "01/02/2026")) == (True, False)
    assert dates.evidence(cells("01/31/2026", "01/02/2026")) == (False, True)
    assert dates.evidence(cells("01/02/2026", "", "x")) == (False, False)


@pytest.mark.parametrize(
    "text", ["2026-02-30", "2025-02-29", "2026-13-01", "2026-00-10", "31/04/2026", "2026-01-01T25:00:00Z", "40/40/2026"]
)
def test_days_and_times_that_do_not_exist_are_errors(text):
    assert codes(dates.read_moment(cells("2026-01-01", text), Dialect())) == {1: "FIELD_TYPE"}


def test_a_spreadsheets_day_number_is_recognised():
    reading = dates.read_date(cells("45231", "soon"), Dialect())
    assert codes(reading) == {0: "FIELD_TYPE", 1: "FIELD_TYPE"}
    assert "2023-11-01" in reading.faults[0].suggestion[0].as_py()


def test_dates_refuse_a_time_of_day_but_midnight():
    reading = dates.read_date(cells("2026-01-31", "2026-01-31T00:00:00", "2026-01-31T10:00:00"), Dialect())
    assert [str(value) for value in reading.values.to_pylist()] == ["2026-01-31", "2026-01-31", "None"]
    assert codes(reading) == {2: "FIELD_TYPE"}


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("0001-01-01T00:00:00", "Europe/Berlin"),
        ("0001-01-01T00:00:00+01:00", "UTC"),
        ("9999-12-31T23:59:59-05:00", "UTC"),
        ("9999-12-31T23:59:59", "America/New_York"),
    ],
)
def test_a_moment_that_time_zones_move_out_of_the_years_is_an_error(text, zone):
    reading = dates.read_moment(cells(text, "2026-01-31T10:11:12Z"), Dialect(timezone=zone))
    assert codes(reading) == {0: "FIELD_TYPE"}
    assert shown(reading) == [None, "2026-01-31T10:11:12"]


def test_the_first_and_the_last_moment_that_others_can_read_are_kept():
    for texts in (("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"), ("0001-01-01", "9999-12-31 23:59")):
        assert not dates.read_moment(cells(*texts), Dialect()).faults


def test_a_time_that_summer_skips_is_the_first_after_it():
    reading = dates.read_moment(cells("2026-03-29 02:30:00"), Dialect(timezone="Europe/Berlin"))
    assert shown(reading) == ["2026-03-29T01:00:00"]


@pytest.mark.parametrize(
    "text", ["2026-01-31T10:11:12+15:00", "2026-01-31T10:11:12+05:75", "2026-01-31T10:11:12+14:30"]
)
def test_a_zone_that_is_none_is_an_error_wherever_it_stands(text):
    for column in ((text,), (text, "31.01.2026 10:11")):
        assert codes(dates.read_moment(cells(*column), Dialect())) == {0: "FIELD_TYPE"}


@pytest.mark.parametrize("text", ["31 Dez 2026", "Juny 5, 2026"])
def test_a_month_of_another_language_is_no_date_but_it_is_not_said_that_the_day_does_not_exist(text):
    [fault] = dates.read_date(cells(text), Dialect()).faults
    assert (fault.code, fault.message) == ("FIELD_TYPE", "is not a date")
