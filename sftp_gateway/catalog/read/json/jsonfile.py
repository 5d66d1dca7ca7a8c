"""JSON as a `Source`: an array of products, an object that holds one, or JSON Lines; each product exact to the byte."""

import contextlib
import re
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from msgspec import Struct, field
from msgspec.structs import replace

from sftp_gateway import errors
from sftp_gateway.catalog.findings import Finding
from sftp_gateway.catalog.read import bounds, lists
from sftp_gateway.catalog.read.json import jsonshape, product, remnant
from sftp_gateway.catalog.read.json.jsonrecords import ElementsTorn, Shape, Stretch, stretches
from sftp_gateway.catalog.read.packing import unpack
from sftp_gateway.catalog.read.packing.unpack import Packed
from sftp_gateway.catalog.read.rejects import Reject, Rejects
from sftp_gateway.catalog.read.source import Block, Format, Hints, Source, Tally
from sftp_gateway.catalog.read.text import encoding, survey
from sftp_gateway.catalog.read.text.encoding import Encoding, Positions

_FEW_BROKEN, _MANY_BROKEN = 10, 1000
_SEVERAL = re.compile(rb"\}\s*+,\s*+\{")
_CHECK = "Check this product with a JSON validator."


class JsonSource(Source, kw_only=True):
    """A JSON file: `headers` is the union of the keys of all of its products."""

    packed: Packed
    encoding: Encoding
    shape: Shape
    lists: frozenset[str] = frozenset()
    """Headers of list columns."""
    known: frozenset[str] = frozenset()
    """Headers of columns that the catalog has."""

    def blocks(self) -> Iterator[Block]:
        """Read the products; Incomplete or FILE_TRUNCATED where the file stops in the middle, FILE_FORMAT if it is broken."""
        skipped = self.encoding.bom + self.shape.skip_raw
        self.tally = Tally(skipped_bytes=skipped, total_bytes=self.encoding.total_bytes)
        for stretch in stretches(self.packed, self.encoding, self.shape, self.tally):
            block = self._block(stretch)
            if len(block) or block.rejects or block.notes:
                yield block
        if self.tally.readable + self.tally.rejected == 0:
            raise _empty()

    def _block(self, stretch: Stretch) -> Block:
        text, recoded = stretch.recoded.text, stretch.recoded
        spans = recoded.raw_anywhere(np.array(stretch.spans, np.int64).reshape(-1))
        starts, ends = spans[0::2], spans[1::2]
        sizes = np.diff(recoded.raw_anywhere(np.array(stretch.stops, np.int64)), prepend=0)
        feeds = np.flatnonzero(np.frombuffer(text, np.uint8) == 10)
        lines = np.searchsorted(feeds, [start for start, _ in stretch.spans]) + stretch.line + 1
        if self.shape.lines:
            lines = np.arange(len(stretch.spans)) + stretch.row + 1  # a line may end at CR
        read = [
            _cells(text[start:end], self.lists, self.known) if start < end else None for start, end in stretch.spans
        ]
        kept = [index for index, cells in enumerate(read) if isinstance(cells, dict)]
        chosen = np.array(kept, np.int64)
        rows = [cells for cells in read if isinstance(cells, dict)]

        def finding(index: int, code: str, message: str, suggestion: str = "") -> Finding:
            return Finding(
                code,
                message,
                suggestion,
                row=stretch.row + index + 1,
                line=int(lines[index]),
                byte_offset=int(starts[index]) + stretch.offset,
            )

        def reject(index: int, why: str) -> Reject:
            found = finding(index, "ROW_JSON", f"The product cannot be read. {why}", _CHECK)
            cells = _told_apart(text[slice(*stretch.spans[index])], self.headers)
            return Reject(found, recoded.raw[int(starts[index]) : int(ends[index])], cells)

        broken = [(index, cells) for index, cells in enumerate(read) if isinstance(cells, str)]
        blank = [index for index, cells in enumerate(read) if cells is None]
        self._count(sizes, kept, [index for index, _ in broken], blank)
        columns = [[row.get(name, "") for row in rows] for name in self.headers]
        return Block(
            cells=tuple(pa.array(column, pa.string()) for column in columns),
            numbers=tuple(map(_numbers, columns)),
            row=chosen + stretch.row + 1,
            line=lines[chosen].astype(np.int64),
            offset=starts[chosen] + stretch.offset,
            end=ends[chosen] + stretch.offset,
            data=recoded.raw,
            data_offset=stretch.offset,
            rejects=Rejects.of([reject(index, why) for index, why in broken]),
            corrects=frozenset(filter(None, (remnant.corrects(text[slice(*stretch.spans[i])]) for i, _ in broken))),
            notes=tuple(finding(index, "ROW_BLANK", "The line is blank.") for index in blank),
        )

    def _count(self, sizes: Positions, kept: list[int], broken: list[int], blank: list[int]) -> None:
        tally = self.tally
        tally.readable += len(kept)
        tally.rejected += len(broken)
        tally.blank += len(blank)
        tally.readable_bytes += int(sizes[kept].sum()) if kept else 0
        tally.rejected_bytes += int(sizes[broken].sum()) if broken else 0
        tally.blank_bytes += int(sizes[blank].sum()) if blank else 0


def _numbers(column: list[str]) -> npt.NDArray[np.bool_] | None:
    """Tell which cells are numbers; None: none is."""
    kinds = list(map(type, column))
    return np.array([kind is product.Number for kind in kinds]) if product.Number in kinds else None


