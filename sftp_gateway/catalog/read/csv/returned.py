"""What comes back in a correction: where our five columns stand in a row, and the rows that their form alone rejects.

A row that lacked cells is padded in the correction file, so that ours stand under their headers: unchanged it is
no row still. And where a spreadsheet moved ours into the sender's columns, nothing of the row is believed.
"""

import re
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from msgspec.structs import replace

from sftp_gateway.catalog import codes
from sftp_gateway.catalog.read import escaping
from sftp_gateway.catalog.read.rejects import NONE, Rejects, listed
from sftp_gateway.catalog.read.source import Block, Rows, Tally

_CODES = f"(?:{'|'.join(code for code in codes.CODES if not code.startswith('FILE_'))})"
_OUR_CODES = re.compile(rf"{_CODES}(?: {_CODES})*")
_SWALLOWED = rf"[,;\t|]\d+[,;\t|]{_CODES}( {_CODES})*[,;\t|]"
_WIDTHS = r"^The row has (?P<cells>\d{1,6}) cells?, the header (?P<header>\d{1,6})\.$"
PADDED = 100
"""So many cells at most are put behind a short row: a file of short rows under a wide header is not to grow without bound."""
_MARKER = len(escaping.OURS) - 1
_AMONG = "Cells of ours stand among the sender's."
_UNDER = "Let every cell stand under its header, those of the columns that start with _ too."
_COUNTED = "The columns that start with _ count, too."
_BLANK_CODES = " If the row is right as it stands, empty its _codes cell."


def say_width(columns: int, width: int) -> tuple[str, str]:
    """Say what is wrong with a row of so many columns, and what to look for."""
    cells = f"{columns} cell" + "s" * (columns != 1)
    more = "missing" if columns < width else "too many, or one that has the delimiter in it is not quoted"
    return f"The row has {cells}, the header {width}.", f"Look for {abs(width - columns)} {more}."


def begin(cells: Sequence[str]) -> int | None:
    """Where our five begin in a row, wherever they stand: at a number that has codes behind it. None: nowhere."""
    for place in range(1, len(cells)):
        if _OUR_CODES.fullmatch(cells[place]) and _is_number(cells[place - 1]):
            return place - 1
    return None


def marker(cells: Sequence[str], first: int) -> frozenset[str]:
    """Give the upload that our five name, which begin at `first`."""
    named = cells[first + _MARKER].strip() if first + _MARKER < len(cells) else ""
    return frozenset([named] if _is_number(named) else [])


def _is_number(cell: str) -> bool:
    return cell.isascii() and cell.isdigit()


class Layout(Struct, frozen=True, dict=True):
    """Which columns of a correction are ours."""

    headers: tuple[str, ...]

    @cached_property
    def own(self) -> list[int]:
        """The places of the sender's columns; those without a name behind all others are of a spreadsheet's padding."""
        ours = [place for place, name in enumerate(self.headers) if name.strip() in escaping.OURS]
        end = max(self._last, min(ours, default=len(self.headers)) - 1)
        return [place for place in range(end + 1) if place not in ours]

    @cached_property
    def _last(self) -> int:
        """The place of the sender's last column that has a name."""
        own = (place for place, name in enumerate(self.headers) if name.strip() and name.strip() not in escaping.OURS)
        return max(own, default=-1)

    @cached_property
    def between(self) -> list[int]:
        """The places of ours that stand before one of the sender's that has a name."""
        return [place for place in range(self._last) if place not in self.own]

    def place(self, name: str) -> int | None:
        """Where one of ours stands."""
        return next((place for place, header in enumerate(self.headers) if header.strip() == name), None)

    @cached_property
    def sent(self) -> list[int]:
        """The places of the sender's columns and of what stands between them."""
        return sorted([*self.own, *self.between])

    def count(self, own: int) -> int:
        """How many of these hold the first so many of the sender's cells."""
        return sum(place <= self.own[:own][-1] for place in self.sent)

    def say(self, sent: int, cells: int) -> tuple[str, str]:
        """Say what is wrong with a row of another width than the header's; ours are counted only if it has all but them.

        `sent`: how many cells are left without our five; `cells`: with them.
        """
        count = sent - sum(place < sent for place in self.between)
        if count < len(self.own) or (sent < cells and count > len(self.own)):
            return say_width(count, len(self.own))
        message, suggestion = say_width(cells, len(self.headers))
        return message, f"{suggestion} {_COUNTED}"

    def own_cells(self, rows: pa.ListArray) -> tuple[pa.ListArray, Rows]:
        """Give rows without what stands in `between`, and how many cells each lacks (0 also where it lacks too many to pad)."""
        offsets = np.asarray(rows.offsets)
        cells, ends = rows.flatten(), offsets - offsets[0]
        if self.between:
            at = np.arange(len(cells)) - np.repeat(ends[:-1], np.diff(ends))
            kept = ~np.isin(at, self.between)
            cells, ends = cells.filter(pa.array(kept)), np.concatenate([[0], np.cumsum(kept)])[ends].astype(np.int32)
        missing = len(self.own) - np.maximum(np.diff(ends), 1)  # of no cell at all a blank one is written
        missing[(missing < 0) | (missing > PADDED)] = 0
        return pa.ListArray.from_arrays(pa.array(ends), cells), missing


