"""What people see: tables, receipts in plain words, a progress bar. Programs get JSON."""

import codecs
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sftp_gateway import outcome
from sftp_gateway.receipt import Receipt

VERBS = ("approve", "refuse")
Columns = Mapping[str, str | Callable[[dict[str, Any]], object]]


def as_json(value: Any, *, indent: int | None = 2) -> None:
    """Print one JSON document; escaped where stdout has not every letter."""
    has_all = codecs.lookup(sys.stdout.encoding or "ascii").name.startswith("utf")
    print(json.dumps(value, indent=indent, ensure_ascii=not has_all))


def answer(as_document: bool, document: Any, text: str) -> None:
    """Print what a verb did: a document for programs, or a line for people."""
    if as_document:
        as_json(document)
    else:
        print(text)


def clean(text: object) -> str:
    """Give text from outside without anything that could move a terminal's cursor or forge a line."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in str(text))


def table(headers: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> None:
    """Print columns under their headers, numbers to the right; `empty` says it when there are none."""
    if not rows:
        print(empty)
        return
    texts = [[clean("" if cell is None else cell) for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(headers, *texts, strict=True)]
    right = [all(isinstance(row[i], int | float) or row[i] is None for row in rows) for i in range(len(headers))]
    for line in [list(headers), *texts]:
        cells = [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(line, widths, right, strict=True)]
        print("  ".join(cells).rstrip())


def listing(
    as_document: bool, document: dict[str, Any], items: Sequence[dict[str, Any]], columns: Columns, empty: str
) -> None:
    """Print a list: for programs the document that it is in, for people a table of `columns` (header → key of an item)."""
    if as_document:
        as_json(document)
        return
    table(
        list(columns),
        [[it[key] if isinstance(key, str) else key(it) for key in columns.values()] for it in items],
        empty,
    )


def receipt(value: Receipt, *, removals_wait: bool = False) -> None:
    """Print a receipt for people: one sentence of outcome, who decides what, the counts, what to fix, where to look.

    `removals_wait`: the removals this upload withheld still wait for a decision (the store knows).
    """
    rows, changes = value["rows"], value["changes"]
    label = outcome.label(value, removals_wait=removals_wait)
    print(f"Upload {value['upload']}, {clean(value['file']['name'])}: {label.text}.")
    said = outcome.sentence(value, removals_wait=removals_wait)
    print(f"  {clean(said)}")
    if removals_wait or value["state"] == "held":
        does = ("removes them", "keeps them") if removals_wait else ("publishes it", "leaves the catalog as it is")
        print(
            "  Decide:   "
            + ", ".join(f"`{verb} {value['upload']}` {what}" for verb, what in zip(VERBS, does, strict=True))
        )
    for reason in value["reasons"]:
        text = reason.get("text") or ""
        print(f"  {reason['code']}" + (f": {clean(text)}" if outcome.as_sentence(text) not in said else ""))
    counted = [
        f"{rows[name]:,} {name}" for name in ("read", "accepted", "rejected", "duplicates", "retained") if rows[name]
    ]
    if counted:
        print("  Rows:     " + ", ".join(counted))
    did = [f"{number:,} {name}" for name, number in changes.items() if number]
    if did:
        print("  Changes:  " + ", ".join(did))
    if value["findings"]:
        print("  Findings:")
    for finding in value["findings"]:
        column = f" in {finding['column']}" if finding["column"] else ""
        print(f"    {finding['count']:>7,} × {finding['code']}{clean(column)} ({finding['severity']})")
        for sample in finding["samples"][:1]:
            print(f"              {clean(_sample(sample))}")
    for file in value["files"]:
        print(f"  File:     {clean(file['name'])} ({file['bytes']:,} bytes)")


def _sample(sample: dict[str, Any]) -> str:
    """Give one finding as a sentence or two: where, what, what to do."""
    where = f"row {sample['row']}" if sample.get("row") else ""
    value = f"“{sample['value']}”" if sample.get("value") else ""
    said = ": ".join(part for part in (" ".join(part for part in (where, value) if part), sample["message"]) if part)
    return f"{said[:1]}{outcome.as_sentence(said)[1:]} {outcome.as_sentence(sample.get('suggestion') or '')}".strip()


class Progress:
    """A bar on stderr while an upload is worked on; silent when stderr is no terminal."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._shown = sys.stderr.isatty()
        self._stage = ""

    def __call__(self, stage: str, share: float) -> None:
        """Show the stage and how much of it is done (0..1)."""
        if not self._shown:
            return
        filled = round(max(0.0, min(share, 1.0)) * 30)
        bar = "█" * filled + "░" * (30 - filled)
        print(f"\r\033[K{clean(self._label)}  {bar} {share:>4.0%}  {stage}", end="", file=sys.stderr, flush=True)
        self._stage = stage

    def done(self) -> None:
        """Wipe the bar."""
        if self._shown and self._stage:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
