"""Which of a sender's columns is which of ours: exact names, the brand's own mapping, aliases (spec §4)."""

import difflib
import re
from collections.abc import Sequence

from msgspec import Struct, field, structs

from sftp_gateway.brand import BY_POSITION, BrandSettings
from sftp_gateway.catalog.findings import Finding
from sftp_gateway.catalog.folding import fold
from sftp_gateway.catalog.read.header.naming import is_value
from sftp_gateway.catalog.rules.column import Column, is_databases
from sftp_gateway.catalog.rules.schema import Schema
from sftp_gateway.catalog.types import units
from sftp_gateway.errors import Refused
from sftp_gateway.upload import Mode

__all__ = ["Mapping", "fold", "known", "match"]

OURS = ("_correction_of", "_row", "_op", "_codes", "_errors", "_suggestions")
"""Columns with a meaning of their own; every other one that starts with `_` is ignored."""
_PAIR = re.compile(r"(option|attribute)(\d{1,2})(name|values?)")
"""Shopify's `Option1 Name` beside `Option1 Value`, WooCommerce's `Attribute 1 name` beside `Attribute 1 value(s)`."""
_PAIR_MAPS = {"option": "variation", "attribute": "attribute"}
_HOW_SOLD = frozenset({"type", "producttype"})
"""Beside `categories` these tell how a product is sold: WooCommerce's `variation`, Magento's `configurable`."""
APART = "each of a product's `variants` is a product here: send one record for each, with all it shares"
_MOST_MEANT = 200
"""So many headers are compared with all names for a did-you-mean: it takes a millisecond each."""


class Mapping(Struct, frozen=True):
    """How a file's columns fill the catalog's. Positions count the sender's columns from 0."""

    headers: tuple[str, ...]
    columns: dict[str, tuple[int, ...]]
    """Catalog column → the sender's columns for it, in order of preference; a map's are its bare columns."""
    maps: dict[tuple[str, str], int]
    """(map column, NAME) → position, of headers like `variation:Width`."""
    pairs: dict[str, tuple[tuple[int, int], ...]]
    """Map column → (position of a name, position of its value)."""
    kept: dict[str, int]
    """Unknown columns that the brand keeps: header → position."""
    ours: dict[str, int]
    """`_correction_of`, `_row`, `_op` …: name → position."""
    units: dict[int, str] = field(default_factory=dict)
    """Position → the unit that its header names for bare numbers (`Weight (kg)`)."""
    findings: tuple[Finding, ...] = ()

    def filled_by(self, column: str) -> tuple[int, ...]:
        """Give every position that can fill a catalog column, map entries included."""
        parts = [position for (name, _), position in self.maps.items() if name == column]
        pairs = [value for _, value in self.pairs.get(column, ())]
        return (*self.columns.get(column, ()), *parts, *pairs)

    def taken_by(self, column: str) -> tuple[int, ...]:
        """Give every position that a catalog column uses: those that fill it, and the names beside its values."""
        return (*self.filled_by(column), *(name for name, _ in self.pairs.get(column, ())))

    def named_as(self, names: Sequence[str]) -> "Mapping":
        """Let a kept column go by the name it has among these, the current version's: `season` fills `Season`."""
        folded = {fold(name): name for name in names}
        kept = {name if name in names else folded.get(fold(name), name): at for name, at in self.kept.items()}
        return structs.replace(self, kept=kept)


def known(schema: Schema, settings: BrandSettings) -> frozenset[str]:
    """Give every folded header that means a catalog column: what the reader looks for in a first line."""
    names = {fold(name) for column in schema.columns for name in (column.name, *column.aliases)}
    names |= {fold(header) for header in settings.columns.values()}
    return frozenset(names | {fold(name) for name in OURS})


def match(headers: Sequence[str], schema: Schema, settings: BrandSettings, mode: Mode) -> Mapping:
    """Map a file's headers to columns; Refused FILE_HEADER_DUPLICATE, _MISSING or (unknown_columns=refuse) _UNKNOWN."""
    matcher = _Matcher(headers, schema, settings)
    matcher.refuse_row()
    matcher.refuse_duplicates()
    matcher.take_ours()
    matcher.take_overrides()
    matcher.take_columns()
    matcher.take_maps()
    matcher.refuse_missing(mode)
    matcher.judge_unknown()
    return matcher.mapping()


def _counted(header: str) -> int | None:
    """Give the place, from 0, of a column that a brand maps by its number (`#1`)."""
    return int(header[1:]) - 1 if BY_POSITION.fullmatch(header) else None


