"""What the operators of a rule make of their operands: nodes of a tree, their kinds checked (expression.py)."""

from datetime import UTC, date, datetime
from typing import Any

from msgspec import Struct


class Malformed(ValueError):
    """The expression cannot be understood; the text says where and why."""


class Node(Struct, frozen=True):
    """A piece of an expression: its kind (number text truth date moment list map) and how to work it out.

    `does`: `column` or `amount` (of a measure) with the name in `value`, `constant` with its value, else
    the operation on `parts`: or and not = != < <= > >= valid null + - * / negate length items lower among.
    """

    kind: str
    does: str
    parts: tuple["Node", ...] = ()
    value: Any = None


def must(node: Node, kind: str, message: str) -> None:
    """Refuse an operand of another kind."""
    if node.kind != kind:
        raise Malformed(message)


def constant(kind: str, value: Any) -> Node:
    """Give a literal."""
    return Node(kind, "constant", value=value)


def logic(word: str, left: Node, right: Node) -> Node:
    """Give `left and right` or `left or right`."""
    for side in (left, right):
        must(side, "truth", f"both sides of {word!r} must be true or false")
    return Node("truth", word, (left, right))


def inverted(node: Node) -> Node:
    """Give `not x`."""
    must(node, "truth", "'not' needs something true or false")
    return Node("truth", "not", (node,))


def negative(node: Node) -> Node:
    """Give `-x`."""
    must(node, "number", "'-' needs a number")
    return constant("number", -node.value) if node.does == "constant" else Node("number", "negate", (node,))


def compared(sign: str, left: Node, right: Node) -> Node:
    """Give a comparison; both sides are of one kind."""
    left, right = _as_moment(left, right.kind), _as_moment(right, left.kind)
    if left.kind != right.kind or left.kind in ("list", "map"):
        raise Malformed(f"cannot compare {left.kind} with {right.kind}")
    if left.kind == "truth" and sign not in ("=", "!="):
        raise Malformed("true and false have no order")
    return Node("truth", sign, (left, right))


def _as_moment(node: Node, kind: str) -> Node:
    """Read a text literal beside a date as ISO 8601."""
    if kind not in ("date", "moment") or node.kind != "text" or node.does != "constant":
        return node
    try:
        if kind == "date":
            return constant("date", date.fromisoformat(node.value))
        moment = datetime.fromisoformat(node.value)
    except ValueError as error:
        raise Malformed(f"{node.value!r} is no ISO 8601 {kind}") from error
    return constant("moment", moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def among(left: Node, values: list[Node], *, inverted: bool) -> Node:
    """`x in (a, b)` is `x = a or x = b`, so blanks stay open."""
    nodes = [compared("=", left, value) for value in values]
    if left.kind == "text":
        nodes = [Node("truth", "among", (left, constant("list", [value.value for value in values])))]
    while len(nodes) > 1:  # in pairs: a long list makes no deep tree
        pairs = zip(nodes[::2], nodes[1::2], strict=False)
        nodes = [*(logic("or", *pair) for pair in pairs), *nodes[len(nodes) // 2 * 2 :]]
    return Node("truth", "not", (nodes[0],)) if inverted else nodes[0]


def depth(node: Node) -> int:
    """Give how many operations stand one within another."""
    deepest, level = 0, [node]
    while level:
        deepest += 1
        level = [part for one in level for part in one.parts]
    return deepest


def length(node: Node) -> Node:
    """Give the characters of a text, or the items of a list."""
    if node.kind == "list":
        return Node("number", "items", (node,))
    must(node, "text", "length(x) needs a text or a list")
    return Node("number", "length", (node,))


def lower(node: Node) -> Node:
    """Give a text in lower case."""
    must(node, "text", "lower(x) needs a text")
    return Node("text", "lower", (node,))


def reckoned(sign: str, left: Node, right: Node) -> Node:
    """Give a sum, difference, product or quotient."""
    for side in (left, right):
        must(side, "number", f"{sign!r} needs numbers on both sides")
    return Node("number", sign, (left, right))
