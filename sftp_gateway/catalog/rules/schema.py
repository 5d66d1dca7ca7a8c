"""Columns and rules of a catalog as one frozen value, read from catalog.toml (spec §5, §12).

Complaints are ConfigErrors that name the file and the key and, where a name is wrong, the right one.
"""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from sftp_gateway.brand import BrandSettings
from sftp_gateway.catalog.folding import fold
from sftp_gateway.catalog.rules import column, expression, operators
from sftp_gateway.catalog.rules.column import Column
from sftp_gateway.errors import ConfigError
from sftp_gateway.settings import shipped

__all__ = ["Column", "Rule", "Schema", "load", "parse"]

KEYS = frozenset({"text", "gtin", "integer", "enum"})
_IRRELEVANT = ("contact", "expect_every", "marker", "name_pattern")
"""Settings of a brand by which no byte of a file means anything else."""


class Rule(Struct, frozen=True):
    """A cross-column rule: rows for which `expression` is false get FIELD_RULE."""

    name: str
    expression: str
    severity: str
    message: str


class Schema(Struct, frozen=True):
    """The whole of catalog.toml. `digest` is a sha256 over its canonical text."""

    key: tuple[str, ...]
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...]
    digest: str

    def column(self, name: str) -> Column:
        """Give the column of that name; KeyError if there is none."""
        for item in self.columns:
            if item.name == name:
                return item
        raise KeyError(name)

    def digest_with(self, settings: BrandSettings) -> str:
        """Give a digest of all that decides what bytes mean: these rules and a brand's own settings."""
        own = {name: value for name, value in structs.asdict(settings).items() if name not in _IRRELEVANT}
        return hashlib.sha256((self.digest + json.dumps(own, sort_keys=True)).encode()).hexdigest()


def load(path: Path | None = None) -> Schema:
    """Read a catalog.toml (None: the one that comes with the gateway); ConfigError says what is wrong and where."""
    path = path or shipped("catalog.toml")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    return parse(text, str(path))


def parse(text: str, name: str = "catalog.toml") -> Schema:
    """Make a Schema of the text of a catalog.toml; `name` stands in complaints."""
    try:
        raw = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{name}: is not TOML: {error}") from error
    known = {"key", "column", "rule"}
    for key in raw:
        if key not in known:
            raise ConfigError(f"{name}: unknown key {key!r}{column.meant(key, known)}")
    tables = _tables(raw.get("column", {}), name, "column")
    if not tables:
        raise ConfigError(f"{name}: there is no [column.NAME]; a catalog needs at least its key")
    columns = [column.read(item, values, f"{name}: column.{item}") for item, values in tables.items()]
    key_names = _key(raw.get("key"), columns, name)
    columns = [structs.replace(item, required=True) if item.name in key_names else item for item in columns]
    columns = [_with_default(item, f"{name}: column.{item.name}.default") for item in columns]
    _refuse_clashes(columns, name)
    kinds = {item.name: item.type for item in columns}
    rules = tuple(
        _rule(rule, values, kinds, f"{name}: rule.{rule}")
        for rule, values in _tables(raw.get("rule", {}), name, "rule").items()
    )
    return Schema(key_names, tuple(columns), rules, _digest(key_names, columns, rules))


def _with_default(item: Column, where: str) -> Column:
    """Hold a constant default against its column, which reads it as it would a cell."""
    if not isinstance(item.default, str) or item.default.startswith("@") or not item.default.strip():
        return item
    # Here and not above: rules are read by every verb, few of which need Arrow, which takes 0.15 s.
    from sftp_gateway.catalog.rules import defaults  # noqa: PLC0415 - see above

    return structs.replace(item, default=defaults.typed(item, where))


def _tables(value: Any, name: str, key: str) -> dict[str, dict[str, Any]]:
    if not isinstance(value, dict) or not all(isinstance(inner, dict) for inner in value.values()):
        raise ConfigError(f"{name}: {key} must be made of tables like [{key}.NAME]")
    return value


def _key(value: Any, columns: list[Column], name: str) -> tuple[str, ...]:
    """Check `key`: names of columns that can identify a product."""
    if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
        raise ConfigError(f'{name}: key must be a list of column names, like key = ["sku"]')
    kinds = {item.name: item.type for item in columns}
    for item in value:
        if item not in kinds:
            raise ConfigError(f"{name}: key names {item!r}, which is no column{column.meant(item, kinds)}")
        if kinds[item] not in KEYS:
            allowed = column.listed(sorted(KEYS))
            raise ConfigError(f"{name}: key column {item!r} has type {kinds[item]}; a key must be one of {allowed}")
    if len(set(value)) != len(value):
        raise ConfigError(f"{name}: key names a column twice")
    return tuple(value)


def _rule(name: str, values: dict[str, Any], kinds: Mapping[str, str], where: str) -> Rule:
    """Check one [rule.NAME] table; the expression is compiled once to find mistakes now."""
    known = {"expression": (str,), "severity": (str,), "message": (str,)}
    for key, value in values.items():
        column.fits(key, value, known, where)
    if not values.get("expression"):
        raise ConfigError(f"{where}.expression: is missing")
    column.choice(values, "severity", ("error", "warning"), where)
    try:
        expression.parse(values["expression"], kinds)
    except operators.Malformed as error:
        raise ConfigError(f"{where}.expression: {error}") from error
    message = values.get("message") or f"the rule {name} does not hold: {values['expression']}"
    return Rule(name, values["expression"], values.get("severity", "warning"), message)


def _refuse_clashes(columns: list[Column], name: str) -> None:
    """Refuse a header that two columns claim: which one it means must never be a matter of luck."""
    owners: dict[str, str] = {fold(item.name): item.name for item in columns}
    if len(owners) != len(columns):
        raise ConfigError(f"{name}: two column names differ only in _")
    for item in columns:
        for alias in item.aliases:
            owner = owners.setdefault(fold(alias), item.name)
            if owner != item.name:
                raise ConfigError(f"{name}: column.{item.name}.aliases: {alias!r} already means column {owner!r}")


def _digest(key: tuple[str, ...], columns: list[Column], rules: tuple[Rule, ...]) -> str:
    content = {
        "key": key,
        "columns": [structs.asdict(item) for item in columns],
        "rules": [structs.asdict(rule) for rule in rules],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
