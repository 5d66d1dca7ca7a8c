"""The result of an upload in plain words: what pages, mails and terminals tell people. Pure.

Every text is made from a receipt (spec §8) alone, so it says the same everywhere.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from sftp_gateway.upload import NAME_OLDER, State


class Label(Struct, frozen=True):
    """A state for people: `tone` is good, wait, bad or quiet; `icon` names a drawing of the page."""

    text: str
    tone: str
    icon: str


LABELS: dict[State, Label] = {
    State.RECEIVING: Label("Arriving", "quiet", "clock"),
    State.UNFINISHED: Label("Incomplete", "wait", "cut"),
    State.RECEIVED: Label("Waiting", "quiet", "clock"),
    State.PROCESSING: Label("Checking", "quiet", "turn"),
    State.PUBLISHED: Label("Live", "good", "check"),
    State.TESTED: Label("Test run", "quiet", "flask"),
    State.UNCHANGED: Label("Nothing changed", "quiet", "equal"),
    State.HELD: Label("On hold", "wait", "pause"),
    State.REFUSED: Label("Refused", "bad", "cross"),
    State.FAILED: Label("Our fault", "bad", "alert"),
    State.SUPERSEDED: Label("Replaced", "quiet", "next"),
}


def count(figure: int, one: str, many: str = "") -> str:
    """Print a figure with its noun: `1 row`, `1,204 rows`."""
    return f"{figure:,} {one if figure == 1 else many or one + 's'}"


FILES = {
    ".errors.csv": ("Errors", "every finding, one per line"),
    ".withheld.csv": ("Withheld removals", "the products this file would remove"),
    ".errors.jsonl.gz": ("Errors for machines", "JSON Lines, compressed"),
    ".changes.csv": ("Changes", "what this version changed, field by field"),
    "current.parquet": ("Catalog", "all products of this version"),
    ".json": ("Receipt", "the result as JSON"),
}

HAPPENED = {
    "upload.receiving": "Its sender goes on",
    "upload.unfinished": "Arrived in part",
    "upload.received": "Received",
    "upload.processing": "Checking began",
    "upload.published": "Went live",
    "upload.tested": "Test run finished",
    "upload.unchanged": "Nothing to change",
    "upload.held": "Put on hold",
    "upload.refused": "Refused",
    "upload.failed": "Given up after several tries",
    "upload.superseded": "Replaced by a newer file",
    "job.lease_lost": "A result that came too late was thrown away",
    "version.published": "Removals went live",
    "removals.approved": "Removals approved",
    "removals.refused": "Removals refused: the products stay",
    "removals.overtaken": "Nothing was removed: a newer full file decided before",
}


def size(amount: float) -> str:
    """Print bytes for people: `1.4 MB`."""
    unit = "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.0f} {unit}" if amount >= 100 or unit == "B" else f"{amount:.1f} {unit}"


def when(moment: str, seconds: str = "") -> str:
    """Print a moment of a receipt: `24 Nov 2026, 15:48` (UTC); `seconds` may be `:%S`."""
    return datetime.fromisoformat(moment).astimezone(UTC).strftime(f"%-d %b %Y, %H:%M{seconds}")


def ago(moment: str, now: datetime) -> str:
    """Say how long ago a moment of a receipt was: `3 minutes ago`."""
    seconds = (now - datetime.fromisoformat(moment)) / timedelta(seconds=1)
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            return f"{count(int(seconds // length), unit)} ago"
    return "just now"


def file_kind(name: str) -> tuple[str, str]:
    """Say what a result file is, and for what, by the ending of its name."""
    found = (kind for ending, kind in FILES.items() if name.endswith(ending))
    return next(found, ("Corrections", "rejected rows only: fix them and send this file back"))


def label(receipt: dict[str, Any], *, removals_wait: bool = False) -> Label:
    """Say the state in a few words, with what matters most about it.

    `removals_wait`: the removals this upload withheld still wait for a decision (the store knows).
    """
    state, rejected = State(receipt["state"]), receipt["rows"]["rejected"]
    plain = LABELS[state]
    if removals_wait:
        return Label(f"{plain.text}, removals on hold", "wait", "pause")
    if state in {State.PUBLISHED, State.UNCHANGED} and rejected:
        return replace(plain, text=f"{plain.text}, {count(rejected, 'row')} left out")
    if state is State.TESTED and (end := receipt.get("would_be")) in {State.REFUSED, State.HELD}:
        return replace(plain, text=f"{plain.text}, {LABELS[State(end)].text.lower()}")
    return plain


_SENT = frozenset({"receiving", "unfinished"})


def happened(event: str, by: str, detail: dict[str, Any]) -> str:
    """Say one event of an upload's timeline: `Approved by token:ops`."""
    text = HAPPENED.get(event, event.partition(".")[2].replace("_", " ").capitalize())
    if event == "upload.received" and detail.get("why") == "replaced":
        text = HAPPENED["upload.unfinished"]
    elif event == "upload.received" and detail.get("previous", "receiving") not in {"", *_SENT}:
        text = {"held": "Approved, checked again", "failed": "Tried again"}.get(
            detail["previous"], "Handed back, tried again"
        )
    if event == "upload.superseded" and NAME_OLDER in detail.get("reasons", ()):
        text = "Not read: a file with a newer name came before it"
    if detail.get("version"):
        text += f" as version {detail['version']}"
    return text if by in ("", "gateway") else f"{text}, by {by.removeprefix('token:')}"


