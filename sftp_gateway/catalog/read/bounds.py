"""The limits of reading: what a file may cost before it is refused or a row is given up (spec §4)."""

BLOCK_BYTES = 6 * 1024**2
"""Read at a time. Measured on 1 M rows: 4 MiB cost 8 % more time, 8 MiB 80 MiB more memory and save nothing."""

JSON_BYTES = 4 * 1024**2
"""Of JSON at a time, at most: where every byte is a bracket, each costs dozens of bytes of memory."""

SAMPLE_BYTES = 1024**2
"""What dialect and header are found out from."""

SAMPLE_RECORDS = 1000
WHOLE_RECORDS = 20_000
"""Looked through for tables where the sample is the whole file."""

PREAMBLE_RECORDS = 10
LOOKED_RECORDS = 100
"""So many title lines are looked behind for somebody who only looks at a file."""
FOOTER_RECORDS = 10

QUOTE_BYTES = 1024**2
"""A quote that does not close within this, or within QUOTE_LINES, was never meant to open."""
QUOTE_LINES = 2000

RECORD_BYTES = 4 * 1024**2
"""A longer record is rejected (ROW_TOO_LARGE)."""

MAX_COLUMNS = 4096

NEAR_RECORDS = 500
"""A block may end so many records early, where no record is judged by the ones around it."""

RAGGED_RECORDS = 200
"""So many of a block are told one by one; where more are ragged, those that are plain are told at once."""

NESTING = 32
"""Depth of JSON."""

RATIO = 200
RATIO_AFTER_BYTES = 10 * 1024**2
"""A decompressed byte count over RATIO times the compressed one is a bomb, once past this many bytes."""

SHEET_CELLS = 4_000_000
"""Cells of the rectangle that a sheet spans: a workbook is held in memory as a whole."""
SHEET_BYTES = 1024**3
"""Unpacked bytes of a workbook."""

SHEET_TEXT_BYTES = 256 * 1024**2
"""Bytes of a sheet's texts once each cell has its own copy."""

END_MARKS = b"\x1a\x0c\0"
"""What DOS, dBase and AS/400 put behind the last line of a file: Ctrl-Z, a form feed, zeros."""


def is_end_mark(record: bytes) -> bool:
    """Whether a last record is no row but says that the file ends."""
    return record[:1] in (b"\x1a", b"\x0c", b"\0") and not record.strip(END_MARKS + b" \t")
