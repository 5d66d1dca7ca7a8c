"""Everything found about an upload → its Outcome and receipt, with figures that add up (spec §8)."""

import time
from typing import Any

from msgspec import Struct, field

from sftp_gateway import __version__, receipt
from sftp_gateway.catalog.comparing.decide import Decision
from sftp_gateway.catalog.comparing.guard import Reason
from sftp_gateway.catalog.job import Job, Made, Outcome
from sftp_gateway.catalog.plan import Plan
from sftp_gateway.catalog.read.source import Source
from sftp_gateway.catalog.results.report import Counts
from sftp_gateway.catalog.sift import Sifted
from sftp_gateway.upload import Mode, State

IN_HOME = ("errors", "corrections", "withheld")
"""Kinds of files that the receipt lists: those a brand finds in /errors."""


class Clock(Struct):
    """Seconds per stage; reading and checking overlap, so the parts may exceed the whole."""

    begun: float = field(default_factory=time.perf_counter)
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(("read", "check", "diff", "publish"), 0.0))

    def shown(self) -> dict[str, float]:
        """Give the receipt's `seconds`."""
        total = time.perf_counter() - self.begun
        return {name: round(value, 4) for name, value in (self.seconds | {"total": total}).items()}


class Facts(Struct, frozen=True):
    """What both ends of an upload, judged or refused, are made from."""

    job: Job
    plan: Plan
    sifted: Sifted
    source: Source | None
    counts: Counts
    made: tuple[Made, ...]
    clock: Clock


def judged(facts: Facts, decision: Decision, state: State, duplicates: int, columns: tuple[str, ...]) -> Outcome:
    """Give the outcome of a file whose rows were compared: published, unchanged, held, or tested.

    `columns`: those of the version made, if one was.
    """
    job, sifted, dry = facts.job, facts.sifted, facts.plan.mode is Mode.TEST
    rows = {
        "read": sifted.read,
        "accepted": sifted.read - sifted.rejected - duplicates,
        "rejected": sifted.rejected,
        "duplicates": duplicates,
        "warned": facts.counts.warned,
        "retained": decision.difference.retained,
    }
    changed = decision.difference.changes | {"withheld": decision.withheld}
    own = _receipt(facts, rows, changed, decision.reasons, state)
    publishes = state is State.PUBLISHED and not dry
    keeps = dry or state is State.HELD or not facts.plan.absent_goes
    corrected = facts.plan.corrected.upload if facts.plan.joins is not None and facts.plan.corrected else None
    return Outcome(
        state=State.TESTED if dry else state,
        receipt=own,
        reasons=decision.reasons,
        made=facts.made,
        version=(job.base.number if job.base else 0) + 1 if publishes else None,
        products=own["products"]["after"],
        keeps_withheld=keeps,
        withheld_since=None if keeps else decision.since,
        withheld_products=0 if keeps else decision.withheld,
        mode=facts.plan.mode,
        rows=facts.plan.rows,
        corrects_held=None if dry else corrected,
        ends_with_newline=facts.source.format.ends_with_newline if facts.source else None,
        columns=columns,
    )


def stopped(facts: Facts, state: State, rows: dict[str, int], reason: Reason) -> Outcome:
    """Give the outcome of a file that was not compared: refused, unfinished, or a dry run of that."""
    dry = facts.plan.mode is Mode.TEST and state is State.REFUSED
    own = _receipt(facts, rows, {}, (reason,), state)
    return Outcome(
        state=State.TESTED if dry else state,
        receipt=own,
        reasons=(reason,),
        made=facts.made,
        products=own["products"]["after"],
        mode=facts.plan.mode,
        rows=facts.plan.rows,
    )


def _receipt(
    facts: Facts, rows: dict[str, int], changed: dict[str, int], reasons: tuple[Reason, ...], state: State
) -> dict[str, Any]:
    """Give the receipt but for what only the store knows: state, version, times."""
    job = facts.job
    before, changes = job.base.products if job.base else 0, dict.fromkeys(receipt.CHANGES, 0) | changed
    tally = facts.source.tally if facts.source is not None else None
    seen = {"blank": tally.blank, "skipped": tally.skipped} if tally is not None else {}
    own: dict[str, Any] = {
        "upload": job.upload,
        "brand": job.brand,
        "mode": str(facts.plan.mode),
        "reasons": [dict(reason) for reason in reasons],
        "file": {"name": job.path, "bytes": job.bytes, "sha256": job.sha256, **_format(facts.source)},
        "rows": dict.fromkeys(receipt.ROWS, 0) | seen | rows,
        "changes": changes,
        "products": {"before": before, "after": before + changes["created"] - changes["removed"] - changes["deleted"]},
        "findings": facts.counts.listed(),
        "files": [{"name": one.name, "bytes": one.bytes} for one in facts.made if one.kind in IN_HOME],
        "seconds": facts.clock.shown(),
        "software": __version__,
        "rules": job.schema.digest_with(job.settings),
        "source_upload": job.source_upload,
    }
    return own | ({"would_be": str(state)} if facts.plan.mode is Mode.TEST else {})


def _format(source: Source | None) -> dict[str, str | None]:
    kind = source.format if source is not None else None
    return {name: getattr(kind, name, None) for name in ("format", "encoding", "delimiter", "compression")}
