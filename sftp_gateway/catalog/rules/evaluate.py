"""Works a rule of the language out over whole columns, by pyarrow.compute; nothing else is reachable (expression.py)."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sftp_gateway.catalog.rules import arithmetic
from sftp_gateway.catalog.rules.expression import Expression
from sftp_gateway.catalog.rules.operators import Node

Mask = npt.NDArray[np.bool_]
Columns = Callable[[str], Any]
"""Gives the typed array of a column by name; `_base.NAME` for a measure's amount."""


def violated(rule: Expression, columns: Columns) -> Mask:
    """Tell the rows for which the rule is false (not merely open)."""
    held = _worked_out(rule.node, columns)
    return np.asarray(pc.fill_null(pc.invert(held), False).to_numpy(zero_copy_only=False), dtype=np.bool_)


def _worked_out(node: Node, columns: Columns) -> Any:
    if node.does == "constant":
        return pa.scalar(node.value)
    if node.does == "column":
        return columns(node.value)
    if node.does == "amount":
        return _amount(columns(f"_base.{node.value}"))
    parts = [_worked_out(part, columns) for part in node.parts]
    if node.kind == "number" and node.does in arithmetic.SIGNS:
        return arithmetic.reckon(node.does, *parts)
    if node.does in arithmetic.COMPARISONS and node.parts[0].kind == "number":
        return arithmetic.compare(node.does, *parts)
    return _OPERATIONS[node.does](*parts)


def _among(texts: Any, values: Any) -> Any:
    found = pc.is_in(texts, value_set=values.values)
    return pc.if_else(pc.is_valid(texts), found, pa.scalar(None, pa.bool_()))


def _items(texts: Any) -> Any:
    return pc.add(pc.count_substring(texts, "|"), 1)


_OPERATIONS: Mapping[str, Callable[..., Any]] = {
    "or": pc.or_kleene,
    "and": pc.and_kleene,
    "not": pc.invert,
    **{sign: quick for sign, (quick, _) in arithmetic.COMPARISONS.items()},
    "valid": pc.is_valid,
    "null": pc.is_null,
    "negate": pc.negate,
    "items": _items,
    "among": _among,
    "length": pc.utf8_length,
    "lower": pc.utf8_lower,
}


def _amount(base: Any) -> Any:
    """Give the number in a measure's base text (`0.762 m`)."""
    number = pc.replace_substring_regex(base, r" .*$", "")
    return pc.cast(number, pa.decimal256(62, arithmetic.MOST_PLACES))
