"""CSV and its kin as a `Source`: blocks of about 6 MiB, cut where a record ends, each told apart exactly."""

from collections.abc import Iterator, Sequence

import numpy as np
from msgspec.structs import replace

from sftp_gateway import errors
from sftp_gateway.catalog.read import bounds, escaping
from sftp_gateway.catalog.read.csv import careful, doubt, records, returned, rows, sniff, tail, width
from sftp_gateway.catalog.read.csv.careful import Text
from sftp_gateway.catalog.read.csv.dialect import Dialect
from sftp_gateway.catalog.read.csv.profile import Profile
from sftp_gateway.catalog.read.csv.rewriting import Rewriting
from sftp_gateway.catalog.read.csv.sampling import Record
from sftp_gateway.catalog.read.csv.stretch import Place, Stretch
from sftp_gateway.catalog.read.packing import truncation, unpack
from sftp_gateway.catalog.read.packing.unpack import Packed, Readable
from sftp_gateway.catalog.read.rejects import Reject
from sftp_gateway.catalog.read.source import Block, Format, Hints, Sieve, Source, Tally
from sftp_gateway.catalog.read.text import encoding, presumed
from sftp_gateway.catalog.read.text.encoding import Encoding, Recoded


class DelimitedSource(Source, kw_only=True):
    """A delimited text file whose dialect and header are known."""

    packed: Packed
    encoding: Encoding
    dialect: Dialect
    header: tuple[bytes, ...]
    """The records of the header in UTF-8."""
    before: Place
    """Where the records after the header begin; its offset counts the BOM."""
    above: Tally
    """What stands before those."""
    rewriting: Rewriting
    profile: Profile

    def blocks(self, sieve: Sieve | None = None) -> Iterator[Block]:
        """Read the records; Incomplete where the file ends inside quotes or in a short last row.

        With a sieve, those whose rows are known are told of, not read.
        """
        self.tally = replace(self.above, late=[])
        with self.packed.open() as file:
            unpack.skip(file, self.before.offset)
            blocks = _Reading(self, file, sieve).blocks()
            yield from self._returned(blocks) if self.correction_of else blocks
        if self.tally.readable + self.tally.rejected == 0:
            raise errors.Refused("FILE_EMPTY", "The file has a header but no rows.", "Send a file with products.")

    def _returned(self, blocks: Iterator[Block]) -> Iterator[Block]:
        layout = returned.Layout(self.headers)
        for block in blocks:
            yield returned.block(escaping.unescaped(block), layout, self.tally)


def open_delimited(packed: Packed, encoded: Encoding, hints: Hints) -> DelimitedSource:
    """Find dialect, title lines and header of a text; Refused FILE_DELIMITER, FILE_HEADER_COLUMNS, FILE_EMPTY."""
    with packed.open() as file:
        unpack.skip(file, encoded.bom)
        raw = unpack.fill(file, bounds.SAMPLE_BYTES)
    whole = encoded.bom + len(raw) >= encoded.total_bytes
    sample, _ = encoding.recode(raw, encoded, final=whole)
    text = sample.text if whole else sample.text[: _last_line(sample.text)]
    if not text.strip():
        raise errors.Refused("FILE_EMPTY", "The file is empty.", "Send a file with a header and products.")
    found = sniff.layout(text, hints, whole=whole)
    sample = found.rewriting.recoded(sample)
    headers = width.settle(found, hints, whole=whole)
    if len(headers) > bounds.MAX_COLUMNS and not hints.lenient:
        raise unpack.too_wide()
    return _source(packed, encoded, sample, found, headers)


