"""The file that a correction goes back to: its encoding and format, and how its columns write numbers and dates.

A correction holds a few rows, too few to tell by. And which columns it has: those that a correction lacks are left
alone. Serves run.
"""

from msgspec.structs import replace

from sftp_gateway.catalog.checking import check, headers
from sftp_gateway.catalog.folding import fold
from sftp_gateway.catalog.job import Corrected, Job, Lookup
from sftp_gateway.catalog.plan import Plan, named
from sftp_gateway.catalog.read import opening
from sftp_gateway.catalog.read.csv.delimited import DelimitedSource
from sftp_gateway.catalog.read.source import Hints, Source
from sftp_gateway.errors import Incomplete, Refused
from sftp_gateway.upload import Mode

LONGEST_CHAIN = 20


def reopened(source: Source, job: Job, plan: Plan, lookup: Lookup, hints: Hints) -> Source:
    """Give a correction read in the encoding of its original where its own is a guess, and any other file as it is.

    Not where that was sound Unicode: its correction would be, too, and was saved in another encoding since.
    """
    if not any(finding.code == "FILE_ENCODING_GUESSED" for finding in source.findings):
        return source
    first = _find(plan.corrected, lookup, hints)
    if not isinstance(first, DelimitedSource) or first.encoding.is_sound:
        return source
    return opening.open_source(job.source, replace(hints, encoding=first.encoding.name))


def completed(found: check.Evidence, job: Job, plan: Plan, lookup: Lookup, hints: Hints) -> check.Evidence:
    """Give what a file tells of its columns; of a correction, what its original tells comes first."""
    first = _find(plan.corrected, lookup, hints)
    if first is None:
        return found
    try:
        mapping = headers.match(first.headers, job.schema, job.settings, Mode.CORRECTION)
        before = check.survey(first, mapping, job.schema, job.settings, numbers=True)
    except (Refused, Incomplete):
        return found
    return before.before(found)


def left_out(mapping: headers.Mapping, job: Job, plan: Plan, lookup: Lookup, hints: Hints) -> frozenset[str]:
    """Name the columns of its original that a correction lacks: they are left alone in its products.

    A person takes away what needs no mending; a row of a full file, without them, would empty them.
    """
    if plan.rows is not Mode.FULL or plan.corrected is None:
        return frozenset()
    first = _find(plan.corrected, lookup, replace(hints, presume=True))
    try:
        before = headers.match(first.headers, job.schema, job.settings, Mode.CORRECTION) if first else mapping
    except Refused:
        return frozenset()
    lost = {one.name for one in job.schema.columns if before.filled_by(one.name) and not mapping.filled_by(one.name)}
    present = {fold(name) for name in mapping.kept}
    return frozenset(lost | {name for name in before.kept if fold(name) not in present})


def _find(corrected: Corrected | None, lookup: Lookup, hints: Hints) -> Source | None:
    """Open the file at the start of a chain of corrections; None where its bytes are kept no more."""
    known = corrected
    for _ in range(LONGEST_CHAIN):
        source = _sent(known, hints)
        if source is None or not source.correction_of:
            return source
        try:
            known = lookup(named(source))
        except (Refused, Incomplete):
            return None
    return None


def _sent(corrected: Corrected | None, hints: Hints) -> Source | None:
    """Open the file that a correction corrects; None where its bytes are kept no more."""
    if corrected is None or corrected.sent is None:
        return None
    try:
        return opening.open_source(corrected.sent, replace(hints, complete=True))
    except (Refused, Incomplete):
        return None
