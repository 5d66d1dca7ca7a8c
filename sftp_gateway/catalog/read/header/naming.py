"""Whether the cells of a record are names of columns, or values as in the rows below it."""

import re
from collections.abc import Collection, Sequence

from sftp_gateway.catalog.read.header import shapes

Cells = Sequence[bytes]
Rows = Sequence[Cells]

_WORD = rb"(?i:true|false|yes|no|nan|[-+]?inf|null|none|n/?a)"
_VALUE = re.compile(
    rb"\s*+(?:%b(?:%%|[A-Za-z]{1,3}|\xe2\x82\xac)?|%b|%b|%b|%b|%b)\s*+"
    % (shapes.NUMBER, shapes.DATE, shapes.TIME, shapes.LINK, shapes.MAIL, _WORD)
)
_UNIT = re.compile(rb"\s*[A-Z]{3}\s")
_DIGIT = re.compile(rb"\d")
_LABELS = {
    "year": re.compile(rb"\s*(?:1[89]|20|21)\d\d\s*"),
    "date": re.compile(
        rb"\s*(?:\d{4}[-/.]\d\d?(?:[-/.]\d\d?)?|\d\d?[-/.]\d\d?[-/.]\d{2,4}|\d\d?[-/]\d{4})(?:[T\s]+[\d:.+Z]*)?\s*"
    ),
}
"""Values that name columns, too, where there are several of them beside a word."""
_COUNTED = "counted"
"""Numbers from 0 or 1 on, one after the other: what programs write over columns that have no names."""
_LEAST_COUNTED = 4
_DIGITS, _LETTERS = re.compile(rb"\d+"), re.compile(rb"[A-Za-z]+")
_PHRASE = re.compile(rb"\s*[A-Za-z]{3,}[^\d]*\s\W?\d")
_COMMENT = re.compile(rb"\s*(?:#|//|--)\s*(?:[^\W\d]|[\x80-\xff])")
_ONE_ODD = 5
"""Of more rows than these one may be damaged."""


def is_comment(cells: Cells) -> bool:
    """Whether a record begins as a comment does."""
    return bool(cells) and _COMMENT.match(b" ".join(cells[:2])[:80]) is not None


def begins_table(cells: Cells) -> bool:
    """Whether a record can be the header of a table: two names or more, all different, none with a digit.

    A delimiter may end it that ends every row. Several years or dates beside a name are names, too, and so are names
    that differ by a number (`image 1`, `image 2`).
    """
    if len(cells) > 2 and not cells[-1].strip():
        cells = cells[:-1]
    digits = [cell for cell in cells if _DIGIT.search(cell)]
    if digits and not _may_number(digits, cells):
        return False  # most rows, at once; the rest costs more
    names = {cell.strip().lower() for cell in cells}
    if len(cells) < 2 or len(names) != len(cells) or b"" in names:
        return False
    if not digits:
        return True
    labels = {*_labels(cells), *_numbered(cells)}
    return not has_digit([cell for place, cell in enumerate(cells) if place not in labels])


def _may_number(digits: Cells, cells: Cells) -> bool:
    """Whether the cells that have a digit, of so many in all, may be years, dates or numbered names."""
    if len(digits) == len(cells):
        return len(cells) > 2 and _counts(digits)
    if len(digits) == 1:
        return _LETTERS.match(digits[0].strip()) is not None
    first = digits[0][:1].lower()
    return first.isdigit() or [cell[:1].lower() for cell in cells].count(first) > 1


def _counts(cells: Cells) -> bool:
    """Whether all cells are one name, numbered one after the other from 0 or 1 on: `x1`, `x2`, `x3`."""
    numbers = [_DIGITS.findall(cell) for cell in cells if len(cell) < 64 and _LETTERS.match(cell.strip())]
    if len(numbers) < len(cells) or any(len(found) != 1 for found in numbers):
        return False
    told = [int(found[0]) for found in numbers]
    return (
        len(set(_numbered(cells))) == len(cells)
        and told[0] in (0, 1)
        and told == list(range(told[0], told[0] + len(told)))
    )


def _labels(cells: Cells) -> dict[int, str]:
    """Which cells are years, or dates, that name columns: two or more, most of them different, beside a word or an empty corner."""
    corner = len(cells) > 2 and not cells[0].strip() and all(cell.strip() for cell in cells[1:])
    if counted := _counted(cells):
        return counted
    if not corner and not any(cell.strip() and not _DIGIT.search(cell) for cell in cells):
        return {}
    for name, pattern in _LABELS.items():
        found = [place for place, cell in enumerate(cells) if len(cell) < 40 and pattern.fullmatch(cell)]
        if len(found) > 1 and len({cells[place].strip() for place in found}) * 2 > len(found):
            return dict.fromkeys(found, name)
    return {}


def _counted(cells: Cells) -> dict[int, str]:
    """Which cells are numbers, counted from 0 or 1 on: all but an empty corner and blank ones at the end."""
    start = int(len(cells) > 2 and not cells[0].strip())
    first = cells[start].strip() if cells else b""
    if first not in {b"0", b"1"}:
        return {}  # most rows
    stop = len(cells)
    while not cells[stop - 1].strip():
        stop -= 1
    counted = all(cell.strip() == b"%d" % number for number, cell in enumerate(cells[start:stop], int(first)))
    enough = stop - start >= _LEAST_COUNTED - 2 * start
    return dict.fromkeys(range(start, stop), _COUNTED) if counted and enough else {}


def _numbered(cells: Cells) -> list[int]:
    """Which cells are a name with a number that others have with another number."""
    stems = [_DIGITS.sub(b"", cell).strip().lower() if len(cell) < 256 else b"" for cell in cells]
    return [place for place, stem in enumerate(stems) if _LETTERS.match(stem) and stems.count(stem) > 1]


