"""Numbers of a sheet that have lost digits: a spreadsheet keeps 15 of them, zeros stand for the others."""

from collections.abc import Mapping
from typing import Any

DIGITS = 15
_TOO_LONG = 10.0**DIGITS
_EXACT, _ENDLESS = 2.0**53, float("inf")


def is_large(value: Any) -> bool:
    """Whether a cell is a number of more digits than a spreadsheet keeps."""
    return isinstance(value, (float, int)) and _TOO_LONG <= abs(value) < _ENDLESS


def shown(large: Mapping[int, float]) -> dict[int, str]:
    """Give the large numbers of a whole column, by row, as a spreadsheet shows them; none if all of them may be exact.

    Round numbers are, and those a program wrote that have other last digits than 0.
    """
    if all(_parts(value)[0].endswith("0") for value in large.values()):
        return {}
    exact = [value for value in large.values() if abs(value) < _EXACT]
    least = _TOO_LONG if exact and not any(value % 10 for value in exact) else _EXACT
    return {row: _text(value) for row, value in large.items() if abs(value) >= least}


def _text(value: float) -> str:
    digits, power = _parts(value)
    return f"{digits.rstrip('0').rstrip('.')}E{power}"


def _parts(value: float) -> tuple[str, str]:
    digits, _, power = f"{value:.{DIGITS - 1}E}".partition("E")
    return digits, power
