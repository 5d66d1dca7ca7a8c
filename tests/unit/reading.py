"""What reader tests share: bytes in, rows and rejects out, with the promise on bytes checked every time."""

from dataclasses import dataclass, field
from pathlib import Path

from sftp_gateway.catalog.findings import Finding
from sftp_gateway.catalog.read.opening import open_source
from sftp_gateway.catalog.read.rejects import Reject
from sftp_gateway.catalog.read.source import Hints, Source

KNOWN = frozenset({"sku", "name", "msrp", "cost", "description", "color", "size", "variation", "correctionof", "row"})


@dataclass
class Read:
    source: Source
    rows: list[tuple[str, ...]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    raws: list[bytes] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)

    @property
    def codes(self) -> list[str]:
        return [item.finding.code for item in self.rejects]


def read(folder: Path, data: bytes, *, name: str = "file", **hints) -> Read:
    """Read bytes as a file, checking that counted bytes and offsets fit them (for text formats)."""
    path = folder / name
    path.unlink(missing_ok=True)  # ext4 has a file that is cut to nothing and written anew on disk at its close: 3 ms
    path.write_bytes(data)
    hints.setdefault("known_headers", KNOWN)
    result = Read(open_source(path, Hints(**hints)))
    for block in result.source.blocks():
        columns = [column.to_pylist() for column in block.cells]
        result.rows += zip(*columns, strict=True) if columns else [()] * len(block)
        result.numbers += block.row.tolist()
        result.raws += [block.raw(index) for index in range(len(block))]
        if block.line is not None:
            result.lines += block.line.tolist()
        rejects = list(block.rejects)
        result.rejects += rejects
        for place in range(min(len(columns), 3)):
            told = [[*item.cells[: item.sure], *[""] * (place + 1)][place] for item in rejects]
            assert block.rejects.column(place).to_pylist() == told
        result.notes += block.notes
    tally = result.source.tally
    assert tally.readable == len(result.rows)
    assert tally.rejected == len(result.rejects)
    counted = tally.readable_bytes + tally.rejected_bytes + tally.blank_bytes + tally.skipped_bytes
    assert counted == tally.total_bytes
    return result
