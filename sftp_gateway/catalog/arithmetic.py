"""Arithmetic of the rule language: exact decimals over whole columns; a quotient has at most 12 places."""

import operator
from collections.abc import Callable
from decimal import Decimal, localcontext
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_PLACES = 12
_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
SIGNS = frozenset(_OPERATORS)

_FUNCTIONS: dict[str, Callable[[Any, Any], Any]] = {"+": pc.add, "-": pc.subtract, "*": pc.multiply}


def reckon(sign: str, first: Any, second: Any) -> Any:
    """Give `first sign second` (+ - * /) of number arrays or scalars; null where a side is, and for x / 0."""
    try:
        if sign == "/":
            return _divided(first, second)
        return _rounded(_FUNCTIONS[sign](_wide(first, 36), _wide(second, 36)))
    except pa.ArrowInvalid:  # more digits than the fast way carries
        return _slowly(sign, first, second)


def _wide(value: Any, digits: int) -> Any:
    """Make room above: sums and products of 36 digits fit decimal256."""
    scale = value.type.scale if pa.types.is_decimal(value.type) else 0
    return pc.cast(value, pa.decimal256(digits, scale))


def _rounded(value: Any) -> Any:
    """Keep at most 12 places, and few enough digits for the next step."""
    if value.type.scale > _PLACES:
        value = pc.round(value, ndigits=_PLACES, round_mode="half_to_even")
    return pc.cast(value, pa.decimal256(36, min(value.type.scale, _PLACES)))


def _divided(first: Any, second: Any) -> Any:
    zero = pc.equal(second, pa.scalar(0))
    safe = pc.if_else(zero, pa.scalar(None, second.type), second)
    return _rounded(pc.divide(_wide(first, 30), _wide(safe, 20)))


def _slowly(sign: str, first: Any, second: Any) -> Any:
    """Reckon row by row, for numbers of more digits than decimal256 arithmetic can carry."""
    arrays = [side for side in (first, second) if not isinstance(side, pa.Scalar)]
    count = len(arrays[0]) if arrays else 1
    sides = [[side.as_py()] * count if isinstance(side, pa.Scalar) else side.to_pylist() for side in (first, second)]
    with localcontext() as context:
        context.prec = 76
        results = [_one(sign, a, b) for a, b in zip(*sides, strict=True)]
    found = pa.array(results, pa.decimal256(76, _PLACES))
    return found if arrays else found[0]


def _one(sign: str, first: Any, second: Any) -> Decimal | None:
    if first is None or second is None or (sign == "/" and second == 0):
        return None
    result: Decimal = _OPERATORS[sign](Decimal(first), Decimal(second))
    return result.quantize(Decimal(1).scaleb(-_PLACES))
