"""`brand map`: proposes which header of a file fills which catalog column, and saves it on yes."""

import argparse
import functools
from pathlib import Path
from typing import Any

from msgspec import structs

from sftp_gateway import brandset
from sftp_gateway.brand import BrandSettings
from sftp_gateway.catalog import propose
from sftp_gateway.catalog.checking import listheaders
from sftp_gateway.catalog.read import opening as reading
from sftp_gateway.catalog.rules import schema
from sftp_gateway.cli import given, opening, output
from sftp_gateway.errors import NotAllowed, NotFound, Refused
from sftp_gateway.store import brands

_ORIGIN = {"header": "understood", "set": "set", "new": "new"}


def propose_columns(options: argparse.Namespace) -> None:
    """Show what the columns of a file were taken for; save what is new if told to."""
    file = Path(options.file)
    with opening.gateway(options) as opened:
        given.readable(file)
        rules = schema.load(opened.settings.catalog.rules)
        brand = brands.get(opened.store, options.name)
        found = _look(file, rules, brand.settings)
        pairs = found.pairs()
        if not options.json:
            _show(options.name, found)
        if pairs and (options.yes or (not options.json and _agreed(options.name, len(pairs)))):
            known = frozenset(column.name for column in rules.columns)
            put = functools.partial(
                brandset.apply, pairs=pairs, columns=known
            )  # to those of now: it may be hours later
            brands.change_settings(opened.store, options.name, put, opening.who())
            saved = True
        else:
            saved = False
    if options.json:
        output.as_json(_as_dict(options.name, file, found, saved=saved))
    elif saved:
        print(f"Saved for {options.name}; the next upload is read that way. brand show {options.name} lists it.")


def _look(file: Path, rules: schema.Schema, settings: BrandSettings) -> propose.Proposed:
    hints = structs.replace(listheaders.hints(rules, settings), complete=True, lenient=True)
    try:
        return propose.look(reading.open_source(file, hints), rules, settings)
    except Refused as error:
        raise NotFound(f"{file}: {error.code}: {error.message} {error.suggestion}".strip()) from error


def _show(name: str, found: propose.Proposed) -> None:
    rows = [(p.column, p.header, _ORIGIN[p.source], p.why, ", ".join(p.samples)) for p in found.columns]
    filled = [item for item in found.unused if item.samples]
    rows += [("(none)", p.header, "", p.why, ", ".join(p.samples)) for p in filled]
    output.table(("COLUMN", "HEADER", "", "WHY", "SAMPLES"), rows, "The file has no columns.")
    if empty := len(found.unused) - len(filled):
        print(f"and {empty} empty column{'s' * (empty > 1)} whose header says nothing here")
    for column in found.missing:
        print(f"{column} is required, and nothing here shows it: brand set {name} columns.{column}=HEADER")
    if not found.pairs():
        print("Nothing to save: no other column could be told by its values.")


def _agreed(name: str, count: int) -> bool:
    """Ask; without a yes nothing is written (NotAllowed)."""
    columns = "this new column" if count == 1 else f"these {count} new columns"
    try:
        answer = input(f"Save {columns} for {name}? [y/N] ")
    except EOFError:
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        raise NotAllowed("nothing was saved; --yes saves without asking")
    return True


def _as_dict(name: str, file: Path, found: propose.Proposed, *, saved: bool) -> dict[str, Any]:
    return {
        "brand": name,
        "file": str(file),
        "columns": [structs.asdict(item) for item in found.columns],
        "unused": [{"header": item.header, "samples": item.samples} for item in found.unused],
        "missing": list(found.missing),
        "set": found.pairs(),
        "saved": saved,
    }
