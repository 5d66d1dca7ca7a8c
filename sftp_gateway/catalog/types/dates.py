"""Dates and moments: ISO 8601 always; 31/12/2026 where only one reading is possible or the order is decided."""

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sftp_gateway.catalog.types.cells import Cells, Mask, Rows, mask, matches, once_each, with_nulls
from sftp_gateway.catalog.types.typing import Dialect, Fault, Reading, Undecided, told

_TIME = (
    r"(?:(?:[T ]|, ) ?(?P<hour>[0-9]{1,2})(?::(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,](?P<part>[0-9]{1,9}))?)?)?"
    r" ?(?P<half>[aApP]\.?[mM]\.?)?"
    r" ?(?P<zone>Z|z|UTC|GMT|[+-][0-9]{2}(?::?[0-5][0-9])?)?)?$"
)
_WEEKDAY = r"^(?:[A-Za-z]{3,9}\.?,? )?"
_YEAR_FIRST = rf"^(?P<year>[0-9]{{4}})(?:[-/.](?P<month>[0-9]{{1,2}})[-/.](?P<day>[0-9]{{1,2}})){_TIME}"
_COMPACT = rf"^(?P<year>[12][0-9]{{3}})(?P<month>[01][0-9])(?P<day>[0-3][0-9]){_TIME}"
_NUMERIC = rf"^(?P<first>[0-9]{{1,2}})[-/.](?P<middle>[0-9]{{1,2}})[-/.](?P<last>[0-9]{{4}}|[0-9]{{2}}){_TIME}"
_YEAR_FIRST_TOO = "^[0-9]{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])(?:$|[T ,])"
"""26-01-05: in India the 26th of January, elsewhere the 5th, as ISO 8601 wrote years until 2004."""
_DAY_NAMED = rf"{_WEEKDAY}(?P<day>[0-9]{{1,2}})(?:st|nd|rd|th|\.)?[ -](?P<month>[A-Za-z]{{3,9}})\.?,?[ -](?P<year>[0-9]{{4}}){_TIME}"
_MONTH_NAMED = (
    rf"{_WEEKDAY}(?P<month>[A-Za-z]{{3,9}})\.? (?P<day>[0-9]{{1,2}})(?:st|nd|rd|th)?,? (?P<year>[0-9]{{4}}){_TIME}"
)
_SHORT_NAMED = _DAY_NAMED.replace("{4}", "{2}")  # 31-Jan-26, as spreadsheets and databases write days by themselves
_NAMED = (_DAY_NAMED, _MONTH_NAMED, _SHORT_NAMED)
_MONTHS = "january february march april may june july august september october november december".split()  # noqa: SIM905
_MOMENT = pa.timestamp("us", "UTC")
_DAY = "[12][0-9]{3}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"
_CERTAIN_DATE = f"^{_DAY}$"
_CERTAIN_MOMENT = f"^{_DAY}[T ](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$"
_ZONED = r"(?:Z|[+-](?:(?:0[0-9]|1[0-3])(?::?[0-5][0-9])?|14(?::?00)?))$"
_DAY_MICROS = 86_400_000_000
Ints = npt.NDArray[np.int64]


