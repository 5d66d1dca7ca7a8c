"""What `brand set NAME KEY=VALUE` understands: text pairs → new `BrandSettings`. Pure."""

import codecs
import difflib
import ipaddress
import math
import re
import zoneinfo
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from msgspec import structs

from sftp_gateway import backtracking, quantity
from sftp_gateway.brand import BrandSettings, Guards
from sftp_gateway.errors import NotFound

V = TypeVar("V", str, float)
_DELIMITERS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}

_SIGNS = "\n\r,;\t|\"'"
"""What separates cells and rows: a reader looks for it in the bytes."""
_MARK = codecs.BOM_UTF8 + codecs.BOM_UTF16
_LIKE_NOTHING = re.compile(r"[\s_\-/()]")
"""Headers that differ in these only are the same (spec §4)."""
_FOR_DOMAINS = ("idna", "punycode")
"""Encodings of single words: of a whole text they make something else."""


def apply(settings: BrandSettings, pairs: Iterable[str], columns: frozenset[str]) -> BrandSettings:
    """Give the settings with `KEY=VALUE` pairs put in; an empty VALUE restores the default.

    `columns` are the names of the catalog's columns. Raises NotFound (usage) naming what is wrong.
    """
    named: list[str] = []
    for pair in pairs:
        key, found, value = pair.partition("=")
        if not found:
            raise NotFound(f"{pair}: give KEY=VALUE")
        settings = _one(settings, key.strip(), value, columns)
        named += [key.strip().removeprefix("columns.")] if key.strip().startswith("columns.") else []
    _check_headers(settings.columns, named)
    return settings


def _check_headers(columns: dict[str, str], changed: list[str]) -> None:
    """Refuse a header that two columns have, one of them changed now: only one would be filled, and nobody told."""
    folded = {name: _LIKE_NOTHING.sub("", header).casefold() for name, header in columns.items()}
    for name in reversed(changed):
        other = next((one for one in columns if one != name and folded[one] == folded.get(name)), None)
        if other is not None:
            raise NotFound(
                f"columns.{name}: {columns[name]!r} is the header of {other} already; give each column its own"
            )


def _one(settings: BrandSettings, key: str, value: str, columns: frozenset[str]) -> BrandSettings:
    group, dot, name = key.partition(".")
    if dot and group == "columns":
        _known(name, columns, "column")
        return structs.replace(settings, columns=_with(settings.columns, name, value.strip()))
    if dot and group == "guards":
        _known(name, frozenset(Guards.__struct_fields__), "guard")
        number = _guard(key, name, value) if value else None
        guards = {**settings.guards, name: number} if number is not None else _with(settings.guards, name, 0.0)
        return structs.replace(settings, guards=guards)
    _known(key, frozenset(_CHECKS) | {"columns.<column>", "guards.<guard>"}, "setting")
    default = getattr(BrandSettings(), key)
    changed: Any = {key: _CHECKS[key](key, value) if value else default}
    return structs.replace(settings, **changed)


def _with(mapping: dict[str, V], name: str, value: V) -> dict[str, V]:
    rest = {key: old for key, old in mapping.items() if key != name}
    return {**rest, name: value} if value else rest


def _known(name: str, known: frozenset[str], what: str) -> None:
    if name not in known:
        near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else "known: " + ", ".join(sorted(known))
        raise NotFound(f"{name}: no such {what}; {hint}")


def _guard(key: str, name: str, value: str) -> float:
    number = _seconds(key, value) if name.endswith("_seconds") else _number(key, value)
    share = isinstance(getattr(Guards(), name), float)
    if number < 0 or (share and number > 1 and name != "price_move"):
        raise NotFound(f"{key}: {value} is out of range; give a share between 0 and 1" if share else f"{key}: below 0")
    if not share and number != int(number):
        raise NotFound(
            f"{key}: {value} is no whole number" + (" of seconds" if name.endswith("_seconds") else "; it is a count")
        )
    return number


