"""A column mapping proposed from a file: by headers that are known, else by what the values are, else by near headers.

Serves `brand map`; saves nothing. Judged on the first rows only, so a proposal is for a person to look at.
"""

import dataclasses
import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sftp_gateway.brand import BrandSettings
from sftp_gateway.catalog import pricename
from sftp_gateway.catalog.checking import headers, problems
from sftp_gateway.catalog.folding import fold
from sftp_gateway.catalog.read.source import Source
from sftp_gateway.catalog.rules import limits
from sftp_gateway.catalog.rules.column import Column
from sftp_gateway.catalog.rules.schema import Schema
from sftp_gateway.catalog.types import reading
from sftp_gateway.catalog.types.cells import Cells, Mask, mask
from sftp_gateway.catalog.types.typing import Dialect
from sftp_gateway.upload import Mode

ROWS = 5_000
SAMPLES = 3
FITS = 0.8
"""Share of the filled cells that must be good values of a column."""
NEAR = 0.75
"""How alike a header and a column's name or alias must be where the values say little."""
_DIALECTS = (Dialect(".", "dmy", "UTC"), Dialect(",", "dmy", "UTC"), Dialect(".", "mdy", "UTC"))
_SHOWN_CHARACTERS = 40
_GTIN, _MONEY = Column("gtin", "gtin"), Column("amount", "money")
_AMOUNTS = "amounts"

Found = tuple[int, str]
"""Position of a header, and why it was taken."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """One catalog column and the header it would come from.

    `source`: `header` (understood without being set), `set` (set for the brand) or `new` (to be saved).
    """

    column: str
    header: str
    source: str
    why: str
    samples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Proposed:
    """What a file's columns were taken for."""

    columns: tuple[Proposal, ...]
    unused: tuple[Proposal, ...]
    """Headers that fill nothing; `column` is empty."""
    missing: tuple[str, ...]
    """Required columns that nothing fills."""

    def pairs(self) -> list[str]:
        """Give what is new as `brand set` takes it: `columns.<column>=<header>`."""
        return [f"columns.{item.column}={item.header}" for item in self.columns if item.source == "new"]


def asking(schema: Schema, settings: BrandSettings) -> tuple[Schema, BrandSettings]:
    """Give rules and settings under which headers are matched as far as they go: nothing missing or unknown refuses them."""
    optional = tuple(dataclasses.replace(column, required=False) for column in schema.columns)
    return dataclasses.replace(schema, columns=optional), dataclasses.replace(settings, unknown_columns="ignore")


def look(source: Source, schema: Schema, settings: BrandSettings) -> Proposed:
    """Propose a mapping for a file. Raises Refused where its headers cannot be told apart or it cannot be read."""
    views = _first_rows(source)
    mapping = headers.match(source.headers, *asking(schema, settings), Mode.FULL)
    known = {column.name: mapping.filled_by(column.name) for column in schema.columns}
    names_of_pairs = {name for pairs in mapping.pairs.values() for name, _ in pairs}
    taken = {at for positions in known.values() for at in positions} | names_of_pairs | set(mapping.ours.values())
    free = [position for position, name in enumerate(mapping.headers) if name and position not in taken]
    wanted = [column for column in schema.columns if not known[column.name] and column.type != "map"]
    # Without one that is set it is the first named: amounts of another are no cost of this price.
    currency = settings.currency or next(filter(None, (pricename.currency(mapping.headers[at]) for at in free)), "")
    new = dict(_matched(wanted, free, mapping.headers, views, schema.key, currency))
    _order_prices(new, known, views)
    found = list(_listed(schema, settings, mapping.headers, known, new, views))
    used = {at for at, _ in new.values()}
    unused = [Proposal("", mapping.headers[at], "", "", _samples(views[at])) for at in free if at not in used]
    filled = {item.column for item in found}
    missing = [c.name for c in schema.columns if c.required and c.default is None and c.name not in filled]
    return Proposed(tuple(found), tuple(unused), tuple(missing))


def _listed(  # noqa: PLR0913, PLR0917 - what is shown of a mapping, put together once
    schema: Schema,
    settings: BrandSettings,
    names: tuple[str, ...],
    known: dict[str, tuple[int, ...]],
    new: dict[str, Found],
    views: list[Cells],
) -> Iterator[Proposal]:
    for column in schema.columns:
        pinned = fold(settings.columns.get(column.name, ""))
        for at in known[column.name]:
            is_set = fold(names[at]) == pinned
            source, why = ("set", "is set for this brand") if is_set else ("header", "its header is known")
            yield Proposal(column.name, names[at], source, why, _samples(views[at]))
        if column.name in new:
            at, why = new[column.name]
            yield Proposal(column.name, names[at], "new", why, _samples(views[at]))


