"""What a sender may write instead of a number that cannot be read; taken at its word, it must mean what the cell meant."""

import re
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import replace

from sftp_gateway.catalog.types.cells import Cells, decimal_text, table
from sftp_gateway.catalog.types.typing import Fault

EXAMPLE = "like 12.50"
_DIGITS = table(b"0123456789")
_ONE = r"([0-9]+(?:\.[0-9]+)?)"
_DASHES = r"\x{2012}-\x{2015}\x{2212}"
_BELOW_ZERO = rf"^\s*{_ONE}\s*-\s*$|^\s*\(\s*{_ONE}\s*\)\s*$|^\s*[{_DASHES}]\s*{_ONE}\s*$"
_ABOUT = r"(?i:about|approx\.?|ca\.?|circa)\s+"
_PIECES = r"\(?(?i:pcs?\.?|pieces?|ea\.?|each|units?|stk\.?|stück)\)?"
_NUMBER = rf"^(?:{_ABOUT})?[-+\s]*?(?P<n>-?[0-9]+(?:\.[0-9]+)?)(?:\s*(?:{_PIECES})?\s*|\s*[+-]\s*)$"
"""A number, and beside it nothing that could change its value: `12k`, `50%`, `.5` and `12 dollars` are others."""
_NO_CENTS = rf"^([^.,]*[0-9])[.,][-{_DASHES}]{{1,2}}\s*$"
"""`12,-`; of `1.299,-` the dot groups thousands."""
_NUMBERS = (
    r"^(?P<what>write |round it, like )(?P<one>-?[0-9]+(?:[.,][0-9]+)?)(?P<other> or -?[0-9]+[.,][0-9]+)?(?P<rest>.*)$"
)

_LEFT_BLANK = re.compile(", or leave (?:it|the cell) blank$")


def number(values: Any) -> Any:
    """Offer the number that stands in a text, if there is exactly one; `5-` and `(5)` are what accounts write for -5."""
    if not Cells(values).holds(_DIGITS):
        return pa.repeat(f"write digits, {EXAMPLE}", len(values))  # as most: to compile the patterns takes far longer
    values = pc.replace_substring_regex(values, _BELOW_ZERO, r"-\1\2\3")
    values = pc.replace_substring_regex(values, _NO_CENTS, r"\1")
    found = pc.struct_field(pc.extract_regex(values, _NUMBER), "n")
    return pc.fill_null(pc.binary_join_element_wise("write ", found, ""), f"write digits, {EXAMPLE}")


def both(values: Any) -> Any:
    """Offer the two numbers that `1,234` may be."""
    whole = pc.replace_substring_regex(values, "[.,]", "")
    broken = pc.replace_substring(values, ",", ".")
    return pc.binary_join_element_wise("write ", whole, " or ", broken, "0, or ask for your decimal mark to be set", "")


def rounded(texts: Any, scale: int, mark: str) -> Any:
    """Offer numbers (digits with a dot) with so many places, written so that a column with this mark reads them."""
    near = _rounded(texts, scale)
    if mark == ",":
        near = pc.replace_substring(near, ".", ",")
    elif mark == "?":  # three places would read two ways again
        near = pc.replace_substring_regex(near, r"(\.[0-9]{3})$", r"\10")
    return pc.binary_join_element_wise("round it, like ", near, "")


def _rounded(texts: Any, scale: int) -> Any:
    """Write numbers with so many decimal places; cut off where even that has more digits than can be reckoned with."""
    cut = pc.replace_substring_regex(texts, rf"(\.[0-9]{{{scale + 1}}})[0-9]*$", r"\1")
    if pc.max(pc.binary_length(cut)).as_py() > 38:
        return pc.replace_substring_regex(texts, rf"(\.[0-9]{{{scale}}})[0-9]+$", r"\1")
    exact = pc.cast(cut, pa.decimal128(38, scale + 1))
    near = decimal_text(pc.round(exact, ndigits=scale, round_mode="half_towards_infinity"))
    return pc.replace_substring_regex(near, r"\.?0$", "")


def naming(fault: Fault, units: Any) -> Fault:
    """Put the unit or currency of each cell of the block behind the numbers that a fault offers in its place."""
    if isinstance(fault.suggestion, str):
        return fault
    own = pc.fill_null(units.take(pa.array(fault.rows)), "")
    behind = pc.if_else(pc.equal(own, ""), "", pc.binary_join_element_wise("", own, " "))
    parts = pc.extract_regex(fault.suggestion, _NUMBERS)
    what, one, other, rest = (pc.struct_field(parts, name) for name in ("what", "one", "other", "rest"))
    again = pc.if_else(pc.equal(other, ""), "", behind)
    named = pc.binary_join_element_wise(what, one, behind, other, again, rest, "")
    return replace(fault, suggestion=pc.coalesce(named, fault.suggestion))


def instead(fault: Fault, example: str) -> Fault:
    """Show another example where a fault offers no number."""
    if isinstance(fault.suggestion, str):
        return fault
    return replace(fault, suggestion=pc.replace_substring(fault.suggestion, f"write digits, {EXAMPLE}", example))


def filled(fault: Fault) -> Fault:
    """Do not offer to leave a cell blank that must be filled in."""
    if not isinstance(fault.suggestion, str):
        return fault
    return replace(fault, suggestion=_LEFT_BLANK.sub("", fault.suggestion))
