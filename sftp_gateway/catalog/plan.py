"""What an upload's mode means for its rows: how they are checked, compared and put together (spec §7)."""

import re
from collections.abc import Collection
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from sftp_gateway.catalog.comparing import changes
from sftp_gateway.catalog.findings import Finding
from sftp_gateway.catalog.job import Corrected, Job, Lookup
from sftp_gateway.catalog.read import escaping
from sftp_gateway.catalog.read.source import Source
from sftp_gateway.errors import Refused
from sftp_gateway.upload import Mode, State

MARKER = "_correction_of"
_NO_OPERATIONS = Finding(
    "FILE_HEADER_UNKNOWN",
    "column '_op' counts in partial files only; here every row is a product that is to be there",
    "leave out what is to go, or send the file to /partial",
    value="_op",
)
_NUMBER = re.compile(r"[0-9]{1,18}(?:\.0+)?")
"""A spreadsheet or a program may make a number of it."""
_SURELY = 3
"""So many of our other columns make a correction file; one or two are ignored, as all that begin with `_`."""
_CORRECTIONS = re.compile(r"\.\d+\.corrections\.[A-Za-z]{2,5}(?:\.[A-Za-z]{2,4})?$")


class Plan(Struct, frozen=True):
    """How the rows of this upload are applied.

    `rows`: FULL (a row is the whole product) or PARTIAL (it is merged with the current one).
    `absent_goes`: products that are not in the file are removed, or withheld. `joins`: accepted rows
    of the held upload that this one corrects. `stale`: keys that changed since the rows were rejected, or
    merged with the products of then and held; None: no key did.
    """

    mode: Mode
    rows: Mode
    absent_goes: bool
    corrected: Corrected | None = None
    stale: pa.Array | None = None

    @property
    def joins(self) -> Path | None:
        """The accepted rows of the held upload that this correction completes."""
        return self.corrected.accepted if self.corrected is not None and _is_held(self.corrected) else None

    @property
    def left_out(self) -> Path | None:
        """The keys of that upload's rejected rows, as far as absent products go: those left out keep their products."""
        return self.corrected.rejected if self.corrected is not None and self.absent_goes else None

    def said(self, ours: Collection[str]) -> list[Finding]:
        """Say what of our columns (`ours`: those that the file has) means nothing in this mode."""
        return [_NO_OPERATIONS] if self.rows is Mode.FULL and "_op" in ours else []

    @property
    def sends(self) -> Mode:
        """What is sent: FULL (a whole catalog), CORRECTION (some whole products), PARTIAL (parts of products)."""
        return Mode.CORRECTION if self.is_correction and self.rows is Mode.FULL else self.rows

    @property
    def is_correction(self) -> bool:
        """Whether the file corrects an upload."""
        return self.corrected is not None


def _is_held(corrected: Corrected) -> bool:
    return corrected.state is State.HELD and corrected.accepted is not None


def of(job: Job, source: Source, lookup: Lookup) -> Plan:
    """Decide how to apply a file; Refused FILE_CORRECTION if it corrects nothing we know."""
    if source.correction_of:
        corrected = _corrected(source, lookup)
        held = _is_held(corrected)
        mode = Mode.TEST if job.mode is Mode.TEST else Mode.CORRECTION
        stale = None if held and corrected.mode is Mode.FULL else _stale(corrected)
        return Plan(mode, corrected.mode, held and corrected.mode is Mode.FULL, corrected, stale)
    mode = job.mode
    if mode is Mode.CORRECTION:
        raise Refused(
            "FILE_CORRECTION",
            f"this was sent as a correction but has no {MARKER} column",
            "send the correction file as you got it, with all of its columns",
        )
    rows = presumed(job).rows
    if rows is Mode.FULL:
        _refuse_maimed(job, source)
    return Plan(mode, rows, rows is Mode.FULL)


def presumed(job: Job) -> Plan:
    """Say what is known of a file that was not opened yet: what its rows mean if it corrects nothing."""
    rows = job.mode if job.mode in (Mode.FULL, Mode.PARTIAL) else Mode(job.settings.mode or Mode.FULL)
    return Plan(job.mode, rows, absent_goes=False)


def _refuse_maimed(job: Job, source: Source) -> None:
    """Refuse what plainly was a correction file, as a whole catalog: nearly all products would be removed."""
    ours = [name for name in escaping.OURS if name in source.headers and name != MARKER]
    if job.base is None or (len(ours) < _SURELY and not _CORRECTIONS.search(job.name)):
        return
    why = f"has the columns {', '.join(ours)} of a correction file" if ours else "has the name of a correction file"
    raise Refused(
        "FILE_CORRECTION",
        f"this file {why}, but no {MARKER} column, without which it would be the whole catalog",
        "send the correction file with all of its columns; if it is a catalog, give it another name and take them out",
    )


def _corrected(source: Source, lookup: Lookup) -> Corrected:
    number = named(source)
    corrected = lookup(number)
    if corrected is None:
        raise Refused(
            "FILE_CORRECTION",
            f"this file corrects upload {number}, which is not known here or too old",
            "send the rows as a partial file to /partial, or the whole catalog",
        )
    return corrected


def named(source: Source) -> int:
    """Read the one upload that the marker column names, looking at the whole column; Refused FILE_CORRECTION.

    Rejected rows are asked only where no other row names one: ours may stand anywhere in them.
    """
    position = source.headers.index(MARKER)
    found: set[str] = set()
    rejected: set[str] = set()
    for block in source.blocks():
        found.update(value.strip() for value in pc.unique(block.cells[position]).to_pylist())
        rejected |= block.corrects
    values = sorted(value for value in found if value) or sorted(rejected)
    if len(values) != 1 or not _NUMBER.fullmatch(values[0]):
        said = ", ".join(repr(value[:40]) for value in values[:3]) or "nothing"
        raise Refused(
            "FILE_CORRECTION",
            f"the {MARKER} column must name one upload, and it says {said}",
            "keep that column as it was in the correction file",
        )
    return int(values[0].partition(".")[0])


def _stale(corrected: Corrected) -> pa.Array | None:
    found = changes.changed_keys(corrected.changes)
    return found if len(found) else None
