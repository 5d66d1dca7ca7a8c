"""The cells of a record whose quotes are damaged, if one reading only is possible: which quote opens, which one closes."""

from sftp_gateway.catalog.read.csv.dialect import Dialect

_MOST_PARTS = 32
"""Into so many cells a text is cut whose quotes are looked for: a record may have millions."""


def readings(record: bytes, dialect: Dialect, width: int) -> tuple[bytes, ...] | None:
    r"""Give the cells of a damaged record if exactly one reading gives `width` cells, else None.

    Quotes inside a plain cell are literal; inside a quoted one, a quote that does not stand before a
    delimiter or the end is. Closing at every chance gives the most cells, so a reading of the
    right width that does so is the only one; the variants are `\\"` and a quote doubled at the end.
    """
    escaped = b"\\" + dialect.sign in record
    found: set[tuple[bytes, ...]] = set()
    doubled = dialect.sign * 2 in record
    for backslash in (True, False) if escaped else (False,):
        for even_closes in (False, True)[: 1 + doubled]:
            cells = _read(record, dialect, backslash, even_closes)
            if cells is not None and len(cells) == width:
                found.add(tuple(cells))
        if found:
            break
    return found.pop() if len(found) == 1 else None


def lenient(record: bytes, dialect: Dialect) -> list[bytes] | None:
    """Give the cells of a damaged line, read so that most of them come out; None if a quote does not close."""
    return _read(record, dialect, backslash=False, even_closes=False)


def _read(record: bytes, dialect: Dialect, backslash: bool, even_closes: bool) -> list[bytes] | None:
    delimiter, quote = dialect.mark, dialect.sign
    cells: list[bytes] = []
    plain: list[bytes] = []
    sent: list[bytes] = []
    position, size = 0, len(record)
    while True:
        begin = opening = position
        while opening < size and record[opening] == 0x20:
            opening += 1
        if record[opening : opening + 1] == quote:
            closed = _close(record, opening + 1, dialect, backslash, even_closes)
            if closed is None:
                return None
            content, position = closed
            if _names_twice(content, quote, delimiter) or _begins_another(content, quote, delimiter):
                return None
            cells.append(_unescape(content, quote, backslash))
        else:
            end = record.find(delimiter, position)
            end = size if end < 0 else end
            cell = record[position:end]
            if b"\n" in cell or b"\r" in cell:
                return None
            cells.append(_unescape_plain(cell, quote) if backslash else cell)
            plain.append(cell)
            position = end
        sent.append(record[begin:position])
        if position >= size:
            lost = _lost_opening(plain, len(cells), quote) or _lost_delimiter(sent, plain, quote)
            return None if lost else cells
        position += 1


def _lost_opening(plain: list[bytes], count: int, quote: bytes) -> bool:
    """Whether the only cell that is not quoted ends with a quote, which may have had one before it."""
    return len(plain) == 1 and count > 1 and plain[0].endswith(quote)


def _lost_delimiter(sent: list[bytes], plain: list[bytes], quote: bytes) -> bool:
    """Whether a quote opens behind and right before other text and closes a later cell: `red"Toys, ""big"" Games"`."""
    first = next((cell for cell in plain if quote in cell), b"")
    before, _, after = first.partition(quote)
    if not before.strip() or not after[:1].strip():
        return False
    place = sent.index(first) + 1
    for cell in sent[place : place + _MOST_PARTS]:
        after += b" " + cell
        inner = after.replace(quote * 2, b"")
        if inner.endswith(quote) and inner.count(quote) == 1:
            return True
    return False


def _begins_another(content: bytes, quote: bytes, delimiter: bytes) -> bool:
    """Whether a quoted cell begins inside one, as where the quote that closes it was lost: `red,"says ""hi""`."""
    if content.startswith(delimiter) and (b"\n" in content or b"\r" in content):
        return True  # a quote alone between two delimiters opens no cell over lines
    place = content.find(delimiter + quote)
    while place >= 0:
        start = place + len(delimiter)
        bare = content[start:].lstrip(quote)
        if (len(content) - start - len(bare)) % 2 and bare:
            return True
        place = content.find(delimiter + quote, start)
    return False


def _names_twice(content: bytes, quote: bytes, delimiter: bytes) -> bool:
    """Whether a cell like `"A" and "B"` may as well be text that begins and ends with a quoted word."""
    parts = content.split(quote)
    if len(parts) < 3 or len(parts) % 2 == 0 or delimiter in content or b"\n" in content or b"\r" in content:
        return False
    return parts[0][-1:].strip() != b"" and parts[1][:1] == b" " and parts[-2][-1:] == b" " and parts[-1][:1] != b" "


def _close(record: bytes, start: int, dialect: Dialect, backslash: bool, even_closes: bool) -> tuple[bytes, int] | None:
    """Find the quote that closes a cell whose content begins at `start`: (content, position behind it)."""
    quote, size, at = dialect.sign, len(record), start
    while (first := record.find(quote, at)) >= 0:
        if backslash and first > start and record[first - 1] == 0x5C:
            at = first + 1
            continue
        last = first
        while record[last + 1 : last + 2] == quote:
            last += 1
        after = last + 1
        while after < size and record[after] == 0x20:
            after += 1
        closes = (last - first) % 2 == 0 or even_closes
        if closes and (after == size or record[after] == dialect.delimiter_byte):
            return record[start:last], after
        at = last + 1
    return None


def _unescape_plain(cell: bytes, quote: bytes) -> bytes:
    """Take the backslashes from the quotes of a cell that is not quoted, if all of them have one."""
    escaped = b"\\" + quote
    return cell.replace(escaped, quote) if cell.count(escaped) == cell.count(quote) else cell


def _unescape(content: bytes, quote: bytes, backslash: bool) -> bytes:
    parts = content.split(b"\\" + quote) if backslash else [content]
    return quote.join(part.replace(quote * 2, quote) for part in parts)
