"""Is this file finished? All the ways in which a file can lie about it, and what we believe instead.

Nothing in SFTP says "the file is complete". What a server sees is a name, some WRITEs and a CLOSE,
and every one of them has been seen to lie (measured, or read in bug reports):

1.  **CLOSE lies.** Ctrl-C in OpenSSH's sftp ends a transfer in mid-file by an orderly CLOSE, and so
    does a `put` of paramiko that an exception stops. So CLOSE is a hint: the file settles, and then
    the worker's child looks whether its *content* is whole. Here it counts as `closed`, no more.
2.  **A vanished client looks like CLOSE** to the server library. The front door tells the two apart
    (sftp/seams.py); such a draft is `dropped`, and however whole its bytes look it is `unfinished`:
    the one who knew how much was to come did not say that it was all.
3.  **One CLOSE is not the last.** Parallel uploaders write one file over several handles, in several
    sessions. Only when the last handle is closed the row says `closed`; until then there is nothing
    to decide here.
4.  **The file is closed and opened again.** Some clients make an empty file first and then write it,
    or write, close, and append. So a closed file rests for `settle_seconds`, and a new handle starts
    the rest anew. Opened with truncation it loses its name to the new draft, but its bytes were
    handed over in good order: they become an upload of their own, before the later one (unless there
    are none: the empty probe is what makes this common).
5.  **The name lies.** `catalog.csv.filepart` is a promise of another name. Temporary names are never
    uploads, however quiet; the rename is the signal. One that lost even that name is worth nothing.
6.  **The size lies.** Who declares a size at OPEN and closes below it did not finish. More than was
    declared is no contradiction: the declaration was a guess at OPEN, the bytes are there.
7.  **The rest comes later.** A brand may have agreed on marker files: then the data alone is no
    upload. If the marker does not come in time, somebody has to know: `unfinished`. A later file that
    takes its name before that replaces it: the store has it `dropped` then (drafts.detach).
8.  **The companion is late.** `catalog.csv.sha256` may be still being written while the file settles:
    then the file waits for it, as for a handle of its own. What it says is compared when the file is
    claimed. A checksum that comes later still, and is right for what was claimed, says nothing of the
    next file of that name. A companion itself is never an upload.
9.  **The process dies.** What it had open was not closed by anybody: `dropped`, counted from the
    restart. What was closed is on disk with its row, and settles as if nothing had happened.
10. **Time lies.** The clock is an argument, and all that is compared are moments that this gateway
    wrote down. A clock that jumps ahead shortens a rest once; no file is lost or believed by it.

What no rule here can see, a plain CSV cut exactly at a line's end by a clean CLOSE, is left to the
catalog's guards (removals are withheld).

Everything below is a plain function of its arguments: no I/O, no clock.
"""

import enum
from datetime import datetime, timedelta

from msgspec import Struct

from sftp_gateway import settings
from sftp_gateway.store.drafts import Place


class Verdict(enum.Enum):
    """What is to be done with a draft now."""

    WAIT = "wait"
    """Nothing; look again at `Decision.due_at` (None: when something changes it)."""
    RECEIVE = "receive"
    """It is finished: claim it."""
    UNFINISHED = "unfinished"
    """It ended too early; it gets its id, is shown as unfinished and may be resumed."""
    REFUSE = "refuse"
    """It was refused while it was written, or nobody can complete it any more."""
    FORGET = "forget"
    """It never was an upload and never will be."""


class Facts(Struct, frozen=True):
    """What is known of a draft.

    `changed_at`: the last close, drop or rename. `named`: it still has a name in the view.
    `temporary`: the name is a promise of another one. `companion`: it speaks of another file.
    `known`: it has an upload id. `shown`: and is listed as unfinished now. `marker_missing`: the brand requires one and it is not
    there. `companion_open`: a companion of it is being written now.
    """

    place: Place
    changed_at: datetime
    bytes: int
    declared_bytes: int | None = None
    named: bool = True
    temporary: bool = False
    companion: bool = False
    known: bool = False
    shown: bool = False
    marker_missing: bool = False
    companion_open: bool = False


class Decision(Struct, frozen=True):
    """A verdict, when to look again, and for `UNFINISHED` what is missing."""

    verdict: Verdict
    due_at: datetime | None = None
    reason: str = ""


INCOMPLETE = "FILE_INCOMPLETE"
DROPPED = "The connection ended before the file was closed"
SHORT = "The file has fewer bytes than its sender declared"
NO_MARKER = "The marker file that says it is complete did not come"

_COMPANION_LOOK_SECONDS = 0.25


def decide(facts: Facts, rules: settings.Intake, now: datetime) -> Decision:
    """Tell what is to be done with a draft at the moment `now`."""
    if facts.place is Place.REFUSED:
        return Decision(Verdict.REFUSE)
    if facts.place not in {Place.CLOSED, Place.DROPPED}:
        return Decision(Verdict.WAIT)
    return _of_named(facts, rules, now) if facts.named else _of_nameless(facts)


def _of_named(facts: Facts, rules: settings.Intake, now: datetime) -> Decision:
    settled_at = facts.changed_at + timedelta(seconds=rules.settle_seconds)
    if facts.temporary or facts.companion:
        # Who never gets its final name, or whose file never comes, goes with the rest of the day.
        moment = facts.changed_at + timedelta(seconds=rules.abandoned_after)
        return Decision(Verdict.FORGET) if now >= moment else Decision(Verdict.WAIT, moment)
    if now < settled_at:
        return Decision(Verdict.WAIT, settled_at)
    if facts.place is Place.DROPPED:
        return _unfinished(facts, DROPPED)
    return _of_settled(facts, rules, now)


def _of_settled(facts: Facts, rules: settings.Intake, now: datetime) -> Decision:
    if facts.companion_open:
        return Decision(Verdict.WAIT, now + timedelta(seconds=_COMPANION_LOOK_SECONDS))
    if facts.declared_bytes is not None and facts.bytes < facts.declared_bytes:
        return _unfinished(facts, SHORT)
    if facts.marker_missing:
        missed_at = facts.changed_at + timedelta(seconds=rules.incomplete_after)
        return Decision(Verdict.WAIT, missed_at) if now < missed_at else _unfinished(facts, NO_MARKER)
    return Decision(Verdict.RECEIVE)


def _of_nameless(facts: Facts) -> Decision:
    # A later file has its name: nothing more can come, so there is nothing to rest for.
    if facts.place is Place.CLOSED and facts.bytes and not facts.temporary and not facts.companion:
        short = facts.declared_bytes is not None and facts.bytes < facts.declared_bytes
        if not short:
            return Decision(Verdict.RECEIVE)
    return Decision(Verdict.REFUSE if facts.known else Verdict.FORGET, reason="A later file of the same name came")


def _unfinished(facts: Facts, reason: str) -> Decision:
    """Once it is shown, the sweep of the unfinished (sweep.py) has it; until then it gets its id."""
    return Decision(Verdict.WAIT, reason=reason) if facts.shown else Decision(Verdict.UNFINISHED, reason=reason)
