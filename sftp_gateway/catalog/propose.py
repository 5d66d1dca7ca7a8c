"""A column mapping proposed from a file: by headers that are known, else by what the values are, else by near headers.

Serves `brand map`; saves nothing. Judged on the first rows only, so a proposal is for a person to look at.
"""

import difflib
import re
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct, structs

from sftp_gateway.brand import BrandSettings
from sftp_gateway.catalog import looks
from sftp_gateway.catalog.checking import headers
from sftp_gateway.catalog.folding import fold
from sftp_gateway.catalog.read.source import Source
from sftp_gateway.catalog.rules.column import Column
from sftp_gateway.catalog.rules.schema import Schema
from sftp_gateway.catalog.types import isocodes, reading
from sftp_gateway.catalog.types.cells import Cells
from sftp_gateway.upload import Mode

ROWS = 5_000
SAMPLES = 3
_SHOWN_CHARACTERS = 40
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|_")
_OTHER_AMOUNT = re.compile(
    r"(?i)\b(sales?|special|promo\w*|discount\w*|reduced|aktion\w*|angebot\w*|sonder\w*|soldes?|promotion\w*|"
    r"shipping|freight|delivery|versand\w*|livraison)\b"
)
"""In the header of an amount that is neither a product's price nor its cost."""
_SELLING = re.compile(r"(?i)\b(vk|verkauf\w*|selling)\b")
"""In the header of an amount that customers pay, whatever else it is without."""
_CURRENCY = re.compile(r"[\s\-_.([/]([A-Z]{3})[)\]]?$")

Found = tuple[int, str]
"""Position of a header, and why it was taken."""


class Proposal(Struct, frozen=True):
    """One catalog column and the header it would come from.

    `source`: `header` (understood without being set), `set` (set for the brand) or `new` (to be saved).
    """

    column: str
    header: str
    source: str
    why: str
    samples: tuple[str, ...]


class Proposed(Struct, frozen=True):
    """What a file's columns were taken for."""

    columns: tuple[Proposal, ...]
    unused: tuple[Proposal, ...]
    """Headers that fill nothing, and why; `column` is empty."""
    missing: tuple[str, ...]
    """Required columns that nothing fills."""

    def pairs(self) -> list[str]:
        """Give what is new as `brand set` takes it: `columns.<column>=<header>`."""
        return [f"columns.{item.column}={item.header}" for item in self.columns if item.source == "new"]


def asking(schema: Schema, settings: BrandSettings) -> tuple[Schema, BrandSettings]:
    """Give rules and settings under which headers are matched as far as they go: nothing missing or unknown refuses them."""
    optional = tuple(structs.replace(column, required=False) for column in schema.columns)
    return structs.replace(schema, columns=optional), structs.replace(settings, unknown_columns="ignore")


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
    currency = settings.currency or next(filter(None, (_currency(mapping.headers[at]) for at in free)), "")
    single = [position for position in free if fold(mapping.headers[position]) != "variants"]  # those are products
    new = dict(_matched(wanted, single, mapping.headers, views, schema.key, currency))
    _order_prices(new, known, mapping.headers, views)
    if "description" not in settings.columns:
        _name_products(wanted, new, known, mapping.headers, views)
    found = list(_listed(schema, settings, mapping.headers, known, new, views))
    used = {at for at, _ in new.values()}
    unused = [_unused(mapping.headers[at], views[at]) for at in free if at not in used]
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


def _unused(header: str, cells: Cells) -> Proposal:
    why = headers.APART if fold(header) == "variants" else "nothing tells what it is"
    return Proposal("", header, "", why, _samples(cells))


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


def _order_prices(
    new: dict[str, Found], known: dict[str, tuple[int, ...]], names: tuple[str, ...], views: list[Cells]
) -> None:
    """Of two columns that are told by their amounts only, take the lower one for the cost; a single one is the price."""
    price = (known.get("msrp") or ()) or ((new["msrp"][0],) if "msrp" in new else ())
    if "cost" not in new or not _by_amounts(new["cost"]):
        return
    cost, why = new.pop("cost")
    if not price:
        new["msrp"] = cost, why
        return
    if _SELLING.search(_CAMEL.sub(" ", names[cost])):
        return
    if _below(views[cost], views[price[0]]):
        new["cost"] = cost, f"{why}, mostly below msrp"
    elif "msrp" in new and _by_amounts(new["msrp"]):
        new["msrp"], new["cost"] = (cost, f"{why}, mostly above cost"), (price[0], f"{why}, mostly below msrp")


def _name_products(
    wanted: list[Column],
    new: dict[str, Found],
    known: dict[str, tuple[int, ...]],
    names: tuple[str, ...],
    views: list[Cells],
) -> None:
    """Take short descriptions for the names where nothing else is one: many price lists call a product's name so."""
    column = next((column for column in wanted if column.name == "name" and "name" not in new), None)
    places = (new["description"][0],) if "description" in new else known.get("description", ())
    if column is None or not places:
        return
    _, why = _judged(column, views[places[0]], names[places[0]], "", is_key=False)
    if why:
        new.pop("description", None)
        known["description"] = tuple(at for at in known["description"] if at != places[0])
        new["name"] = places[0], why


def _by_amounts(found: Found) -> bool:
    return found[1].endswith(looks.AMOUNTS) and "header" not in found[1]


def _below(low: Cells, high: Cells) -> bool:
    """Whether the amounts of one column are, where both are filled, mostly less than the other's."""
    readings = [reading.read(cells, looks.MONEY, looks.best(looks.MONEY, cells)).values for cells in (low, high)]
    less, both = pc.less(*readings), pc.and_(*(pc.is_valid(values) for values in readings))
    return bool((pc.sum(less).as_py() or 0) > 0.5 * (pc.sum(both).as_py() or 1))


def _currency(header: str) -> str:
    """Give the currency that ends a header (`price-EUR`, `Price (USD)`); '' if none does."""
    found = _CURRENCY.search(header)
    return found[1] if found and found[1] in isocodes.CURRENCIES else ""


def _without_currency(header: str, meant: str) -> str:
    """Give the header of an amount without its currency; '' where that is not the one meant, or it is no price."""
    if _OTHER_AMOUNT.search(_CAMEL.sub(" ", header)):
        return ""
    named = _currency(header)
    if not named:
        return header
    return header.rpartition(named)[0] if named == meant else ""


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
        header = _without_currency(header, currency)
    if not filled or not header:
        return 0.0, ""
    near = _nearness(column, header)
    share = looks.good(column, cells) / filled
    if share < looks.FITS:
        return 0.0, ""
    sure, what = looks.likeness(column, cells, filled, near, is_key=is_key)
    if near >= looks.NEAR:
        return sure + near, f"its header is like {column.name}" + (f", and {share:.0%} are {what}" if sure else "")
    return (sure + near, f"{share:.0%} are {what}") if sure else (0.0, "")
