"""Tables printed for the eye, their cells padded to columns: under a rule (database clients), or each name above its column.

The columns are places in a line, told by the rule, or by what is blank in all lines and stands between the names.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from sftp_gateway.catalog.read import bounds

Places = tuple[tuple[int, int], ...]
"""Where each column begins and the gap behind it ends, in characters; the last has no end (0)."""

STAND_IN = "\x1f"
"""Stands for what separates cells where no sign of one byte does."""
_RULE = re.compile(r" *[-=]+(?:[ +|]+[-=]+)+[ +|]*")
_RUN = re.compile(r"[-=]+")
_FILLED = re.compile(rb"[^\r\n]++")
_NAME = re.compile(r"\S+(?: \S+)*")
_GAP = " |+"
_LINES = 1000
_DAMAGED, _FEW_DAMAGED = 0.03, 2
"""Share of the lines that may be no rows of the table, and how many may in a short one."""
_LEAST_LINES = 4
"""With fewer, words stand above each other by chance."""
_LEAST_GAP = 2
_MOST_PLACES = 4096
"""Longer lines are not printed for the eye."""
_WIDE = "\0"
"""Stands behind a character that takes two places."""


_MAYBE_WIDE = re.compile("[^\0-\u0377]")
"""Characters of which some take two places: what stands before them in Unicode takes one."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns that cells are padded to; `wide`: by the places that characters take on a screen, two for many of Asia."""

    places: Places
    wide: bool

    def cut(self, line: str) -> str | None:
        """Give the cells of a line between stand-ins, without the spaces around them; '' for a rule, None if it does not fit."""
        if _RULE.fullmatch(line):
            return ""
        text = _placed(line) if self.wide else line
        if not _fits(text, self.places):
            return None
        cells = [text[begin : end - 1 if end else None] for begin, end in self.places]
        return STAND_IN.join(cell.replace(_WIDE, "").strip() for cell in cells)


def columns(sample: bytes, *, ruled: bool) -> Columns | None:
    """Give the columns of a text; None if it is no printed table. `ruled`: only a rule tells them."""
    if STAND_IN.encode() in sample:
        return None
    lines = [found[0].decode(errors="replace") for found in _FILLED.finditer(sample)][:_LINES]
    lines = [line for line in lines if line.strip()]
    if any("\t" in line for line in lines[: bounds.PREAMBLE_RECORDS]):
        return None
    placed = list(map(_placed, lines))
    for text, wide in ((placed, True), (lines, False))[: 1 + (placed != lines)]:
        places = _by_rule(text) or (() if ruled else _by_names(text))
        if places:
            return Columns(places, wide)
    return None


def _by_rule(lines: Sequence[str]) -> Places:
    """Give the columns under which a rule is drawn: one line of names stands above it."""
    for number, line in enumerate(lines[1 : bounds.PREAMBLE_RECORDS + 2], 1):
        if _RULE.fullmatch(line):
            runs = [found.span() for found in _RUN.finditer(line)]
            places = _columns([begin for begin, _ in runs])
            below = [each for each in lines[number + 1 :] if not _RULE.fullmatch(each)]
            return places if below and _fits(lines[number - 1], places) and _fit(below, places) else ()
    return ()


def _by_names(lines: Sequence[str]) -> Places:
    """Give the columns that stand under the names of the first line; in a short table one row may overflow its column."""
    if max(map(len, lines), default=0) > _MOST_PLACES:
        return ()
    places = _under_names(lines)
    if places or _DAMAGED * len(lines) >= 1:
        return places
    for number in range(1, len(lines)):
        places = _under_names([*lines[:number], *lines[number + 1 :]])
        # Where it fits them by chance its cells would be cut elsewhere than they were meant to be.
        if places and not _fits(lines[number], places) and _fit(lines, places):
            return places
    return ()


def _under_names(lines: Sequence[str]) -> Places:
    """Give the columns that hold one name of the first line each, with nothing but blanks between them in all lines."""
    names = [found.span() for found in _NAME.finditer(lines[0])] if len(lines) >= _LEAST_LINES else []
    if len(names) < 2:
        return ()
    begins, widest, before = [0], 0, 0
    for part in re.finditer("x+", _outline(lines)):
        begin, end = part.span()
        gap, before = begin - before, end
        held = sum(begin <= first and last <= end for first, last in names)
        if held > 1 or (not held and (gap != 1 or not begin)):
            return ()  # what has no name is a part of the column before, between two of its words
        if held and begin >= names[0][1]:
            begins.append(begin)
            widest = max(widest, gap)
    places = _columns(begins)
    return places if len(places) == len(names) and widest >= _LEAST_GAP and _fit(lines, places) else ()


def _outline(lines: Sequence[str]) -> str:
    """Say which places are blank in (nearly) all lines; those that the names take are not."""
    counts = [0] * max(map(len, lines))
    for line in lines:
        for place, character in enumerate(line):
            counts[place] += character != " "
    for place, character in enumerate(lines[0]):
        counts[place] += len(lines) * (character != " ")
    return "".join(" x"[count > _DAMAGED * len(lines)] for count in counts)


def _columns(begins: Sequence[int]) -> Places:
    return tuple(zip([0, *begins[1:]], [*begins[1:], 0], strict=True))


def _fit(lines: Sequence[str], places: Places) -> bool:
    odd = sum(not _fits(line, places) for line in lines)
    return odd <= max(_DAMAGED * len(lines), min(_FEW_DAMAGED, len(lines) // 4)) and odd * 2 < len(lines)


def _fits(line: str, places: Places) -> bool:
    """Whether a line has nothing before the begin of each column, and something in one at least."""
    return all(line[begin - 1 : begin].strip(_GAP) == "" for begin, _ in places[1:]) and bool(line.strip(_GAP))


def _placed(line: str) -> str:
    """Give a line with two places for each character that takes two on a screen."""
    if line.isascii():
        return line
    return _MAYBE_WIDE.sub(lambda c: c[0] + _WIDE if unicodedata.east_asian_width(c[0]) in "WF" else c[0], line)