def _number(key: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        raise NotFound(f"{key}: {value!r} is not a number") from None
    if not math.isfinite(number):  # nothing is above or below it: the guard would be off, and nobody told
        raise NotFound(f"{key}: {value!r} is not a number")
    return number


def _seconds(key: str, value: str) -> float:
    try:
        return quantity.TIME.read(value)
    except ValueError as error:
        raise NotFound(f"{key}: {error}") from None


def _one_of(*allowed: str) -> Callable[[str, str], str]:
    def check(key: str, value: str) -> str:
        if value.lower() not in allowed:
            raise NotFound(f"{key}: {value!r} is none of {', '.join(allowed)}")
        return value.lower()

    return check


def _like(pattern: str, otherwise: str) -> Callable[[str, str], str]:
    def check(key: str, value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise NotFound(f"{key}: {otherwise.format(value)}")
        return value

    return check


def _text(_key: str, value: str) -> str:
    return value


def _encoding(key: str, value: str) -> str:
    try:
        "sku".encode(value)  # `hex` and its like are codecs, and encode no text
        name = codecs.lookup(value).name
    except (LookupError, ValueError):
        raise NotFound(f"{key}: {value!r} is no encoding known here; utf-8, cp1252, utf-16 are usual") from None
    if name in _FOR_DOMAINS or _SIGNS.encode(name).strip(_MARK).replace(b"\0", b"") != _SIGNS.encode():
        raise NotFound(
            f"{key}: files in {value!r} are not read: its commas, quotes or line ends are not those of ASCII; send utf-8"
        )
    return name


def _delimiter(key: str, value: str) -> str:
    found = _DELIMITERS.get(value.lower(), value)
    if found not in _DELIMITERS.values():
        raise NotFound(f"{key}: give comma, semicolon, tab or pipe")
    return found


def _timezone(key: str, value: str) -> str:
    try:
        return zoneinfo.ZoneInfo(value).key
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):  # `Europe` is a directory of zones
        raise NotFound(f"{key}: {value!r} is no time zone; give a name such as Europe/Amsterdam") from None


def _currency(key: str, value: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{3}", value):
        raise NotFound(f"{key}: {value!r} is no ISO 4217 code; give three letters such as EUR")
    return value.upper()


def _pattern(key: str, value: str) -> str:
    try:
        groups, is_slow = re.compile(value).groupindex, backtracking.is_slow(value)
    except (re.error, OverflowError, RecursionError) as error:  # those are Python's limits of a count and of brackets
        raise NotFound(f"{key}: not a regular expression: {error}") from None
    if not {"date", "sequence"} & set(groups):
        raise NotFound(f"{key}: name a group (?P<date>…) or (?P<sequence>…) that says the order")
    if is_slow:
        raise NotFound(f"{key}: {backtracking.SLOW}")
    return value


def _networks(key: str, value: str) -> str:
    try:
        return ",".join(str(ipaddress.ip_network(part.strip(), strict=False)) for part in value.split(","))
    except ValueError as error:
        raise NotFound(f"{key}: {error}; give networks such as 192.0.2.7,10.0.0.0/8") from None


_CHECKS: dict[str, Callable[[str, str], str]] = {
    "encoding": _encoding,
    "delimiter": _delimiter,
    "quote": _one_of('"', "'"),
    "decimal": _one_of(".", ","),
    "date_order": _one_of("dmy", "mdy", "ymd"),
    "timezone": _timezone,
    "sheet": _text,
    "currency": _currency,
    "mode": _one_of("full", "partial"),
    "duplicates": _one_of("last", "refuse"),
    "unknown_columns": _one_of("ignore", "refuse", "keep"),
    "name_pattern": _pattern,
    "marker": _like(r"\.[A-Za-z0-9._-]{1,30}", "give an ending such as .done"),
    "allow_from": _networks,
    "contact": _like(r'[^@\s<>()\[\],;:\\"]+@[^@\s<>()\[\],;:\\"]+', "{!r} is no mail address"),
    "expect_every": _like(
        r"[0-9]{1,6}(\.[0-9]{1,6})?\s*(min|minutes?|h|hours?|d|days?|weeks?)", "give a time such as 24 h or 7 d"
    ),
}