def _first_rows(source: Source) -> list[Cells]:
    parts: list[tuple[pa.Array, ...]] = []
    for block in source.blocks():
        parts.append(block.cells)
        if sum(len(cells[0]) for cells in parts if cells) >= ROWS:
            break
    return [Cells(pa.concat_arrays(column).slice(0, ROWS)) for column in zip(*parts, strict=True)]


def _samples(cells: Cells) -> tuple[str, ...]:
    """Give the first different filled cells, shortened."""
    values = pc.unique(cells.trimmed.array.filter(pa.array(cells.filled))).slice(0, SAMPLES).to_pylist()
    return tuple(value[:_SHOWN_CHARACTERS] + "…" * (len(value) > _SHOWN_CHARACTERS) for value in values)


def _matched(  # noqa: PLR0913, PLR0917 - a file and what it is matched with
    columns: list[Column],
    free: list[int],
    names: tuple[str, ...],
    views: list[Cells],
    key: tuple[str, ...],
    currency: str,
) -> Iterator[tuple[str, Found]]:
    """Give the best pairs of column and position, each used once: the surest first, then in the order of the file."""
    scored: list[tuple[float, int, int, str]] = []
    for rank, column in enumerate(columns):
        for position in free:
            score, why = _judged(column, views[position], names[position], currency, is_key=column.name in key)
            if score:
                scored.append((-score, position, rank, why))
    done: set[str] = set()
    used: set[int] = set()
    for _, position, rank, why in sorted(scored):
        name = columns[rank].name
        if name not in done and position not in used:
            done.add(name)
            used.add(position)
            yield name, (position, why)


def _order_prices(new: dict[str, Found], known: dict[str, tuple[int, ...]], views: list[Cells]) -> None:
    """Of two columns that are told by their amounts only, take the lower one for the cost; a single one is the price."""
    price = (known.get("msrp") or ()) or ((new["msrp"][0],) if "msrp" in new else ())
    if "cost" not in new or not _by_amounts(new["cost"]):
        return
    cost, why = new.pop("cost")
    if not price:
        new["msrp"] = cost, why
        return
    if _below(views[cost], views[price[0]]):
        new["cost"] = cost, f"{why}, mostly below msrp"
    elif "msrp" in new and _by_amounts(new["msrp"]):
        new["msrp"], new["cost"] = (cost, f"{why}, mostly above cost"), (price[0], f"{why}, mostly below msrp")


def _by_amounts(found: Found) -> bool:
    return found[1].endswith(_AMOUNTS) and "header" not in found[1]


def _below(low: Cells, high: Cells) -> bool:
    """Whether the amounts of one column are, where both are filled, mostly less than the other's."""
    readings = [reading.read(cells, _MONEY, _best(_MONEY, cells)).values for cells in (low, high)]
    less, both = pc.less(*readings), pc.and_(*(pc.is_valid(values) for values in readings))
    return bool((pc.sum(less).as_py() or 0) > 0.5 * (pc.sum(both).as_py() or 1))


def _nearness(column: Column, header: str) -> float:
    """Say how alike a header is to the name or an alias of a column, 0..1; a whole word in common counts half."""
    folded, words = fold(header), set(header.lower().replace("_", " ").replace("-", " ").split())
    best = 0.0
    for name in (column.name, *column.aliases):
        best = max(best, difflib.SequenceMatcher(None, fold(name), folded).ratio())
        if words & set(name.lower().replace("_", " ").split()):
            best = max(best, 0.5)
    return best


def _judged(column: Column, cells: Cells, header: str, currency: str, *, is_key: bool) -> tuple[float, str]:
    """Say how sure it is that these cells are a column's, 0..2 (0: they are not), and why."""
    filled = int(np.count_nonzero(cells.filled))
    if column.type == "money":
        header = pricename.plain(header, currency)
    if not filled or not header:
        return 0.0, ""
    near = _nearness(column, header)
    share = _good(column, cells) / filled
    if share < FITS:
        return 0.0, ""
    sure, what = _likeness(column, cells, filled, near, is_key=is_key)
    if near >= NEAR:
        return sure + near, f"its header is like {column.name}" + (f", and {share:.0%} are {what}" if sure else "")
    return (sure + near, f"{share:.0%} are {what}") if sure else (0.0, "")


