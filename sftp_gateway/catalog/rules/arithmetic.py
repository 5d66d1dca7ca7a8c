"""Arithmetic of the rule language: exact decimals over whole columns; a quotient has at most 12 places.

What has more digits than can be carried is blank, like a division by zero. Never a float.
"""

import operator
from collections.abc import Callable
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

MOST_PLACES = 24
"""Of measures in their base unit, and so of everything that is compared: `1.1 oz` has thirteen."""
_PLACES = 12
_DIGITS = 76
SIGNS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
_FUNCTIONS: dict[str, Callable[[Any, Any], Any]] = {"+": pc.add, "-": pc.subtract, "*": pc.multiply}
COMPARISONS: dict[str, tuple[Callable[[Any, Any], Any], Callable[[Any, Any], bool]]] = {
    "=": (pc.equal, operator.eq),
    "!=": (pc.not_equal, operator.ne),
    "<": (pc.less, operator.lt),
    "<=": (pc.less_equal, operator.le),
    ">": (pc.greater, operator.gt),
    ">=": (pc.greater_equal, operator.ge),
}
"""Each over columns, and for two values."""


def compare(sign: str, first: Any, second: Any) -> Any:
    """Give `first sign second` (= != < <= > >=) of number arrays or scalars, exactly; null where a side is."""
    quick, slow = COMPARISONS[sign]
    try:
        return quick(first, second)
    except pa.ArrowInvalid:  # the places of one and the digits of the other do not fit one decimal
        return _row_by_row(first, second, lambda a, b: slow(Decimal(a), Decimal(b)), pa.bool_())


def reckon(sign: str, first: Any, second: Any) -> Any:
    """Give `first sign second` (+ - * /) of number arrays or scalars; null where a side is, and for x / 0."""
    try:
        if sign == "/":
            return _divided(first, second)
        return _rounded(_FUNCTIONS[sign](_wide(first, 36), _wide(second, 36)), MOST_PLACES)
    except pa.ArrowInvalid:  # more digits than the fast way carries
        return _slowly(sign, first, second)


def _wide(value: Any, digits: int, places: int = MOST_PLACES) -> Any:
    """Make room above: sums and products of 36 digits fit decimal256."""
    return pc.cast(value, pa.decimal256(digits, min(_scale(value), places)))


def _scale(value: Any) -> int:
    return value.type.scale if pa.types.is_decimal(value.type) else 0


def _rounded(value: Any, places: int) -> Any:
    """Keep at most so many places, and few enough digits for the next step."""
    if value.type.scale > places:
        value = pc.round(value, ndigits=places, round_mode="half_to_even")
    return pc.cast(value, pa.decimal256(36, min(value.type.scale, places)))


def _divided(first: Any, second: Any) -> Any:
    zero = pc.equal(second, pa.scalar(0))
    safe = pc.if_else(zero, pa.scalar(None, second.type), second)
    return _rounded(pc.divide(_wide(first, 30), _wide(safe, 20, _PLACES)), _PLACES)


def _slowly(sign: str, first: Any, second: Any) -> Any:
    """Reckon row by row, for numbers of more digits than decimal256 arithmetic can carry."""
    one, other = _scale(first), _scale(second)
    places = {"/": _PLACES, "*": min(one + other, MOST_PLACES)}.get(sign, min(max(one, other), MOST_PLACES))
    with localcontext() as context:
        context.prec = _DIGITS
        return _row_by_row(first, second, lambda a, b: _one(sign, a, b, places), pa.decimal256(_DIGITS, places))


def _row_by_row(first: Any, second: Any, function: Callable[[Any, Any], Any], kind: Any) -> Any:
    """Work out row by row what no function over columns can; null where a side is."""
    arrays = [side for side in (first, second) if not isinstance(side, pa.Scalar)]
    count = len(arrays[0]) if arrays else 1
    sides = [[side.as_py()] * count if isinstance(side, pa.Scalar) else side.to_pylist() for side in (first, second)]
    pairs = zip(*sides, strict=True)
    found = pa.array([None if a is None or b is None else function(a, b) for a, b in pairs], kind)
    return found if arrays else found[0]


def _one(sign: str, first: Any, second: Any, places: int) -> Decimal | None:
    if sign == "/" and second == 0:
        return None
    result: Decimal = SIGNS[sign](Decimal(first), Decimal(second))
    try:
        return result.quantize(Decimal(1).scaleb(-places))
    except InvalidOperation:  # more than 76 digits
        return None