def read_date(cells: Cells, dialect: Dialect) -> Reading:
    """Type a column as date32; a time of day other than midnight is a fault."""
    cells = cells.trimmed
    quick = _quick(cells.nulled, pa.date32())
    if quick is not None:
        return Reading(quick)
    found = _Found(cells, dialect, _CERTAIN_DATE, pa.date32())
    timed = found.good & (found.micros % _DAY_MICROS != 0)
    good = found.good & ~timed
    days = with_nulls(pa.array((found.micros // _DAY_MICROS).astype(np.int32)).cast(pa.date32()), good)
    text = "has a time of day, where only a date is wanted"
    faults = told("FIELD_TYPE", timed, text, "write only the date, like 2026-01-31")
    return Reading(days, [*found.faults("a date"), *faults])


def read_moment(cells: Cells, dialect: Dialect) -> Reading:
    """Type a column as timestamp in UTC; without a zone the brand's counts, and a mere date is 00:00 UTC."""
    cells = cells.trimmed
    values = cells.nulled
    quick = _quick(values, _MOMENT) if _all_zoned(cells, values) else None
    if quick is not None:
        return Reading(quick)
    found = _Found(cells, dialect, _CERTAIN_MOMENT, _MOMENT)
    naive = with_nulls(pa.array(found.micros).cast(pa.timestamp("us")), found.good)
    local = found.good & found.timed & ~found.zoned
    moments = pc.assume_timezone(naive, "UTC")
    if local.any() and dialect.timezone != "UTC":
        there = pc.assume_timezone(naive, dialect.timezone, ambiguous="earliest", nonexistent="latest")
        moments = pc.if_else(pa.array(local), pc.cast(there, _MOMENT), moments)
    strange = _strange(moments)
    text = "is outside the years 1 to 9999, as time is counted in Greenwich (UTC)"
    faults = told("FIELD_TYPE", strange, text, "write the day it happens, or leave it blank")
    return Reading(with_nulls(moments, ~strange), [*found.faults("a date and time"), *faults])


def _quick(values: Any, kind: Any) -> Any:
    """Cast the whole column in C; None where a cell is not ISO 8601, or in a year that Arrow alone takes."""
    try:
        found = pc.cast(values, kind)
    except pa.ArrowInvalid:
        return None
    return None if _strange(found).any() else found


_COUNTS = {pa.date32(): pa.int32(), _MOMENT: pa.int64()}
_YEARS = {pa.date32(): (-719_162, 2_932_897), _MOMENT: (-719_162 * _DAY_MICROS, 2_932_897 * _DAY_MICROS)}
"""The years 1 to 9999, which is what others can read: their first day, and the first one after them."""


def _strange(found: Any) -> Mask:
    """Tell what is outside the years 1 to 9999."""
    first, end = _YEARS[found.type]
    counts = found.cast(_COUNTS[found.type])
    return mask(pc.or_(pc.less(counts, first), pc.greater_equal(counts, end)))


def _all_zoned(cells: Cells, values: Any) -> bool:
    """Whether every filled cell names its zone; a Z at the end is seen in one look."""
    if cells.all_filled and len(cells) and (cells.data[cells.offsets[1:] - 1] == ord("Z")).all():
        return True
    return int(matches(values, _ZONED).sum()) == int(cells.filled.sum())


def evidence(cells: Cells) -> tuple[bool, bool]:
    """Tell whether any cell can only be day first, and whether any can only be month first."""
    texts = cells.trimmed.nulled
    parts = pc.extract_regex(with_nulls(texts, ~matches(texts, _YEAR_FIRST_TOO)), _NUMERIC)
    first, middle = _int(parts, "first"), _int(parts, "middle")
    return bool(((first > 12) & (middle <= 12)).any()), bool(((middle > 12) & (first <= 12)).any())


class _Found:
    """What the cells say: microseconds since 1970 (UTC where a zone is given), and what is wrong."""

    def __init__(self, cells: Cells, dialect: Dialect, certain: str, kind: Any) -> None:
        size = len(cells)
        self.cells = cells
        self.micros: Ints = np.zeros(size, dtype=np.int64)
        self.good, self.timed, self.zoned = (np.zeros(size, dtype=np.bool_) for _ in range(3))
        self.ambiguous: Mask = np.zeros(size, dtype=np.bool_)
        self.meant: dict[int, str] = {}
        self.impossible: Mask = np.zeros(size, dtype=np.bool_)
        self.order = dialect.order
        self._take_certain(certain, kind)
        for pattern in (_YEAR_FIRST, _COMPACT, _NUMERIC, *_NAMED[: 2 + (self.order != "ymd")]):
            if (rows := self._unread()).size:
                self._read(rows, pattern)

    def _unread(self) -> Rows:
        return np.flatnonzero(self.cells.filled & ~self.good & ~self.ambiguous & ~self.impossible)

    def _take_certain(self, pattern: str, kind: Any) -> None:
        """Let Arrow read the cells in the form that is the rule, for days that every month has."""
        sure = self.cells.filled & matches(self.cells.nulled, pattern)
        moments = pc.cast(pc.cast(with_nulls(self.cells.nulled, sure), kind), pa.timestamp("us"))
        self.micros[sure] = np.asarray(pc.cast(moments, pa.int64()).drop_null())
        self.good |= sure
        self.timed |= sure & (kind == _MOMENT)
        self.zoned |= self.timed

    def _read(self, rows: Rows, pattern: str) -> None:
        parts = pc.extract_regex(self.cells.array.take(pa.array(rows)), pattern)
        fits = mask(pc.is_valid(parts))
        if pattern in _NAMED and fits.any():
            fits[fits] = _month(parts.filter(pa.array(fits))) > 0  # of another language: no date that we know
        if not fits.any():
            return
        rows, parts = rows[fits], parts.filter(pa.array(fits))
        if pattern == _NUMERIC:
            year, month, day, clear = self._ordered(rows, parts)
            rows, parts = rows[clear], parts.filter(pa.array(clear))
            year, month, day = year[clear], month[clear], day[clear]
        else:
            year, day = _int(parts, "year"), _int(parts, "day")
            year = _century(year) if pattern == _SHORT_NAMED else year
            month = _month(parts) if pattern in _NAMED else _int(parts, "month")
        micros, possible = _moment(year, month, day, parts)
        self.micros[rows] = micros
        self.good[rows[possible]] = True
        self.impossible[rows[~possible]] = True
        self.timed[rows] = mask(pc.not_equal(pc.fill_null(pc.struct_field(parts, "hour"), ""), ""))
        self.zoned[rows] = mask(pc.not_equal(pc.fill_null(pc.struct_field(parts, "zone"), ""), ""))

    def _ordered(self, rows: Rows, parts: Any) -> tuple[Ints, Ints, Ints, Mask]:
        """Tell day from month: by the order decided, else where only one of them can be the month."""
        first, middle, last = (_int(parts, name) for name in ("first", "middle", "last"))
        short = np.asarray(pc.binary_length(pc.struct_field(parts, "last"))) == 2
        if self.order == "ymd":
            year, month, day = (np.where(short, a, b) for a, b in ((first, last), (middle, middle), (last, first)))
            open_ = ~short & _two_ways(first, middle)
        else:
            year, open_ = last, np.zeros(len(rows), np.bool_)
            if self.order in ("", "?"):
                open_ = _two_ways(first, middle) | (
                    matches(self.cells.take(rows).array, _YEAR_FIRST_TOO) & (first <= 31)
                )
            day_first = (self.order == "dmy") | ((self.order != "mdy") & (first > 12))
            day, month = np.where(day_first, first, middle), np.where(day_first, middle, first)
        if open_.any() and self.order == "":
            raise Undecided
        self.ambiguous[rows[open_]] = True
        year = np.where(short, _century(year), year)
        for row, y, a, b in zip(*(column[open_].tolist() for column in (rows, year, first, middle)), strict=True):
            self.meant[row] = _readings(y, a, b, self.cells.array[row].as_py())
        return year, month, day, ~open_

    def _impossible_faults(self) -> list[Fault]:
        """Tell of days and times that do not exist; a year that stands first leaves no doubt about the order."""
        if not self.impossible.any():
            return []
        iso = self.impossible & matches(self.cells.nulled, _YEAR_FIRST)
        order = f" in the order {self.order}" if self.order in ("dmy", "mdy", "ymd") else ""
        text = "is a day or time that does not exist"
        faults = told("FIELD_TYPE", iso, text, "check year, month, day and time")
        other = self.impossible & ~iso
        return [*faults, *told("FIELD_TYPE", other, text + order, "write it as year-month-day, like 2026-01-31")]

    def faults(self, what: str) -> list[Fault]:
        """Say what is wrong, each with the ISO form of what may be meant."""
        faults = []
        if self.ambiguous.any():
            text = "can be read in more than one order, and the other values of this column do not tell which is meant"
            rows = np.flatnonzero(self.ambiguous)
            hints = [f"write {self.meant[row]}, or ask for your date order to be set" for row in rows.tolist()]
            faults.append(Fault("FIELD_AMBIGUOUS", rows, text, pa.array(hints, pa.string())))
        faults += self._impossible_faults()
        if (unread := self._unread()).size:
            near = _serials(self.cells.array.take(pa.array(unread)))
            faults.append(Fault("FIELD_TYPE", unread, f"is not {what}", near))
        return faults


def _century(year: Ints) -> Ints:
    """Give the years that two digits mean: 1970 to 2069."""
    return year + np.where(year < 70, 2000, 1900)


def _two_ways(first: Ints, middle: Ints) -> Mask:
    """Tell the pairs that make a date both ways, and not the same one."""
    both: Mask = (first >= 1) & (middle >= 1) & (first <= 12) & (middle <= 12) & (first != middle)
    return both


def _readings(year: int, first: int, middle: int, text: str) -> str:
    """Give the dates that a cell may mean, in ISO form."""
    days = [f"{year:04}-{middle:02}-{first:02}"]
    if first <= 12:
        days.append(f"{year:04}-{first:02}-{middle:02}")
    if re.match(_YEAR_FIRST_TOO, text):
        days.append(f"20{text[:8]}")
    return " or ".join(dict.fromkeys(days))


def _int(parts: Any, name: str) -> Ints:
    """Give a matched group as numbers, 0 where it is absent."""
    text = pc.fill_null(pc.struct_field(parts, name), "0")
    text = pc.if_else(pc.equal(text, ""), "0", text)
    return np.asarray(pc.cast(text, pa.int64()), dtype=np.int64)


def _month(parts: Any) -> Ints:
    return np.asarray(once_each(pc.utf8_lower(pc.struct_field(parts, "month")), _numbered, pa.int64()))


def _numbered(text: str) -> int:
    """Give the number of a month by its name or the beginning of it, 0 for any other text."""
    return next((at for at, name in enumerate(_MONTHS, 1) if name.startswith(text) or text == "sept" == name[:4]), 0)


def _moment(year: Ints, month: Ints, day: Ints, parts: Any) -> tuple[Ints, Mask]:
    """Put the parts together; also tell which are days and times that exist."""
    hour, minute, second = (_int(parts, name) for name in ("hour", "minute", "second"))
    half = np.asarray(pc.utf8_slice_codeunits(pc.fill_null(pc.utf8_lower(pc.struct_field(parts, "half")), ""), 0, 1))
    halved = half != ""
    possible = (month >= 1) & (month <= 12) & (year >= 1) & (hour <= 23) & (minute <= 59) & (second <= 59)
    possible &= ~halved | ((hour >= 1) & (hour <= 12))
    hour = np.where(halved, hour % 12 + 12 * (half == "p"), hour)
    months = ((year - 1970) * 12 + np.clip(month, 1, 12) - 1).astype("datetime64[M]")
    start, end = (moment.astype("datetime64[D]").astype(np.int64) for moment in (months, months + 1))
    possible &= (day >= 1) & (day <= end - start)
    east = _offset(parts)
    possible &= np.abs(east) <= 14 * 3600  # no place on Earth is further from UTC
    seconds = (start + day - 1) * 86_400 + hour * 3600 + minute * 60 + second - east
    return seconds * 1_000_000 + _micros(parts), possible


def _micros(parts: Any) -> Ints:
    part = pc.fill_null(pc.struct_field(parts, "part"), "")
    return np.asarray(pc.cast(pc.utf8_slice_codeunits(pc.utf8_rpad(part, 6, "0"), 0, 6), pa.int64()), dtype=np.int64)


def _offset(parts: Any) -> Ints:
    """Give the zone's seconds east of UTC."""
    return np.asarray(once_each(pc.fill_null(pc.struct_field(parts, "zone"), ""), _east, pa.int64()))


def _east(zone: str) -> int:
    digits = zone[1:].replace(":", "").ljust(4, "0") if zone[:1] in ("+", "-") else "0000"
    east = int(digits[:2]) * 3600 + int(digits[2:]) * 60
    return -east if zone.startswith("-") else east


def _serials(values: Any) -> Any:
    """Offer the date of a spreadsheet's day number (1900 system): the column was not formatted as date."""
    serial = matches(values, r"^[2-7][0-9]{4}(?:\.[0-9]+)?$")
    days = pc.cast(with_nulls(pc.replace_substring_regex(values, r"\..*$", ""), serial), pa.int32())
    dates = pc.cast(pc.cast(pc.subtract(days, pa.scalar(25_569, pa.int32())), pa.date32()), pa.string())
    text = pc.binary_join_element_wise(
        "a spreadsheet's number for ", dates, "; format the column as date, year-month-day", ""
    )
    return pc.fill_null(text, "write it as year-month-day, like 2026-01-31")
