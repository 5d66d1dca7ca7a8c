"""Tables printed for the eye, their cells padded to columns: under a rule (database clients), or each name above its column.

The columns are places in a line, told by the rule, or by what is blank in all lines; or all lines have as many gaps.
"""

import itertools
import re
import unicodedata
from collections.abc import Sequence

from msgspec import Struct

from sftp_gateway.catalog.read import bounds
from sftp_gateway.catalog.read.header import naming

Places = tuple[tuple[int, int], ...]
"""Where each column begins and the gap behind it ends, in characters; the last has no end (0)."""

STAND_IN = "\x1f"
"""Stands for what separates cells where no sign of one byte does."""
_RULE = re.compile(r" *[-=]+(?:[ +|]+[-=]+)+[ +|]*")
_RUN = re.compile(r"[-=]+")
_FILLED = re.compile(rb"[^\r\n]++")
_NAME = re.compile(r"\S+(?: \S+)*")
_GAP = " |+"
_MARK = "\ufeff"
"""Stands where a file began before another was put before it, and takes no place."""
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


class Columns(Struct, frozen=True):
    """The columns that cells are padded to, or without `places` how many cells stand between gaps.

    `wide`: by the places that characters take on a screen, two for many of Asia.
    """

    count: int
    places: Places
    wide: bool

    def cut(self, line: str) -> str | None:
        """Give the cells of a line between stand-ins, without the spaces around them; '' for a rule, None if it does not fit."""
        line = line.removeprefix(_MARK)
        if _RULE.fullmatch(line):
            return ""
        if _is_comment(line.encode(errors="replace")):
            return None
        if not self.places:
            found = _NAME.findall(line)
            return STAND_IN.join(found) if len(found) == self.count else None
        text = _placed(line) if self.wide else line
        if not _fits(text, self.places):
            return None
        cells = [text[begin : end - 1 if end else None] for begin, end in self.places]
        return STAND_IN.join(cell.replace(_WIDE, "").strip() for cell in cells)


def columns(sample: bytes, *, ruled: bool, least: int = 2, gaps: bool = False) -> Columns | None:
    """Give the columns of a text, `least` if no rule tells them, None if it is no printed table.

    `ruled`: only a rule tells them. `gaps`: they need not stand below each other.
    """
    if STAND_IN.encode() in sample:
        return None
    filled = itertools.islice((found[0] for found in _FILLED.finditer(sample) if found[0].strip()), _LINES)
    lines = [line.decode(errors="replace").removeprefix(_MARK) for line in filled if not _is_comment(line)]
    if any("\t" in line for line in lines[: bounds.PREAMBLE_RECORDS]):
        return None
    placed = list(map(_placed, lines))
    for text, wide in ((placed, True), (lines, False))[: 1 + (placed != lines)]:
        if places := _by_rule(text):
            return Columns(len(places), places, wide)
        if not ruled and len(places := _by_names(text)) >= least:
            return Columns(len(places), places, wide)
    count = _by_gaps(lines) if gaps and not ruled else 0
    return Columns(count, (), wide=False) if count >= least else None


def _by_rule(lines: Sequence[str]) -> Places:
    """Give the columns under which a rule is drawn: one line of names stands above it."""
    for number, line in enumerate(lines[1 : bounds.PREAMBLE_RECORDS + 2], 1):
        if _RULE.fullmatch(line):
            runs = [found.span() for found in _RUN.finditer(line)]
            places = _columns([begin for begin, _ in runs])
            below = [each for each in lines[number + 1 :] if not _RULE.fullmatch(each)]
            return places if below and _fits(lines[number - 1], places) and _fit(below, places) else ()
    return ()


def _behind_titles(lines: Sequence[str]) -> Sequence[str]:
    """Leave out the first lines in which no gap stands."""
    titles = itertools.takewhile(lambda line: len(_NAME.findall(line)) < 2, lines[: bounds.PREAMBLE_RECORDS])
    return lines[sum(1 for _ in titles) :]


