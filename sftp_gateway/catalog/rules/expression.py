"""The language of cross-column rules (spec §5): text → a tree, which evaluate.py works out over whole columns.

    truth   := truth or truth | truth and truth | not truth | value (= != < <= > >=) value
             | value [not] in (literal, …) | value is [not] null | column of type boolean | true | false
    value   := value (+ - * /) value | - value | column | number | 'text' | "text" | length(x) | lower(x) | (…)

Logic has three values: what a blank cell leaves open counts as kept. Numbers are exact decimals; a
quotient is rounded to 12 places; a division by zero, or what has over 50 digits, is blank. A measure counts in its base unit
(metres, kilograms, litres), `length` of a list in items. A text beside a date or datetime is read as ISO 8601.
"""

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from sftp_gateway.catalog.rules import operators
from sftp_gateway.catalog.rules.operators import Malformed, Node


@dataclass(frozen=True, slots=True)
class Expression:
    """A rule that was understood; `columns` are the catalog columns it names."""

    columns: tuple[str, ...]
    node: Node


def parse(text: str, kinds: Mapping[str, str]) -> Expression:
    """Understand a rule over columns of these types (name → type of catalog.toml); raises Malformed."""
    parser = _Parser(text, kinds)
    node = parser.truth()
    parser.expect_end()
    if operators.depth(node) > _MOST_OPERATIONS:
        raise Malformed(
            f"is too long: at most {_MOST_OPERATIONS} operations may stand one within another; make two rules of it"
        )
    if not parser.used:
        raise Malformed("names no column")
    return Expression(tuple(parser.used), node)


_TOKEN = re.compile(
    r"""\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<sign><=|>=|!=|<>|==|[-+*/<>=(),]))""",
    re.VERBOSE,
)
_KINDS = {
    "integer": "number",
    "decimal": "number",
    "money": "number",
    "measure": "number",
    "boolean": "truth",
    "date": "date",
    "datetime": "moment",
    "list": "list",
    "map": "map",
}
_WORDS = frozenset({"and", "or", "not", "in", "is", "null", "true", "false"})
_DEEPEST = 50
_MOST_OPERATIONS = 320
"""One within another: so many are worked out without end of the stack."""
_MOST_DIGITS = _MOST_PLACES = 38
"""Of a literal number: it can be compared with every value of a column."""


def _tokens(text: str) -> list[tuple[str, str]]:
    """Split into (kind, text); raises Malformed at a sign the language does not have."""
    found, at, end = [], 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            raise Malformed(f"cannot read {text[at:].strip()[:20]!r}")
        kind = str(match.lastgroup)
        token = match.group(kind)
        if kind == "name" and token.lower() in _WORDS:
            kind, token = "word", token.lower()
        found.append((kind, token))
        at = match.end()
    return found


def _number(word: str) -> Decimal:
    digits, _, places = word.partition(".")
    if len(digits) > _MOST_DIGITS or len(places) > _MOST_PLACES:
        raise Malformed(f"a number has at most {_MOST_DIGITS} digits, and {_MOST_PLACES} decimal places")
    return Decimal(word)


class _Parser:
    """Recursive descent; each method reads one level of the grammar and gives its node."""

    def __init__(self, text: str, kinds: Mapping[str, str]) -> None:
        self.tokens = _tokens(text)
        self.at = 0
        self.depth = 0
        self.kinds = kinds
        self.used: dict[str, None] = {}

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "")

    def take(self, *tokens: str) -> str:
        """Step over one of these tokens and give it, or give ''."""
        kind, token = self.peek()
        if kind in ("sign", "word") and token in tokens:
            self.at += 1
            return token
        return ""

    def expect(self, token: str) -> None:
        if not self.take(token):
            raise Malformed(f"expected {token!r} {self.here()}")

    def here(self) -> str:
        kind, token = self.peek()
        return "at the end" if kind == "end" else f"before {token!r}"

    def expect_end(self) -> None:
        if self.peek()[0] != "end":
            raise Malformed(f"did not expect {self.peek()[1]!r}")

    def truth(self) -> Node:
        node = self.any_of()
        operators.must(node, "truth", "a rule must be true or false; this is only a value")
        return node

    def any_of(self) -> Node:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise Malformed("is nested too deeply")
        node = self.chain(self.all_of, operators.logic, "or")
        self.depth -= 1
        return node

    def chain(self, part: Callable[[], Node], join: Callable[[str, Node, Node], Node], *signs: str) -> Node:
        """Read parts with any of these signs between them, from the left."""
        node = part()
        while sign := self.take(*signs):
            node = join(sign, node, part())
        return node

    def all_of(self) -> Node:
        return self.chain(self.negated, operators.logic, "and")

    def negated(self) -> Node:
        times = 0
        while self.take("not"):
            times += 1
        node = self.comparison()
        if times:
            operators.must(node, "truth", "'not' needs something true or false")
        return node if times % 2 == 0 else Node("truth", "not", (node,))

    def comparison(self) -> Node:
        left = self.sum()
        if sign := self.take(*operators.COMPARE):
            right = self.sum()
            if self.take(*operators.COMPARE):
                raise Malformed("a comparison has two sides; join more with 'and'")
            return operators.compared(sign, left, right)
        if self.take("is"):
            inverted = bool(self.take("not"))
            self.expect("null")
            return Node("truth", "valid" if inverted else "null", (left,))
        inverted = bool(self.take("not"))
        if self.take("in"):
            return operators.among(left, self.literals(), inverted=inverted)
        if inverted:
            raise Malformed(f"expected 'in' {self.here()}")
        return left

    def literals(self) -> list[Node]:
        self.expect("(")
        found = [self.unary()]
        while self.take(","):
            found.append(self.unary())
        self.expect(")")
        if any(node.does != "constant" for node in found):
            raise Malformed("'in' takes a list of plain values")
        return found

    def sum(self) -> Node:
        return self.chain(self.product, operators.reckoned, "+", "-")

    def product(self) -> Node:
        return self.chain(self.unary, operators.reckoned, "*", "/")

    def unary(self) -> Node:
        negative = False
        while self.take("-"):
            negative = not negative
        node = self.atom()
        if not negative:
            return node
        operators.must(node, "number", "'-' needs a number")
        if node.does == "constant":
            return operators.constant("number", -node.value)
        return Node("number", "negate", (node,))

    def atom(self) -> Node:
        kind, word = self.peek()
        self.at += 1
        if kind == "number":
            return operators.constant("number", _number(word))
        if kind == "text":
            return operators.constant("text", word[1:-1].replace(word[0] * 2, word[0]))
        if kind == "word" and word in ("true", "false"):
            return operators.constant("truth", word == "true")
        if kind == "sign" and word == "(":
            node = self.any_of()
            self.expect(")")
            return node
        if kind == "name":
            return self.call(word) if self.take("(") else self.column(word)
        self.at -= 1
        raise Malformed(f"expected a column or a value {self.here()}")

    def call(self, name: str) -> Node:
        function = {"length": operators.length, "lower": operators.lower}.get(name)
        if function is None:
            raise Malformed(f"there is no function {name!r}; there are length(x) and lower(x)")
        node = function(self.any_of())
        self.expect(")")
        return node

    def column(self, name: str) -> Node:
        if name not in self.kinds:
            near = difflib.get_close_matches(name, list(self.kinds), n=1)
            raise Malformed(f"there is no column {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
        self.used[name] = None
        if self.kinds[name] == "measure":
            return Node("number", "amount", value=name)
        return Node(_KINDS.get(self.kinds[name], "text"), "column", value=name)
