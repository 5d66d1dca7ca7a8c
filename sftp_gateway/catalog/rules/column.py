"""A column of the catalog, and the checking of its [column.NAME] table in catalog.toml."""

import difflib
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from msgspec import Struct

from sftp_gateway.errors import ConfigError

TYPES = (
    *("text", "integer", "decimal", "money", "measure", "boolean", "date", "datetime"),
    *("gtin", "currency", "country", "url", "enum", "list", "map"),
)
NUMBERS = frozenset({"integer", "decimal", "money"})
MARKED = NUMBERS | {"measure"}
"""Types whose values have a decimal mark."""
LENGTHS = frozenset({"text", "url", "enum", "list"})
SEVERITIES = ("error", "warning", "info")
DIMENSIONS = ("length", "weight", "volume")
SCALES = {"money": 4, "decimal": 10}
"""Most decimal places that a type keeps."""
NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


class Column(Struct, frozen=True):
    """A column of the catalog. Limits are None where there is none."""

    name: str
    type: str
    """text integer decimal money measure boolean date datetime gtin currency country url enum list map"""
    required: bool = False
    expected: bool = False
    """Blank in every row or absent: one FIELD_REQUIRED warning without a row (brand, cost, gtin, images)."""
    min: str | None = None
    exclusive_min: str | None = None
    max: str | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    values: tuple[str, ...] = ()
    unique: bool = False
    scale: int | None = None
    default: Any = None
    """A constant, or `@brand` / `@currency`: the brand's own name, the brand's currency."""
    severity: str = "error"
    items: str = ""
    """For `list`: what an item must be: `url` (URL or absolute path) or empty (text)."""
    dimension: str = ""
    """For `measure`: length, weight, volume, or empty for any."""
    identifier: bool = False
    """An article number: a spreadsheet's scientific notation in it is damage, not a value."""
    aliases: tuple[str, ...] = ()


_LIMITS = ("min", "exclusive_min", "max")
_KINDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("type", "pattern", "severity", "items", "dimension"), (str,)),
    **dict.fromkeys(("required", "expected", "unique", "identifier"), (bool,)),
    **dict.fromkeys(("min_length", "max_length", "scale"), (int,)),
    **dict.fromkeys(("values", "aliases"), (list,)),
    **dict.fromkeys(_LIMITS, (int, Decimal, str)),
    "default": (str, int, bool, Decimal),
}


def is_databases(name: str) -> bool:
    """Whether the database has a column of that name itself, in every version file; it takes upper case for lower."""
    return name.lower() == "file_row_number"


def read(name: str, values: dict[str, Any], where: str) -> Column:
    """Check one [column.NAME] table, key by key."""
    if not NAME.fullmatch(name):
        raise ConfigError(f"{where}: a column name is a-z, 0-9 and _, and starts with a letter")
    if is_databases(name):
        raise ConfigError(f"{where}: no column can have this name; give it another, and this one as an alias")
    for key, value in values.items():
        fits(key, value, _KINDS, where)
    kind = values.get("type")
    if kind not in TYPES:
        raise ConfigError(f"{where}.type: must be one of {listed(TYPES)}{meant(str(kind), TYPES)}")
    choice(values, "severity", SEVERITIES, where)
    choice(values, "items", ("url", ""), where)
    choice(values, "dimension", (*DIMENSIONS, ""), where)
    _only_for(values, kind, where)
    limits: dict[str, Any] = {key: _number(values[key], f"{where}.{key}") for key in _LIMITS if key in values}
    _pattern(values.get("pattern"), f"{where}.pattern")
    texts: dict[str, Any] = {
        key: _texts(values[key], f"{where}.{key}") for key in ("values", "aliases") if key in values
    }
    if kind == "enum" and not texts.get("values"):
        raise ConfigError(f"{where}.values: an enum needs its allowed values")
    default = _default(values.get("default"), kind, texts.get("values", ()), f"{where}.default")
    _leaves_values({**values, **limits}, where)
    plain: dict[str, Any] = {key: value for key, value in values.items() if key not in limits and key not in texts}
    return Column(**plain | limits | texts | {"name": name, "default": default})


def fits(key: str, value: Any, kinds: Mapping[str, tuple[type, ...]], where: str) -> None:
    """Complain about a key that does not exist or a value of the wrong kind."""
    if key not in kinds:
        raise ConfigError(f"{where}.{key}: there is no such key{meant(key, kinds)}")
    # bool is an int to Python, but `min_length = true` is a mistake
    if not isinstance(value, kinds[key]) or (isinstance(value, bool) and bool not in kinds[key]):
        wanted = {bool: "true or false", list: "a list", str: "a text", int: "a whole number"}[kinds[key][0]]
        raise ConfigError(f"{where}.{key}: must be {wanted}, not {value!r}")


