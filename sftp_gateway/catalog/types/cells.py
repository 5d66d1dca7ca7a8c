"""A sender's column as text, seen through numpy: what lets a clean column be known clean in one look."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Mask = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.int64]


class Cells:
    """One column of a block: a string array without nulls, and views of its buffers."""

    def __init__(self, array: Any) -> None:
        if isinstance(array, pa.ChunkedArray):
            array = array.combine_chunks()
        if not pa.types.is_string(array.type):
            array = pc.cast(array, pa.string())
        if array.null_count:
            array = pc.fill_null(array, "")
        self.array: Any = array
        size = len(array)
        _, offsets, data = array.buffers()
        if size == 0 or offsets is None:
            self.offsets = np.zeros(size + 1, dtype=np.int32)
        else:
            self.offsets = np.frombuffer(offsets, dtype=np.int32, count=size + 1, offset=array.offset * 4)
        self.data: npt.NDArray[np.uint8] = np.frombuffer(data, dtype=np.uint8) if data else np.zeros(0, np.uint8)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @functools.cached_property
    def lengths(self) -> npt.NDArray[np.int32]:
        """Bytes of each cell."""
        return np.diff(self.offsets)

    @functools.cached_property
    def octets(self) -> npt.NDArray[np.uint8]:
        """The bytes of all cells, one after the other."""
        return self.data[self.offsets[0] : self.offsets[-1]]

    @functools.cached_property
    def blob(self) -> bytes:
        """The same as bytes, for `find`."""
        return self.octets.tobytes()

    def has(self, *signs: bytes) -> bool:
        """Whether any of these occurs in any cell (or across two)."""
        return any(self.blob.find(sign) >= 0 for sign in signs)

    def holds(self, signs: Mask) -> bool:
        """Whether any byte of any cell is among those (a table of 256)."""
        return bool(signs[self.octets].any())

    def holding_other(self, allowed: Mask) -> Mask:
        """Tell the cells with a byte that is not among those allowed (a table of 256)."""
        found: Mask = np.zeros(len(self), dtype=np.bool_)
        at = np.flatnonzero(~allowed[self.octets])
        if at.size:
            found[np.searchsorted(self.offsets, at + self.offsets[0], side="right") - 1] = True
        return found

    @functools.cached_property
    def highest(self) -> int:
        """The greatest byte: below 128, all is ASCII."""
        return int(self.octets.max()) if self.octets.size else 0

    @functools.cached_property
    def lowest(self) -> int:
        """The least byte: from 32 up, there is no control character but DEL."""
        return int(self.octets.min()) if self.octets.size else 255

    @functools.cached_property
    def filled(self) -> Mask:
        """Tell the cells that hold more than white space."""
        filled: Mask = self.lengths > 0
        if self._edged.any():
            rows = np.flatnonzero(self._edged)
            trimmed = _trim(self.array.take(pa.array(rows)))
            filled[rows] = np.asarray(pc.binary_length(trimmed)) > 0
        return filled

    @functools.cached_property
    def all_filled(self) -> bool:
        """Whether no cell is blank."""
        return bool(self.filled.all())

    @functools.cached_property
    def _edged(self) -> Mask:
        """Tell the cells that may begin or end with white space."""
        edged = np.zeros(len(self), dtype=np.bool_)
        if self.lowest > 0x20 and self.highest < 0x80:
            return edged
        some = self.lengths > 0
        last = len(self.data) - 1
        first_bytes = self.data[np.minimum(self.offsets[:-1], last)]
        last_bytes = self.data[np.maximum(self.offsets[1:] - 1, 0)]
        edged |= _SPACE_LIKE[first_bytes] | _SPACE_LIKE_LAST[last_bytes]
        return edged & some

    @functools.cached_property
    def trimmed(self) -> "Cells":
        """The same cells without white space around them; self where there is none."""
        return Cells(_trim(self.array)) if self._edged.any() else self

    @functools.cached_property
    def nulled(self) -> Any:
        """The string array with null for blank cells."""
        if self.all_filled:
            return self.array
        return with_nulls(self.array, self.filled)

    def take(self, rows: Rows) -> "Cells":
        """Give some of the cells."""
        return Cells(self.array.take(pa.array(rows)))

    def without(self, rows: Mask) -> "Cells":
        """Give the cells with some of them blank."""
        return Cells(pc.if_else(pa.array(rows), "", self.array))


def _trim(array: Any) -> Any:
    return pc.utf8_trim(
        array,
        characters=" \t\r\n\v\f\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b\u202f\u205f\u3000\ufeff",
    )


def with_nulls(array: Any, valid: Mask) -> Any:
    """Give an array with null wherever `valid` is false; shares its values."""
    if valid.all():
        return array
    if array.null_count or array.offset:
        return pc.if_else(pa.array(valid), array, pa.scalar(None, array.type))
    bits = pa.py_buffer(np.packbits(valid, bitorder="little").tobytes())
    return pa.Array.from_buffers(array.type, len(array), [bits, *array.buffers()[1:]])


def flags(places: Any, size: int) -> Mask:
    """Give a mask of that size, true at these places."""
    found: Mask = np.zeros(size, dtype=np.bool_)
    found[places] = True
    return found


def table(signs: bytes) -> Mask:
    """Give the table of these bytes, for `holding_other`."""
    return flags(list(signs), 256)


# ASCII white space, and the first or last byte of NBSP, EN SPACE …, IDEOGRAPHIC SPACE, BOM
_SPACE_LIKE = table(b"\t\n\v\f\r\x1c\x1d\x1e\x1f \xc2\xe2\xe3\xef")
_SPACE_LIKE_LAST = _SPACE_LIKE | table(bytes(range(0x80, 0xC0)))


def replaced(array: Any, rows: Rows, values: Any) -> Any:
    """Put other values at some rows (ascending) of an array."""
    return pc.replace_with_mask(array, pa.array(flags(rows, len(array))), values)


def one(column: Any) -> Any:
    """Give a table's column as one array; to combine a single chunk would copy it."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def taken(table: pa.Table, rows: Rows) -> pa.Table:
    """Give rows of a table, in any order."""
    index = pa.array(rows)
    return _picked(table, len(rows), lambda column: column.take(index))