def _good(column: Column, cells: Cells) -> int:
    """Count the filled cells that are good values of a column, in the dialect that reads most of them."""
    return int(np.count_nonzero(_readable(column, cells, _best(column, cells))))


def _best(column: Column, cells: Cells) -> Dialect:
    return max(_DIALECTS, key=lambda dialect: int(np.count_nonzero(_readable(column, cells, dialect))))


def _readable(column: Column, cells: Cells, dialect: Dialect) -> Mask:
    found = reading.read(cells, column, dialect, key=False)
    good = cells.filled.copy()
    for fault in (*found.faults, *limits.broken(column, found.values)):
        if problems.severity(fault.code, fault.severity, "error") == "error":
            good[fault.rows] = False
    return good


def _likeness(column: Column, cells: Cells, filled: int, near: float, *, is_key: bool) -> tuple[float, str]:
    """Say how much good values alone speak for a column; 0 where others look the same, as all that is yes or no does."""
    array = cells.trimmed.array.filter(pa.array(cells.filled))
    different = pc.count_distinct(array).as_py()
    looks = _Looks(array, filled, different)
    if is_key:
        unique = different == filled == len(cells) and filled > 1
        return (0.6, "filled, different in every row, and short") if unique and looks.codes() else (0.0, "")
    kind = "pictures" if column.items == "url" else column.type
    few, many = different <= max(10, filled // 10), different > 1 or filled == 1
    claims = (
        (kind == "gtin" and many, 1.0, "numbers with the check digit of a GTIN"),
        (kind in ("currency", "country") and few, 0.9, f"{kind} codes"),
        (kind == "pictures" and looks.share(_PICTURE) >= FITS, 0.9, "addresses of pictures"),
        (kind == "url" and looks.share(_PICTURE) < 0.2 and looks.share(_PAGE) >= FITS, 0.9, "addresses of pages"),
        (kind in ("date", "datetime"), 0.7, "dates or times"),
        (kind == "money" and looks.share(_PRICE) >= FITS, 0.5, _AMOUNTS),
        (kind == "boolean" and different == 2 and near >= NEAR, 0.4, "yes or no"),
        (column.name == "categories" and looks.share(_PATH) >= FITS, 0.5, "paths such as A > B"),
    )
    return next(((sure, what) for holds, sure, what in claims if holds), looks.text(column))


_PAGE, _PATH = "^https?://", r"\S *(>|/|») *\S"
_PRICE = r"[0-9][.,][0-9]{2}$|^\p{Sc}|\p{Sc}$|[A-Z]{3}$"
_PICTURE = r"(?i)\.(jpe?g|png|gif|webp|tiff?|bmp|avif)([?#|,;\s]|$)"
_LONG_CHARACTERS = 80
_RECORDS = r'^\s*(\[\s*)?\{\s*"'
"""What the JSON of a record, or of several, begins with."""
_WORDS = r"\p{L}{2,}[\s\-].*\p{L}{2,}"


@dataclass(frozen=True, slots=True)
class _Looks:
    """Filled cells of a column, and how they look."""

    array: Any
    filled: int
    different: int

    def share(self, pattern: str) -> float:
        """Give the share that a pattern is found in."""
        return float(np.count_nonzero(mask(pc.match_substring_regex(self.array, pattern))) / self.filled)

    def codes(self) -> bool:
        """Whether they could be article numbers: short and without spaces, but no GTINs, amounts or addresses."""
        if self.share(r"\s|://") > 0.05 or self.share(r"^[0-9]+[.,][0-9]{1,2}$") > 0.2:
            return False
        return _good(_GTIN, Cells(self.array)) < FITS * self.filled

    def text(self, column: Column) -> tuple[float, str]:
        """Tell names and descriptions, the only texts that show what they are."""
        length = float(pc.mean(pc.utf8_length(self.array)).as_py())
        varied = self.different >= 0.5 * self.filled and self.share(r"://") < 0.2 and self.share(_RECORDS) < 0.2
        if column.name == "name" and varied and 8 <= length <= _LONG_CHARACTERS and self.share(_WORDS) >= 0.6:
            return 0.3, "short texts of several words, mostly different"
        if column.name == "description" and varied and length > _LONG_CHARACTERS:
            return 0.4, "long texts"
        return 0.0, ""
