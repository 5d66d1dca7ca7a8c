r"""How many ways a regular expression may have to match one name: Python tries them all before it gives up. Pure.

A pattern of an operator meets names that brands choose, while the brand's turn, or all of the store, is locked.
`(\w+)+_` takes for ever over forty letters. Ways are counted from above, by the shape of the pattern alone.
"""

import functools
import re
from collections.abc import Iterator, Sequence
from re import _constants as ops  # type: ignore[attr-defined]  # the module that `re` is made of has no types
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

LONGEST = 255
"""Characters of a name."""
MOST_WAYS = 4096
"""A repeat that may end anywhere has 255, an optional part two."""
_MOST_STEPS = 20_000
_REPEATS = (ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT)
_ALPHABET = (*map(chr, range(256)), "Ā", "ſ", "٣", "中", "\u2028", "😀")
"""Every character that patterns name, in practice, and some of the others that classes hold."""

Item = tuple[Any, Any]
Items = Sequence[Item]

SLOW = (
    "some names could take very long to match; let what repeats stop at a sign that it cannot match itself, "
    "like [^_]+_ and not .+_, repeat no group that repeats something, and do not look ahead or back"
)


class _TooManyWays(Exception):
    """More than anybody needs to name the date of a file, or a shape that is not counted."""


@functools.lru_cache(1024)
def is_slow(pattern: str) -> bool:
    """Whether a name of `LONGEST` characters could keep `re.fullmatch` busy. Raises re.error."""
    try:
        return _Count(re.compile(pattern).flags).ways(tuple(parser.parse(pattern))) > MOST_WAYS
    except _TooManyWays:
        return True


class _Count:
    """One count over a parsed pattern: whatever goes on behind an item is counted with it."""

    def __init__(self, flags: int) -> None:
        self._flags = flags
        self._steps = 0
        self._known: dict[str, frozenset[str]] = {}

    def ways(self, items: Items) -> int:
        """Count the ways through items that follow one another up to the end."""
        self._steps += 1
        if self._steps > _MOST_STEPS:
            raise _TooManyWays
        if not items:
            return 1
        (op, given), rest = items[0], items[1:]
        if op is ops.SUBPATTERN:
            if any(given[1:3]):
                raise _TooManyWays  # flags of its own
            return self.ways((*given[-1], *rest))
        if op is ops.BRANCH:
            return sum(self.ways((*branch, *rest)) for branch in given[1])
        if op in _REPEATS:
            least, most, inner = given
            return self._repeated(least, most, inner, rest)
        if op is ops.AT or _is_one(op):
            return self.ways(rest)
        raise _TooManyWays  # looking ahead or behind, and what was matched before

    def _repeated(self, least: int, most: int, inner: Items, rest: Items) -> int:
        width = _width(inner)
        if most <= 1:
            return self.ways((*inner, *rest)) + (self.ways(rest) if least == 0 else 0)
        if width is None or width == 0:
            if least == most and most <= LONGEST:
                return self.ways((*tuple(inner) * least, *rest))
            raise _TooManyWays
        if least == most or (width == 1 and self._ends(self._set(_only(inner)), rest)):
            return self.ways(rest)
        return (min(int(most), LONGEST // width) - least + 1) * self.ways(rest)

    def _ends(self, signs: frozenset[str], items: Items) -> bool:
        """Whether a run of these signs can end in one place only: what follows tells where."""
        if not items:
            return True
        (op, given), rest = items[0], items[1:]
        if op is ops.SUBPATTERN:
            return self._ends(signs, (*given[-1], *rest))
        if op is ops.BRANCH:
            return all(self._ends(signs, (*branch, *rest)) for branch in given[1])
        if op in _REPEATS:
            least, most, inner = given
            return self._ends_at(signs, (least, most), inner, rest)
        return _is_one(op) and (self._are_apart(signs, (op, given)) or self._ends(signs, rest))

    def _ends_at(self, signs: frozenset[str], times: tuple[int, int], inner: Items, rest: Items) -> bool:
        """As `_ends`, where `inner` follows several times, or perhaps not at all."""
        least, most = times
        if _width(inner) != 1:
            goes_on = most <= 1 and self._ends(signs, (*inner, *rest))
            return goes_on and (least > 0 or self._ends(signs, rest))
        apart = self._are_apart(signs, _only(inner))
        if least == most:
            return apart or self._ends(signs, rest)
        return apart and (least > 0 or self._ends(signs, rest))

    def _are_apart(self, signs: frozenset[str], item: Item) -> bool:
        return not signs & self._set(item)

    def _set(self, item: Item) -> frozenset[str]:
        """Give the characters of the alphabet that an item of one character matches."""
        name = repr(item)
        if name not in self._known:
            self._known[name] = frozenset(filter(lambda sign: self._matches(item, sign), _ALPHABET))
        return self._known[name]

    def _matches(self, item: Item, sign: str) -> bool:
        op, given = item
        signs = {sign, sign.lower(), sign.upper()} if self._flags & re.IGNORECASE else {sign}
        if op is ops.ANY:
            return True
        if op in (ops.LITERAL, ops.NOT_LITERAL):
            return (given in {ord(each) for each in signs if len(each) == 1}) is (op is ops.LITERAL)
        negated = bool(given) and given[0][0] is ops.NEGATE
        return any(_holds(part, each) for part in given for each in signs if len(each) == 1) is not negated


def _holds(part: Item, sign: str) -> bool:
    op, given = part
    if op is ops.LITERAL:
        return bool(ord(sign) == given)
    if op is ops.RANGE:
        return bool(given[0] <= ord(sign) <= given[1])
    if op is ops.CATEGORY:
        return bool(_CATEGORIES[given].match(sign))
    return False


_CATEGORIES = {
    ops.CATEGORY_DIGIT: re.compile(r"\d"),
    ops.CATEGORY_NOT_DIGIT: re.compile(r"\D"),
    ops.CATEGORY_SPACE: re.compile(r"\s"),
    ops.CATEGORY_NOT_SPACE: re.compile(r"\S"),
    ops.CATEGORY_WORD: re.compile(r"\w"),
    ops.CATEGORY_NOT_WORD: re.compile(r"\W"),
}


def _is_one(op: Any) -> bool:
    """Whether it matches one character, in one way."""
    return op in (ops.LITERAL, ops.NOT_LITERAL, ops.ANY, ops.IN)


def _flat(items: Items) -> Iterator[Item]:
    for op, given in items:
        if op is ops.SUBPATTERN:
            yield from _flat(given[-1])
        else:
            yield op, given


def _only(items: Items) -> Item:
    return next(_flat(items))


def _width(items: Items) -> int | None:
    """Give how many characters items match that can match in one way only; None: they may match in several."""
    total = 0
    for op, given in _flat(items):
        if op in _REPEATS and given[0] == given[1]:
            inner = _width(given[2])
            if inner is None:
                return None
            total += inner * given[0]
        elif _is_one(op):
            total += 1
        elif op is not ops.AT:
            return None
    return total
