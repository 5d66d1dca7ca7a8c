"""The language of cross-column rules (spec §5): text → a tree, which evaluate.py works out over whole columns.

    truth   := truth or truth | truth and truth | not truth | value (= != < <= > >=) value
             | value [not] in (literal, …) | value is [not] null | column of type boolean | true | false
    value   := value (+ - * /) value | - value | column | number | 'text' | "text" | length(x) | lower(x) | (…)

That is how Python's expressions are made, and its parser reads them: a sign of ours stands for every name and literal, so
that nothing of Python's can be named. Logic has three values: what a blank cell leaves open counts as kept. Numbers are exact decimals; a
quotient is rounded to 12 places; a division by zero, or what has over 50 digits, is blank. A measure counts in its base unit
(metres, kilograms, litres), `length` of a list in items. A text beside a date or datetime is read as ISO 8601.
"""

import ast
import contextlib
import difflib
import functools
import re
from collections.abc import Mapping
from decimal import Decimal

from msgspec import Struct

from sftp_gateway.catalog.rules import operators
from sftp_gateway.catalog.rules.operators import Malformed, Node


class Expression(Struct, frozen=True):
    """A rule that was understood; `columns` are the catalog columns it names."""

    columns: tuple[str, ...]
    node: Node


def parse(text: str, kinds: Mapping[str, str]) -> Expression:
    """Understand a rule over columns of these types (name → type of catalog.toml); raises Malformed."""
    reader = _Reader(_tokens(text), kinds)
    node = None
    with contextlib.suppress(RecursionError, MemoryError):  # Python's own limits are beyond ours
        node = reader.node(_tree(reader.tokens))
    if node is None or operators.depth(node) > _MOST_OPERATIONS:
        raise Malformed(
            f"is too long: at most {_MOST_OPERATIONS} operations may stand one within another; make two rules of it"
        )
    operators.must(node, "truth", "a rule must be true or false; this is only a value")
    if not reader.used:
        raise Malformed("names no column")
    return Expression(tuple(reader.used), node)


Token = tuple[str, str]
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
_WORDS = frozenset({"and", "or", "not", "in", "is", "null"})
_PYTHONS = {"=": "==", "<>": "!=", "null": "None"}
_SIGNS: dict[type[ast.AST], str] = {
    ast.And: "and", ast.Or: "or", ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/",
    ast.Eq: "=", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip
_FUNCTIONS = {"length": operators.length, "lower": operators.lower}
_MOST_OPERATIONS = 320
"""One within another: so many are worked out without end of the stack."""
_MOST_DIGITS = _MOST_PLACES = 38
"""Of a literal number: it can be compared with every value of a column."""


def _tokens(text: str) -> list[Token]:
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


def _tree(tokens: list[Token]) -> ast.expr:
    """Have Python read them, each name and literal as `_` and its place."""
    words = [
        _PYTHONS.get(token, token) if kind in ("sign", "word") else f"_{at}" for at, (kind, token) in enumerate(tokens)
    ]
    text = " ".join(words)
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError as error:
        at = text[: error.offset - 1].count(" ") if error.offset else len(tokens)
        where = f"at {tokens[at][1]!r}" if at < len(tokens) else "at its end"
        raise Malformed(f"cannot be understood {where}") from None


def _number(word: str) -> Decimal:
    digits, _, places = word.partition(".")
    if len(digits) > _MOST_DIGITS or len(places) > _MOST_PLACES:
        raise Malformed(f"a number has at most {_MOST_DIGITS} digits, and {_MOST_PLACES} decimal places")
    return Decimal(word)


class _Reader:
    """Makes nodes of what Python read, their kinds checked."""

    def __init__(self, tokens: list[Token], kinds: Mapping[str, str]) -> None:
        self.tokens, self.kinds = tokens, kinds
        self.used: dict[str, None] = {}

    def node(self, tree: ast.expr) -> Node:  # noqa: PLR0911 - one for each form there is
        match tree:
            case ast.Name():
                return self._operand(*self._token(tree))
            case ast.BoolOp():
                join = functools.partial(operators.logic, _SIGNS[type(tree.op)])
                return functools.reduce(join, map(self.node, tree.values))
            case ast.BinOp() if type(tree.op) in _SIGNS:
                return operators.reckoned(_SIGNS[type(tree.op)], self.node(tree.left), self.node(tree.right))
            case ast.UnaryOp(op=ast.Not()):
                return operators.inverted(self.node(tree.operand))
            case ast.UnaryOp(op=ast.USub()):
                return operators.negative(self.node(tree.operand))
            case ast.Compare(ops=[op], comparators=[right]):
                return self._compared(self.node(tree.left), op, right)
            case ast.Compare():
                raise Malformed("a comparison has two sides; join more with 'and'")
            case ast.Call(func=ast.Name() as name, args=[value], keywords=[]):
                return self._called(self._token(name)[1], value)
            case ast.Constant():
                raise Malformed("'null' stands behind 'is' or 'is not' only")
        raise Malformed("has brackets or signs where the language has none")

    def _token(self, name: ast.Name) -> Token:
        return self.tokens[int(name.id[1:])]

    def _compared(self, left: Node, op: ast.cmpop, right: ast.expr) -> Node:
        if isinstance(op, ast.Is | ast.IsNot):
            if not isinstance(right, ast.Constant):
                raise Malformed("expected 'null' behind 'is'")
            return Node("truth", "null" if isinstance(op, ast.Is) else "valid", (left,))
        if isinstance(op, ast.In | ast.NotIn):
            found = [self.node(one) for one in (right.elts if isinstance(right, ast.Tuple) else [right])]
            if not found or any(node.does != "constant" for node in found):
                raise Malformed("'in' takes a list of plain values")
            return operators.among(left, found, inverted=isinstance(op, ast.NotIn))
        return operators.compared(_SIGNS[type(op)], left, self.node(right))

    def _called(self, name: str, value: ast.expr) -> Node:
        if name not in _FUNCTIONS:
            raise Malformed(f"there is no function {name!r}; there are length(x) and lower(x)")
        return _FUNCTIONS[name](self.node(value))

    def _operand(self, kind: str, word: str) -> Node:
        if kind == "number":
            return operators.constant("number", _number(word))
        if kind == "text":
            return operators.constant("text", word[1:-1].replace(word[0] * 2, word[0]))
        if word.lower() in ("true", "false"):
            return operators.constant("truth", word.lower() == "true")
        if word not in self.kinds:
            near = difflib.get_close_matches(word, list(self.kinds), n=1)
            raise Malformed(f"there is no column {word!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
        self.used[word] = None
        if self.kinds[word] == "measure":
            return Node("number", "amount", value=word)
        return Node(_KINDS.get(self.kinds[word], "text"), "column", value=word)
