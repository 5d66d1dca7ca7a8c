"""URLs, and lists of URLs, paths or words; a list is written with `|` between its items."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sftp_gateway.catalog.types import arrays, text
from sftp_gateway.catalog.types.cells import Cells, Rows, flags, mask, matches, replaced, table, with_nulls
from sftp_gateway.catalog.types.typing import Fault, Reading, told

_URL = r"^(?i:https?)://[^\s/?#|]+[^\s|]*$"
_ITEM = r"(?:(?i:https?)://[^\s/?#|,;]+[^\s|,;]*|/[^\s|,;]*)"
_CLEAN = rf"^{_ITEM}(?:\|{_ITEM})*$"
_GOOD = r"^(?:(?i:https?)://[^\s/?#|]+[^\s|]*|/[^\s|]*)$"
_BEGUN = r"^(?i:https?://[^\s/?#|]|/)"
_BROKEN = (
    "holds a space or a |, which no address can; this item was left out",
    "write a space inside an address as %20, and a | as %7C",
)
_NO_LINK = (
    "is neither a web address nor a path that starts with /; this item was left out",
    "write each picture as https://… , separated by |",
)
_BETWEEN = r"[\s,;]*\|[\s,;|]*|[\s,;]+((?i:https?)://|/)"
"""No good item holds a `|`, so that what stands behind one is an item of its own, good or bad."""
_SITE = r"^(?:[\w-]+\.)+[A-Za-z]{2,}(?:/\S*)?$"
_FILE = r"(?i)^[^/]*\.(?:jpe?g|png|gif|webp|avif|heic|svg|bmp|tiff?|mp4|mov|pdf|html?|php|aspx?|jsp|docx?|xlsx?|csv|txt|zip)$"
"""A mere name of a file: no address, though it looks like a site."""
_MARK = "\x1f"
"""Stands between items while a cell is taken apart; text has lost its control characters by then."""


def read_url(cells: Cells) -> Reading:
    """Type a column as text that is an http or https URL."""
    cells = cells.trimmed
    values, faults = text.without_controls(cells, cells.nulled)
    if _plainly_clean(cells, lists=False):
        return Reading(values, faults)
    bad = mask(pc.is_valid(values)) & ~matches(values, _URL)
    faults += told("FIELD_TYPE", bad, "is not a web address", _whole, values)
    return Reading(with_nulls(values, ~bad), faults)


def _whole(shown: Any) -> Any:
    site = pa.array(matches(shown, _SITE) & ~matches(shown, _FILE))
    example = "write the whole address, like https://www.example.com/product"
    return pc.if_else(site, pc.binary_join_element_wise("write https://", shown, ""), example)


def read_links(cells: Cells) -> Reading:
    """Type a list of URLs or absolute paths; a bad item is left out with a warning.

    A new item begins before `http(s)://` or `/`, and behind a `|`.
    """
    if (found := arrays.find(cells)) is not None:
        rest = read_links(cells.without(flags(found.rows, len(cells))))
        return _checked(rest.values, found.rows, found.items, found.parents, [*rest.faults, *found.faults])
    cells = cells.trimmed
    values = cells.nulled
    values, faults = text.without_controls(cells, values)
    if _plainly_clean(cells):
        return Reading(values, faults)
    rows = np.flatnonzero(cells.filled & ~matches(values, _CLEAN))
    if not rows.size:
        return Reading(values, faults)
    marked = pc.replace_substring_regex(values.take(pa.array(rows)), _BETWEEN, _MARK + r"\1")
    lists = pc.split_pattern(marked, _MARK)
    items, parents = pc.list_flatten(lists), pc.list_parent_indices(lists).to_numpy()
    return _checked(values, rows, pc.utf8_trim(items, characters=" \t\r\n,;|"), parents, faults)


_HTTPS = int.from_bytes(b"https://", "little")
_HTTP = int.from_bytes(b"http://", "little")
_HOSTLESS = table(b"/?#|")


def _plainly_clean(cells: Cells, *, lists: bool = True) -> bool:
    """Whether a look at the bytes shows that every cell is what `_CLEAN` (or `_URL`) wants; else that is asked."""
    if cells.lowest <= 0x20 or cells.highest >= 0x80 or cells.has(b",", b";") or cells.octets.size < 16:
        return False
    octets = cells.octets
    bars = np.flatnonzero(octets == ord("|"))
    filled = cells.lengths > 0
    if bars.size and not lists:
        return False
    starts = np.concatenate([(cells.offsets[:-1] - cells.offsets[0])[filled], bars + 1])
    ends = cells.offsets[1:][filled] - cells.offsets[0]
    if starts.max() > len(octets) - 9 or (octets[ends - 1] == ord("|")).any():
        return False  # too near the end to look eight bytes ahead, or a | at the end of a cell
    # the eight bytes that begin each item, as one number; bytes need no alignment here
    heads = np.ndarray((len(octets) - 7,), dtype="<u8", buffer=octets, strides=(1,))[starts]
    path, secure = (heads & 0xFF) == ord("/"), heads == _HTTPS
    plain = (heads & 0xFFFFFFFFFFFFFF) == _HTTP
    hosts = np.concatenate([octets[starts[secure] + 8], octets[starts[plain] + 7]])
    return bool(((path & lists) | secure | plain).all()) and not _HOSTLESS[hosts].any()


def read_words(cells: Cells) -> Reading:
    """Type a list of words, split at `|` and `,`; an array says itself where its items end."""
    if (found := arrays.find(cells)) is not None:
        rest = read_words(cells.without(flags(found.rows, len(cells))))
        values = _joined(rest.values, found.rows, found.items, found.parents)
        return Reading(values, [*rest.faults, *found.faults, *_split_items(found)])
    cells = cells.trimmed
    values = cells.nulled
    values, faults = text.without_controls(cells, values)
    if not cells.has(b",", b"|"):
        return Reading(values, faults)
    values = pc.replace_substring_regex(values, r"\s*[|,][\s|,]*", "|")
    values = pc.utf8_trim(values, characters="| \t\r\n")
    empty = matches(values, r"^$")
    return Reading(with_nulls(values, ~empty) if empty.any() else values, faults)


def _split_items(found: arrays.Arrays) -> list[Fault]:
    """Tell the items that hold what separates items in every list that is published."""
    barred = np.flatnonzero(np.asarray(pc.match_substring(found.items, "|")))
    if not barred.size:
        return []
    message = "holds a |, which separates the items of a list, so it counts as several items"
    rows, shown = found.rows[found.parents[barred]], found.items.take(pa.array(barred))
    return [Fault("FIELD_ITEM", rows, message, "write the item without |", "warning", shown)]


def _checked(values: Any, rows: Rows, items: Any, parents: Rows, faults: list[Fault]) -> Reading:
    """Check each item of the cells at `rows`, and put the good ones together again."""
    fine = matches(items, _GOOD)
    filled = np.asarray(pc.binary_length(items).fill_null(0)) > 0
    bad = np.flatnonzero(filled & ~fine)
    begun = matches(items.take(pa.array(bad)), _BEGUN)
    for places, (message, hint) in ((bad[begun], _BROKEN), (bad[~begun], _NO_LINK)):
        if places.size:
            faults.append(
                Fault("FIELD_ITEM", rows[parents[places]], message, hint, values=items.take(pa.array(places)))
            )
    kept = np.flatnonzero(fine)
    return Reading(_joined(values, rows, items.take(pa.array(kept)), parents[kept]), faults)


def _joined(values: Any, rows: Rows, items: Any, parents: Rows) -> Any:
    """Put items together as the cells at `rows`; null where there are none."""
    counts = np.bincount(parents, minlength=len(rows))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    joined = pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), items), "|")
    return replaced(values, rows, with_nulls(joined, counts > 0))