def block(sent: Block, layout: Layout, tally: Tally) -> Block:
    """Give a block of a correction without the rows that are none: these are rejects of it."""
    misplaced = _misplaced(sent, layout)
    told = _told_of(sent, layout, misplaced)
    if not len(misplaced) + len(told):
        return sent
    count, rejected = len(misplaced) + len(told), np.sort(np.concatenate([misplaced, told]))
    size = 0 if sent.end is None or sent.offset is None else int((sent.end - sent.offset)[rejected].sum())
    tally.readable, tally.rejected = tally.readable - count, tally.rejected + count
    tally.readable_bytes, tally.rejected_bytes = tally.readable_bytes - size, tally.rejected_bytes + size
    moved, named = _of_misplaced(sent, layout, misplaced)
    markers = layout.place("_correction_of")
    if markers is not None:
        values = pc.unique(sent.cells[markers].take(pa.array(told))).to_pylist()
        named |= frozenset(value.strip() for value in values if _is_number(value.strip()))
    rejects = sent.rejects.joined(moved).joined(_of_told(sent, layout, told))
    return replace(sent.without(rejected), rejects=rejects, corrects=sent.corrects | named)


def _misplaced(sent: Block, layout: Layout) -> Rows:
    """Find the rows that have cells of ours in other columns, or swallowed by an open quote in one cell."""
    place_of_codes = layout.place("_codes")
    found = np.zeros(len(sent), np.bool_)
    for place, column in enumerate(sent.cells):
        if place != place_of_codes:
            at = np.flatnonzero(np.asarray(pc.match_substring_regex(column, f"^{_OUR_CODES.pattern}$")))
            found[[index for index in at.tolist() if place and _is_number(sent.cells[place - 1][index].as_py())]] = True
        if place in layout.own:
            found |= np.asarray(pc.match_substring_regex(column, _SWALLOWED))
    return np.flatnonzero(found)


def _told_of(sent: Block, layout: Layout, others: Rows) -> Rows:
    """Find the rows, but for those others, that were told to be too short, and are as they were."""
    code, errors = layout.place("_codes"), layout.place("_errors")
    if code is None or errors is None:
        return np.zeros(0, np.int64)
    at = np.setdiff1d(np.flatnonzero(np.asarray(pc.equal(sent.cells[code], "ROW_COLUMNS"))), others)
    said = sent.cells[errors].take(pa.array(at))
    at = at[np.asarray(pc.match_substring_regex(said, _WIDTHS))]
    cells, header = _widths(sent, layout, at)
    filled = _extent(sent, layout, at)
    found: Rows = at[(cells < header) & (filled <= cells)]  # a long one that has ours in their places was mended
    return found