def sentence(receipt: dict[str, Any], *, removals_wait: bool = False) -> str:
    """Tell what became of the file, and what the reader may do, in one or two sentences."""
    state = State(receipt["state"])
    if state is State.PUBLISHED:
        return _published(receipt, removals_wait=removals_wait)
    if state is State.UNCHANGED and receipt["rows"]["rejected"]:
        return _unchanged(receipt["rows"])
    if state is State.TESTED:
        end = LABELS[State(receipt.get("would_be") or State.PUBLISHED)].text.lower()
        rows = f"{_rows(receipt)}; nothing" if receipt["rows"]["read"] else "Nothing"
        return f"Dry run: as a real file this would end as “{end}”. {rows} was changed."
    if state in {State.HELD, State.REFUSED, State.UNFINISHED}:
        return _stopped(state, receipt)
    return {
        State.RECEIVING: "The file is arriving.",
        State.RECEIVED: "The file arrived whole and waits for its turn.",
        State.PROCESSING: "The file is being checked now.",
        State.UNCHANGED: "The catalog already is as in this file; nothing changed.",
        State.FAILED: "We could not process this file. The fault is ours, your file is kept, nothing has changed.",
        State.SUPERSEDED: _too_late(receipt) or "A newer file took its place before this one went live.",
    }[state]


def _stopped(state: State, receipt: dict[str, Any]) -> str:
    """Say why nothing of the file is live, and what somebody has to do."""
    why = _first_reason(receipt)
    if state is State.HELD:
        return f"Nothing of it is live yet: this file waits for a decision. {why}".strip()
    if state is State.REFUSED:
        return f"Nothing was taken from this file. {why or _first_fatal(receipt)}".strip()
    return f"{why or 'The file stops in the middle.'} Send what is missing, or all of it again; nothing has changed."


def _rows(receipt: dict[str, Any]) -> str:
    rows = receipt["rows"]
    if rows["accepted"] == rows["read"]:
        return f"All {count(rows['read'], 'row')} are fine" if rows["read"] != 1 else "The one row is fine"
    return f"{rows['accepted']:,} of {count(rows['read'], 'row')} are fine"


def _unchanged(rows: dict[str, int]) -> str:
    fine = count(rows["accepted"], "row that is", "rows that are")
    return f"The catalog already is as in the {fine} fine; nothing changed. {_to_fix(rows)}."


def _to_fix(rows: dict[str, int]) -> str:
    return count(rows["rejected"], "row needs", "rows need") + " fixing"


def _published(receipt: dict[str, Any], *, removals_wait: bool) -> str:
    said, rows, withheld = _live(receipt), receipt["rows"], receipt["changes"]["withheld"]
    if rows["rejected"]:
        said += f"; {_to_fix(rows)}"
    if withheld and removals_wait:
        said += f". {count(withheld, 'removal waits', 'removals wait')} for your decision"
    return said + "."


def _live(receipt: dict[str, Any]) -> str:
    """Say how many rows are live now; those that delete a product are none of them."""
    read, gone, version = receipt["rows"]["read"], receipt["changes"]["deleted"], receipt["version"]
    live = receipt["rows"]["accepted"] - gone
    removed = count(gone, "product was", "products were") + " removed"
    if gone and not live:
        return removed + (f" with version {version}" if version else "")
    said = f"{live:,} of {count(read, 'row')} {'is' if live == 1 else 'are'} live"
    if live == read and read != 1:
        said = f"All {count(read, 'row')} are live"
    return said + (f" as version {version}" if version else "") + (f"; {removed}" if gone else "")


def _first_reason(receipt: dict[str, Any]) -> str:
    return next((as_sentence(str(reason["text"])) for reason in receipt["reasons"] if reason.get("text")), "")


def _too_late(receipt: dict[str, Any]) -> str:
    """Say which file is newer by its name; '' if that is not why it was superseded."""
    return "".join(as_sentence(each["text"]) for each in receipt.get("reasons", ()) if each["code"] == NAME_OLDER)


def _first_fatal(receipt: dict[str, Any]) -> str:
    for finding in receipt.get("findings", ()):
        for sample in finding.get("samples", ()) if finding["severity"] == "fatal" else ():
            return f"{as_sentence(sample.get('message', ''))} {as_sentence(sample.get('suggestion', ''))}".strip()
    return ""


def as_sentence(text: str) -> str:
    """Make a text a sentence: a capital first, a mark last."""
    return text and capital(text) + ("" if text.endswith((".", "?", "!", "…")) else ".")


def capital(text: str) -> str:
    """Begin a text with a capital, unless the name of a file or a column begins it (`catalog.csv says …`)."""
    first = text.partition(" ")[0].rstrip(",.:;?!")
    is_name = any(not (letter.isalpha() or letter in "'’-") for letter in first)
    return text if is_name else text[:1].upper() + text[1:]
