"""The records of a JSON text, block by block: the lines of JSON Lines, or the elements of an array; nothing is parsed here."""

import re
from collections.abc import Iterator

import numpy as np
import orjson
from msgspec import Struct

from sftp_gateway import errors
from sftp_gateway.catalog.read import bounds
from sftp_gateway.catalog.read.json import elements, jsonlists, jsonnodes, torn
from sftp_gateway.catalog.read.packing import truncation, unpack
from sftp_gateway.catalog.read.packing.unpack import Packed, Readable
from sftp_gateway.catalog.read.source import Hints, Tally
from sftp_gateway.catalog.read.text import encoding
from sftp_gateway.catalog.read.text.encoding import Encoding, Positions, Recoded

SPACE = b" \t\r\n"
_SCALAR = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|(\\?\Z))|-?\d[\d.eE+-]*+|true|false|null', re.DOTALL)
_PRODUCT_BYTES = 4 * bounds.RECORD_BYTES


class Shape(Struct, frozen=True):
    """`lines`, or an array whose first element comes `skip` bytes of text (`skip_raw` of the source) on.

    `loose`: no array holds the products, they stand one behind the other. `deep`: the name of the array, where it is in an
    object of an object, or only what it holds says that it is the one.
    `nodes`: each element is the edge of a product. `returns`: lines end at CR alone. `torn`: elements are told by `torn.find`.
    """

    lines: bool
    skip: int = 0
    skip_raw: int = 0
    prelude: bytes = b""
    loose: bool = False
    deep: bytes = b""
    nodes: bool = False
    returns: bool = False
    torn: bool = False


class ElementsTorn(Exception):
    """Quotes and brackets of a whole array do not tell its elements; `why` is what else would be said of the file."""

    def __init__(self, why: errors.Refused) -> None:
        super().__init__(str(why))
        self.why = why


class Stretch(Struct):
    """Records [start, end) of a stretch of text; the next begins at `stop`."""

    recoded: Recoded
    spans: list[tuple[int, int]]
    stops: list[int]
    offset: int
    line: int
    row: int


def loads(text: bytes) -> object:
    """Parse a JSON text; None if it is none."""
    try:
        return orjson.loads(text)
    except ValueError:
        return None


def stretches(packed: Packed, encoded: Encoding, shape: Shape, tally: Tally) -> Iterator[Stretch]:
    """Give the records of a file; counts in `tally` what follows an array. Incomplete, FILE_FORMAT, FILE_BOMB or ElementsTorn on the way."""
    with packed.open() as file:
        unpack.skip(file, encoded.bom + shape.skip_raw)
        reading = _Reading(packed.hints, encoded, shape, file, tally)
        yield from reading.lines() if shape.lines else reading.array()


def _line_ends(text: bytes, *, returns: bool, final: bool) -> Positions:
    """Where lines end, at LF, or (`returns`) at CR, LF or both; whether LF follows the CR at the end of a text is not known yet."""
    codes = np.frombuffer(text, np.uint8)
    ends = codes == 10
    if returns:
        alone = codes == 13
        alone[:-1] &= codes[1:] != 10
        alone[-1:] &= final
        ends |= alone
    return np.flatnonzero(ends) + 1


def _with_scalars(text: bytes, spans: list[tuple[int, int]], until: int | None) -> list[tuple[int, int]]:
    """Add the elements of an array that are no objects: each is a record that cannot be used, not the end of the others."""
    found = []
    before = 0
    for start, end in [*spans, *([(until, until)] if until is not None else [])]:
        # A text without an end is no element: it is only passed over, so that it is not looked through again.
        found += [scalar.span() for scalar in _SCALAR.finditer(text, before, start) if scalar[1] is None]
        found.append((start, end))
        before = end
    return found[:-1] if until is not None else found