def _source(
    packed: Packed, encoded: Encoding, sample: Recoded, found: sniff.Layout, headers: tuple[str, ...]
) -> DelimitedSource:
    head, way = found.heading, found.rewriting
    first = found.records[head.first]
    begin = found.records[head.last].stop if head.last >= 0 else 0
    ends = records.split(Text(sample.text[:begin], found.dialect, 0, final=True)).line_ends
    start, end, stop = (int(place) for place in sample.raw_positions(encoding.positions(first.start, first.end, begin)))
    before = Place(head.last + 1, len(ends), encoded.bom + stop)
    above = _above(found.records[: head.first], sample, before.offset)
    as_sent = head.first == head.last and len(headers) == len(first.cells) and not (way.reshapes or way.formulas)
    header = [sample.text[record.start : record.end] for record in found.records[head.first : head.last + 1]]
    return DelimitedSource(
        packed=packed,
        encoding=encoded,
        dialect=found.dialect,
        format=Format(
            "csv",
            packed.compression,
            encoded.name,
            None if way.printed else way.delimiter or found.dialect.delimiter,
            found.dialect.quote,
            ends_with_newline=None if packed.compression else encoded.ends_with_newline,
        ),
        headers=escaping.own_headers(escaping.our_names(way.names(headers))),
        header_raw=sample.raw[start:end] if as_sent else b"",
        findings=(*encoded.findings, *way.said(), *head.said(_titles(found, above.skipped))),
        tally=Tally(total_bytes=encoded.total_bytes),
        header=tuple(header),
        before=before,
        above=replace(above, total_bytes=encoded.total_bytes),
        bom=encoded.mark,
        line_end=sample.text[first.end : first.stop].decode() or "\n",
        rewriting=way,
        profile=Profile(found.records[head.last + 1 :], len(headers)),
    )


def _above(records: Sequence[Record], sample: Recoded, size: int) -> Tally:
    """Count what stands above the header: titles, and blank lines; `size`: the bytes of all that, and of the header."""
    blank = [record for record in records if record.blank]
    places = encoding.positions(*(place for record in blank for place in (record.start, record.stop)))
    blank_bytes = int(np.diff(sample.raw_positions(places))[::2].sum())
    return Tally(
        blank=len(blank), skipped=len(records) - len(blank), blank_bytes=blank_bytes, skipped_bytes=size - blank_bytes
    )


def _titles(found: sniff.Layout, titles: int) -> str:
    if not titles:
        return ""
    named = ", ".join(found.heading.above) or found.records[0].cells[0].decode(errors="replace")
    what = f"line{'s' * (titles > 1)}" + ", a smaller table," * bool(found.heading.above)
    return f"{titles} {what} above the header skipped ({named[:80]})."


def _last_line(text: bytes) -> int:
    return max(text.rfind(b"\n"), text.rfind(b"\r")) + 1 or len(text)