def _cells(text: bytes, exact: frozenset[str], known: frozenset[str]) -> dict[str, str] | str:
    """Give the cells of a product by column, or why there are none."""
    if len(text) > bounds.RECORD_BYTES:
        return f"It has {len(text):,} bytes; {bounds.RECORD_BYTES:,} are allowed."
    try:
        parsed = product.parse(text)
        if isinstance(parsed.get("_raw"), str) and "_correction_of" in parsed:
            # A product that could not be read, as our own correction file hands it back.
            product.parse(parsed["_raw"].encode())
        cells = product.cells(parsed, exact, known)
    except product.NotAProductError as error:
        return str(error) if survey.is_utf8(text) else "It has bytes that are no text in UTF-8."
    # Only an escape can make one, and the names of columns can hold it too.
    if b"\\u" in text and not all(map(_is_text, (*cells, *cells.values()))):
        return "It has a lone surrogate, which is no character."
    return cells


def _told_apart(text: bytes, headers: tuple[str, ...]) -> tuple[str, ...]:
    """Give the cells of a product that cannot be read as far as they can be told, blank ones at the end left out.

    They are no more than its bytes, lest a file of many short ones under many columns fill the memory.
    """
    found = remnant.of(text)
    cells = [found.get(name, "") for name in headers[: len(text)]] if found else []
    while cells and not cells[-1]:
        cells.pop()
    return tuple(cells)


def _is_text(value: str) -> bool:
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def open_json(packed: Packed, encoded: Encoding, hints: Hints) -> JsonSource | None:
    """Open a JSON file; None if the text is no JSON after all. Reads it once, for the names of all columns."""
    with packed.open() as file:
        unpack.skip(file, encoded.bom)
        raw = unpack.fill(file, bounds.SAMPLE_BYTES)
    whole = encoded.bom + len(raw) >= encoded.total_bytes
    sample, _ = encoding.recode(raw, encoded, final=whole)
    shape = jsonshape.of(sample, hints)
    if shape is None:
        return None
    found = _told_apart_best(packed, encoded, shape)
    if not found.count:
        raise _empty()
    headers = found.headers
    if not headers and not found.blank:  # all are broken: each is to be told, not that columns are missing
        headers.update(dict.fromkeys(hints.required))
    return JsonSource(
        packed=packed,
        encoding=encoded,
        shape=found.shape,
        format=Format("jsonl" if shape.lines else "json", packed.compression, encoded.name),
        headers=tuple(headers),
        findings=encoded.findings,
        bom=encoded.mark,
        tally=Tally(total_bytes=encoded.total_bytes),
        lists=lists.among(headers, hints.lists),
        known=lists.among(headers, hints.known_headers),
    )


class _Survey(Struct):
    """What a file holds if its products are told apart in one way."""

    shape: Shape
    headers: dict[str, None] = field(default_factory=dict)
    count: int = 0
    blank: int = 0
    broken: int = 0
    joined: bool = False
    """Whether several products may be in one that is broken."""

    def see(self, text: bytes) -> None:
        """Take in one more product."""
        names = _names(text)
        self.headers.update(dict.fromkeys(names))
        self.count += 1
        if not names:
            is_blank = _is_blank(text)
            self.blank, self.broken = self.blank + is_blank, self.broken + (not is_blank)
            self.joined = self.joined or _SEVERAL.search(text) is not None

    @property
    def is_believed(self) -> bool:
        """Whether so few are broken that the others are what they seem to be."""
        return self.broken <= max(_FEW_BROKEN, self.count // 10) and self.broken < self.count


def _told_apart_best(packed: Packed, encoded: Encoding, shape: Shape) -> _Survey:
    """Tell products apart by quotes and brackets, or, where a quote too many makes that fail, by the layout of the array."""
    found, why = None, _empty()
    try:
        found = _survey(packed, encoded, shape)
    except ElementsTorn as error:
        why = error.why
    if not (shape.lines or shape.loose) and (found is None or found.joined):
        with contextlib.suppress(ElementsTorn):
            torn = _survey(packed, encoded, replace(shape, torn=True))
            found = torn if torn.is_believed else found
    if found is None:
        raise why
    return found


def _survey(packed: Packed, encoded: Encoding, shape: Shape) -> _Survey:
    found = _Survey(shape)
    for stretch in stretches(packed, encoded, shape, Tally()):
        for start, end in stretch.spans:
            found.see(stretch.recoded.text[start:end])
        if len(found.headers) > bounds.MAX_COLUMNS:
            raise errors.Refused(
                "FILE_FORMAT", f"The products have more than {bounds.MAX_COLUMNS:,} different keys.", "Use fixed keys."
            )
        if shape.torn and found.broken > _MANY_BROKEN + found.count // 10:
            break  # none of it is believed; what else is torn takes long
    return found


def _names(text: bytes) -> list[str]:
    """Name the columns of a product, those of one that our correction file holds as a text, too."""
    return [*(remnant.of(text) if b'"_raw"' in text else ()), *product.keys(text)]


def _is_blank(text: bytes) -> bool:
    """Whether a product has nothing in it."""
    return b"{" in text and not text.strip(b"{} \t\r\n")


def _empty() -> errors.Refused:
    return errors.Refused("FILE_EMPTY", "The file holds no products.", "Send a file with products.")