def kept(table: pa.Table, keep: Mask) -> pa.Table:
    """Give the rows of a table that a mask keeps: of many that follow one another, texts are copied in one go."""
    index = pa.array(keep)
    return _picked(table, int(np.count_nonzero(keep)), lambda column: column.filter(index))


def _picked(table: pa.Table, count: int, pick: Callable[[Any], Any]) -> pa.Table:
    """Pick rows of each column; that of nothing but blanks costs as much as that of texts, so blank columns are made anew."""
    columns = [
        pa.nulls(count, column.type) if column.null_count == len(column) else pick(one(column))
        for column in table.columns
    ]
    return pa.table(columns, schema=table.schema)


def once_each(values: Any, work: Callable[[Any], Any], kind: Any) -> Any:
    """Give what `work` makes of each value, as an array of that type: worked out once for each different one; null stays null."""
    coded = pc.dictionary_encode(values)
    return pa.array([work(value) for value in coded.dictionary.to_pylist()], kind).take(coded.indices)


def mask(array: Any) -> Mask:
    """Give a boolean array as a numpy mask; null is false."""
    if array.null_count:
        array = pc.fill_null(array, False)
    result: Mask = array.to_numpy(zero_copy_only=False)
    return result.astype(np.bool_, copy=False)


def matches(array: Any, pattern: str) -> Mask:
    """Tell the values that a RE2 pattern matches."""
    return mask(pc.match_substring_regex(array, pattern))


def decimal_text(values: Any) -> Any:
    """Give decimals as text with all their places; Arrow writes those below 1e-6 with an exponent."""
    texts = pc.cast(values, pa.string())
    odd = np.flatnonzero(mask(pc.match_substring(texts, "E"))) if values.type.scale > 6 else np.empty(0, np.int64)
    if not odd.size:
        return texts
    fixed = [format(value, "f") for value in values.take(pa.array(odd)).to_pylist()]
    return replaced(texts, odd, pa.array(fixed, pa.string()))