class _Reading:
    def __init__(self, source: DelimitedSource, file: Readable, sieve: Sieve | None) -> None:
        self.source, self.file, self.sieve = source, file, sieve
        self.place = replace(source.before)
        named = [place for place, name in enumerate(source.headers, 1) if name.strip()]
        self.spare = len(source.headers) - max(named, default=0)
        self.carry = b""
        self.watch = presumed.Watch(source.packed, source.encoding)
        self.other = tail.Other()
        self.oversize = 0
        """Bytes so far of a line beyond the limit."""
        self.oversize_raw = b""
        self.oversize_cells: tuple[str, ...] = ()

    def blocks(self) -> Iterator[Block]:
        """Give the blocks; a short last stretch is read with the one before, so that a footer is seen whole."""
        ahead = unpack.fill(self.file, bounds.BLOCK_BYTES)
        final = False
        while not final:
            raw, ahead = ahead, unpack.fill(self.file, bounds.BLOCK_BYTES)
            if len(ahead) < bounds.BLOCK_BYTES // 16:
                raw, ahead = raw + ahead, b""
            final = not ahead
            self.source.encoding = self.watch.look(raw, final=final)
            yield from self._blocks(self.carry + raw if self.carry else raw, final=final)

    def _blocks(self, raw: bytes, *, final: bool) -> Iterator[Block]:
        source = self.source
        recoded, cut_character = self._recode(raw, final=final)
        if self.oversize:
            closed = self._drop(recoded, final=final)
            if closed is None:
                self.carry = cut_character
                return
            block, rest = closed
            yield source.rewriting.block(block)
            raw = rest + cut_character
            recoded, cut_character = self._recode(raw, final=final)
        if not raw:
            return
        text = Text(recoded.text, source.dialect, len(source.headers), final=final)
        found = records.split(text)
        if not final:
            found = found.parted(text)
        self.carry = raw
        if len(found.start):
            yield self._told(text, recoded, found)
            self.carry += cut_character
        elif len(recoded.text) > bounds.RECORD_BYTES:
            self._drop(recoded, final=False)
            self.carry = cut_character

    def _recode(self, raw: bytes, *, final: bool) -> tuple[Recoded, bytes]:
        recoded, rest = encoding.recode(raw, self.source.encoding, final=final)
        return self.source.rewriting.recoded(recoded), rest

    def _told(self, text: Text, recoded: Recoded, found: records.Records) -> Block:
        stretch = Stretch(
            text,
            recoded,
            found,
            self.place,
            self.source.header,
            spare=self.spare,
            profile=self.source.profile,
            hints=self.source.packed.hints,
            clean=self.source.encoding.clean,
            layout=returned.Layout(self.source.headers) if self.source.correction_of else None,
            sieve=self.sieve,
        )
        block = rows.block(stretch, self.source.tally, self.other, final=text.final)
        self._check_end(text, found)
        cut = encoding.positions(found.cut)
        used = int(recoded.raw_positions(cut)[0])
        self.carry = recoded.raw[used:]
        self._go_on(len(stretch.records.start), int(found.lines_before(cut)[0]), used)
        return self.source.rewriting.block(block)

    def _go_on(self, row: int, line: int, offset: int) -> None:
        self.place = Place(self.place.row + row, self.place.line + line, self.place.offset + offset)

    def _drop(self, recoded: Recoded, *, final: bool) -> tuple[Block, bytes] | None:
        """Leave out a line beyond the limit; at its end gives the block that rejects it, and what follows it."""
        end = careful.LINE_END.search(recoded.text)
        if end is None and not final:
            if not self.oversize:
                cells = doubt.before_damage(recoded.text, self.source.dialect, self.source.profile)
                self.oversize_cells = tuple(cell.decode(errors="replace") for cell in cells[: bounds.MAX_COLUMNS])
                self.oversize_raw = recoded.raw[: bounds.RECORD_BYTES]
            self.oversize += len(recoded.raw)
            return None
        places = encoding.positions(*(end.span() if end else (len(recoded.text),) * 2))
        before, stop = (int(place) for place in recoded.raw_positions(places))
        finding = replace(
            rows.too_large(self.oversize + before),
            row=self.place.row + 1,
            line=self.place.line + 1,
            byte_offset=self.place.offset,
        )
        size = self.oversize + stop
        tally = self.source.tally
        tally.rejected += 1
        tally.rejected_bytes += size
        block = rows.only(Reject(finding, self.oversize_raw, self.oversize_cells), len(self.source.headers))
        self._go_on(1, 1, size)
        self.oversize, self.oversize_raw = 0, b""
        return block, recoded.raw[stop:]

    def _check_end(self, text: Text, found: records.Records) -> None:
        hints = self.source.packed.hints
        last = len(found.start) - 1
        if not text.final or hints.complete:
            return
        if bounds.is_end_mark(text.data[int(found.start[last]) : int(found.end[last])]):
            return
        if hints.must_end_with_newline and self.source.format.ends_with_newline is False:
            raise truncation.cut_off("it ends without the newline that this brand's files end with", hints)
        if last in found.odd and found.odd[last].open:
            raise truncation.cut_off("it ends inside a quoted cell", hints)
        if found.end[last] == found.stop[last] and not self._has_all_columns(text, found, last):
            raise truncation.cut_off("its last row has not all columns", hints)

    def _has_all_columns(self, text: Text, found: records.Records, last: int) -> bool:
        if last in found.odd and not self.other.width:
            return found.odd[last].code == "ROW_QUOTE_REPAIRED"
        record = text.data[int(found.start[last]) : int(found.end[last])]
        return len(text.dialect.cells(record) or ()) >= (self.other.width or text.width - self.spare)
