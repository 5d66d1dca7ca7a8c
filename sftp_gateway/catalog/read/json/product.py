"""One JSON product as cells of text: numbers keep their digits, lists get `|`, objects become `key:sub` columns."""

import json
import re
from collections.abc import Collection
from decimal import Decimal
from typing import Any

import orjson

from sftp_gateway.catalog.read import bounds, lists
from sftp_gateway.catalog.read.json import elements

# Numbers whose text a float would not keep: fractions (1.50), 16 digits and more, exponents.
_NUMBER = rb"\s*-?(?:\d+\.\d|\d{16,}|\d+[eE])"
_INEXACT = re.compile(rb"\":" + _NUMBER)  # begins with fixed bytes: searched five times as fast
_INEXACT_IN_LISTS = re.compile(rb"[:\[,]" + _NUMBER)
_NO_NUMBER = re.compile(rb"\":\s*(NaN|-?Infinity)\b")
"""Many programs write them, and take them for JSON."""
_SPACED_KEY = re.compile(rb'"[ \t\r\n]+:')
_SHORT_EXPONENT = re.compile(r"[eE]-?\d{1,2}|[eE]\+\d")
"""Of a longer one, a few bytes would become a text without end. A spreadsheet writes two digits behind a plus."""
_UNROUNDED = re.compile(r"-?\d+(?:E\+(?:0\d|10)|e\+0[0-5])")
"""Whole, and too small for what rounds to write it so: spreadsheets begin at `1E+11`, `printf` of C at `1e+06`."""
_SCALARS = (str, int, float, bool, type(None))


class NotAProductError(ValueError):
    """The text is no JSON object that can be a row; says why."""


def parse(text: bytes) -> dict[str, Any]:
    """Parse one product; raises NotAProductError."""
    try:
        if text.count(b"[") + text.count(b"{") > bounds.NESTING and elements.depth_of(text) > bounds.NESTING:
            raise NotAProductError(f"It is nested deeper than {bounds.NESTING} levels.")
        flat = b"[" not in text and b"\\" not in text and b'" :' not in text and text.find(b"{", 1) < 0
        if not flat and (_INEXACT_IN_LISTS if b"[" in text or b'" :' in text else _INEXACT).search(text):
            return _exactly(text)
        parsed = orjson.loads(text)
        if isinstance(parsed, dict) and _count_keys(text) != len(parsed):
            return _exactly(text)  # nested, or a key that comes twice
        if flat and isinstance(parsed, dict) and float in map(type, parsed.values()):
            _restore(parsed, text)
    except (ValueError, RecursionError) as error:
        if isinstance(error, NotAProductError):
            raise
        if no_number := _NO_NUMBER.search(text):
            _no(no_number[1].decode())
        raise NotAProductError(f"It is no JSON: {str(error).split(': line')[0]}.") from error
    return _checked(parsed)


def _count_keys(text: bytes) -> int:
    """Count what may be a key and its colon: never fewer than there are."""
    spaced = b" :" in text or b"\t:" in text or b"\n:" in text or b"\r:" in text
    return text.count(b'":') + (len(_SPACED_KEY.findall(text)) if spaced else 0)


def _restore(parsed: dict[str, Any], text: bytes) -> None:
    """Give fractions their digits back: without escapes, a key and `":` stand in the text once."""
    for key, value in parsed.items():
        if type(value) is float:
            name = b'"%b":' % key.encode()
            begin = text.index(name) + len(name)
            end = text.find(b",", begin)
            parsed[key] = Number(_written_out(text[begin : end if end >= 0 else text.rindex(b"}")].strip().decode()))


def keys(text: bytes) -> list[str]:
    """Name the columns of a product; none if it is no product."""
    try:
        parsed = orjson.loads(text)
        if not isinstance(parsed, dict):
            return []
        return (
            list(parsed) if text.count(b"{") == 1 else [name for entry in parsed.items() for name in _columns(*entry)]
        )
    except (ValueError, RecursionError):
        return []


def cells(product: dict[str, Any], exact: Collection[str] = (), known: Collection[str] = ()) -> dict[str, str]:
    """Give the product's values as text by column, fractions as `Number`; lists under the names `exact` keep their items apart.

    Under the names `known` (all columns of the catalog) objects in a list are told by `lists.called`.

    NotAProductError where one column would have two values: `{"a": {"b": 1}, "a:b": 2}`.
    """
    found: dict[str, str] = {}
    for key, value in product.items():
        if type(value) is str and key not in found:
            found[key] = value
        elif _is_unfolded(value):
            for name, item in value.items():
                _put(found, f"{key}:{name}", _text(item))
        else:
            items = lists.called(value, exact=key in exact) if type(value) is list and key in known else None
            _put(found, key, _text(items or value, exact=key in exact))
    return found


def _is_unfolded(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(item, _SCALARS) or _is_flat(item) for item in value.values())


def _is_flat(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, _SCALARS) for item in value)


def _columns(key: str, value: Any) -> list[str]:
    return [f"{key}:{name}" for name in value] if _is_unfolded(value) else [key]


def _put(found: dict[str, str], name: str, text: str) -> None:
    there = found.get(name)
    if there and text and there != text:
        raise NotAProductError(f"The key {name!r} comes twice.")
    found[name] = text or there or ""


def _exactly(text: bytes) -> dict[str, Any]:
    """Parse with every number as its own text, refusing a key that comes twice."""
    return _checked(
        json.loads(
            text,
            parse_float=lambda number: Number(_written_out(number)),
            parse_int=Number,
            parse_constant=_no,
            object_pairs_hook=_once,
        )
    )


class Number(str):
    """A number by its digits; as a cell it is told from a text by this."""

    __slots__ = ()


def _written_out(number: str) -> str:
    """Write a number without its exponent, as Java (`1.2E7`, `1E+2`) and Python (`5e-05`) give an exact value.

    With a plus and two digits (`4.00638E+12`) it may come from a spreadsheet, which rounds: that is for the rules to tell.
    """
    place = max(number.find("e"), number.find("E"))
    exact = place >= 0 and (_SHORT_EXPONENT.fullmatch(number, place) or _UNROUNDED.fullmatch(number))
    return format(Decimal(number), "f") if exact else number


def _checked(parsed: Any) -> dict[str, Any]:
    if not isinstance(parsed, dict):
        raise NotAProductError("It is no JSON object.")
    return parsed


def _no(name: str) -> Any:
    raise NotAProductError(f"{name} is no JSON value.")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(key for number, (key, _) in enumerate(pairs) if key in dict(pairs[:number]))
        raise NotAProductError(f"The key {twice!r} comes twice.")
    return found


def _text(value: Any, *, exact: bool = False) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if _is_flat(value):
        return lists.text([_text(item) for item in value], exact=exact)
    if isinstance(value, (dict, list)):
        return _json(value)
    return str(value)


def _json(value: Any) -> str:
    """Write a value as JSON, numbers by the digits they came with."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_json(name)}: {_json(item)}" for name, item in value.items()) + "}"
    return (
        "[" + ", ".join(map(_json, value)) + "]" if isinstance(value, list) else json.dumps(value, ensure_ascii=False)
    )
