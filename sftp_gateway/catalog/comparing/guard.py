"""Changes → publish them, withhold removals, or hold the version. Pure: counts in, reasons out (spec §7).

Every threshold is passed only when it is exceeded; `reject_rows` and `price_rows` are reached by
being equal ("≥ 10 rows").
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct, field

from sftp_gateway.brand import Guards

REMOVALS = "removals_withheld"
REJECTS = "reject_share"
KEYS = "key_change"
EMPTIED = "column_emptied"
PRICES = "price_move"

Reason = dict[str, Any]


class Figures(Struct, frozen=True):
    """Counts of one comparison. `products`: the current version's; None if there is none yet."""

    products: int | None
    read: int
    rejected: int
    removed: int = 0
    unkeyed: int = 0
    accepted: int = 0
    created: int = 0
    retained: int = 0
    filled_before: Mapping[str, int] = field(default_factory=dict)
    filled_after: Mapping[str, int] = field(default_factory=dict)
    products_after: int = 0
    """What `filled_after` is out of."""
    prices: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Money column → (products with a price on both sides, how many of these moved far)."""
    rejected_rows: tuple[int, ...] = ()
    """Numbers of rejected rows, the first ones in file order."""


def _reason(code: str, figure: float, limit: float, text: str) -> Reason:
    return {"code": code, "figure": round(figure, 4), "limit": limit, "text": text}


def _percent(share: float) -> str:
    return f"{share * 100:.1f}".removesuffix(".0") + " %"


def _rows(numbers: tuple[int, ...], of: int) -> str:
    """Name rows as a person would: `: rows 3, 5–8 and 40 more`."""
    if not numbers:
        return ""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    listed = ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in ranges)
    more = of - len(numbers)
    return f": rows {listed}" + (f" and {more:,} more" if more > 0 else "")


def removals(figures: Figures, limits: Guards) -> Reason | None:
    """More than 20 % gone, and more than 50 products or 50 % of the catalog. Unkeyed rejects count as gone."""
    if not figures.products or not figures.removed:
        return None
    gone = min(figures.removed + figures.unkeyed, figures.products)
    share = gone / figures.products
    many = gone > limits.removal_products or share > limits.removal_small_share
    if share <= limits.removal_share or not many:
        return None
    unreadable = f" ({figures.unkeyed:,} of them rows without a readable key)" if figures.unkeyed else ""
    text = (
        f"{gone:,} of {figures.products:,} products{unreadable} are not in this file ({_percent(share)}); "
        f"more than {_percent(limits.removal_share)} is not removed without being confirmed"
    )
    return _reason(REMOVALS, share, limits.removal_share, text)


def rejects(figures: Figures, limits: Guards) -> Reason | None:
    """More than 10 % of the rows rejected, and at least 10."""
    if not figures.read or figures.rejected < limits.reject_rows:
        return None
    share = figures.rejected / figures.read
    if share <= limits.reject_share:
        return None
    text = (
        f"{figures.rejected:,} of {figures.read:,} rows were rejected ({_percent(share)}, "
        f"the limit is {_percent(limits.reject_share)}){_rows(figures.rejected_rows, figures.rejected)}"
    )
    return _reason(REJECTS, share, limits.reject_share, text)


def keys(figures: Figures, limits: Guards) -> Reason | None:
    """Fewer than 50 % of the current keys are in the file, and more than 50 % of the file's keys are new."""
    if not figures.products or not figures.accepted:
        return None
    kept = (figures.products - figures.removed) / figures.products
    new = figures.created / (figures.accepted + figures.retained)
    if kept >= limits.key_overlap or new <= limits.key_new:
        return None
    text = (
        f"only {_percent(kept)} of the current products are in this file, and {_percent(new)} of its products are new; "
        "did the keys change?"
    )
    return _reason(KEYS, kept, limits.key_overlap, text)


def emptied(figures: Figures, limits: Guards) -> Reason | None:
    """Name columns that more than 50 % of the products fill, now blank in more than 50 %, or gone."""
    if not figures.products or not figures.products_after:
        return None
    blank = {
        name: (figures.products_after - figures.filled_after.get(name, 0)) / figures.products_after
        for name, count in figures.filled_before.items()
        if count / figures.products > limits.column_emptied
    }
    found = {name: share for name, share in blank.items() if share > limits.column_emptied}
    if not found:
        return None
    listed = ", ".join(f"{name} ({_percent(share)} blank)" for name, share in found.items())
    text = f"columns that most products fill are now mostly blank or gone: {listed}"
    return _reason(EMPTIED, max(found.values()), limits.column_emptied, text)


def prices(figures: Figures, limits: Guards) -> Reason | None:
    """Of at least 20 prices more than 50 % moved by more than 50 %."""
    shares = {
        name: moved / both
        for name, (both, moved) in figures.prices.items()
        if both >= max(limits.price_rows, 1) and moved / both > limits.price_share
    }
    if not shares:
        return None
    listed = ", ".join(f"{name} {_percent(share)}" for name, share in shares.items())
    text = f"prices moved by more than {_percent(limits.price_move)} in too many products: {listed}"
    return _reason(PRICES, max(shares.values()), limits.price_share, text)


def content(figures: Figures, limits: Guards, *, full: bool, judge_rejects: bool = True) -> list[Reason]:
    """Give every reason to hold the whole version. A first file is judged by its rejects only.

    `full`: absent products count, so a change of keys can show; else rows change single products.
    """
    found = [rejects(figures, limits)] if judge_rejects else []
    if figures.products:
        found += [keys(figures, limits)] if full else []
        found += [emptied(figures, limits), prices(figures, limits)]
    return [reason for reason in found if reason is not None]


class Run(Struct, frozen=True):
    """The unbroken run of full files that withhold the same removals: since when, and whether it confirms."""

    since: datetime
    confirms: bool


def run_of(received_at: datetime, now_withheld: int, before: tuple[datetime, int, int] | None, limits: Guards) -> Run:
    """Go on with the run that `before` (since, products withheld, products in both sets) is, or begin one.

    Sets agree when both hold at least 90 % of the larger one. A run confirms its removals when this file
    was received `confirm_after_seconds` after its first; a client's retry within it changes nothing.
    """
    if before is None:
        return Run(received_at, confirms=False)
    since, products, both = before
    if both < limits.confirm_agreement * max(products, now_withheld, 1):
        return Run(received_at, confirms=False)
    waited = (received_at - since).total_seconds()
    return Run(since, confirms=waited >= limits.confirm_after_seconds)