class _Matcher:
    """The headers of one file while they find their columns; each step takes some of those left."""

    def __init__(self, headers: Sequence[str], schema: Schema, settings: BrandSettings) -> None:
        self.headers = [header.strip("\ufeff \t\r\n\xa0") for header in headers]
        self.folded = [fold(header) for header in headers]
        self.schema, self.settings = schema, settings
        self.left = {position: None for position, name in enumerate(self.folded) if name}
        self.columns: dict[str, list[int]] = {}
        self.maps: dict[tuple[str, str], int] = {}
        self.pairs: dict[str, list[tuple[int, int]]] = {}
        self.kept: dict[str, int] = {}
        self.ours: dict[str, int] = {}
        self.findings: list[Finding] = []

    def refuse_row(self) -> None:
        """Say that there is no header where none of its names is known and one is a number, a date or a link."""
        names = known(self.schema, self.settings)
        if any(name in names or name.partition(":")[0] in names for name in self.folded if name):
            return
        if values := [name for name in self.headers if name and is_value(name.encode())]:
            raise Refused(
                "FILE_HEADER_MISSING",
                f"the file has no header: {values[0]!r} in its first row is no name of a column",
                "put a header above the first row, or set which column is which by its place (`columns.sku=#1`)",
            )

    def refuse_duplicates(self) -> None:
        seen: dict[str, int] = {}
        for position in self.left:
            name = "_" * self.headers[position].startswith("_") + self.folded[position]
            first = seen.setdefault(name, position)
            if first != position:
                raise Refused(
                    "FILE_HEADER_DUPLICATE",
                    f"columns {first + 1} ({self.headers[first]!r}) and {position + 1} ({self.headers[position]!r}) "
                    "have the same header, so it cannot be told which one counts",
                    "rename or remove one of the two columns",
                )

    def take_ours(self) -> None:
        names = {fold(name): name for name in OURS}
        for position in list(self.left):
            if self.headers[position].startswith("_"):
                self.ours[names.get(self.folded[position], self.headers[position])] = position
                del self.left[position]

    def take_overrides(self) -> None:
        """Let the brand's own mapping beat everything; its column listens to that header only."""
        positions = {self.folded[position]: position for position in self.left}
        for name, header in self.settings.columns.items():
            position = positions.get(fold(header), _counted(header))
            if position is None or position not in self.left:
                continue
            map_name, colon, entry = name.partition(":")
            if colon:
                self.maps[map_name, entry] = position
            else:
                self.columns[name] = [position]
            del self.left[position]

    def take_columns(self) -> None:
        overridden = set(self.columns)
        for column in self.schema.columns:
            names = {fold(name): rank for rank, name in reversed(list(enumerate((column.name, *column.aliases))))}
            found = sorted((rank, p) for p in self.left if (rank := self._rank(p, names, column)) is not None)
            for _, position in found:
                del self.left[position]
            if column.name in overridden or not found:
                continue
            self.columns[column.name] = [position for _, position in found]
            if len(found) > 1:
                self._note_aliases(column.name)

    def _rank(self, position: int, names: dict[str, int], column: Column) -> int | None:
        """Say how good a header is for a column (0: its exact name); None: not at all."""
        folded = self.folded[position].removeprefix("g:")
        if column.name == "categories" and folded in _HOW_SOLD and column.name in self.folded:
            return None
        if column.type == "map":
            folded = folded.removesuffix(":")
        if column.type == "measure" and folded not in names:
            stem, unit = units.of_header(self.headers[position])
            folded = fold(stem).removeprefix("g:") if unit else folded
        return names.get(folded)

    def _units(self) -> dict[int, str]:
        """Give the units that headers of measures name."""
        measures = [column.name for column in self.schema.columns if column.type == "measure"]
        named = {at: units.of_header(self.headers[at])[1] for name in measures for at in self.columns.get(name, ())}
        return {position: unit for position, unit in named.items() if unit}

    def take_maps(self) -> None:
        maps = {fold(column.name): column.name for column in self.schema.columns if column.type == "map"}
        for position in list(self.left):
            prefix, colon, entry = self.headers[position].partition(":")
            if colon and entry.strip() and fold(prefix) in maps:
                self.maps[maps[fold(prefix)], entry.strip()] = position
                del self.left[position]
        self._take_pairs(set(maps.values()))

    def _take_pairs(self, maps: set[str]) -> None:
        halves: dict[tuple[str, str], dict[str, int]] = {}
        for position in self.left:
            if found := _PAIR.fullmatch(self.folded[position]):
                halves.setdefault((found[1], found[2]), {})[found[3].rstrip("s")] = position
        for (kind, _), half in sorted(halves.items()):
            if len(half) == 2 and _PAIR_MAPS[kind] in maps:
                self.pairs.setdefault(_PAIR_MAPS[kind], []).append((half["name"], half["value"]))
                del self.left[half["name"]], self.left[half["value"]]

    def _note_aliases(self, column: str) -> None:
        names = [repr(self.headers[position]) for position in self.columns[column]]
        text = f"{', '.join(names)} all mean {column}; in each row the first of them that is filled counts"
        self.findings.append(Finding("FILE_HEADER_ALIAS", text, column=column))

    def refuse_missing(self, mode: Mode) -> None:
        only_key = mode in (Mode.PARTIAL, Mode.CORRECTION)
        filled = {*self.columns, *(name for name, _ in self.maps), *self.pairs}
        missing = [
            column.name
            for column in self.schema.columns
            if column.required and column.default is None and column.name not in filled
            if not only_key or column.name in self.schema.key
        ]
        if not missing:
            return
        nested = any(self.folded[position] == "variants" for position in self.left)
        hints = [APART] if nested else [hint for name in missing if (hint := self._closest_header(name))]
        wanted, rules = "column" if len(missing) == 1 else "columns", "`" + "`, `".join(missing) + "`"
        raise Refused(
            "FILE_HEADER_MISSING",
            f"the file has no {rules} {wanted}; without {'it' if len(missing) == 1 else 'them'} no row can be used",
            "; ".join(hints) or f"add {rules} to the header, or have yours set (columns.{missing[0]}=YOUR HEADER)",
        )

    def _closest_header(self, column: str) -> str:
        """Say which header left over might have been meant for a missing column."""
        names = [fold(name) for name in (column, *self.schema.column(column).aliases)]
        best, best_ratio = None, 0.7
        for position in self.left:
            for name in names:
                ratio = difflib.SequenceMatcher(None, name, self.folded[position]).ratio()
                if ratio > best_ratio:
                    best, best_ratio = position, ratio
        header = " ".join(self.headers[best].split()) if best is not None else ""
        return f"is {header!r} your `{column}`? Rename it, or have it set (columns.{column}={header})" if header else ""

    def judge_unknown(self) -> None:
        policy = self.settings.unknown_columns
        if policy == "refuse" and self.left:
            names = ", ".join(repr(self.headers[position]) for position in self.left)
            hints = [hint for position in self.left if (hint := self._meant(position))]
            raise Refused(
                "FILE_HEADER_UNKNOWN",
                f"the file has columns this catalog does not know, and this brand allows none: {names}",
                "; ".join(hints) or "remove these columns",
            )
        for position in self.left:
            if policy == "keep":
                self.kept[self._free_name(self.headers[position])] = position
            else:
                self._warn_unknown(position)
        self._warn_unnamed()

    def _free_name(self, header: str) -> str:
        """Never let a kept column hide one of the catalog's, or of the database's."""
        taken = {column.name for column in self.schema.columns}
        return f"{header} (sent)" if header in taken or is_databases(header) else header

    def _warn_unknown(self, position: int) -> None:
        header = self.headers[position]
        hint = self._meant(position) if len(self.findings) < _MOST_MEANT else ""
        self.findings.append(
            Finding("FILE_HEADER_UNKNOWN", f"column {header!r} is not known and was ignored", hint, value=header)
        )

    def _warn_unnamed(self) -> None:
        unnamed = [str(position + 1) for position, name in enumerate(self.folded) if not name]
        if unnamed:
            which = "column " + unnamed[0] + " has" if len(unnamed) == 1 else "columns " + ", ".join(unnamed) + " have"
            text = f"{which} no header and {'was' if len(unnamed) == 1 else 'were'} ignored"
            self.findings.append(Finding("FILE_HEADER_UNKNOWN", text, "name every column in the header row"))

    def _meant(self, position: int) -> str:
        """Give a did-you-mean among the columns that no header of this file fills yet."""
        if self.folded[position] == "variants":
            return APART
        names: dict[str, str] = {}
        for column in self.schema.columns:
            if column.name not in self.columns:
                for name in (column.name, *column.aliases):
                    names.setdefault(fold(name), column.name)
        close = difflib.get_close_matches(self.folded[position], list(names), n=1, cutoff=0.82)
        return f"did you mean {names[close[0]]}?" if close else ""

    def mapping(self) -> Mapping:
        return Mapping(
            tuple(self.headers),
            {name: tuple(positions) for name, positions in self.columns.items()},
            self.maps,
            {name: tuple(pairs) for name, pairs in self.pairs.items()},
            self.kept,
            self.ours,
            self._units(),
            tuple(self.findings),
        )
