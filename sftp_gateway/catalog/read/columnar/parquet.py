"""Parquet as a `Source`: row group by row group, every value as text; what would unfold beyond memory is refused."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sftp_gateway import errors
from sftp_gateway.catalog.read import bounds, escaping, lists, table
from sftp_gateway.catalog.read.columnar import leaves, undecodable, unfolding
from sftp_gateway.catalog.read.packing import truncation, unpack
from sftp_gateway.catalog.read.source import Block, Format, Hints, Numbers, Source, Tally

MAGIC = b"PAR1"
_BATCH_BYTES = 64 * 1024**2
"""A batch that would be larger as text is read in smaller ones, down to single rows."""

_CAST = (
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_binary_view,
    pa.types.is_fixed_size_binary,
    pa.types.is_integer,
    pa.types.is_boolean,
    pa.types.is_date,
)
"""Columns that Arrow writes as we do."""
_UNREADABLE = (pa.ArrowException, OSError, UnicodeDecodeError)


class ParquetSource(Source, kw_only=True):
    """A Parquet file; the first product is row 1."""

    path: Path
    unfolded: unfolding.Unfolded
    texts: list[str]
    """Columns that are read as dictionaries."""
    lists: frozenset[str] = frozenset()
    """Headers of list columns."""
    kept: object = None
    """What must live as long as the source: an unpacked file."""

    def blocks(self) -> Iterator[Block]:
        """Read the products; FILE_FORMAT where a page is damaged, FILE_BOMB where texts unfold without bound."""
        size = self.path.stat().st_size
        self.tally = Tally(total_bytes=size, readable_bytes=size)
        row, unfolded = 1, 0
        limit = max(bounds.RATIO_AFTER_BYTES, size * bounds.RATIO)
        try:
            with _open(self.path, self.texts) as file:
                for batch in unfolding.batches(file):
                    unfolded += sum(_unfolded(column) for column in batch.columns)
                    if unfolded > limit:
                        raise unpack.bomb(f"its texts are more than {bounds.RATIO} times as large as the file")
                    for part in _bounded(batch):
                        columns, numbers, bad = _columns(part, self.unfolded, self.lists)
                        block = table.block(columns, row, self.tally, numbers=numbers)
                        yield undecodable.rejected(block, bad + row, self.tally) if len(bad) else block
                        row += len(part)
        except _UNREADABLE as error:
            raise unpack.damaged("Parquet", error) from error
        if self.tally.readable + self.tally.rejected == 0:
            raise errors.Refused("FILE_EMPTY", "The file holds no products.", "Send a file with products.")


def open_parquet(path: Path, hints: Hints) -> ParquetSource:
    """Open a Parquet file; Incomplete if its footer is missing, FILE_TOO_LARGE beyond the byte budget."""
    with path.open("rb") as plain:
        size = plain.seek(0, 2)
        plain.seek(max(0, size - 4))
        if plain.read() != MAGIC or size < 12:
            raise truncation.cut_off("its Parquet footer is missing", hints)
    try:
        texts = _texts(path)
        with _open(path, texts) as file:
            _check_size(file, hints)
            unfolded = unfolding.of(file)
    except _UNREADABLE as error:
        raise unpack.damaged("Parquet", error) from error
    headers = escaping.our_names(unfolding.headers(unfolded))
    if len(headers) > bounds.MAX_COLUMNS:
        raise unpack.too_wide()
    return ParquetSource(
        path=path,
        format=Format("parquet"),
        headers=headers,
        tally=Tally(total_bytes=size),
        unfolded=unfolded,
        texts=texts,
        lists=lists.among(headers, hints.lists),
    )


def _check_size(file: Any, hints: Hints) -> None:
    sizes = [file.metadata.row_group(number).total_byte_size for number in range(file.metadata.num_row_groups)]
    if sum(sizes) > hints.max_file_bytes:
        raise unpack.too_large(hints)
    if len(file.schema_arrow) > bounds.MAX_COLUMNS:
        raise unpack.too_wide()


def _texts(path: Path) -> list[str]:
    """Name the columns that stay dictionaries, so that one long value a million times is seen before it is unfolded."""
    with _open(path, []) as file:
        unfolding.look_at(file)
        metadata = file.metadata
    plain = unfolding.deltas(metadata)
    return [metadata.schema.column(number).path for number in range(metadata.num_columns) if number not in plain]


def _open(path: Path, texts: list[str]) -> Any:
    from pyarrow import parquet  # noqa: PLC0415 - 18 ms, a tenth of what another format's check of a small file takes

    # in nanoseconds, what Spark writes in twelve bytes (INT96) would be another day before 1677 and after 2262
    return parquet.ParquetFile(
        path, read_dictionary=texts, pre_buffer=False, memory_map=False, coerce_int96_timestamp_unit="us"
    )


def _bounded(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Give the batch in parts that fit in memory as text."""
    size = sum(_unfolded(column) for column in batch.columns)
    if size <= _BATCH_BYTES:
        yield batch
        return
    if len(batch) == 1:
        raise unpack.bomb(f"a single product has {size:,} bytes")
    half = len(batch) // 2
    yield from _bounded(batch.slice(0, half))
    yield from _bounded(batch.slice(half))


def _unfolded(column: pa.Array) -> int:
    """Bytes of a column as plain text."""
    if pa.types.is_dictionary(column.type) and not pa.types.is_nested(column.type.value_type):
        lengths = pc.binary_length(pc.cast(column.dictionary, pa.large_binary()))
        return int(pc.sum(pc.take(lengths, column.indices)).as_py() or 0)
    if pa.types.is_struct(column.type):
        return sum(map(_unfolded, column.flatten()))
    return _unfolded(unfolding.items(column)) + 8 * len(column) if pa.types.is_map(column.type) else int(column.nbytes)


def _columns(
    batch: pa.RecordBatch, unfolded: unfolding.Unfolded, exact: frozenset[str]
) -> tuple[list[pa.Array], Numbers, npt.NDArray[np.int64]]:
    """Give the columns as strings, which cells are numbers, and which rows hold bytes that are no text."""
    found: list[pa.Array] = []
    numbers: list[npt.NDArray[np.bool_] | None] = []
    bad = np.zeros(len(batch), np.bool_)
    for (name, inside), column in zip(unfolded, batch.columns, strict=True):
        for part in unfolding.parts(column, inside):
            text, wrong = _text(part, exact=name in exact)
            found.append(text)
            numbers.append(np.ones(len(part), np.bool_) if _may_have_fractions(part.type) else None)
            bad |= False if wrong is None else wrong
    return found, tuple(numbers), np.flatnonzero(bad)


def _may_have_fractions(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _text(column: pa.Array, *, exact: bool) -> tuple[pa.Array, npt.NDArray[np.bool_] | None]:
    """Give a column as strings, null and absent are '', and as `undecodable` has them the rows with bytes that are none.

    `exact`: the items of its lists are kept apart.
    """
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if any(is_one(column.type) for is_one in _CAST):
        column, bad = undecodable.checked(column)
    else:
        column, bad = undecodable.written(leaves.values(column), exact=exact)
    return pc.fill_null(column, ""), bad
