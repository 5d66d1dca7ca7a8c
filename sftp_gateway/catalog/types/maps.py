"""Maps: `variation:NAME` columns, bare cells of `Name: value`, and name-and-value column pairs → JSON text.

The JSON object has its names sorted and no blank values, so equal maps are equal texts. In a partial
file only the entries sent are there, null for those to clear; `merge` joins them with the current ones.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from sftp_gateway.catalog.cells import json_text
from sftp_gateway.catalog.types import text
from sftp_gateway.catalog.types.cells import Cells, Rows, mask, replaced
from sftp_gateway.catalog.types.typing import Fault, Reading

# a new entry begins only where a name follows: `Material: cotton, wool` is one entry, and so are `Ratio: 16:9, 4:3`
# (there `_is_name` says no) and `Manuals: a.pdf, https://…`
_BETWEEN = re.compile(r"\s*[|;,\n]\s*(?=([^|;,:=\n]{1,80})[:=](?!//))")
_SIGN = re.compile(r"[:=](?!//)")
_ROOM = re.compile(r"\s{20,}+")
"""Shortened first: to split at white space takes the square of its length."""
_LONGEST_NAME = 80
_NO_OPTION = ("Title", "Default Title")
"""What Shopify writes for a product that has no options."""
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def _no_number(sign: str) -> str:
    raise ValueError(f"{sign} is no number")


_DECODE = json.JSONDecoder(object_pairs_hook=list, parse_int=str, parse_float=str, parse_constant=_no_number)
"""Numbers keep the digits they are written with."""


class _Twice(ValueError):
    """One name comes twice in a cell, with different values."""


def read(
    named: dict[str, Cells],
    bare: Iterable[Cells],
    pairs: Iterable[tuple[Cells, Cells]],
    rows: int,
    clear: str | None = None,
) -> Reading:
    """Type a map of `rows` rows: from columns by name, bare columns and (name, value) pairs of columns.

    A cell that is `clear` gives the entry null.
    """
    faults: list[Fault] = []
    columns = {name: _clean(cells, faults) for name, cells in sorted(named.items())}
    bare, pairs = [*bare], [*pairs]
    filled = np.zeros(rows, dtype=np.bool_)
    for cells in (*bare, *(value for _, value in pairs)):
        filled |= cells.filled
    values = _quick(columns, rows, clear)
    if not filled.any():
        return Reading(values, faults)
    index = np.flatnonzero(filled)
    loose = _Loose(index, clear, [{} for _ in index])
    for cells in bare:
        bad, twice = loose.add_bare(_clean(cells, faults))
        faults += _not_entries(index[bad], index[twice], cells)
    for names, cells in pairs:
        loose.add_pair(_clean(names, faults), _clean(cells, faults))
    for name, column in columns.items():
        loose.add_named(name, column)
    return Reading(loose.over(values), faults)


def _clean(cells: Cells, faults: list[Fault]) -> Any:
    cells = cells.trimmed
    values = cells.nulled
    values, found = text.without_controls(cells, values)
    faults += found
    return values


def _quick(columns: dict[str, Any], rows: int, clear: str | None) -> Any:
    """Join the entries of each row in C."""
    joined: Any = pa.nulls(rows, pa.string())
    for name, values in columns.items():
        entry = pc.binary_join_element_wise(json.dumps(name, ensure_ascii=False) + ": ", _quoted(values, clear), "")
        both = pc.binary_join_element_wise(joined, entry, ", ")
        joined = pc.coalesce(both, joined, entry)
    return pc.binary_join_element_wise("{", joined, "}", "")


def _quoted(values: Any, clear: str | None) -> Any:
    """Give texts as JSON strings, and what clears as null."""
    if clear is not None and mask(pc.equal(values, clear)).any():
        return pc.if_else(pc.equal(values, clear), "null", json_text(values))
    return json_text(values)


class _Loose(Struct):
    """Rows whose entries come from bare cells or pairs of columns: put together one by one."""

    rows: Rows
    clear: str | None
    entries: list[dict[str, str | None]]

    def add_bare(self, cells: Any) -> tuple[list[int], list[int]]:
        """Add what bare cells say; give the places of those that cannot be read, and of those that name one thing twice."""
        bad, twice = [], []
        for at, cell in enumerate(cells.take(pa.array(self.rows)).to_pylist()):
            try:
                found = parse(cell or "")
            except _Twice:
                twice.append(at)
                continue
            if found is None:
                bad.append(at)
            else:
                self.entries[at] = {**found, **self.entries[at]}  # an earlier header counts before a later one
        return bad, twice

    def add_pair(self, names: Any, cells: Any) -> None:
        take = pa.array(self.rows)
        both = zip(names.take(take).to_pylist(), cells.take(take).to_pylist(), strict=True)
        for at, (name, cell) in enumerate(both):
            if name and cell and (name, cell) != _NO_OPTION:
                self.entries[at][name] = None if cell == self.clear else cell

    def add_named(self, name: str, column: Any) -> None:
        for at, cell in enumerate(column.take(pa.array(self.rows)).to_pylist()):
            if cell is not None:
                self.entries[at][name] = None if cell == self.clear else cell

    def over(self, values: Any) -> Any:
        """Put these rows in place of those of `values`."""
        texts = [json.dumps(e, ensure_ascii=False, sort_keys=True) if e else None for e in self.entries]
        return replaced(values, self.rows, pa.array(texts, pa.string()))


def merge(current: Any, sent: Any) -> Any:
    """Put the entries a partial file sent over the current ones, row by row; null entries go."""
    texts = [_merged(old, new) for old, new in zip(current.to_pylist(), sent.to_pylist(), strict=True)]
    return pa.array(texts, pa.string())


def _merged(old: str | None, new: str | None) -> str | None:
    if new is None:
        return old
    entries = {**_current(old or ""), **json.loads(new)}
    entries = {name: value for name, value in entries.items() if value is not None}
    return json.dumps(entries, ensure_ascii=False, sort_keys=True) if entries else None


def _current(old: str) -> dict[str, str]:
    """Read the entries that there are; what was text when it was sent may be none."""
    try:
        return parse(old) or {}
    except _Twice:
        return {}


def parse(cell: str) -> dict[str, str] | None:
    """Read `Name: value`, several of them, a JSON object or a list of objects with name and value; else None. _Twice."""
    if not cell:
        return {}
    if cell.startswith(("{", "[")):
        return _from_json(cell)
    pairs = []
    for part in _parts(_ROOM.sub(lambda found: "\n" if "\n" in found[0] else " ", cell)):
        name, *values = _SIGN.split(part, maxsplit=1)
        name = name.strip()
        if not values or not 0 < len(name) <= _LONGEST_NAME:
            return None
        if value := values[0].strip():
            pairs.append((name, value))
    return _entries(pairs)


def _parts(cell: str) -> Iterator[str]:
    begin = 0
    for found in _BETWEEN.finditer(cell):
        if any(map(str.isalpha, found[1])):  # a name has a letter
            yield cell[begin : found.start()]
            begin = found.end()
    yield cell[begin:]


def _entries(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    entries: dict[str, str] = {}
    for name, value in pairs:
        if entries.setdefault(name, value) != value:
            raise _Twice
    return entries


def _from_json(cell: str) -> dict[str, str] | None:
    try:
        read = _DECODE.decode(cell)
        pairs = [_option(*one) for one in read] if cell.startswith("[") else read
    except (TypeError, ValueError, RecursionError):
        return None
    if not all(isinstance(value, str | bool) or value is None for _, value in pairs):
        return None
    written = [
        (name, value if isinstance(value, str) else json.dumps(value))
        for name, value in pairs
        if value not in (None, "")
    ]
    if any(_CONTROLS.search(text) or not _is_text(text) for pair in written for text in pair):
        return None
    return _entries(written)


def _option(*fields: tuple[str, Any]) -> tuple[str, Any]:
    """Give name and value of an object of a list, as shops have them: `{"name": "Color", "value": "red"}`. ValueError.

    Of several options (`{"name": "Color", "options": ["red", "blue"]}`) the value is all of them.
    """
    found = dict(fields)
    value = next((name for name in ("value", "option", "options") if name in found), None)
    if not isinstance(name := found.get("name"), str) or value is None:
        raise ValueError("is no object with name and value")
    several = found[value] if value == "options" else None
    return name, ", ".join(several) if isinstance(several, list) else found[value]


def _is_text(text: str) -> bool:
    """Whether it holds no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _not_entries(bad: Rows, twice: Rows, cells: Cells) -> list[Fault]:
    told = (
        (bad, "does not say what it is the value of", "write `Name: value`, like Width: Regular"),
        (twice, "says two values of one name", "write each name once, with one value"),
    )
    return [
        Fault("FIELD_TYPE", rows, message, hint, values=cells.array.take(pa.array(rows)))
        for rows, message, hint in told
        if rows.size
    ]