def _by_gaps(lines: Sequence[str]) -> int:
    """Give how many cells stand between the gaps of the first line that has any, if (nearly) all below have as many."""
    counts = [len(_NAME.findall(line)) for line in _behind_titles(lines)]
    if len(counts) < _LEAST_LINES or not _are_few(len(counts) - counts.count(counts[0]), len(counts)):
        return 0
    return counts[0]


def _by_names(lines: Sequence[str]) -> Places:
    """Give the columns that stand under the names of the first line that has gaps; in a short table one row may overflow its column."""
    if max(map(len, lines), default=0) > _MOST_PLACES:
        return ()
    lines = _behind_titles(lines)
    if places := _under_names(lines, 0):
        return places
    if _DAMAGED * len(lines) >= 1:
        return _under_names(lines, _DAMAGED)
    for number in range(1, len(lines)):
        places = _under_names([*lines[:number], *lines[number + 1 :]], 0)
        # Where it fits them by chance its cells would be cut elsewhere than they were meant to be.
        if places and not _fits(lines[number], places) and _fit(lines, places):
            return places
    return ()


def _under_names(lines: Sequence[str], odd: float) -> Places:
    """Give the columns that hold one name of the first line each, with nothing but blanks between them in all lines but a share."""
    told = [line for line in lines if len(_NAME.findall(line)) > 1]
    if len(lines) < _LEAST_LINES or len(told) * 2 <= len(lines):
        return ()
    names = [found.span() for found in _NAME.finditer(lines[0])]
    begins, widest, before = [0], 0, 0
    for part in re.finditer("x+", _outline(told, odd)):
        begin, end = part.span()
        gap, before = begin - before, end
        held = sum(begin <= first and last <= end for first, last in names)
        if held > 1 or not (held or begin):
            return ()
        # What has no name is a part of the column before, if it stands between two of its words, or ends few long ones.
        nameless = not held and gap >= _LEAST_GAP and not odd
        if nameless and _are_few(sum(bool(line[begin:end].strip()) for line in told), len(told)):
            return ()
        if (held or nameless) and begin >= names[0][1]:
            begins.append(begin)
            widest = max(widest, gap)
    places = _columns(begins)
    enough = len(places) >= len(names) and widest >= _LEAST_GAP and _fit(lines, places)
    # With gaps in many cells the columns stand below each other by chance.
    gaps = sum(any("  " in line[begin : end or None].strip() for begin, end in places) for line in told)
    return places if enough and _are_few(gaps, len(told)) else ()


def _outline(lines: Sequence[str], odd: float) -> str:
    """Say which places are blank in all lines but a share; those that the names take are not."""
    counts = [len(lines) - place.count(" ") for place in itertools.zip_longest(*lines, fillvalue=" ")]
    for name in _NAME.finditer(lines[0]):
        for place in range(*name.span()):
            counts[place] += len(lines)
    return "".join(" x"[count > odd * len(lines)] for count in counts)


def _columns(begins: Sequence[int]) -> Places:
    return tuple(zip([0, *begins[1:]], [*begins[1:], 0], strict=True))


def _fit(lines: Sequence[str], places: Places) -> bool:
    return _are_few(sum(not _fits(line, places) for line in lines), len(lines))


def _are_few(odd: int, count: int) -> bool:
    return odd <= max(_DAMAGED * count, min(_FEW_DAMAGED, count // 4)) and odd * 2 < count


def _fits(line: str, places: Places) -> bool:
    """Whether a line has nothing before the begin of each column, and something in one at least."""
    return all(line[begin - 1 : begin].strip(_GAP) == "" for begin, _ in places[1:]) and bool(line.strip(_GAP))


def _is_comment(line: bytes) -> bool:
    """Whether a line is a comment: no gap stands in it."""
    return naming.is_comment([line[:80]]) and b" " * _LEAST_GAP not in line.strip()


def _placed(line: str) -> str:
    """Give a line with two places for each character that takes two on a screen."""
    if line.isascii():
        return line
    return _MAYBE_WIDE.sub(lambda c: c[0] + _WIDE if unicodedata.east_asian_width(c[0]) in "WF" else c[0], line)