def contrasts(cells: Cells, body: Rows, *, least: int = 1, codes: bool = False, years: bool = False) -> bool:
    """Whether a record has words in every column where the rows have numbers, dates or links, `least` of them.

    `codes`: or words with a number in them, all of one shape. `years`: years and dates over something else count as words.
    """
    labels = _labels(cells)
    columns = {*_value_columns(body, len(cells)), *(_code_columns(body, len(cells)) if codes else ())}
    named = columns & _named_by(labels, body)
    filled = [place for place in columns - named if cells[place].strip()]
    return len(filled) + len(named) * years >= least and not any(
        _is_as_below(cells, place, body) or (codes and _DIGIT.search(cells[place])) for place in filled
    )


def _named_by(labels: dict[int, str], body: Rows) -> set[int]:
    """Which columns years or dates name: all of them, where most cells below are something else."""
    if _COUNTED in labels.values():
        return set(labels) if body and _are_columns(labels, body) else set()
    filled = [(_LABELS[name], cells[place][:40]) for place, name in labels.items() for cells in body]
    alike = [pattern.fullmatch(cell) is not None for pattern, cell in filled if cell.strip()]
    return set(labels) if sum(alike) * 2 < len(alike) else set()


def _are_columns(counted: Collection[int], body: Rows) -> bool:
    """Whether numbers that are counted name columns: under an empty corner each row has a first cell, or more than digits."""
    if 0 not in counted:
        return all(cells[0].strip() for cells in body)
    return not any(b"".join(cells).isdigit() for cells in body)


def _is_as_below(cells: Cells, place: int, body: Rows) -> bool:
    """Whether a cell is a value; `BUS 10` is one, as `USD 10` is, where the cells below have such letters, too."""
    if not is_value(cells[place]):
        return False
    return not _UNIT.match(cells[place]) or any(_UNIT.match(row[place]) for row in body)


def is_value(cell: bytes) -> bool:
    """Whether a cell is a number, an amount, a date, a link or a boolean."""
    return len(cell) < 1024 and _VALUE.fullmatch(cell) is not None


def holds_any_value(header: Cells) -> bool:
    """Whether any of a header's cells is a value, but for years and dates that name columns."""
    labels = _labels(header)
    return any(is_value(cell) for place, cell in enumerate(header) if place not in labels)


def differ(before: Rows, after: Rows) -> bool:
    """Whether two columns hold values in some rows, and in none of those before."""
    columns = _value_columns(after, min(map(len, after), default=0))
    return len(before) > 0 and sum(not any(is_value(cells[place]) for cells in before) for place in columns) > 1


def is_phrase(cell: bytes) -> bool:
    """Whether a cell is words with a digit, as a question is: `rate (1-5)`, no value and no code."""
    return len(cell) < 256 and _PHRASE.match(cell) is not None and not is_value(cell)


def has_digit(cells: Cells) -> bool:
    """Whether any of the cells has one."""
    return any(_DIGIT.search(cell) for cell in cells)


def holds_values(cells: Cells) -> bool:
    """Whether most of the filled cells are values, but for years and dates that name columns."""
    labels = _labels(cells)
    filled = [cell for place, cell in enumerate(cells) if cell.strip() and place not in labels]
    return sum(map(is_value, filled)) * 2 > len(filled)


def looks_like_row(cells: Cells, body: Rows) -> bool:
    """Whether a first record holds values where the rows below it do, or codes of the shape that theirs have."""
    named = _named_by(_labels(cells), body)
    values = [place for place in _value_columns(body, len(cells)) if cells[place].strip() and place not in named]
    codes = [place for place in _code_columns(body, len(cells)) if cells[place].strip() and place not in values]
    shapes = {place: _shape(body[0][place]) for place in codes}
    like = sum(_is_as_below(cells, place, body) for place in values) + sum(_shape(cells[p]) == shapes[p] for p in codes)
    return like * 2 > len(values) + len(codes)


def recurs(cells: Cells, body: Rows) -> bool:
    """Whether two cells of a record, and of three columns or more a third of them, stand in their columns once more.

    Names of columns do not: those cells are one of a few answers. Told only where no column holds values.
    """
    seen = [{_bare(row[place]) for row in body} for place in range(len(cells))]
    filled = [place for place, cell in enumerate(cells) if cell.strip()]
    again = sum(_bare(cells[place]) in seen[place] for place in filled)
    return again >= max(2, len(filled) / 3) and not _value_columns(body, len(cells))


def _bare(cell: bytes) -> bytes:
    """Give a cell without the quotes that it keeps in a damaged row."""
    return cell.strip().strip(b"\"'")


def _shape(cell: bytes) -> bytes:
    return _LETTERS.sub(b"a", _DIGITS.sub(b"9", _bare(cell[:64])))


def _code_columns(body: Rows, width: int) -> list[int]:
    """Columns of which all cells are a word with a number in it, of one shape: `S12`, `AB-1234`."""
    if len(body) < 2:
        return []
    shapes = [{_shape(cells[place]) for cells in body} for place in range(width)]
    return [place for place, seen in enumerate(shapes) if len(seen) == 1 and {*b"a9"} <= {*min(seen)}]


def _value_columns(body: Rows, width: int) -> list[int]:
    """Columns of which nine in ten filled cells are values, or all but one."""
    found = []
    for place in range(width):
        filled = [_bare(cells[place]) for cells in body if cells[place].strip()]
        odd = len(filled) - sum(map(is_value, filled))
        if filled and odd <= max(0.1 * len(filled), len(filled) > _ONE_ODD):
            found.append(place)
    return found