class _Reading:
    def __init__(self, hints: Hints, encoded: Encoding, shape: Shape, file: Readable, tally: Tally) -> None:
        self.hints, self.encoded, self.shape, self.file, self.tally = hints, encoded, shape, file, tally
        self.offset = encoded.bom + shape.skip_raw
        self.line = shape.prelude.count(b"\n")
        self.row = 0
        self.carry = b""

    def _texts(self) -> Iterator[tuple[Recoded, bool]]:
        """Stretches of text with what was left over of the one before; (text, whether the file ends)."""
        size = min(bounds.BLOCK_BYTES, bounds.JSON_BYTES, *[torn.STRETCH_BYTES] * self.shape.torn)
        ahead = unpack.fill(self.file, size)
        while True:
            # Each look at a torn product begins anew.
            more = (
                min(2 * len(self.carry), bounds.RECORD_BYTES - len(self.carry) - len(ahead)) if self.shape.torn else 0
            )
            raw, ahead = self.carry + ahead, unpack.fill(self.file, max(size, more))
            recoded, rest = encoding.recode(raw, self.encoded, final=not ahead)
            self.carry = b""
            yield recoded, not ahead
            self.carry += rest
            if not ahead:
                return

    def _stretch(self, recoded: Recoded, spans: list[tuple[int, int]], stops: list[int]) -> Stretch:
        """Take the records out of a text and leave what follows them for the next."""
        products = [jsonnodes.inside(recoded.text, *span) for span in spans] if self.shape.nodes else spans
        stretch = Stretch(recoded, products, stops, self.offset, self.line, self.row)
        cut = stops[-1] if stops else 0
        used = int(recoded.raw_anywhere(encoding.positions(cut))[0])
        self.row += len(spans)
        self.offset += used
        self.line += recoded.text.count(b"\n", 0, cut)
        self.carry = recoded.raw[used:]
        return stretch

    def lines(self) -> Iterator[Stretch]:
        """Give the records of JSON Lines: a broken last line without its end is a file cut off."""
        for recoded, final in self._texts():
            text = recoded.text
            stops = _line_ends(text, returns=self.shape.returns, final=final).tolist()
            last = stops[-1] if stops else 0
            if final and last < len(text):
                if not bounds.is_end_mark(text[last:]) and not isinstance(loads(text[last:]), dict):
                    raise truncation.cut_off("its last line is no whole JSON object", self.hints)
                stops.append(len(text))
            elif len(text) - last > _PRODUCT_BYTES:
                raise errors.Refused("FILE_FORMAT", f"Row {self.row + len(stops) + 1} is too large.", "Split it.")
            spans = []
            start = 0
            for stop in stops:
                stripped = text[start:stop].strip(SPACE + bounds.END_MARKS * (final and stop == len(text)))
                begin = start + text[start:stop].find(stripped[:1]) if stripped else start
                spans.append((begin, begin + len(stripped)))
                start = stop
            yield self._stretch(recoded, spans, stops)

    def array(self) -> Iterator[Stretch]:
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
            found = torn.find(text, final=final) if self.shape.torn else elements.find(text)
            spans = list(zip(found.start.tolist(), found.end.tolist(), strict=True))
            closed = found.closed >= 0
            until = found.closed - 1 if closed else None
            why = self._broken(text, spans, first=first, until=until)
            if why and (spans or not first):
                spans = _with_scalars(text, spans, until)
                why = self._broken(text, spans, first=first, until=until)
            if why:
                raise ElementsTorn(why)
            first = first and not spans
            if closed:
                tail = text[found.closed :]
                yield self._stretch(recoded, spans, [end for _, end in spans])
                self.tally.skipped_bytes += len(self.carry)
                self.carry = b""
                continue
            unfinished = len(text) - (spans[-1][1] if spans else 0)
            most = bounds.RECORD_BYTES if self.shape.torn else _PRODUCT_BYTES
            if unfinished > most:
                why = unpack.bomb(f"product {self.row + len(spans) + 1} does not end within {most:,} bytes")
                raise ElementsTorn(why)
            if final and not self._may_end(text[len(text) - unfinished :]):
                raise self._cut_off("its JSON array is not closed", text)
            yield self._stretch(recoded, spans, [end for _, end in spans])
        self.tally.skipped_bytes += len(self.carry)
        self._check_tail(tail)

    def _may_end(self, rest: bytes) -> bool:
        """Whether products may end so without the end of an array: there is none, and nothing has begun."""
        return self.shape.loose and rest.strip(SPACE + bounds.END_MARKS) in {b"", b","}

    def _cut_off(self, what: str, text: bytes) -> Exception:
        """Say that the file stops in the middle, unless it ends as a whole one: then its elements may be torn."""
        why = truncation.cut_off(what, self.hints)
        ends_whole = text.rstrip(SPACE + bounds.END_MARKS).endswith(b"}" if self.shape.prelude else b"]")
        return ElementsTorn(why) if ends_whole else why

    def _broken(
        self, text: bytes, spans: list[tuple[int, int]], *, first: bool, until: int | None
    ) -> errors.Refused | None:
        """Tell what stands between products and, up to `until`, behind them, but for commas, which may end an array, too."""
        before = 0
        for number, (start, end) in enumerate(spans):
            begins = first and number == 0
            gap = text[before:start].strip(SPACE)
            if gap != b"," * (not begins) and not (self.shape.loose and gap in {b"", b","}):
                return self._between(number, gap or b"no comma")
            before = end
        if until is None:
            return None
        if self.shape.loose:
            return _follows()
        if (gap := text[before:until].strip(SPACE)) and (gap != b"," or (first and not spans)):
            return self._between(len(spans), gap)
        return None

    def _between(self, number: int, gap: bytes) -> errors.Refused:
        return errors.Refused(
            "FILE_FORMAT",
            f"The JSON array is broken before product {self.row + number + 1}: {gap[:40].decode(errors='replace')!r}.",
            "Check the file with a JSON validator.",
        )

    def _check_tail(self, tail: bytes) -> None:
        """Check what follows the array: nothing, or the rest of the object around it."""
        if len(tail) > bounds.SAMPLE_BYTES or (not self.shape.prelude and tail.strip(SPACE + bounds.END_MARKS)):
            raise ElementsTorn(_follows())
        if self.shape.deep and jsonlists.has_another(tail, self.shape.deep, self.hints):
            raise errors.Refused(
                "FILE_FORMAT", "The JSON file has several lists of products.", 'Send one: {"products": […]}.'
            )
        if self.shape.deep:
            jsonnodes.check_whole(self.shape.prelude + tail)
        around = (self.shape.prelude + b"]" + tail).rstrip(SPACE + bounds.END_MARKS)
        if self.shape.prelude and loads(around) is None:
            ends = elements.find(around).end.tolist()
            if not ends:
                raise self._cut_off("the JSON object around the products is not closed", tail)
            raise ElementsTorn(_follows() if ends[0] < len(around) else _broken_around())


def _broken_around() -> errors.Refused:
    what = "The JSON object around the products is broken."
    return errors.Refused("FILE_FORMAT", what, "Check the file with a JSON validator.")


def _follows() -> errors.Refused:
    return errors.Refused("FILE_FORMAT", "Something follows the JSON array.", "Send one array of products.")