def _only_for(values: Mapping[str, Any], kind: str, where: str) -> None:
    """Refuse a limit that its type cannot have: it would silently do nothing."""
    allowed = {
        **dict.fromkeys(_LIMITS, NUMBERS),
        **dict.fromkeys(("min_length", "max_length"), LENGTHS),
        "scale": {"decimal", "money"},
        "pattern": {"text", "url", "enum"},
        "values": {"text", "enum", "currency", "country"},
        "items": {"list"},
        "dimension": {"measure"},
        "identifier": {"text"},
    }
    for key in values:
        if key in allowed and kind not in allowed[key]:
            raise ConfigError(
                f"{where}.{key}: has no meaning for type {kind}; it is for {listed(sorted(allowed[key]))}"
            )
    for key in ("min_length", "max_length", "scale"):
        if values.get(key, 0) < 0:
            raise ConfigError(f"{where}.{key}: must not be negative")
    if values.get("scale", 0) > SCALES.get(kind, 0):
        raise ConfigError(f"{where}.scale: {kind} keeps at most {SCALES[kind]} decimal places")


def _leaves_values(values: Mapping[str, Any], where: str) -> None:
    """Refuse limits between which no value is: every row would be rejected."""
    for low, high in (("min", "max"), ("exclusive_min", "max"), ("min_length", "max_length")):
        if low in values and high in values:
            least, most = Decimal(str(values[low])), Decimal(str(values[high]))
            if least > most or (least == most and low == "exclusive_min"):
                raise ConfigError(
                    f"{where}.{low}: no value can be from {values[low]} to {values[high]}; mend {low} or {high}"
                )


def _number(value: Any, where: str) -> str:
    """Give a limit as decimal text."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise ConfigError(f"{where}: must be a number, not {value!r}")
    text = format(number, "f")
    digits, _, places = text.lstrip("-").partition(".")
    if len(digits) > 38 or len(places) > 38:  # no value has so many, and none could be compared with it
        raise ConfigError(f"{where}: has too many digits")
    return text


def whole(pattern: str) -> str:
    """Give the pattern that a whole value must match."""
    return rf"^(?:{pattern})$"


def _pattern(value: str | None, where: str) -> None:
    r"""Refuse what RE2 cannot compile, alone and between the ends of a value (`\Q` without `\E` takes those for its own)."""
    if value is None:
        return
    # Here and not above: rules are read by every verb, few of which need Arrow, which takes 0.15 s.
    import pyarrow as pa  # noqa: PLC0415 - see above
    import pyarrow.compute as pc  # noqa: PLC0415 - see above

    try:
        for pattern in (value, whole(value)):
            pc.match_substring_regex(pa.array([""]), pattern)
    except pa.ArrowInvalid as error:
        raise ConfigError(f"{where}: is no regular expression (RE2): {error}") from error


def _texts(value: list[Any], where: str) -> tuple[str, ...]:
    """Give a list of non-empty texts."""
    if not all(isinstance(item, str) and item.strip() for item in value):
        raise ConfigError(f"{where}: must be a list of texts")
    return tuple(value)


def _default(value: Any, kind: str, values: tuple[str, ...], where: str) -> Any:
    """Check that a default is a value of its column."""
    if value is None or value in ("@brand", "@currency"):
        return value
    if isinstance(value, str) and value.startswith("@"):
        raise ConfigError(f"{where}: only @brand and @currency can stand for a value")
    wanted: tuple[type, ...] = (str,)
    if kind == "boolean":
        wanted = (bool,)
    elif kind in NUMBERS:
        wanted = (int, Decimal, str)
    if not isinstance(value, wanted) or (isinstance(value, bool) and kind != "boolean"):
        raise ConfigError(f"{where}: {value!r} is no {kind}")
    if values and value not in values:
        raise ConfigError(f"{where}: {value!r} is not among the allowed values")
    if kind in NUMBERS:
        value = _number(value, where)
    elif kind in ("list", "map", "measure", "date", "datetime", "gtin"):
        raise ConfigError(f"{where}: a {kind} cannot have a default")
    return value


def choice(values: Mapping[str, Any], key: str, allowed: tuple[str, ...], where: str) -> None:
    """Complain about a value outside a short list."""
    if key in values and values[key] not in allowed:
        shown = [item for item in allowed if item]
        raise ConfigError(f"{where}.{key}: must be {listed(shown)}, not {values[key]!r}")


def meant(name: str, known: Iterable[str]) -> str:
    """Give a did-you-mean for a name, or ''."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


def listed(items: Iterable[str]) -> str:
    """Put names into a sentence."""
    return ", ".join(items)