def _widths(sent: Block, layout: Layout, at: Rows) -> tuple[Rows, Rows]:
    """Give how many cells these rows were told to have, and how many the header."""
    said = pc.extract_regex(sent.cells[layout.place("_errors") or 0].take(pa.array(at)), _WIDTHS)
    cells, header = (pc.cast(pc.struct_field(said, name), pa.int64()).to_numpy() for name in ("cells", "header"))
    return cells, header


def _extent(sent: Block, layout: Layout, at: Rows) -> Rows:
    """Up to which of the sender's columns each of these rows is filled."""
    extent = np.zeros(len(at), np.int64)
    for number, place in enumerate(layout.own, 1):
        cells = pc.utf8_trim_whitespace(sent.cells[place].take(pa.array(at)))
        extent[np.asarray(pc.not_equal(cells, ""))] = number
    return extent


def _of_told(sent: Block, layout: Layout, at: Rows) -> Rejects:
    """Say of rows once more what was said of them; their cells are those they had, without the padding."""
    if not len(at):
        return NONE
    pairs, which = np.unique(np.stack(_widths(sent, layout, at), axis=1), axis=0, return_inverse=True)
    said = [say_width(cells, header) for cells, header in pairs.tolist()]
    messages = pa.array([message for message, _ in said], pa.string())
    hints = pa.array([hint + _BLANK_CODES for _, hint in said], pa.string())
    places = layout.sent
    counts = np.array([layout.count(max(cells, 1)) for cells in pairs[:, 0].tolist()])
    take = pa.array(which.reshape(-1))
    flat = pa.concat_arrays([sent.cells[place].take(pa.array(at)) for place in places])
    ends = np.concatenate([[0], np.cumsum(counts[which.reshape(-1)])])
    row = np.repeat(np.arange(len(at)), np.diff(ends))
    cells = flat.take(pa.array((np.arange(len(row)) - ends[row]) * len(at) + row))
    listed = pa.ListArray.from_arrays(pa.array(ends.astype(np.int32)), cells)
    return _rejects(sent, at, messages.take(take), hints.take(take), listed)


def _of_misplaced(sent: Block, layout: Layout, at: Rows) -> tuple[Rejects, frozenset[str]]:
    """Say of rows that ours are not in their places; their own cells are those before ours. With the uploads they name."""
    if not len(at):
        return NONE, frozenset()
    said, kept, named = [], [], frozenset[str]()
    for cells in zip(*(column.take(pa.array(at)).to_pylist() for column in sent.cells), strict=True):
        first = begin(cells)
        named |= frozenset() if first is None else marker(cells, first)
        if first is None or first + 1 == layout.place("_codes"):  # within a cell
            said.append((_AMONG, _UNDER))
            kept.append(tuple(cells[place] for place in layout.sent))
            continue
        found = re.fullmatch(_WIDTHS, "".join(cells[first + 2 : first + 3]))
        message, hint = say_width(int(found["cells"]), int(found["header"])) if found else (_AMONG, "")
        said.append((message, f"{hint} {_UNDER}".strip()))
        kept.append(cells[:first] or ("",))
    message, suggestion = (pa.array(texts, pa.string()) for texts in zip(*said, strict=True))
    return _rejects(sent, at, message, suggestion, listed(kept)), named


def _rejects(sent: Block, at: Rows, message: pa.Array, suggestion: pa.Array, cells: pa.ListArray) -> Rejects:
    nowhere = np.zeros(len(at), np.int64)
    line, offset, end = (nowhere if where is None else where[at] for where in (sent.line, sent.offset, sent.end))
    start, stop = (nowhere, nowhere) if sent.offset is None else (offset - sent.data_offset, end - sent.data_offset)
    code = pa.repeat("ROW_COLUMNS", len(at))
    counts = np.diff(np.asarray(cells.offsets)).astype(np.int64)
    return Rejects(sent.row[at], line, offset, code, message, suggestion, cells, sent.data, start, stop, counts)
