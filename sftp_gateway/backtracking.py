r"""How many ways a regular expression may have to match one name: Python tries them all before it gives up. Pure.

A pattern of an operator meets names that brands choose, while the brand's turn, or all of the store, is locked.
`(\w+)+_` takes for ever over forty letters. Ways are counted from above, by the shape of the pattern alone.
"""

import math
import re
import sys
from collections.abc import Iterator
from re import _compiler as compiler  # type: ignore[attr-defined]  # the modules that `re` is made of have no types
from re import _constants as ops  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

LONGEST = 255
"""Characters of a name."""
MOST_WAYS = LONGEST**2
"""A repeat that may end anywhere has 255, an optional part two."""
_REPEATS = (ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT)
_ONE = (ops.LITERAL, ops.NOT_LITERAL, ops.ANY, ops.IN)
_ANYTHING = (ops.IN, [(ops.RANGE, (0, sys.maxunicode))])
_ALPHABET = (*map(chr, range(256)), "Ā", "ſ", "٣", "中", "\u2028", "😀")
"""Characters that classes hold; those that a pattern names come to them."""

Item = tuple[Any, Any]

SLOW = (
    "some names could take very long to match; let what repeats stop at a sign that it cannot match itself, "
    "like [^_]+_ and not .+_, repeat no group that repeats something, and do not look ahead or back"
)


def is_slow(pattern: str) -> bool:
    """Whether a name of `LONGEST` characters could keep `re.fullmatch` busy. Raises re.error."""
    re.compile(pattern)
    parsed = parser.parse(pattern)
    return _ways(parsed, parsed.state, None) > MOST_WAYS


def _ways(items: Any, state: Any, behind: Item | None) -> float:
    """Count the ways through items and up to the one `behind` them (None: the end); infinite where they are not counted."""
    flat, ways = _flat(items), 1.0
    for at, (op, given) in enumerate(flat, 1):
        after = flat[at] if at < len(flat) else behind
        if op is ops.BRANCH:
            ways *= sum(_ways(branch, state, after) for branch in given[1])
        elif op in _REPEATS:
            ways *= _repeated(given, after, state)
        elif op not in (*_ONE, ops.AT):  # looking ahead or behind, flags of its own, and what was matched before
            return math.inf
    return ways


def _flat(items: Any) -> list[Item]:
    """Put what stands in a group in the place of the group."""
    found = []
    for op, given in items:
        found += _flat(given[-1]) if op is ops.SUBPATTERN and not any(given[1:3]) else [(op, given)]
    return found


def _repeated(given: tuple[Any, Any, Any], after: Item | None, state: Any) -> float:
    least, most, inner = given
    ways = _ways(inner, state, after if most <= 1 else _ANYTHING)
    if least == most:
        return ways**least if least * math.log(ways) < math.log(MOST_WAYS) + 1 else math.inf
    if most <= 1:
        return ways + 1
    if ways > 1 or not inner.getwidth()[0]:  # or each time nothing
        return math.inf
    parts = _flat(inner)
    if (
        len(parts) == 1
        and parts[0][0] in _ONE
        and (after is None or (after[0] in _ONE and _are_apart(parts[0], after, state)))
    ):
        return 1  # what follows tells where it ends
    return max(min(int(most), LONGEST) - int(least) + 1, 1)


def _are_apart(one: Item, other: Item, state: Any) -> bool:
    """Whether no character is matched by both of two items of one character."""
    found = set(_ALPHABET).union(_named(one), _named(other))
    for item in (one, other):
        found = set(filter(compiler.compile(parser.SubPattern(state, [item])).fullmatch, found))
    return not found


def _named(item: Item) -> Iterator[str]:
    """Give the characters that an item names, the ends of its ranges, and those beside them: where sets meet, one of them is."""
    op, given = item
    for part in given if op is ops.IN else [item]:
        if part[0] in (ops.LITERAL, ops.NOT_LITERAL, ops.RANGE):
            ends = part[1] if part[0] is ops.RANGE else [part[1]]
            yield from (chr(end + by) for end in ends for by in (-1, 0, 1) if 0 <= end + by <= sys.maxunicode)
