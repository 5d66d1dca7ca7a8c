"""JSON as a `Source`: an array of products, an object that holds one, or JSON Lines; each product exact to the byte."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import orjson
import pyarrow as pa

from sftp_gateway import errors
from sftp_gateway.catalog.findings import Finding
from sftp_gateway.catalog.read import bounds, elements, encoding, product, truncation, unpack
from sftp_gateway.catalog.read.encoding import Encoding, Positions, Recoded
from sftp_gateway.catalog.read.source import Block, Format, Hints, Reject, Tally
from sftp_gateway.catalog.read.unpack import Packed, Readable

_ARRAY_OF_OBJECTS = re.compile(rb'"((?:[^"\\]|\\.)*+)"\s*:\s*\[\s*[\]{]')
_WRAPPERS = {b"products", b"items", b"data", b"catalog", b"rows", b"records", b"results"}
_SPACE = b" \t\r\n"
_CHECK = "Check this product with a JSON validator."
_PRODUCT_BYTES = 4 * bounds.RECORD_BYTES


@dataclass(frozen=True, slots=True)
class _Shape:
    """`lines`, or an array whose first element comes `skip` bytes of text (`skip_raw` of the source) on."""

    lines: bool
    skip: int = 0
    skip_raw: int = 0
    prelude: bytes = b""


@dataclass(slots=True)
class _Stretch:
    """Records [start, end) of a stretch of text; the next begins at `stop`."""

    recoded: Recoded
    spans: list[tuple[int, int]]
    stops: list[int]
    offset: int
    line: int
    row: int


@dataclass(slots=True)
class JsonSource:
    """A JSON file: `headers` is the union of the keys of all of its products."""

    packed: Packed
    encoding: Encoding
    shape: _Shape
    format: Format
    headers: tuple[str, ...]
    header_raw: bytes
    findings: tuple[Finding, ...]
    correction_of: bool
    tally: Tally
    line_end: str = "\n"

    @property
    def bom(self) -> bytes:
        """The byte order mark."""
        return self.encoding.mark

    def blocks(self) -> Iterator[Block]:
        """Read the products; Incomplete or FILE_TRUNCATED where the file stops in the middle, FILE_FORMAT if it is broken."""
        skipped = self.encoding.bom + self.shape.skip_raw
        self.tally = Tally(skipped_bytes=skipped, total_bytes=self.encoding.total_bytes)
        for stretch in _stretches(self.packed, self.encoding, self.shape, self.tally):
            block = self._block(stretch)
            if len(block) or block.rejects or block.notes:
                yield block
        if self.tally.readable + self.tally.rejected == 0:
            raise errors.Refused("FILE_EMPTY", "The file holds no products.", "Send a file with products.")

    def _block(self, stretch: _Stretch) -> Block:
        text, recoded = stretch.recoded.text, stretch.recoded
        spans = recoded.raw_anywhere(np.array(stretch.spans, np.int64).reshape(-1))
        starts, ends = spans[0::2], spans[1::2]
        sizes = np.diff(recoded.raw_anywhere(np.array(stretch.stops, np.int64)), prepend=0)
        feeds = np.flatnonzero(np.frombuffer(text, np.uint8) == 10)
        lines = np.searchsorted(feeds, [start for start, _ in stretch.spans]) + stretch.line + 1
        read = [_cells(text[start:end]) if start < end else None for start, end in stretch.spans]
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

        broken = [(index, cells) for index, cells in enumerate(read) if isinstance(cells, str)]
        blank = [index for index, cells in enumerate(read) if cells is None]
        self._count(sizes, kept, [index for index, _ in broken], blank)
        return Block(
            cells=tuple(pa.array([row.get(name, "") for row in rows], pa.string()) for name in self.headers),
            row=chosen + stretch.row + 1,
            line=lines[chosen].astype(np.int64),
            offset=starts[chosen] + stretch.offset,
            end=ends[chosen] + stretch.offset,
            data=recoded.raw,
            data_offset=stretch.offset,
            rejects=tuple(
                Reject(
                    finding(index, "ROW_JSON", f"The product cannot be read. {why}", _CHECK),
                    recoded.raw[int(starts[index]) : int(ends[index])],
                )
                for index, why in broken
            ),
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


def _cells(text: bytes) -> dict[str, str] | str:
    """Give the cells of a product by column, or why there are none."""
    if len(text) > bounds.RECORD_BYTES:
        return f"It has {len(text):,} bytes; {bounds.RECORD_BYTES:,} are allowed."
    try:
        parsed = product.parse(text)
        if isinstance(parsed.get("_raw"), str) and "_correction_of" in parsed:
            # A product that could not be read, as our own correction file hands it back.
            product.parse(parsed["_raw"].encode())
        cells = product.cells(parsed)
    except product.NotAProductError as error:
        return str(error)
    # Only an escape can make one, and the names of columns can hold it too.
    if b"\\u" in text and not all(map(_is_text, (*cells, *cells.values()))):
        return "It has a lone surrogate, which is no character."
    return cells


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
    shape = _shape(sample)
    if shape is None:
        return None
    headers: dict[str, None] = {}
    for stretch in _stretches(packed, encoded, shape, Tally()):
        for start, end in stretch.spans:
            headers.update(dict.fromkeys(product.keys(stretch.recoded.text[start:end])))
        if len(headers) > bounds.MAX_COLUMNS:
            raise errors.Refused(
                "FILE_FORMAT", f"The products have more than {bounds.MAX_COLUMNS:,} different keys.", "Use fixed keys."
            )
    if hints.must_end_with_newline and not encoded.ends_with_newline and not hints.complete:
        raise truncation.cut_off("it ends without the newline that this brand's files end with", hints)
    return JsonSource(
        packed=packed,
        encoding=encoded,
        shape=shape,
        format=Format(
            "jsonl" if shape.lines else "json",
            packed.compression,
            encoded.name,
            ends_with_newline=encoded.ends_with_newline,
        ),
        headers=tuple(headers),
        header_raw=b"",
        findings=encoded.findings,
        correction_of="_correction_of" in headers,
        tally=Tally(total_bytes=encoded.total_bytes),
    )


def _shape(sample: Recoded) -> _Shape | None:
    text = sample.text
    begin = len(text) - len(text.lstrip(_SPACE))
    if text[begin : begin + 1] == b"[":
        return _array(sample, begin + 1, b"")
    if text[begin : begin + 1] != b"{":
        return None
    line = text[begin:].split(b"\n", 1)[0].strip()
    complete = _loads(line)
    wrapped = _wrapped(text, begin)
    if isinstance(complete, dict) and (wrapped is None or b"\n" in text[begin:].strip(_SPACE)):
        return _Shape(lines=True)
    if wrapped is not None:
        return _array(sample, wrapped, text[:wrapped])
    return _Shape(lines=True) if b":" in line else None


def _array(sample: Recoded, skip: int, prelude: bytes) -> _Shape:
    return _Shape(False, skip, int(sample.raw_anywhere(encoding.positions(skip))[0]), prelude)


def _wrapped(text: bytes, begin: int) -> int | None:
    """Where the array in `{"products": [ … ]}` begins; `products` beats other names."""
    found = None
    for match in _ARRAY_OF_OBJECTS.finditer(text, begin, min(len(text), begin + 65536)):
        name = match.group(1)
        if name in _WRAPPERS and elements.level_after(text[begin : match.start()]) == 1:
            place = text.index(b"[", match.end(1)) + 1
            if name == b"products":
                return place
            found = found or place
    return found


def _loads(text: bytes) -> object:
    try:
        return orjson.loads(text)
    except ValueError:
        return None


def _stretches(packed: Packed, encoded: Encoding, shape: _Shape, tally: Tally) -> Iterator[_Stretch]:
    with packed.open() as file:
        unpack.skip(file, encoded.bom + shape.skip_raw)
        reading = _Reading(packed.hints, encoded, shape, file, tally)
        yield from reading.lines() if shape.lines else reading.array()


class _Reading:
    """One pass over a JSON file."""

    def __init__(self, hints: Hints, encoded: Encoding, shape: _Shape, file: Readable, tally: Tally) -> None:
        self.hints, self.encoded, self.shape, self.file, self.tally = hints, encoded, shape, file, tally
        self.offset = encoded.bom + shape.skip_raw
        self.line = shape.prelude.count(b"\n")
        self.row = 0
        self.carry = b""

    def _texts(self) -> Iterator[tuple[Recoded, bool]]:
        """Stretches of text with what was left over of the one before; (text, whether the file ends)."""
        ahead = unpack.fill(self.file, bounds.BLOCK_BYTES)
        while True:
            raw, ahead = self.carry + ahead, unpack.fill(self.file, bounds.BLOCK_BYTES)
            recoded, rest = encoding.recode(raw, self.encoded, final=not ahead)
            self.carry = b""
            yield recoded, not ahead
            self.carry += rest
            if not ahead:
                return

    def _stretch(self, recoded: Recoded, spans: list[tuple[int, int]], stops: list[int]) -> _Stretch:
        """Take the records out of a text and leave what follows them for the next."""
        stretch = _Stretch(recoded, spans, stops, self.offset, self.line, self.row)
        cut = stops[-1] if stops else 0
        used = int(recoded.raw_anywhere(encoding.positions(cut))[0])
        self.row += len(spans)
        self.offset += used
        self.line += recoded.text.count(b"\n", 0, cut)
        self.carry = recoded.raw[used:]
        return stretch

    def lines(self) -> Iterator[_Stretch]:
        """Give the records of JSON Lines: a broken last line without its end is a file cut off."""
        for recoded, final in self._texts():
            text = recoded.text
            stops = (np.flatnonzero(np.frombuffer(text, np.uint8) == 10) + 1).tolist()
            last = stops[-1] if stops else 0
            if final and last < len(text):
                if not isinstance(_loads(text[last:]), dict):
                    raise truncation.cut_off("its last line is no whole JSON object", self.hints)
                stops.append(len(text))
            elif len(text) - last > _PRODUCT_BYTES:
                raise errors.Refused("FILE_FORMAT", f"Row {self.row + len(stops) + 1} is too large.", "Split it.")
            spans = []
            start = 0
            for stop in stops:
                stripped = text[start:stop].strip(_SPACE)
                begin = start + text[start:stop].find(stripped[:1]) if stripped else start
                spans.append((begin, begin + len(stripped)))
                start = stop
            yield self._stretch(recoded, spans, stops)

    def array(self) -> Iterator[_Stretch]:
        """Elements of the array; what stands between them must be commas, what follows it must close the file."""
        first, tail, closed, unfinished = True, b"", False, 0
        for recoded, final in self._texts():
            text = recoded.text
            if closed:
                tail += text
                self.tally.skipped_bytes += len(recoded.raw)
                continue
            if unfinished > bounds.RECORD_BYTES // 2 and elements.depth_of(text[:65536]) > bounds.NESTING:
                raise unpack.bomb(f"product {self.row + 1} is nested deeper than {bounds.NESTING} levels")
            found = elements.find(text)
            spans = list(zip(found.start.tolist(), found.end.tolist(), strict=True))
            self._check_gaps(text, spans, first=first)
            first = first and not spans
            closed = found.closed >= 0
            if closed:
                self._check_gaps(text, [(spans[-1][1] if spans else 0, 0)], first=True, until=found.closed - 1)
                tail = text[found.closed :]
                yield self._stretch(recoded, spans, [end for _, end in spans])
                self.tally.skipped_bytes += len(self.carry)
                self.carry = b""
                continue
            unfinished = len(text) - (spans[-1][1] if spans else 0)
            if unfinished > _PRODUCT_BYTES:
                raise unpack.bomb(f"product {self.row + len(spans) + 1} does not end within {_PRODUCT_BYTES:,} bytes")
            if final:
                raise truncation.cut_off("its JSON array is not closed", self.hints)
            yield self._stretch(recoded, spans, [end for _, end in spans])
        self._check_tail(tail)

    def _check_gaps(self, text: bytes, spans: list[tuple[int, int]], *, first: bool, until: int | None = None) -> None:
        before = 0 if until is None else spans[0][0]
        for number, (start, end) in enumerate(spans):
            gap = text[before : start if until is None else until].strip(_SPACE)
            wanted = b"" if first and number == 0 else b","
            if gap != wanted and not (until is not None and gap == b""):
                place = gap[:40].decode(errors="replace") or "no comma"
                raise errors.Refused(
                    "FILE_FORMAT",
                    f"The JSON array is broken before product {self.row + number + 1}: {place!r}.",
                    "Check the file with a JSON validator.",
                )
            before = end

    def _check_tail(self, tail: bytes) -> None:
        """Check what follows the array: nothing, or the rest of the object around it."""
        if len(tail) > bounds.SAMPLE_BYTES or (not self.shape.prelude and tail.strip(_SPACE)):
            raise errors.Refused("FILE_FORMAT", "Something follows the JSON array.", "Send one array of products.")
        if self.shape.prelude and _loads(self.shape.prelude + b"]" + tail) is None:
            raise truncation.cut_off("the JSON object around the products is not closed", self.hints)
