"""Columns and rules of a catalog as one frozen value, read from catalog.toml (spec §5, §12)."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Column:
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
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """A cross-column rule: rows for which `expression` is false get FIELD_RULE."""

    name: str
    expression: str
    severity: str
    message: str


@dataclass(frozen=True, slots=True)
class Schema:
    """The whole of catalog.toml. `digest` is a sha256 over its canonical text."""

    key: tuple[str, ...]
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...]
    digest: str

    def column(self, name: str) -> Column:
        """The column of that name; KeyError if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)
